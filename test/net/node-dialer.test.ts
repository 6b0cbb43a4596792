import { createHash, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { EpochMs } from '../../src/core/brand.ts'
import type { TlsaRecord } from '../../src/core/tls-policy.ts'
import { createDialer } from '../../src/net/node-dialer.ts'
import type { ConnectionEvents, DialTarget, NetworkFault, TlsOptions } from '../../src/ports/network.ts'
import { close, octets, type PeerOptions, reset, type ScriptedPeer, type Step, send, startPeer, startTls, stay, stopReading } from '../support/scripted-peer.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { createSignal, waitUntil } from '../support/wait-for-signal.ts'

const REAL = { now: () => Date.now() as EpochMs }
const ADDRESS = { address: '127.0.0.1', family: 4 } as const

function listen() {
  const closed = createSignal<NetworkFault | null>('close')
  const drained = createSignal<true>('drain')
  const received: Buffer[] = []
  const events: ConnectionEvents = {
    // The bytes are valid only during the call.
    onData: (chunk) => received.push(Buffer.from(chunk)),
    onDrain: () => drained.fire(true),
    onClose: (fault) => closed.fire(fault),
  }
  return { events, closed, drained, text: () => Buffer.concat(received).toString('latin1') }
}

async function peerOf(steps: readonly Step[], options?: PeerOptions): Promise<ScriptedPeer> {
  const peer = await startPeer([steps], options)
  onTestFinished(() => peer.close())
  return peer
}

const target = (peer: ScriptedPeer, tls: TlsOptions | null = null): DialTarget => ({ address: ADDRESS, port: peer.port, sourceAddress: null, tls })
const never = new AbortController().signal

describe('a plain connection', () => {
  it('moves octets both ways and says when the peer closes in order', async () => {
    const peer = await peerOf([send('220 hello'), octets(6), close])
    const { events, closed, text } = listen()
    const { connection, tls } = await createDialer({ clock: REAL }).dial(target(peer), events, never)
    expect(tls).toBeNull()
    expect(connection.remote).toEqual({ ...ADDRESS, port: peer.port })
    connection.batch(() => {
      connection.write(Buffer.from('abc'))
      connection.write(Buffer.from('def'))
    })
    expect(await closed.next()).toBeNull()
    expect(text()).toBe('220 hello\r\n')
    expect(Buffer.concat(peer.connections[0]!.received).toString()).toBe('abcdef')
  })
  it('says why it was reset', async () => {
    const peer = await peerOf([octets(1), reset])
    const { events, closed } = listen()
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), events, never)
    connection.write(Buffer.from('x'))
    expect((await closed.next())?.code).toBe('ECONNRESET')
    expect(closed.values).toHaveLength(1)
  })
  it('closes once when it is destroyed, and takes no write after that', async () => {
    const peer = await peerOf([stay])
    const { events, closed } = listen()
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), events, never)
    connection.destroy()
    connection.destroy()
    expect(await closed.next()).toBeNull()
    expect(connection.write(Buffer.from('x'))).toBe(true)
    await waitUntil(() => peer.open === 0)
    expect(closed.values).toHaveLength(1)
  })
  it('asks to wait when the peer does not read', async () => {
    const peer = await peerOf([stopReading, stay])
    const { events, drained } = listen()
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), events, never)
    const chunk = Buffer.alloc(1024 * 1024)
    let taken = true
    for (let i = 0; i < 64 && taken; i++) taken = connection.write(chunk)
    expect(taken).toBe(false)
    expect(drained.values).toHaveLength(0)
    connection.destroy()
  })
  it('is refused with the code of the system', async () => {
    const peer = await startPeer([[]])
    await peer.close()
    await expect(createDialer({ clock: REAL }).dial(target(peer), listen().events, never)).rejects.toMatchObject({
      stage: 'connect',
      fault: { code: 'ECONNREFUSED' },
    })
  })
  it('is given up by its signal', async () => {
    const peer = await peerOf([stay])
    const controller = new AbortController()
    controller.abort()
    await expect(createDialer({ clock: REAL }).dial(target(peer), listen().events, controller.signal)).rejects.toMatchObject({ fault: { code: 'ABORT_ERR' } })
  })
})

describe('TLS', () => {
  let authority: TestAuthority
  let good: TestCertificate
  beforeAll(() => {
    authority = createTestAuthority()
    good = authority.issue({ names: 'DNS:relay.test,IP:127.0.0.1' })
  })
  afterAll(() => authority.remove())

  const options = (change: Partial<TlsOptions> = {}): TlsOptions => ({
    serverName: 'relay.test',
    verify: true,
    ca: authority.ca,
    minVersion: 'TLSv1.2',
    sessionKey: 'key',
    ...change,
  })
  const upgrade = async (certificate: TestCertificate, tls: TlsOptions) => {
    const peer = await peerOf([startTls(certificate), send('inside'), stay])
    const seen = listen()
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), seen.events, never)
    return { peer, seen, connection, facts: connection.startTls(tls) }
  }

  it('is verified by chain and name, says SNI, and carries octets', async () => {
    const { facts, seen, peer, connection } = await upgrade(good, options())
    expect(await facts).toMatchObject({ protocol: 'TLSv1.3', trust: 'verified', trustFault: null, resumed: false })
    await waitUntil(() => seen.text() === 'inside\r\n', 'octets inside TLS')
    expect(peer.connections[0]?.tls?.servername).toBe('relay.test')
    connection.destroy()
  })
  it('may be implicit', async () => {
    const peer = await peerOf([send('hello'), stay], { implicitTls: good })
    const seen = listen()
    const { connection, tls } = await createDialer({ clock: REAL }).dial(target(peer, options()), seen.events, never)
    expect(tls?.trust).toBe('verified')
    await waitUntil(() => seen.text() === 'hello\r\n')
    connection.destroy()
  })
  it('takes an address for a name only as an iPAddress, and sends no SNI for it', async () => {
    const { facts, peer, connection } = await upgrade(good, options({ serverName: '127.0.0.1' }))
    expect((await facts).trust).toBe('verified')
    await waitUntil(() => peer.connections[0]?.tls !== null, 'the handshake at the peer')
    expect(peer.connections[0]?.tls?.servername).toBe(false)
    connection.destroy()
    const other = await upgrade(authority.issue({ names: 'DNS:127.0.0.1' }), options({ serverName: '127.0.0.1' }))
    await expect(other.facts).rejects.toMatchObject({ cause: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } })
  })

  const WRONG: readonly (readonly [string, () => TestCertificate, string])[] = [
    ['self-signed', () => authority.issue({ names: 'DNS:relay.test', selfSigned: true }), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['another name', () => authority.issue({ names: 'DNS:other.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['expired', () => authority.issue({ names: 'DNS:relay.test', notBefore: '20200101000000Z', notAfter: '20210101000000Z' }), 'CERT_HAS_EXPIRED'],
    ['not yet valid', () => authority.issue({ names: 'DNS:relay.test', notBefore: '20900101000000Z', notAfter: '20910101000000Z' }), 'CERT_NOT_YET_VALID'],
    ['a common name only', () => authority.issue({ names: null, commonName: 'relay.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a wildcard for two labels', () => authority.issue({ names: 'DNS:*.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a wildcard inside a label', () => authority.issue({ names: 'DNS:re*ay.mail.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['a wildcard alone', () => authority.issue({ names: 'DNS:*' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['for clients only', () => authority.issue({ names: 'DNS:relay.test', clientOnly: true }), 'INVALID_PURPOSE'],
    ['an unknown authority', () => createTestAuthority('Another CA').issue({ names: 'DNS:relay.test' }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ]
  it.each(WRONG)('refuses a certificate that is %s', async (_, make, code) => {
    const { facts, seen } = await upgrade(make(), options())
    await expect(facts).rejects.toMatchObject({ cause: { code } })
    await seen.closed.next()
  })
  it.each(WRONG)('without verifying takes one that is %s, and says so', async (name, make, code) => {
    const { facts, connection } = await upgrade(make(), options({ verify: false }))
    // Node asks for the name only where it verifies: then the fault has the same name.
    expect(await facts).toMatchObject({ trust: 'untrusted', trustFault: code })
    expect(name).not.toBe('')
    connection.destroy()
  })
  it.each([
    ['relay.mail.test', 'DNS:*.mail.test'],
    ['RELAY.test', 'DNS:relay.TEST'],
    ['relay.test.', 'DNS:relay.test'],
    ['bücher.test', 'DNS:xn--bcher-kva.test'],
  ])('takes %s for %s', async (serverName, names) => {
    const { facts, connection } = await upgrade(authority.issue({ names }), options({ serverName }))
    expect((await facts).trust).toBe('verified')
    connection.destroy()
  })
  it.each([
    ['a short key', { rsaBits: 1024 }, 'EE_KEY_TOO_SMALL'],
    ['an old signature', { digest: 'sha1' }, 'CA_MD_TOO_WEAK'],
  ])('names %s, for which Node has no name, whether it verifies or not', async (_, weak, code) => {
    const certificate = { ...authority.issue({ names: 'DNS:relay.test', ...weak }), ciphers: 'DEFAULT@SECLEVEL=0' }
    await expect((await upgrade(certificate, options())).facts).rejects.toMatchObject({ cause: { code } })
    const { facts, connection } = await upgrade(certificate, options({ verify: false }))
    expect(await facts).toMatchObject({ trust: 'untrusted', trustFault: code })
    connection.destroy()
  })
  it('goes no lower than the least version', async () => {
    const peer = await peerOf([startTls({ ...good, maxVersion: 'TLSv1.2' }), stay])
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), listen().events, never)
    await expect(connection.startTls(options({ minVersion: 'TLSv1.3' }))).rejects.toMatchObject({ cause: { code: expect.stringContaining('PROTOCOL') } })
  })
  it('fails when the peer talks plain in the handshake', async () => {
    const peer = await peerOf([send('250 PIPELINING\r\n250 AUTH PLAIN'), stay])
    const seen = listen()
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), seen.events, never)
    await expect(connection.startTls(options())).rejects.toMatchObject({ cause: { code: expect.any(String) } })
  })
  it('fails when the peer closes in the handshake', async () => {
    const peer = await peerOf([octets(10), close])
    const { connection } = await createDialer({ clock: REAL }).dial(target(peer), listen().events, never)
    await expect(connection.startTls(options())).rejects.toThrow()
  })
  it('resumes a session under the same key only, and remembers how far it was trusted', async () => {
    const context = { ...good, ticketKeys: Buffer.alloc(48, 7), maxVersion: 'TLSv1.2' } as const
    const peer = await peerOf([startTls(context), send('inside'), stay])
    const dialer = createDialer({ clock: REAL })
    const handshake = async (change: Partial<TlsOptions>) => {
      const seen = listen()
      const { connection } = await dialer.dial(target(peer), seen.events, never)
      const facts = await connection.startTls(options(change))
      await waitUntil(() => seen.text() !== '', 'the session ticket')
      connection.destroy()
      return facts
    }
    expect((await handshake({})).resumed).toBe(false)
    expect(await handshake({})).toMatchObject({ resumed: true, trust: 'verified' })
    expect((await handshake({ sessionKey: 'other policy' })).resumed).toBe(false)
  })
  it('trusts what the machine trusts where no authority is given', async () => {
    const { facts } = await upgrade(good, options({ ca: null }))
    // Without Node's own advice on how to start it.
    await expect(facts).rejects.toMatchObject({ cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', message: 'unable to verify the first certificate' } })
  })
})

describe('DANE', () => {
  let authority: TestAuthority
  let good: TestCertificate
  beforeAll(() => {
    authority = createTestAuthority()
    good = authority.issue({ names: 'DNS:mx.example.test' })
  })
  afterAll(() => authority.remove())

  const recordOf = (usage: number, pem: string): TlsaRecord => ({
    usage,
    selector: 0,
    matching: 1,
    association: createHash('sha256').update(new X509Certificate(pem).raw).digest(),
  })
  const handshake = async (peer: ScriptedPeer, record: TlsaRecord, dialer = createDialer({ clock: REAL })) => {
    const seen = listen()
    const { connection } = await dialer.dial(target(peer), seen.events, never)
    const dane = { records: [record], names: ['mx.example.test'] } as const
    // No authority of the machine knows this certificate: what counts is the record.
    const tls: TlsOptions = {
      serverName: 'mx.example.test',
      verify: true,
      ca: null,
      minVersion: 'TLSv1.2',
      sessionKey: JSON.stringify(record),
      dane,
      basis: 'dane',
    }
    const facts = connection.startTls(tls)
    return { facts, seen, connection }
  }

  it('verifies by usage 3, and says by what, and the key exchange', async () => {
    const peer = await peerOf([startTls(good), send('inside'), stay])
    const { facts, connection } = await handshake(peer, recordOf(3, good.cert))
    expect(await facts).toMatchObject({
      trust: 'verified',
      trustFault: null,
      verifiedBy: 'dane-ee',
      basis: 'dane',
      keyExchange: expect.stringMatching(/^X25519/),
    })
    connection.destroy()
  })
  it('verifies by usage 2 against an authority that is sent', async () => {
    const peer = await peerOf([startTls({ ...good, cert: good.cert + authority.ca }), send('inside'), stay])
    const { facts, connection } = await handshake(peer, recordOf(2, authority.ca))
    expect(await facts).toMatchObject({ trust: 'verified', verifiedBy: 'dane-ta' })
    connection.destroy()
  })
  it('that does not match ends the connection, and nothing of the session is kept', async () => {
    const peer = await peerOf([startTls({ ...good, ticketKeys: Buffer.alloc(48, 9), maxVersion: 'TLSv1.2' }), send('inside'), stay])
    const dialer = createDialer({ clock: REAL })
    for (const round of [1, 2]) {
      const { facts, seen } = await handshake(peer, recordOf(3, authority.ca), dialer)
      await expect(facts, `round ${round}`).rejects.toMatchObject({ cause: { code: 'DANE_NO_MATCH', message: expect.stringContaining('3 0 1') } })
      await seen.closed.next()
      expect(seen.text()).toBe('')
    }
  })
  it('resumes under the same records only', async () => {
    const peer = await peerOf([startTls({ ...good, ticketKeys: Buffer.alloc(48, 9), maxVersion: 'TLSv1.2' }), send('inside'), stay])
    const dialer = createDialer({ clock: REAL })
    const resumed = []
    for (const record of [recordOf(3, good.cert), recordOf(3, good.cert), { ...recordOf(3, good.cert), selector: 1 }]) {
      const { facts, seen, connection } = await handshake(peer, record, dialer)
      resumed.push(
        await facts.then(
          (known) => `${known.resumed} ${known.verifiedBy}`,
          () => 'refused',
        ),
      )
      if (resumed.at(-1) !== 'refused') await waitUntil(() => seen.text() !== '', 'the session ticket')
      connection.destroy()
    }
    expect(resumed).toEqual(['false dane-ee', 'true dane-ee', 'refused'])
  })
})
