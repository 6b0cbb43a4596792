import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Credential } from '../../src/core/route.ts'
import { chooseMechanism } from '../../src/transports/login-choice.ts'
import { type Answer, CAPABILITIES, close, expectLine, type ScriptedPeer, type Step, send, serve, startPeer, stay } from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeCredential, makeRelay, outcomesOf, reasonOf } from '../support/smtp-bench.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'

let authority: TestAuthority
let good: TestCertificate
beforeAll(() => {
  authority = createTestAuthority()
  good = authority.issue({ names: 'IP:127.0.0.1' })
})
afterAll(() => authority.remove())

const PASSWORD = 'secret-canary'
const PLAIN = Buffer.from(`\0jira@example.com\0${PASSWORD}`).toString('base64')
const offering = (mechanisms: string) => [...CAPABILITIES, `AUTH ${mechanisms}`]

async function peerOf(steps: readonly Step[], inTls = true): Promise<ScriptedPeer> {
  const peer = await startPeer([steps], inTls ? { implicitTls: good } : {})
  onTestFinished(() => peer.close())
  return peer
}

async function loginTo(peer: ScriptedPeer, credential: Credential = makeCredential(), inTls = true) {
  const bench = createBench({ tap: true })
  const relay = makeRelay(peer, { hosts: [{ implicitTls: inTls }], tls: { level: inTls ? 'verify' : 'none', ca: authority.ca } })
  const report = await bench.deliver(makeBatch(relay, { credential }))
  // Whatever happened: the secret is in nothing that people see (A01).
  const seen = JSON.stringify([[...report.outcomes.values()], report.hop, bench.notes, bench.dialogue])
  expect(seen).not.toContain(PASSWORD)
  expect(seen).not.toContain(PLAIN)
  expect(seen).not.toContain(Buffer.from(PASSWORD).toString('base64'))
  return { report, outcomes: outcomesOf(report), relay, ...bench }
}

const serving = (mechanisms: string, auth: Answer = '235 2.7.0 welcome') => [
  send('220 x'),
  serve({ capabilities: offering(mechanisms), answers: { AUTH: auth } }),
]

describe('a login', () => {
  it('by PLAIN says it in one line, inside TLS', async () => {
    const peer = await peerOf(serving('LOGIN PLAIN'))
    expect((await loginTo(peer)).outcomes).toEqual(['delivered 2.0.0'])
    expect(peer.lines[1]).toBe(`AUTH PLAIN ${PLAIN}`)
  })
  it('by LOGIN answers twice', async () => {
    const peer = await peerOf([
      send('220 x'),
      expectLine('EHLO'),
      send('250-x\r\n250 AUTH LOGIN'),
      expectLine('AUTH LOGIN'),
      send('334 VXNlcm5hbWU6'),
      expectLine(Buffer.from('jira@example.com').toString('base64')),
      send('334 UGFzc3dvcmQ6'),
      expectLine(Buffer.from(PASSWORD).toString('base64')),
      send('235 ok'),
      serve(),
    ])
    expect((await loginTo(peer)).outcomes).toEqual(['delivered 2.0.0'])
    peer.check()
  })
  it('by CRAM-MD5 shows no password, so it may go in plain', async () => {
    const challenge = '<1896.697170952@postoffice.example.net>'
    const digest = createHmac('md5', PASSWORD).update(challenge).digest('hex')
    const steps = [
      send('220 x'),
      expectLine('EHLO'),
      send('250-x\r\n250 AUTH PLAIN CRAM-MD5'),
      expectLine('AUTH CRAM-MD5'),
      send(`334 ${Buffer.from(challenge).toString('base64')}`),
      expectLine(Buffer.from(`jira@example.com ${digest}`).toString('base64')),
      send('235 ok'),
      serve(),
    ]
    const peer = await peerOf(steps, false)
    expect((await loginTo(peer, makeCredential(), false)).outcomes).toEqual(['delivered 2.0.0'])
    peer.check()
  })
  it('with a space, a colon, umlauts and 300 octets goes through (C10)', async () => {
    const password = `a:b c ${'ü'.repeat(150)}`
    const peer = await peerOf(serving('PLAIN'))
    const { outcomes } = await loginTo(peer, makeCredential({ password: () => password }))
    expect(outcomes).toEqual(['delivered 2.0.0'])
    const said = peer.lines.find((line) => line.startsWith('AUTH')) ?? ''
    const response = said.split(' ')[2] ?? peer.lines[2] ?? ''
    expect(Buffer.from(response, 'base64').toString()).toContain(password)
  })
  it('asks for the password at each login, so that a changed file is seen', async () => {
    let asked = 0
    const peer = await peerOf([send('220 x'), serve({ capabilities: offering('PLAIN'), answers: { AUTH: '235 ok' } })])
    const credential = makeCredential({
      password: () => {
        asked++
        return PASSWORD
      },
    })
    const { deliver, relay } = await loginTo(peer, credential)
    await deliver(makeBatch(relay, { credential }))
    expect(asked).toBe(1)
  })
})

describe('the choice of a mechanism', () => {
  const credential = makeCredential({ mechanisms: ['PLAIN', 'LOGIN', 'CRAM-MD5'] })
  it.each([
    [['LOGIN', 'PLAIN', 'CRAM-MD5'], true, 'PLAIN'],
    [['LOGIN', 'CRAM-MD5'], true, 'LOGIN'],
    [['CRAM-MD5', 'PLAIN'], false, 'CRAM-MD5'],
    [['PLAIN'], false, null],
    [['XOAUTH2', 'NTLM'], true, null],
    [[], true, null],
  ] as const)('of %j, TLS %s, is %s', (offered, insideTls, expected) => {
    const choice = chooseMechanism(credential, offered, insideTls)
    expect(choice.kind === 'use' ? choice.mechanism : null).toBe(expected)
  })
  it('keeps PLAIN and LOGIN for TLS unless the credential allows more', () => {
    expect(chooseMechanism({ ...credential, allowPlaintext: true }, ['PLAIN'], false)).toEqual({ kind: 'use', mechanism: 'PLAIN' })
    expect(chooseMechanism({ ...credential, allowPlaintext: true }, ['PLAIN', 'CRAM-MD5'], false)).toEqual({ kind: 'use', mechanism: 'CRAM-MD5' })
  })
  it('follows the order of the credential', () => {
    expect(chooseMechanism({ ...credential, mechanisms: ['CRAM-MD5', 'PLAIN'] }, ['PLAIN', 'CRAM-MD5'], true)).toEqual({ kind: 'use', mechanism: 'CRAM-MD5' })
  })
  it('takes only what the last EHLO had, in the old spelling too (C11)', async () => {
    const peer = await peerOf([send('220 x'), serve({ capabilities: ['AUTH=LOGIN PLAIN', 'AUTH LOGIN PLAIN'], answers: { AUTH: '235 ok' } })])
    expect((await loginTo(peer)).outcomes).toEqual(['delivered 2.0.0'])
  })
})

describe('a login that fails', () => {
  const REFUSED: readonly (readonly [string, string])[] = [
    ['535 5.7.8 Username and Password not accepted', 'deferred 4.7.8 credential at auth'],
    ['535 no status', 'deferred 4.7.8 credential at auth'],
    ['534 5.7.9 Application-specific password required', 'deferred 4.7.8 credential at auth'],
    ['550 5.7.30 Basic authentication is not supported', 'deferred 4.7.8 credential at auth'],
    ['554 5.7.8 no', 'deferred 4.7.8 credential at auth'],
    ['538 5.7.11 encryption needed', 'deferred 4.7.8 credential at auth'],
    ['454 4.7.0 Too many login attempts', 'deferred 4.7.0 credential at auth'],
  ]
  it.each(REFUSED)('with %s defers everything and pauses the credential (C10)', async (reply, expected) => {
    const peer = await peerOf(serving('PLAIN', reply))
    const { outcomes, report } = await loginTo(peer)
    expect(outcomes).toEqual([expected])
    expect(report.hop.kind).toBe('credential-refused')
    expect([...report.outcomes.values()][0]).toMatchObject({ diagnosis: { reply: { code: Number(reply.slice(0, 3)) } } })
    expect(peer.connections).toHaveLength(1)
    expect(peer.contents).toEqual([])
  })
  it('with 421 or a close is the hop, not the credential', async () => {
    for (const steps of [[send('421 4.7.0 later'), close], [close]]) {
      const peer = await peerOf([send('220 x'), expectLine('EHLO'), send('250-x\r\n250 AUTH PLAIN'), expectLine('AUTH'), ...steps])
      expect((await loginTo(peer)).report.hop.kind).toBe('unwell')
    }
  })
  it('with junk in a challenge is cancelled', async () => {
    const peer = await peerOf([
      send('220 x'),
      expectLine('EHLO'),
      send('250-x\r\n250 AUTH CRAM-MD5'),
      expectLine('AUTH CRAM-MD5'),
      send('334 ***not base64***'),
      expectLine('*'),
      send('501 5.5.2 cancelled'),
      stay,
    ])
    const { outcomes } = await loginTo(peer)
    expect(outcomes).toEqual(['deferred 4.7.8 credential at auth'])
    peer.check()
  })
  it('because nothing known is offered says what is offered', async () => {
    const peer = await peerOf(serving('XOAUTH2 NTLM'))
    const { outcomes, report } = await loginTo(peer)
    expect(outcomes).toEqual(['deferred 4.7.8 credential at auth'])
    expect(report.hop.kind).toBe('credential-refused')
    expect(reasonOf(report)).toContain('XOAUTH2 NTLM')
  })
  it('because there is no TLS says so, and says nothing else', async () => {
    const peer = await peerOf(serving('PLAIN LOGIN'), false)
    const { outcomes, report } = await loginTo(peer, makeCredential(), false)
    expect(outcomes).toEqual(['deferred 4.7.8 credential at auth'])
    expect(reasonOf(report)).toContain('would show the password')
    expect(peer.lines.filter((line) => line.startsWith('AUTH'))).toEqual([])
  })
  it('because the password cannot be read defers with the reason', async () => {
    const peer = await peerOf(serving('PLAIN'))
    const credential = makeCredential({
      password: () => {
        throw new Error('/etc/postern/jira.secret cannot be read: permission denied')
      },
    })
    const { outcomes, report } = await loginTo(peer, credential)
    expect(outcomes).toEqual(['deferred 4.7.8 credential at auth'])
    expect(reasonOf(report)).toContain('jira.secret cannot be read')
    expect(report.hop.kind).toBe('credential-refused')
  })
  it('because the password holds NUL defers', async () => {
    const peer = await peerOf(serving('PLAIN'))
    expect((await loginTo(peer, makeCredential({ password: () => 'a\0b' }))).outcomes).toEqual(['deferred 4.7.8 credential at auth'])
  })
  it('is not tried at the next host (A07)', async () => {
    const peer = await peerOf(serving('PLAIN', '535 5.7.8 no'))
    const other = await peerOf(serving('PLAIN'))
    const { deliver } = createBench()
    const relay = makeRelay(peer, { hosts: [{ implicitTls: true }, { port: other.port, implicitTls: true }], tls: { level: 'verify', ca: authority.ca } })
    expect(outcomesOf(await deliver(makeBatch(relay, { credential: makeCredential() })))).toEqual(['deferred 4.7.8 credential at auth'])
    expect(other.connections).toHaveLength(0)
  })
})

describe('the dialogue for people', () => {
  it('names the message, the recipients and hides the secret', async () => {
    const peer = await peerOf(serving('PLAIN'))
    const { dialogue } = await loginTo(peer)
    const lines = dialogue.map((line) => `${line.direction} ${line.text}`)
    expect(lines).toContain('> EHLO postern.test')
    expect(lines.find((line) => line.startsWith('> AUTH'))).toMatch(/^> AUTH PLAIN/)
    const mail = dialogue.find((line) => line.text.startsWith('MAIL'))
    expect(mail).toMatchObject({ side: 'delivery', peer: 'relay/jira', session: 'relay#1', to: ['ann@receiver.example'] })
    expect(mail?.queueId).not.toBeNull()
    expect(dialogue.at(-1)).toMatchObject({ direction: '<', text: '250 2.0.0 Ok: queued', queueId: mail?.queueId })
  })
})
