import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { cheapHash, type Harness, makeListener, makeSettings, makeUser, startIntake, Talker } from './harness.ts'

const LOGIN = `AUTH PLAIN ${Buffer.from('\0jira\0secret').toString('base64')}`

let authority: TestAuthority
let pair: TestCertificate
beforeAll(() => {
  authority = createTestAuthority()
  pair = authority.issue({ names: 'DNS:mail.example.com' })
})
afterAll(() => authority.remove())

describe('STARTTLS', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await startIntake({
      settings: { listeners: [makeListener({ tls: pair, authWithoutTls: false })], users: [makeUser('jira', cheapHash('secret'))] },
    })
  })
  afterEach(() => harness.end())

  it('is offered, leads to TLS 1.2 or newer, and is written down in the Received line', async () => {
    const client = await harness.client()
    expect(await client.hello()).toContain('STARTTLS')
    expect(await client.say('STARTTLS')).toMatch(/^220 /)
    await client.startTls({ servername: 'mail.example.com' })
    const hello = await client.say('EHLO app.example')
    expect(hello).not.toContain('STARTTLS')
    expect(hello).toContain('AUTH PLAIN LOGIN')
    expect(await client.say(LOGIN)).toMatch(/^235 /)
    expect(await client.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
    expect(await harness.stored()).toMatch(/\r\n\t\(using TLSv1\.3 with cipher TLS_\w+\)\r\n\tby mail\.example\.com with ESMTPSA id /)
    expect(harness.accepted[0]).toMatchObject({ protocol: 'ESMTPSA', submitter: 'login:jira' })
  })

  it('closes when a command rides in the same segment (T01)', async () => {
    for (const inner of ['EHLO inj\r\n', 'NOOP\r\n', 'RSET\r\n', 'MAIL FROM:<a@x>\r\n', 'x'.repeat(16_384)]) {
      const client = await harness.client()
      await client.hello()
      client.send(`STARTTLS\r\n${inner}`)
      expect(await client.reply()).toMatch(/^(554 5\.5\.0 |220 )/)
      await client.gone()
      client.destroy()
    }
    await waitUntil(() => harness.intake.status()[0]?.sessions === 0)
  })

  it('answers nothing that comes in plain behind its 220 (T02)', async () => {
    const client = await harness.client()
    await client.hello()
    await client.say('STARTTLS')
    client.send('MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n')
    expect(await client.reply()).toBe('closed')
    await waitUntil(() => harness.notes.some((note) => note.text === 'TLS handshake failed'))
  })

  it('forgets everything known before (T03)', async () => {
    const client = await harness.client()
    await client.hello()
    await client.say('MAIL FROM:<a@x.example>')
    await client.say('RSET')
    await client.say('STARTTLS')
    await client.startTls()
    expect(await client.say('MAIL FROM:<a@x.example>')).toMatch(/^503 /)
    expect(await client.say('RCPT TO:<b@y.example>')).toMatch(/^503 /)
  })

  it('is refused twice, with a parameter, inside a transaction and after a login (T04)', async () => {
    const client = await harness.client()
    await client.hello()
    expect(await client.say('STARTTLS now')).toMatch(/^501 /)
    await client.say('MAIL FROM:<a@x.example>')
    expect(await client.say('STARTTLS')).toMatch(/^503 /)
    await client.say('RSET')
    await client.say('STARTTLS')
    await client.startTls()
    await client.say('EHLO app.example')
    expect(await client.say('STARTTLS')).toMatch(/^503 /)
  })

  it('ends at the handshake deadline for a client that stops, and harms no other (T05)', async () => {
    const silent = await harness.client()
    await silent.hello()
    await silent.say('STARTTLS')
    silent.send('\x16')
    const honest = await harness.client()
    await honest.hello()
    await harness.clock.advance(29_000)
    expect(silent.closed || silent.ended).toBe(false)
    await harness.clock.advance(1_001)
    await silent.gone()
    expect(harness.notes.filter((note) => note.text === 'TLS handshake timed out')).toHaveLength(1)
    expect(await honest.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
  })

  it('survives garbage, old versions, weak ciphers and odd names in the handshake (T05)', async () => {
    const attempts: (() => Promise<void>)[] = [
      () => handshake(harness, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }),
      () => handshake(harness, { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }),
      () => handshake(harness, { servername: `${'x'.repeat(60)}.${'y'.repeat(60)}.${'z'.repeat(60)}.${'w'.repeat(60)}.example` }),
    ]
    const results = await Promise.allSettled(attempts.map((attempt) => attempt()))
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'fulfilled'])
    const garbage = await harness.client()
    await garbage.hello()
    await garbage.say('STARTTLS')
    garbage.send(Buffer.alloc(5_000, 0xff))
    await garbage.gone()
    const reset = await harness.client()
    await reset.hello()
    await reset.say('STARTTLS')
    reset.socket.resetAndDestroy()
    const honest = await harness.client()
    expect(await honest.hello()).toContain('mail.example.com')
  })

  it('offers and takes no login before TLS, and never asks for the password (T07)', async () => {
    const client = await harness.client()
    expect(await client.hello()).not.toContain('AUTH')
    expect(await client.say('AUTH PLAIN')).toMatch(/^538 5\.7\.11 /)
    expect(await client.say(LOGIN)).toMatch(/^538 5\.7\.11 /)
    expect(await client.say('AUTH LOGIN')).toMatch(/^538 5\.7\.11 /)
  })

  it('stores nothing when TLS ends in the middle of content and plain octets follow (S13)', async () => {
    const client = await harness.client()
    await client.hello()
    await client.say('STARTTLS')
    const plain = client.socket
    await client.startTls()
    await client.say('EHLO app.example')
    await client.say('MAIL FROM:<a@x.example>')
    await client.say('RCPT TO:<b@y.example>')
    await client.say('DATA')
    client.send('From: a@x.example\r\n\r\nbody\r\n')
    client.socket.end()
    plain.write('.\r\n')
    await client.gone()
    await harness.clock.settle()
    expect(harness.store.state.messages.size).toBe(0)
  })
})

describe('a listener that wants TLS', () => {
  it('refuses everything but EHLO, NOOP, STARTTLS and QUIT before it (T08)', async () => {
    const harness = await startIntake({ settings: { listeners: [makeListener({ tls: pair, requireTls: true })] } })
    const client = await harness.client()
    await client.hello()
    for (const command of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA', 'RSET', 'VRFY x', 'HELP', LOGIN]) {
      expect(await client.say(command), command).toMatch(/^530 5\.7\.0 /)
    }
    expect(await client.say('NOOP')).toMatch(/^250 /)
    await client.say('STARTTLS')
    await client.startTls()
    await client.say('EHLO app.example')
    expect(await client.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
    await harness.end()
  })
})

describe('implicit TLS', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await startIntake({
      settings: { listeners: [makeListener({ url: 'smtps://127.0.0.1:0', implicitTls: true, tls: pair }), makeListener()] },
    })
  })
  afterEach(() => harness.end())

  it('greets inside TLS and takes mail', async () => {
    const client = await harness.client({ tls: {} })
    expect(await client.hello()).not.toContain('STARTTLS')
    expect(await client.submit('From: a@x\r\n\r\nx\r\n')).toMatch(/^250 2\.0\.0 /)
    expect(harness.accepted[0]?.protocol).toBe('ESMTPS')
    expect(await client.say('QUIT')).toMatch(/^221 /)
    await client.gone()
  })

  it('closes when it is spoken to in plain, and the reverse, with one line (T11)', async () => {
    const plain = new Talker(connect(harness.port(0), '127.0.0.1'))
    await plain.open(false)
    plain.send('EHLO app.example\r\n')
    await plain.gone()
    plain.destroy()
    await waitUntil(() => harness.notes.length > 0)
    expect(harness.notes.map((note) => note.text)).toEqual(['TLS handshake failed'])
    await expect(handshakeAt(harness.port(1))).rejects.toThrow()
    await waitUntil(() => harness.intake.status().every((listener) => listener.sessions === 0))
  })

  it('gives a new certificate to sessions that begin after a reload, and keeps the old one if the new is broken (T09)', async () => {
    const other = authority.issue({ names: 'DNS:new.example.com', commonName: 'new' })
    const settings = (tls: TestCertificate) =>
      makeSettings({ listeners: [makeListener({ url: 'smtps://127.0.0.1:0', implicitTls: true, tls }), makeListener()] })
    expect(await subjectOf(harness)).toBe('server')
    await expect(harness.intake.reload(settings({ cert: other.cert, key: pair.key }))).rejects.toThrow(
      /certificate or key of smtps:\/\/127\.0\.0\.1:0 cannot be used/,
    )
    await expect(harness.intake.reload(settings({ cert: 'nonsense', key: pair.key }))).rejects.toThrow(/cannot be used/)
    expect(await subjectOf(harness)).toBe('server')
    await harness.intake.reload(settings(other))
    expect(await subjectOf(harness)).toBe('new')
  })
})

async function handshake(harness: Harness, options: Parameters<Talker['startTls']>[0]): Promise<void> {
  const client = await harness.client()
  await client.hello()
  await client.say('STARTTLS')
  await client.startTls(options)
}

function handshakeAt(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, resolve)
    socket.once('error', (error) => {
      socket.destroy()
      reject(error)
    })
  })
}

async function subjectOf(harness: Harness): Promise<string | undefined> {
  const client = await harness.client({ tls: {} })
  const socket = client.socket as ReturnType<typeof connectTls>
  const { subject } = socket.getPeerCertificate()
  client.destroy()
  return typeof subject.CN === 'string' ? subject.CN : undefined
}
