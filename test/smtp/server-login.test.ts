import { describe, expect, it } from 'vitest'
import { enhanced, reply, type SmtpReply } from '../../src/core/reply.ts'
import type { Decision } from '../../src/smtp/server-engine.ts'
import { codes, greeted, openServerSession } from '../support/server-session.ts'

const REFUSED: SmtpReply = reply(550, enhanced(5, 7, 1), 'No')
const ENVELOPE = 'MAIL FROM:<u@y>\r\nRCPT TO:<v@z>\r\n'

describe('answers that come later', () => {
  const later: Record<'mail' | 'rcpt' | 'content', () => Decision> = { mail: () => 'later', rcpt: () => 'later', content: () => 'later' }

  it('are said when they come', () => {
    const session = greeted({ policy: later })
    expect(session.say('MAIL FROM:<u@y>\r\n')).toBe('')
    expect(session.engine.answerOwed).toBe(true)
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0'])
    session.say('RCPT TO:<v@z>\r\n')
    session.engine.answer(REFUSED)
    expect(codes(session.take())).toEqual(['550 5.7.1'])
    expect(session.engine.state).toBe('mail')
    expect(() => session.engine.answer('accept')).toThrow(/no answer is owed/)
  })

  it('hold the commands behind them back, in order, with PIPELINING', () => {
    const session = greeted({ settings: { pipelining: true }, policy: later })
    expect(session.say(`${ENVELOPE}RCPT TO:<w@z>\r\nDATA\r\n`)).toBe('')
    expect(session.engine.wantsInput).toBe(false)
    session.engine.answer('accept')
    session.engine.answer('accept')
    expect(session.engine.wantsInput).toBe(false)
    session.engine.answer(REFUSED)
    expect(codes(session.take())).toEqual(['250 2.1.0', '250 2.1.5', '550 5.7.1', '354'])
    expect(session.engine.wantsInput).toBe(true)
    expect(session.say(`x\r\n.\r\n${ENVELOPE}`)).toBe('')
    expect(session.say('RCPT TO:<x@z>\r\n')).toBe('')
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.0.0'])
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0'])
  })

  it('are said first, and then 554, when input came without PIPELINING', () => {
    const session = greeted({ policy: later })
    session.say('MAIL FROM:<u@y>\r\n')
    expect(session.say('RCPT TO:<v@z>\r\n')).toBe('')
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0', '554 5.5.0'])
    expect(session.closed).toBe('synchronization')
    expect(session.log).not.toContain('rcpt')
  })

  it('may come after a close, and are then of no use', () => {
    const session = greeted({ policy: later })
    session.say('MAIL FROM:<u@y>\r\n')
    session.engine.close(reply(421, enhanced(4, 3, 2), 'Shutting down'))
    expect(codes(session.take())).toEqual(['421 4.3.2'])
    session.engine.answer('accept')
    session.engine.close(null)
    expect(session.take()).toBe('')
    expect(session.closed).toBe('asked')
  })

  it('do not make us hold input without end', () => {
    const session = greeted({ settings: { pipelining: true }, policy: later })
    session.say('MAIL FROM:<u@y>\r\n')
    for (let i = 0; i < 300; i++) session.say('x'.repeat(1000))
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0', '554 5.5.0'])
  })
})

describe('STARTTLS', () => {
  const settings = { startTls: true, auth: 'always' } as const

  it('is offered outside TLS, and forgets everything', () => {
    const session = openServerSession({ settings })
    expect(session.say('EHLO a\r\n')).toContain('250-STARTTLS\r\n')
    session.say('AUTH PLAIN AHUAcA==\r\n')
    expect(session.engine.login).toBe('u')
    expect(codes(session.say('STARTTLS\r\n'))).toEqual(['503 5.5.1'])
    const fresh = greeted({ settings })
    expect(codes(fresh.say('STARTTLS\r\n'))).toEqual(['220 2.0.0'])
    expect(fresh.log).toContain('starttls')
    fresh.engine.tlsStarted()
    expect([fresh.engine.tls, fresh.engine.ehloName, fresh.engine.state]).toEqual([true, null, 'connected'])
    expect(codes(fresh.say('MAIL FROM:<u@y>\r\n'))).toEqual(['503 5.5.1'])
    expect(fresh.say('EHLO a\r\n')).not.toContain('STARTTLS')
    expect(codes(fresh.say('STARTTLS\r\n'))).toEqual(['503 5.5.1'])
  })

  it('refuses a parameter, and its place inside a transaction', () => {
    const session = greeted({ settings })
    expect(codes(session.say('STARTTLS now\r\n'))).toEqual(['501 5.5.4'])
    session.say('MAIL FROM:<u@y>\r\n')
    expect(codes(session.say('STARTTLS\r\n'))).toEqual(['503 5.5.1'])
  })

  it('never runs what came in plain behind it (T01, T02)', () => {
    for (const injected of ['EHLO inj\r\n', 'NOOP\r\n', 'x'.repeat(16_384), 'R']) {
      const session = greeted({ settings })
      expect(codes(session.say(`STARTTLS\r\n${injected}`))).toEqual(['554 5.5.0'])
      expect(session.closed).toBe('synchronization')
      const split = greeted({ settings })
      split.say('STARTTLS\r\n')
      expect(split.say(injected)).toBe('')
      expect(split.closed).toBe('synchronization')
      expect(split.log).toEqual(['ehlo', 'starttls'])
    }
  })

  it('must come first where TLS is demanded (T08)', () => {
    const session = openServerSession({ settings: { ...settings, requireTls: true } })
    session.take()
    for (const command of ['HELO a', 'MAIL FROM:<u@y>', 'AUTH PLAIN', 'RSET', 'VRFY u', 'HELP', 'WIZ']) {
      expect(codes(session.say(`${command}\r\n`)), command).toEqual(['530 5.7.0'])
    }
    expect(codes(session.say('NOOP\r\n'))).toEqual(['250 2.0.0'])
    session.say('EHLO a\r\n')
    expect(codes(session.say('STARTTLS\r\n'))).toEqual(['220 2.0.0'])
    session.engine.tlsStarted()
    session.say('EHLO a\r\n')
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['250 2.1.0'])
  })
})

describe('AUTH', () => {
  const auth = { settings: { auth: 'always' } } as const

  it('logs in with PLAIN and LOGIN', () => {
    const plain = greeted(auth)
    expect(codes(plain.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['235 2.7.0'])
    expect(plain.engine.login).toBe('u')
    const asked = greeted(auth)
    expect(asked.say('AUTH PLAIN\r\n')).toBe('334 \r\n')
    expect(codes(asked.say('AHUAcA==\r\n'))).toEqual(['235 2.7.0'])
    const login = greeted(auth)
    expect(login.say('AUTH LOGIN\r\n')).toBe('334 VXNlcm5hbWU6\r\n')
    expect(login.say('dQ==\r\n')).toBe('334 UGFzc3dvcmQ6\r\n')
    expect(codes(login.say('cA==\r\n'))).toEqual(['235 2.7.0'])
    expect(login.log).toContain('auth')
  })

  const cases: readonly (readonly [name: string, lines: readonly string[], last: string])[] = [
    ['a cancel', ['AUTH PLAIN', '*'], '501 5.7.0'],
    ['an empty initial response', ['AUTH PLAIN ='], '501 5.5.2'],
    ['invalid base64', ['AUTH PLAIN !!!!'], '501 5.5.2'],
    ['an unknown mechanism', ['AUTH GSSAPI'], '504 5.5.4'],
    ['no mechanism', ['AUTH'], '501 5.5.4'],
    ['too many words', ['AUTH PLAIN AHUAcA== x'], '501 5.5.4'],
    ['another identity', [`AUTH PLAIN ${Buffer.from('a\0u\0p').toString('base64')}`], '535 5.7.8'],
    ['a second time', ['AUTH PLAIN AHUAcA==', 'AUTH PLAIN AHUAcA=='], '503 5.5.1'],
    ['inside a transaction', ['MAIL FROM:<u@y>', 'AUTH PLAIN AHUAcA=='], '503 5.5.1'],
    ['a long line of login', ['AUTH PLAIN', 'A'.repeat(12_288)], '501 5.5.2'],
    ['a line over the limit', ['AUTH PLAIN', 'A'.repeat(12_289)], '500 5.5.2'],
  ]
  it.each(cases)('answers %s as RFC 4954 wants', (_, lines, last) => {
    const session = greeted(auth)
    let answer = ''
    for (const line of lines) answer = session.say(`${line}\r\n`)
    expect(codes(answer)).toEqual([last])
    expect(session.closed).toBeNull()
  })

  it('takes commands again after a failed login', () => {
    for (const failing of ['*', '!', 'A'.repeat(13_000)]) {
      const session = greeted(auth)
      session.say('AUTH LOGIN\r\n')
      session.say(`${failing}\r\n`)
      expect(codes(session.say('NOOP\r\n'))).toEqual(['250 2.0.0'])
    }
  })

  it('is refused outside TLS where TLS is needed, and not announced (T07)', () => {
    const session = openServerSession({ settings: { auth: 'with-tls', startTls: true } })
    expect(session.say('EHLO a\r\n')).not.toContain('AUTH')
    expect(codes(session.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['538 5.7.11'])
    expect(session.log).not.toContain('auth')
    const inside = greeted({ settings: { auth: 'with-tls' }, implicitTls: true })
    expect(codes(inside.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['235 2.7.0'])
  })

  it('needs EHLO, not HELO', () => {
    const session = openServerSession(auth)
    session.say('HELO a\r\n')
    expect(codes(session.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['503 5.5.1'])
  })

  it('is demanded before MAIL where the settings say so', () => {
    const session = greeted({ settings: { auth: 'always', requireAuth: true } })
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['530 5.7.0'])
    session.say('AUTH PLAIN AHUAcA==\r\n')
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['250 2.1.0'])
  })

  it('never shows a secret to whoever watches the dialogue', () => {
    const session = greeted({ settings: { auth: 'with-tls' } })
    const secret = Buffer.from('\0user\0canary').toString('base64')
    for (const line of [`AUTH PLAIN ${secret}`, 'AUTH PLAIN', secret, 'AUTH LOGIN', secret]) session.say(`${line}\r\n`)
    const open = greeted({ settings: { auth: 'always' }, policy: { auth: () => REFUSED } })
    for (const line of [`AUTH PLAIN ${secret}`, 'AUTH PLAIN', secret, 'AUTH LOGIN', secret, secret]) open.say(`${line}\r\n`)
    const shown = [...session.shown, ...session.refused, ...open.shown, ...open.refused].join('\n')
    expect(shown).toContain('AUTH PLAIN')
    expect(shown).not.toContain(secret)
    expect(shown).not.toContain('canary')
  })
})
