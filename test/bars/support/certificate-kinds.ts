/**
 * The certificates of bar R12, right and wrong in every way that a server's can be (C05, C06).
 *
 * Made by openssl; what it refuses to write (NUL in a name) is patched into the signed bytes, or made under
 * names that it does write.
 */
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../../support/test-certificates.ts'

export interface CertificateKind {
  readonly name: string
  /** Whom the client looks for. */
  readonly host: string
  readonly certificate: TestCertificate
  /** What a TLSA record of usage 2 names. */
  readonly authority: string
}
export interface CertificateKinds {
  readonly kinds: readonly CertificateKind[]
  /** PEM: all that the client trusts. */
  readonly trusted: string
  remove(): void
}

const HOST = 'mx.y.test'
const DNS = `DNS:${HOST}`
const PAST = { notBefore: '20200101000000Z', notAfter: '20210101000000Z' } as const
const FUTURE = { notBefore: '20900101000000Z', notAfter: '20910101000000Z' } as const
const MANY_NAMES = 5_000

export function makeCertificateKinds(): CertificateKinds {
  const root = createTestAuthority('Root')
  const stranger = createTestAuthority('Stranger')
  const between = root.intermediate()
  const noAuthority = root.intermediate({ mayIssue: false })
  const short = root.intermediate({ pathLength: 0 })
  const deep = short.intermediate({ name: 'Deeper' })
  const stale = root.intermediate(PAST)
  const of = (authority: TestAuthority, options: Parameters<TestAuthority['issue']>[0]) => ({
    certificate: withAuthority(authority.issue(options), options.alone === true ? '' : root.ca),
    authority: authority.ca,
  })
  const named = (names: string | null, host = HOST) => ({ host, ...of(root, { names, commonName: HOST }) })
  const kinds: readonly (readonly [string, Omit<CertificateKind, 'name' | 'host'> & { readonly host?: string }])[] = [
    ['right', of(root, { names: DNS })],
    ['right, by an authority between', of(between, { names: DNS })],
    ['the authority between not sent', of(between, { names: DNS, alone: true })],
    ['signed by itself', of(root, { names: DNS, selfSigned: true, alone: true })],
    ['unknown authority', of(stranger, { names: DNS })],
    ['expired', of(root, { names: DNS, ...PAST })],
    ['not yet valid', of(root, { names: DNS, ...FUTURE })],
    ['an authority between that has expired', of(stale, { names: DNS })],
    ['signed by what is no authority', of(noAuthority, { names: DNS })],
    ['path longer than allowed', of(deep, { names: DNS })],
    ['for clients only', of(root, { names: DNS, clientOnly: true })],
    ['signature with SHA-1', of(root, { names: DNS, digest: 'sha1' })],
    ['signature with MD5', of(root.intermediate({ rsaBits: 2048 }), { names: DNS, digest: 'md5' })],
    ['RSA of 512 bits', of(root, { names: DNS, rsaBits: 512 })],
    ['RSA of 1024 bits', of(root, { names: DNS, rsaBits: 1024 })],
    ['common name only', named(null)],
    ['another name', named('DNS:other.y.test')],
    ['wildcard for one label', named('DNS:*.y.test')],
    ['wildcard for two labels', named('DNS:*.y.test', 'a.b.y.test')],
    ['wildcard alone', named('DNS:*')],
    ['wildcard inside a label', named('DNS:m*.y.test')],
    ['upper case, and a dot at the end of the host', named('DNS:MX.Y.TEST', 'mx.y.test.')],
    ['A-label for a host in Unicode', named('DNS:xn--bcher-kva.test', 'bücher.test')],
    ['address', named('IP:127.0.0.1', '127.0.0.1')],
    ['address written as a name', named('DNS:127.0.0.1', '127.0.0.1')],
    ['name cut by NUL', { ...of(root, { names: 'DNS:mx.y.test.evil.example' }), ...{ certificate: cutByNul(root) } }],
    ['name with a space', named('DNS:mx.y.test other.test')],
    [`${MANY_NAMES} names, ours the last`, named([...Array.from({ length: MANY_NAMES }, (_, i) => `DNS:n${i}.y.test`), DNS].join())],
  ]
  return {
    kinds: kinds.map(([name, kind]) => ({ name, host: HOST, ...kind })),
    trusted: root.ca,
    remove: () => {
      root.remove()
      stranger.remove()
    },
  }
}

function withAuthority({ cert, key }: TestCertificate, authority: string): TestCertificate {
  return { cert: cert + authority, key }
}

/** openssl writes `\0` in a name from a raw DER value only. */
function cutByNul(root: TestAuthority): TestCertificate {
  // GeneralNames with one dNSName: mx.y.test, NUL, .evil.example
  const name = Buffer.from('mx.y.test\0.evil.example', 'latin1')
  const general = Buffer.concat([Buffer.from([0x30, name.length + 2, 0x82, name.length]), name])
  return withAuthority(root.issue({ names: `DER:${general.toString('hex').match(/../g)?.join(':')}` }), root.ca)
}
