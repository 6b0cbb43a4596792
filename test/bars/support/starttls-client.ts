/**
 * Servers that strip, break, forge or weaken STARTTLS, and what a client must make of each under each policy (C01 to
 * C12, C14).
 *
 * Leaks are searched for in every octet that the server saw before TLS; injected text that is believed shows as a
 * command inside TLS, or as a login.
 */
import type { Credential } from '../../../src/core/route.ts'
import { CAPABILITIES, close, type ScriptedPeer, type Step, send, serve, startPeer, startTls, stay } from '../../support/scripted-peer.ts'
import { makeCredential } from '../../support/smtp-batch.ts'
import { createTestAuthority, type TestCertificate } from '../../support/test-certificates.ts'
import { createTlsBench, type PolicyName, requirementOf, type Sent } from './tls-bench.ts'

export interface CaseResult {
  readonly name: string
  /** Null: as it must be. */
  readonly fault: string | null
  /** Content, envelope or password in plain text where the policy demands TLS. */
  readonly leaks: number
  /** Injected text that was believed. */
  readonly injectedUsed: number
}
interface Material {
  readonly good: TestCertificate
  readonly other: TestCertificate
  readonly trusted: string
}
interface ClientCase {
  readonly name: string
  /** Each for one connection; the last one serves the rest. */
  readonly scripts: (material: Material) => readonly (readonly Step[])[]
  /** By policy; `deferred` alone stands for any status. */
  readonly expect: (policy: PolicyName) => string
  readonly credential?: Credential
  readonly policies?: readonly PolicyName[]
  /** Commands that only whoever believes the injection says. */
  readonly injected?: RegExp
}

const HOST = 'mx.y.test'
const POLICIES: readonly PolicyName[] = ['may', 'encrypt', 'verify', 'mta-sts', 'dane-ee']
const TLS_POLICIES: readonly PolicyName[] = ['encrypt', 'verify', 'mta-sts', 'dane-ee']
const OFFERED = [...CAPABILITIES, 'STARTTLS']
const HELLO = send('220 mx.y.test ESMTP')
/** Greeting, EHLO, STARTTLS; then these steps. */
const asked = (...steps: readonly Step[]): readonly Step[] => [
  HELLO,
  { kind: 'expect', line: 'EHLO' },
  send(ehlo(OFFERED)),
  { kind: 'expect', line: 'STARTTLS' },
  ...steps,
]
const plainServer: readonly Step[] = [HELLO, serve()]
const tlsServer = (tls: object, more: object = {}): readonly Step[] => [HELLO, serve({ capabilities: OFFERED, tls, ...more })]
const SENT = 'delivered 2.0.0'
/** Only `may` goes on. */
const onlyMay = (policy: PolicyName): string => (policy === 'may' ? SENT : 'deferred')
const DEFERS = (): string => 'deferred'
const OLD_CIPHERS = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const

function ehlo(capabilities: readonly string[]): string {
  const lines = ['mx.y.test', ...capabilities]
  return lines.map((line, at) => `250${at === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('')
}

const FAILURES: readonly (readonly [string, readonly Step[]])[] = [
  ['454', [send('454 4.7.0 not now'), stay]],
  ['502', [send('502 5.5.1 what'), stay]],
  ['500', [send('500 what'), stay]],
  ['354', [send('354 go'), stay]],
  ['250', [send('250 ok'), close]],
  ['garbage', [send('hello there'), stay]],
  ['a close', [close]],
  ['220 and a close', [send('220 go'), close]],
  ['220 and plain text', [send('220 go'), { kind: 'octets', count: 5 }, send('250 no handshake here'), close]],
  ['220 and half a handshake', [send('220 go'), { kind: 'octets', count: 5 }, send(Buffer.from([0x16, 3, 3, 0, 4])), close]],
  ['220 and a TLS alert', [send('220 go'), { kind: 'octets', count: 5 }, send(Buffer.from([0x15, 3, 3, 0, 2, 2, 40])), close]],
  ['nothing', [stay]],
  ['220 and nothing', [send('220 go'), stay]],
]
const INJECTIONS: readonly (readonly [string, readonly Step[]])[] = [
  ['replies behind the 220', [send(Buffer.from('220 go\r\n250-x\r\n250 AUTH PLAIN\r\n')), stay]],
  ['one octet behind the 220', [send(Buffer.from('220 go\r\n2')), stay]],
  ['a reply in the middle of the handshake', [send('220 go'), { kind: 'octets', count: 3 }, send('250-x\r\n250 AUTH PLAIN'), stay]],
]
const LOGIN_ANSWERS: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ['535', { AUTH: '535 5.7.8 no' }],
  ['454', { AUTH: '454 4.7.0 not now' }],
  ['421', { AUTH: '421 4.3.2 closing' }],
]
const secret = (): Credential => makeCredential({ password: () => 'secret-canary: \u00fc' })

const CASES: readonly ClientCase[] = [
  { name: 'C01 STARTTLS stripped', scripts: () => [plainServer], expect: onlyMay, credential: secret(), policies: TLS_POLICIES },
  { name: 'C01 STARTTLS stripped, no login', scripts: () => [plainServer], expect: onlyMay },
  ...FAILURES.map(
    ([name, steps]): ClientCase => ({ name: `C02 STARTTLS answered by ${name}`, scripts: () => [asked(...steps), plainServer], expect: onlyMay }),
  ),
  ...INJECTIONS.map(
    ([name, steps], index): ClientCase => ({
      name: `C03 ${name}`,
      scripts: () => [asked(...steps), plainServer],
      expect: index === 2 ? onlyMay : DEFERS,
      injected: /^AUTH/,
    }),
  ),
  {
    name: 'C03 replies behind the 220, with a login',
    scripts: () => [asked(send(Buffer.from('220 go\r\n250-x\r\n250 AUTH PLAIN\r\n')), stay)],
    expect: DEFERS,
    credential: secret(),
    injected: /^AUTH/,
  },
  {
    name: 'C04 abilities of before TLS do not count',
    scripts: ({ good }) => [tlsServer(good, { capabilities: [...OFFERED, 'SIZE 1'], capabilitiesInTls: ['8BITMIME'] })],
    expect: () => SENT,
  },
  {
    name: 'C07 the certificate is for another name',
    scripts: ({ other }) => [tlsServer(other)],
    expect: (policy) => (policy === 'may' || policy === 'encrypt' ? SENT : 'deferred'),
  },
  { name: 'C08 TLS 1.1 at most', scripts: ({ good }) => [asked(send('220 go'), startTls({ ...good, ...OLD_CIPHERS }), stay), plainServer], expect: onlyMay },
  {
    name: 'C08 ciphers without forward secrecy or integrity',
    scripts: ({ good }) => [asked(send('220 go'), startTls({ ...good, maxVersion: 'TLSv1.2', ciphers: 'NULL-SHA256:eNULL@SECLEVEL=0' }), stay), plainServer],
    expect: onlyMay,
  },
  {
    name: 'C09 a chain of 100 KB',
    scripts: ({ good, other }) => [tlsServer({ ...good, cert: good.cert + other.cert.repeat(200) })],
    expect: (policy) => (policy === 'may' ? SENT : 'any'),
  },
  ...LOGIN_ANSWERS.map(
    ([name, answers]): ClientCase => ({
      name: `C10 login answered by ${name}`,
      scripts: ({ good }) => [tlsServer(good, { capabilitiesInTls: ['AUTH PLAIN LOGIN'], answers })],
      expect: DEFERS,
      credential: secret(),
    }),
  ),
  {
    name: 'C10 only unknown ways to log in',
    scripts: ({ good }) => [tlsServer(good, { capabilitiesInTls: ['AUTH GSSAPI X-OWN'] })],
    expect: DEFERS,
    credential: secret(),
  },
  {
    name: 'C10 junk instead of a challenge',
    scripts: ({ good }) => [tlsServer(good, { capabilitiesInTls: ['AUTH CRAM-MD5'], answers: { AUTH: '334 !!!', '*': '501 5.5.4 as you like' } })],
    expect: DEFERS,
    credential: makeCredential({ mechanisms: ['CRAM-MD5'], password: () => 'secret-canary' }),
  },
  {
    name: 'C11 a login that is offered before TLS only',
    scripts: ({ good }) => [tlsServer(good, { capabilities: [...OFFERED, 'AUTH PLAIN'], capabilitiesInTls: ['8BITMIME'] })],
    expect: DEFERS,
    credential: secret(),
    injected: /^AUTH/,
  },
  {
    name: 'C11 the old spelling, twice',
    scripts: ({ good }) => [tlsServer(good, { capabilitiesInTls: ['AUTH=LOGIN', 'AUTH LOGIN PLAIN', 'AUTH LOGIN'], answers: { AUTH: '235 2.7.0 ok' } })],
    expect: () => SENT,
    credential: secret(),
  },
]

/** One mail for each case and policy. */
export async function runClientCases(): Promise<readonly CaseResult[]> {
  const authority = createTestAuthority()
  const material: Material = { good: authority.issue({ names: `DNS:${HOST}` }), other: authority.issue({ names: 'DNS:target.y.test' }), trusted: authority.ca }
  const results: CaseResult[] = []
  for (const one of CASES) for (const policy of one.policies ?? POLICIES) results.push(await runCase(one, policy, { ...material, authority: authority.ca }))
  results.push(await resumptionStaysUnderItsPolicy({ ...material, authority: authority.ca }))
  results.push(...(await Promise.all(['may', 'encrypt'].map((policy) => failureIsRemembered(policy as PolicyName, { ...material, authority: authority.ca })))))
  authority.remove()
  return results
}

type FullMaterial = Material & { readonly authority: string }

async function runCase(one: ClientCase, policy: PolicyName, material: FullMaterial): Promise<CaseResult> {
  const peer = await startPeer(one.scripts(material))
  const bench = createTlsBench()
  const sent = await sendOne(bench, peer, { policy, material, ...(one.credential === undefined ? {} : { credential: one.credential }) })
  const result = judge(`${one.name}, ${policy}`, { sent, peer, policy, wanted: one.expect(policy), injected: one.injected })
  await bench.close()
  await peer.close()
  return result
}

function sendOne(
  bench: ReturnType<typeof createTlsBench>,
  peer: ScriptedPeer,
  { policy, material, credential }: { readonly policy: PolicyName; readonly material: FullMaterial; readonly credential?: Credential },
): Promise<Sent> {
  const { good, trusted, authority } = material
  const tls = requirementOf(policy, { trusted, server: good.cert, authority, name: HOST })
  return bench.send({ port: peer.port, host: HOST, tls, starttlsMs: 700, ...(credential === undefined ? {} : { credential }) })
}

interface Evidence {
  readonly sent: Sent
  readonly peer: ScriptedPeer
  readonly policy: PolicyName
  readonly wanted: string
  readonly injected: RegExp | undefined
}

function judge(name: string, { sent, peer, policy, wanted, injected }: Evidence): CaseResult {
  const plain = peer.connections.map((connection) => Buffer.concat(connection.plain).toString('latin1'))
  const secretText = /canary|MAIL FROM|AUTH|c2VjcmV0LWNhbmFye/
  const demandsTls = policy !== 'may'
  const leaks = plain.filter((text) => (demandsTls ? secretText : /secret-canary|c2VjcmV0LWNhbmFye/).test(text)).length
  const injectedUsed = injected === undefined ? 0 : peer.lines.filter((line) => injected.test(line)).length
  const fits = wanted === 'any' || (wanted === 'deferred' ? sent.outcome.startsWith('deferred 4.') : sent.outcome === wanted)
  const deferredButThere = wanted === 'deferred' && peer.contents.length > 0
  const fault = fits && !deferredButThere ? null : `${sent.outcome} (${sent.reason}), not ${wanted}`
  return { name, fault, leaks, injectedUsed }
}

/** C12: a session that was made at `encrypt` proves nothing at `verify`. */
async function resumptionStaysUnderItsPolicy(material: FullMaterial): Promise<CaseResult> {
  const ticketKeys = Buffer.alloc(48, 7)
  const peer = await startPeer([tlsServer({ ...material.other, ticketKeys, maxVersion: 'TLSv1.2' })])
  const bench = createTlsBench()
  const first = await sendOne(bench, peer, { policy: 'encrypt', material })
  const again = await sendOne(bench, peer, { policy: 'encrypt', material })
  const raised = await sendOne(bench, peer, { policy: 'verify', material })
  await bench.close()
  await peer.close()
  const right = first.tls?.resumed === false && again.tls?.resumed === true && raised.outcome.startsWith('deferred 4.7.5')
  return {
    name: 'C12 resumption stays under its policy',
    fault: right ? null : `${first.outcome} ${again.tls?.resumed} ${raised.outcome}`,
    leaks: 0,
    injectedUsed: 0,
  }
}

/** C14: what failed is remembered at `may`, and never lowers what is demanded. */
async function failureIsRemembered(policy: PolicyName, material: FullMaterial): Promise<CaseResult> {
  const peer = await startPeer([asked(send('454 4.7.0 not now'), stay), ...(policy === 'may' ? [plainServer] : []), tlsServer(material.good)])
  const bench = createTlsBench()
  const first = await sendOne(bench, peer, { policy, material })
  const second = await sendOne(bench, peer, { policy, material })
  await bench.close()
  await peer.close()
  const right = policy === 'may' ? first.tls === null && second.tls === null : first.outcome.startsWith('deferred') && second.tls?.trust === 'verified'
  return { name: `C14 a failure is remembered, ${policy}`, fault: right ? null : `${first.outcome}, then ${second.outcome}`, leaks: 0, injectedUsed: 0 }
}
