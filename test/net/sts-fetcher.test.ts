import type { IncomingMessage, ServerResponse } from 'node:http'
import https from 'node:https'
import net, { type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createStsFetcher } from '../../src/net/sts-fetcher.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { publishDns, records, SERVFAIL } from '../tls/published-dns.ts'

const POLICY = 'version: STSv1\r\nmode: enforce\r\nmx: mx.example.test\r\nmax_age: 86400\r\n'
type Answer = (request: IncomingMessage, response: ServerResponse) => void
const plain =
  (body: string, status = 200, type = 'text/plain; charset=utf-8'): Answer =>
  (_, response) =>
    response.writeHead(status, { 'content-type': type, location: 'https://elsewhere.test/' }).end(body)

let authority: TestAuthority
let good: TestCertificate
beforeAll(() => {
  authority = createTestAuthority()
  good = authority.issue({ names: 'DNS:mta-sts.example.test' })
})
afterAll(() => authority.remove())

async function serve(answer: Answer, certificate: TestCertificate = good) {
  const requests: string[] = []
  const server = https.createServer(certificate, (request, response) => {
    requests.push(`${request.method} ${request.headers.host}${request.url}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, requests }
}

function fetcherFor(port: number, mayDial: (address: string) => boolean = () => true) {
  const dns = publishDns()
  dns.hosts.set('mta-sts.example.test 4', records(['127.0.0.1']))
  const clock = createFakeClock()
  const fetcher = createStsFetcher({ resolver: dns, clock, mayDial, ca: () => authority.ca, port, userAgent: 'Postern' })
  return { dns, clock, fetch: () => fetcher.fetch('example.test') }
}

describe('the policy of a domain', () => {
  it('is fetched over HTTPS from its host, and nothing is left behind', async () => {
    const { port, requests } = await serve(plain(POLICY))
    const { fetch, clock } = fetcherFor(port)
    expect(await fetch()).toEqual({ kind: 'text', text: POLICY })
    expect(requests).toEqual(['GET mta-sts.example.test/.well-known/mta-sts.txt'])
    expect(clock.pending).toBe(0)
  })
  it.each([
    ['a redirect', plain('', 301), 'sts-policy-fetch-error', '301'],
    ['not found', plain('', 404), 'sts-policy-fetch-error', '404'],
    ['another success', plain(POLICY, 206), 'sts-policy-fetch-error', '206'],
    ['HTML', plain(POLICY, 200, 'text/html'), 'sts-policy-fetch-error', 'text/html'],
    ['no content type', plain(POLICY, 200, ''), 'sts-policy-fetch-error', 'content type'],
    ['more than 64 KB', plain('x'.repeat(65 * 1024)), 'sts-policy-invalid', '65536'],
  ] as const)('is not taken from %s', async (_, answer, name, detail) => {
    const { port, requests } = await serve(answer)
    expect(await fetcherFor(port).fetch()).toMatchObject({ kind: 'fault', name, detail: expect.stringContaining(detail) })
    expect(requests).toHaveLength(1)
  })
  it.each([
    ['for another name', () => authority.issue({ names: 'DNS:www.example.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['with a common name only', () => authority.issue({ names: null, commonName: 'mta-sts.example.test' }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'that has expired',
      () => authority.issue({ names: 'DNS:mta-sts.example.test', notBefore: '20200101000000Z', notAfter: '20210101000000Z' }),
      'CERT_HAS_EXPIRED',
    ],
    ['signed by itself', () => authority.issue({ names: 'DNS:mta-sts.example.test', selfSigned: true }), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['of another authority', () => createTestAuthority('Other').issue({ names: 'DNS:mta-sts.example.test' }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ])('is not taken from a server with a certificate %s', async (_, certificate, code) => {
    const { port, requests } = await serve(plain(POLICY), certificate())
    expect(await fetcherFor(port).fetch()).toMatchObject({ name: 'sts-webpki-invalid', detail: expect.stringContaining(code) })
    expect(requests).toEqual([])
  })
  it('that does not end in time is given up', async () => {
    const { port, requests } = await serve((_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).write('version: STSv1\r\n'))
    const { fetch, clock } = fetcherFor(port)
    const fetched = fetch()
    await waitUntil(() => requests.length === 1, 'the request')
    await clock.advance(60_000)
    expect(await fetched).toMatchObject({ name: 'sts-policy-fetch-error' })
    expect(clock.pending).toBe(0)
  })
  it('that breaks off is no policy', async () => {
    const { port } = await serve((request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000' }).write(POLICY, () => request.socket.destroy())
    })
    expect(await fetcherFor(port).fetch()).toMatchObject({ kind: 'fault', name: 'sts-policy-fetch-error' })
  })
  it('is asked of the next address when one cannot be reached', async () => {
    const { port } = await serve(plain(POLICY))
    const one = fetcherFor(port)
    one.dns.hosts.set('mta-sts.example.test 4', records(['127.0.0.9', '127.0.0.1']))
    expect(await one.fetch()).toMatchObject({ kind: 'text' })
  })
})

describe('a host that must not be dialled', () => {
  it('is not dialled (W11)', async () => {
    let connections = 0
    const trap = net.createServer(() => connections++).listen(0, '127.0.0.1')
    onTestFinished(() => void trap.close())
    await new Promise((resolve) => trap.once('listening', resolve))
    const { fetch } = fetcherFor((trap.address() as AddressInfo).port, (address) => !address.startsWith('127.'))
    expect(await fetch()).toMatchObject({ name: 'sts-policy-fetch-error', detail: expect.stringContaining('may be dialled') })
    expect(connections).toBe(0)
  })
  it('is none: there is no address, or the DNS fails', async () => {
    const one = fetcherFor(1)
    one.dns.hosts.clear()
    expect(await one.fetch()).toMatchObject({ detail: expect.stringContaining('no address') })
    one.dns.hosts.set('mta-sts.example.test 6', SERVFAIL)
    expect(await one.fetch()).toMatchObject({ detail: expect.stringContaining('looked up') })
  })
})
