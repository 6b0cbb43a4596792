import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { postReport } from '../../src/net/report-post.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createTestAuthority, type TestAuthority } from '../support/test-certificates.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { publishDns, records } from '../tls/published-dns.ts'

const REPORT = gzipSync('{"policies":[]}')
let authority: TestAuthority
beforeAll(() => {
  authority = createTestAuthority()
})
afterAll(() => authority.remove())

/** Its certificate is for another name, and expired: reports tell of such servers. */
async function serve(status: number | null) {
  const taken: { readonly line: string; readonly type: string | undefined; readonly body: Buffer }[] = []
  const broken = authority.issue({ names: 'DNS:elsewhere.test', notBefore: '20200101000000Z', notAfter: '20210101000000Z' })
  const server = https.createServer(broken, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      taken.push({ line: `${request.method} ${request.headers.host}${request.url}`, type: request.headers['content-type'], body: Buffer.concat(chunks) })
      if (status !== null) response.writeHead(status).end('thank you')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const dns = publishDns()
  dns.hosts.set('reports.good.test 4', records(['127.0.0.1']))
  const clock = createFakeClock()
  const post = (mayDial: (address: string) => boolean = () => true) =>
    postReport(`https://reports.good.test:${port}/tls?v=1`, REPORT, { resolver: dns, clock, mayDial, userAgent: 'Postern' })
  return { post, taken, port, clock, dns }
}

describe('a report by HTTPS', () => {
  it('is posted whatever certificate its receiver has', async () => {
    const { post, taken, port, clock } = await serve(200)
    await post()
    expect(taken).toEqual([{ line: `POST reports.good.test:${port}/tls?v=1`, type: 'application/tlsrpt+gzip', body: REPORT }])
    expect(clock.pending).toBe(0)
  })
  it.each([301, 404, 500])('was not taken by an answer of %i', async (status) => {
    await expect((await serve(status)).post()).rejects.toThrow(String(status))
  })
  it('is given up after a minute without an answer', async () => {
    const { post, taken, clock } = await serve(null)
    const posted = post()
    const refused = expect(posted).rejects.toThrow('60 s')
    await waitUntil(() => taken.length === 1, 'the request')
    await clock.advance(60_000)
    await refused
  })
  it('goes to no address that must not be dialled', async () => {
    const { post, taken, dns } = await serve(200)
    await expect(post((address) => !address.startsWith('127.'))).rejects.toThrow('may be dialled')
    dns.hosts.clear()
    await expect(post()).rejects.toThrow('no address')
    expect(taken).toEqual([])
  })
})
