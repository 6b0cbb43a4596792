/**
 * MTA-STS policy servers of every kind over real HTTPS on loopback (C13): what is taken, what is refused, and what
 * binds when they are gone.
 */

import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { createRealClock } from '../../../src/app/real-clock.ts'
import { createStsFetcher } from '../../../src/net/sts-fetcher.ts'
import type { DnsAnswer } from '../../../src/ports/dns-resolver.ts'
import { MtaSts } from '../../../src/tls/mta-sts.ts'
import { matchesHostPattern } from '../../../src/tls/name-pattern.ts'
import { SILENT_JOURNAL } from '../../support/silent-journal.ts'
import { createTestAuthority, type TestCertificate } from '../../support/test-certificates.ts'
import type { CaseResult } from './starttls-client.ts'

interface Server {
  status: number
  type: string
  body: string
}
const policy = (change: string = ''): string => `version: STSv1\r\nmode: enforce\r\nmx: *.y.test\r\nmax_age: 86400\r\n${change}`

/** What one question answers: the mode, or the fault's name. */
interface PolicyCase {
  readonly name: string
  readonly server: Partial<Server>
  readonly wanted: string
  readonly certificate?: 'other'
}
const FETCH = 'sts-policy-fetch-error'
const CASES: readonly PolicyCase[] = [
  { name: 'a policy as it should be', server: {}, wanted: 'enforce' },
  { name: 'a redirect', server: { status: 301 }, wanted: FETCH },
  { name: 'not found', server: { status: 404 }, wanted: FETCH },
  { name: 'another content type', server: { type: 'text/html' }, wanted: FETCH },
  { name: '65 KB and more', server: { body: policy('x: y\r\n'.repeat(12_000)) }, wanted: 'sts-policy-invalid' },
  { name: 'a certificate for another name', server: {}, wanted: 'sts-webpki-invalid', certificate: 'other' },
  { name: 'an unknown mode', server: { body: policy().replace('enforce', 'strict') }, wanted: 'sts-policy-invalid' },
  { name: 'max_age of ten years', server: { body: policy().replace('86400', '315576000') }, wanted: 'enforce' },
  { name: 'max_age 0', server: { body: policy().replace('86400', '0') }, wanted: 'enforce' },
  { name: 'mode none', server: { body: policy().replace('enforce', 'none') }, wanted: 'none' },
]

class PolicyScene {
  readonly server: Server = { status: 200, type: 'text/plain', body: policy() }
  readonly sts: MtaSts
  id: string | null = '1'
  readonly #https: https.Server

  private constructor(listening: https.Server, ca: string) {
    this.#https = listening
    listening.on('request', (_request, response: import('node:http').ServerResponse) => {
      response.writeHead(this.server.status, { 'content-type': this.server.type, location: 'https://elsewhere.test/' }).end(this.server.body)
    })
    const clock = createRealClock()
    const none = { kind: 'none', why: 'no-such-name', secure: false } as const
    const answer = (value: string): DnsAnswer<string> => ({ kind: 'records', records: [value], secure: false, canonicalName: '', ttlMs: 0 })
    const resolver = {
      addresses: (_name: string, family: 4 | 6) => Promise.resolve(family === 4 ? answer('127.0.0.1') : none),
      txt: () => Promise.resolve(this.id === null ? none : answer(`v=STSv1; id=${this.id}`)),
    }
    const { port } = listening.address() as AddressInfo
    this.sts = new MtaSts({
      resolver,
      fetcher: createStsFetcher({ resolver, clock, mayDial: () => true, ca: () => ca, port, userAgent: 'bar' }),
      kept: { read: () => Promise.resolve(null), write: () => Promise.resolve() },
      clock,
      journal: SILENT_JOURNAL,
    })
  }

  static async open(certificate: TestCertificate, ca: string): Promise<PolicyScene> {
    const server = https.createServer(certificate)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new PolicyScene(server, ca)
  }

  async ask(): Promise<string> {
    const answer = await this.sts.policyOf('y.test')
    return answer.kind === 'policy' ? answer.policy.mode : (answer.fault?.name ?? 'nothing')
  }

  async close(): Promise<void> {
    await this.sts.stop()
    this.#https.closeAllConnections()
    await new Promise((resolve) => this.#https.close(resolve))
  }

  stopServing(): void {
    this.#https.closeAllConnections()
    this.#https.close()
  }
}

export async function runPolicyCases(): Promise<readonly CaseResult[]> {
  const authority = createTestAuthority()
  const good = authority.issue({ names: 'DNS:mta-sts.y.test' })
  const other = authority.issue({ names: 'DNS:www.y.test' })
  const results: CaseResult[] = []
  const result = (name: string, came: string, wanted: string): void => {
    // An enforced policy that is lost opens the way for plain text: it counts as a leak.
    results.push({
      name: `C13 ${name}`,
      fault: came === wanted ? null : `${came}, not ${wanted}`,
      leaks: wanted === 'enforce' && came !== 'enforce' ? 1 : 0,
      injectedUsed: 0,
    })
  }
  for (const one of CASES) {
    const scene = await PolicyScene.open(one.certificate === 'other' ? other : good, authority.ca)
    Object.assign(scene.server, one.server)
    result(one.name, await scene.ask(), one.wanted)
    await scene.close()
  }
  const scene = await PolicyScene.open(good, authority.ca)
  await scene.ask()
  scene.id = '2'
  scene.server.status = 500
  result('a new id, and a server that fails: the known policy binds', await scene.ask(), 'enforce')
  scene.id = null
  result('no record any more: the known policy binds', await scene.ask(), 'enforce')
  scene.stopServing()
  scene.id = '3'
  result('no server any more: the known policy binds', await scene.ask(), 'enforce')
  await scene.sts.stop()
  const renewed = await PolicyScene.open(good, authority.ca)
  await renewed.ask()
  renewed.id = '2'
  renewed.server.body = policy().replace('enforce', 'testing')
  result('a new id: the new policy counts', await renewed.ask(), 'testing')
  await renewed.close()
  result(
    'a pattern stands for one label',
    String([matchesHostPattern('*.y.test', 'mx.y.test'), matchesHostPattern('*.y.test', 'a.b.y.test'), matchesHostPattern('*.y.test', 'y.test')]),
    'true,false,false',
  )
  authority.remove()
  return results
}
