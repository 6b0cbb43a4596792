import { describe, expect, it } from 'vitest'
import { CommandFault } from '../../src/smtp/command-format.ts'
import { createExchange, type SaslExchange } from '../../src/smtp/sasl.ts'
import { openClientSession, readyClientSession } from '../support/client-session.ts'
import { everyWay } from '../support/feed.ts'

const noHmac = () => ''

describe('setting up', () => {
  it('greets, says EHLO and is ready, however the replies are cut', () => {
    for (const feeding of everyWay('220-mx.test\r\n220 hello\r\n')) {
      const session = openClientSession()
      expect(session.engine.phase).toBe('greeting')
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(session.take()).toBe('EHLO client.test\r\n')
      expect(session.engine.phase).toBe('ehlo')
      session.hear('250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000\r\n')
      expect(session.log).toEqual(['ready'])
      expect(session.capabilities).toMatchObject({ pipelining: true, sizeOctets: 1000 })
      expect([session.engine.phase, session.engine.idle, session.engine.usable, session.engine.room]).toEqual([null, true, true, 2])
      expect(session.engine.meetsItself).toBe(false)
    }
  })

  it('falls back to HELO when EHLO is refused for good (O03)', () => {
    for (const refusal of ['500 what', '502 no', '550 no']) {
      const session = openClientSession()
      session.hear('220 mx\r\n')
      expect(session.hear(`${refusal}\r\n`)).toBe('HELO client.test\r\n')
      session.hear('250-mx\r\n250 PIPELINING\r\n')
      expect(session.capabilities).toMatchObject({ esmtp: false, pipelining: false })
    }
  })

  const refusals: readonly (readonly [name: string, replies: readonly string[], log: readonly string[]])[] = [
    ['a 421 greeting', ['421 busy'], ['refused greeting 421', 'fault closing']],
    ['a 450 greeting', ['450 later'], ['refused greeting 450', 'fault refused']],
    ['a 521 greeting', ['521 no mail here'], ['refused greeting 521', 'fault refused']],
    ['a 554 greeting', ['554 no'], ['refused greeting 554', 'fault refused']],
    ['a 354 greeting', ['354 what'], ['fault desynchronised']],
    ['a 421 EHLO', ['220 mx', '421 busy'], ['refused ehlo 421', 'fault closing']],
    ['a 450 EHLO', ['220 mx', '450 later'], ['refused ehlo 450', 'fault refused']],
    ['EHLO and HELO refused', ['220 mx', '500 no', '501 no'], ['refused ehlo 501', 'fault refused']],
    ['POP3', ['+OK ready'], ['fault malformed']],
    ['SSH', ['SSH-2.0-x'], ['fault malformed']],
    ['no code', ['22 x'], ['fault malformed']],
    ['a code of four digits', ['2200 x'], ['fault malformed']],
    ['differing codes', ['220 mx', '250-a\r\n251 b'], ['fault malformed']],
  ]
  it.each(refusals)('ends at %s (O02, O03)', (_, replies, log) => {
    const session = openClientSession()
    for (const reply of replies) session.hear(`${reply}\r\n`)
    expect(session.log).toEqual(log)
    expect([session.engine.usable, session.engine.idle, session.engine.room]).toEqual([false, false, 0])
  })

  it('stops at a greeting without end (O02, O06)', () => {
    const long = openClientSession()
    long.hear('220 '.padEnd(70_000, 'x'))
    expect(long.log).toEqual(['fault malformed'])
    const many = openClientSession()
    many.hear('220-x\r\n'.repeat(10_000))
    expect(many.log).toEqual(['fault malformed'])
  })

  it('takes nothing for the reply to EHLO that came before EHLO (O08)', () => {
    for (const early of ['250 mx\r\n', '250', '2']) {
      const session = openClientSession()
      expect(session.hear(`220 mx\r\n${early}`)).toBe('')
      expect(session.log).toEqual(['fault desynchronised'])
    }
  })
})

describe('STARTTLS', () => {
  it('asks, hands over, and says EHLO again: only what comes then counts (C04, C11)', () => {
    const session = readyClientSession('STARTTLS', 'AUTH PLAIN', 'PIPELINING')
    session.engine.startTls()
    expect(session.take()).toBe('STARTTLS\r\n')
    expect(session.hear('220 go\r\n')).toBe('')
    expect(session.log).toEqual(['ready', 'tls'])
    session.engine.tlsStarted()
    expect(session.take()).toBe('EHLO client.test\r\n')
    session.hear('250 mx\r\n')
    expect(session.capabilities).toMatchObject({ authMechanisms: [], pipelining: false, startTls: false })
  })

  it.each(['454 later', '502 no', '500 what'])('says that it was refused with %s, and the session may go on (C02)', (refusal) => {
    const session = readyClientSession('STARTTLS')
    session.engine.startTls()
    session.hear(`${refusal}\r\n`)
    expect(session.log).toEqual(['ready', `refused starttls ${refusal.slice(0, 3)}`])
    expect(session.engine.idle).toBe(true)
  })

  it.each(['354 go', 'garbage', '421 bye'])('ends at %s (C02)', (reply) => {
    const session = readyClientSession('STARTTLS')
    session.engine.startTls()
    session.hear(`${reply}\r\n`)
    expect(session.fault).not.toBeNull()
    expect(session.log).not.toContain('tls')
  })

  it('uses nothing of what was sent in plain behind 220, at once or later (C03)', () => {
    for (const injected of ['250-x\r\n250 AUTH PLAIN\r\n', '2', '\r\n']) {
      const session = readyClientSession('STARTTLS')
      session.engine.startTls()
      session.hear(`220 go\r\n${injected}`)
      expect(session.log, injected).toEqual(['ready', 'fault desynchronised'])
      const later = readyClientSession('STARTTLS')
      later.engine.startTls()
      later.hear('220 go\r\n')
      later.hear(injected)
      expect(later.log, injected).toEqual(['ready', 'tls', 'fault desynchronised'])
      later.engine.tlsStarted()
      expect(later.take()).toBe('')
    }
  })
})

describe('logging in', () => {
  const plain = () => createExchange('PLAIN', 'u', 'canary', noHmac)

  it('sends PLAIN with its initial response, and LOGIN step by step', () => {
    const session = readyClientSession('AUTH PLAIN LOGIN')
    session.engine.authenticate(plain())
    expect(session.take()).toBe(`AUTH PLAIN ${Buffer.from('\0u\0canary').toString('base64')}\r\n`)
    expect(session.engine.phase).toBe('auth')
    session.hear('235 2.7.0 ok\r\n')
    expect(session.log).toEqual(['ready', 'authenticated'])
    expect([session.engine.authenticated, session.engine.idle]).toEqual([true, true])

    const login = readyClientSession('AUTH LOGIN')
    login.engine.authenticate(createExchange('LOGIN', 'u', 'p', noHmac))
    expect(login.take()).toBe('AUTH LOGIN\r\n')
    expect(login.hear('334 VXNlcm5hbWU6\r\n')).toBe('dQ==\r\n')
    expect(login.hear('334 UGFzc3dvcmQ6\r\n')).toBe('cA==\r\n')
    login.hear('235 ok\r\n')
    expect(login.log).toEqual(['ready', 'authenticated'])
  })

  it('leaves a long initial response to the challenge', () => {
    const session = readyClientSession('AUTH PLAIN')
    session.engine.authenticate(createExchange('PLAIN', 'u', 'p'.repeat(400), noHmac))
    expect(session.take()).toBe('AUTH PLAIN\r\n')
    expect(session.hear('334 \r\n')).toBe(`${Buffer.from(`\0u\0${'p'.repeat(400)}`).toString('base64')}\r\n`)
  })

  it.each(['535 5.7.8 no', '454 later', '534 weak'])('says that it was refused with %s; the session may try another way (C10)', (refusal) => {
    const session = readyClientSession('AUTH PLAIN LOGIN')
    session.engine.authenticate(plain())
    session.hear(`${refusal}\r\n`)
    expect(session.log).toEqual(['ready', `refused auth ${refusal.slice(0, 3)}`])
    expect([session.engine.idle, session.engine.authenticated]).toEqual([true, false])
    session.engine.authenticate(createExchange('LOGIN', 'u', 'p', noHmac))
    expect(session.take()).toBe('AUTH LOGIN\r\n')
  })

  it('cancels when it has nothing to say, and when challenges do not end', () => {
    const session = readyClientSession('AUTH CRAM-MD5')
    session.engine.authenticate(createExchange('CRAM-MD5', 'u', 'p', noHmac))
    expect(session.hear('334 !!!\r\n')).toBe('AUTH CRAM-MD5\r\n*\r\n')
    session.hear('501 cancelled\r\n')
    expect(session.log).toEqual(['ready', 'refused auth 501'])
    const endless = readyClientSession('AUTH PLAIN')
    const talkative: SaslExchange = { mechanism: 'PLAIN', initial: null, next: () => 'AAAA' }
    endless.engine.authenticate(talkative)
    for (let i = 0; i < 4; i++) endless.hear('334 \r\n')
    endless.take()
    expect(endless.hear('334 \r\n')).toBe('*\r\n')
  })

  it('sends nothing that is no base64', () => {
    const session = readyClientSession('AUTH LOGIN')
    const evil: SaslExchange = { mechanism: 'LOGIN', initial: null, next: () => 'AA\r\nMAIL FROM:<evil@x>' }
    session.engine.authenticate(evil)
    session.take()
    expect(session.hear('334 \r\n')).toBe('*\r\n')
    const bad: SaslExchange = { mechanism: 'PLAIN', initial: 'A\r\nB', next: () => null }
    expect(() => readyClientSession('AUTH PLAIN').engine.authenticate(bad)).toThrow(CommandFault)
  })

  it('ends at 421 and at a close', () => {
    const session = readyClientSession('AUTH PLAIN')
    session.engine.authenticate(plain())
    session.hear('421 bye\r\n')
    expect(session.log).toEqual(['ready', 'refused auth 421', 'fault closing'])
    const lost = readyClientSession('AUTH PLAIN')
    lost.engine.authenticate(plain())
    lost.engine.lost('closed')
    expect(lost.fault).toEqual({ kind: 'lost', phase: 'auth', reason: 'closed', reply: null })
  })

  it('shows no secret to whoever watches', () => {
    const session = readyClientSession('AUTH PLAIN LOGIN')
    session.engine.authenticate(plain())
    session.hear('535 no\r\n')
    session.engine.authenticate(createExchange('LOGIN', 'u', 'canary', noHmac))
    session.hear('334 \r\n')
    session.hear('334 \r\n')
    expect(session.shown.join('\n')).not.toMatch(/canary|Y2FuYXJ5|Y2FuYX/)
    expect(session.shown).toContain('> AUTH PLAIN')
  })
})
