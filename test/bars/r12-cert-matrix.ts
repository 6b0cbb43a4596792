/**
 * R12: every kind of certificate a server may show, under every policy; each cell of the table must come out (C05,
 * C06).
 *
 * A cell is what became of one mail: `verified`; `untrusted NAME`: sent, encrypted, and the fault named; `NAME`: it
 * waits, and nothing of it was sent; `plain`: TLS failed and the policy allows to go without. The control changes one
 * cell and must be noticed.
 */
import { CAPABILITIES, send, serve, startPeer } from '../support/scripted-peer.ts'
import { type CertificateKind, type CertificateKinds, makeCertificateKinds } from './support/certificate-kinds.ts'
import { CANARY, createTlsBench, type PolicyName, requirementOf } from './support/tls-bench.ts'
import { runBar } from './support/verdict.ts'

const POLICIES = ['may', 'encrypt', 'verify', 'mta-sts', 'dane-ee', 'dane-ta'] as const satisfies readonly PolicyName[]

/** What OpenSSL finds wrong with it for public authorities, and what is wrong with it under a TLSA record of usage 2. */
interface Row {
  readonly pki: string | null
  readonly authority: string | null
  /** There is no handshake with it at all. */
  readonly handshake?: string
}
const SOUND: Row = { pki: null, authority: null }
const fault = (pki: string, authority: string | null = pki): Row => ({ pki, authority })
const NAME = fault('ERR_TLS_CERT_ALTNAME_INVALID')

const TABLE: Readonly<Record<string, Row>> = {
  right: SOUND,
  'right, by an authority between': SOUND,
  'the authority between not sent': fault('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'DANE_NO_MATCH'),
  'signed by itself': fault('DEPTH_ZERO_SELF_SIGNED_CERT', 'DANE_NO_MATCH'),
  'unknown authority': fault('UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'DANE_NO_MATCH'),
  expired: fault('CERT_HAS_EXPIRED'),
  'not yet valid': fault('CERT_NOT_YET_VALID'),
  'an authority between that has expired': fault('CERT_HAS_EXPIRED'),
  'signed by what is no authority': fault('INVALID_PURPOSE', 'INVALID_CA'),
  // The record names the lowest authority; nobody looks further up.
  'path longer than allowed': fault('PATH_LENGTH_EXCEEDED', null),
  'for clients only': fault('INVALID_PURPOSE'),
  'signature with SHA-1': fault('CA_MD_TOO_WEAK'),
  'signature with MD5': fault('CA_MD_TOO_WEAK'),
  'RSA of 512 bits': { ...SOUND, handshake: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' },
  'RSA of 1024 bits': fault('EE_KEY_TOO_SMALL'),
  'common name only': NAME,
  'another name': NAME,
  'wildcard for one label': SOUND,
  'wildcard for two labels': NAME,
  'wildcard alone': NAME,
  'wildcard inside a label': NAME,
  'upper case, and a dot at the end of the host': SOUND,
  'A-label for a host in Unicode': SOUND,
  address: SOUND,
  'address written as a name': NAME,
  'name cut by NUL': NAME,
  'name with a space': NAME,
  '5000 names, ours the last': SOUND,
}

function expected(row: Row, policy: (typeof POLICIES)[number]): string {
  if (row.handshake !== undefined) return policy === 'may' ? 'plain' : row.handshake
  switch (policy) {
    case 'may':
    case 'encrypt':
      return row.pki === null ? 'verified' : `untrusted ${row.pki}`
    case 'verify':
    case 'mta-sts':
      return row.pki ?? 'verified'
    // RFC 7672 §3.1: names, dates and authorities do not count for usage 3.
    case 'dane-ee':
      return 'verified'
    case 'dane-ta':
      return row.authority ?? 'verified'
  }
}

interface Cell {
  readonly came: string
  /** Content or envelope in plain text, or to a peer that the policy refuses. */
  readonly leaked: boolean
}

async function tryCell(kind: CertificateKind, policy: (typeof POLICIES)[number], trusted: string): Promise<Cell> {
  const peer = await startPeer([
    [send('220 x'), serve({ capabilities: [...CAPABILITIES, 'STARTTLS'], tls: { ...kind.certificate, ciphers: 'DEFAULT@SECLEVEL=0' } })],
  ])
  const bench = createTlsBench()
  try {
    const tls = requirementOf(policy, { trusted, server: kind.certificate.cert, authority: kind.authority, name: kind.host })
    const { outcome, reason, tls: facts } = await bench.send({ port: peer.port, host: kind.host, tls })
    const plain = peer.connections.map((connection) => Buffer.concat(connection.plain).toString('latin1')).join('')
    if (outcome.startsWith('delivered')) {
      const leaked = policy !== 'may' && /MAIL FROM|canary/.test(plain)
      if (facts === null) return { came: 'plain', leaked }
      return { came: facts.trust === 'verified' ? 'verified' : `${facts.trust} ${facts.trustFault}`, leaked }
    }
    const leaked = peer.contents.some((content) => content.includes(CANARY)) || plain.includes('MAIL FROM')
    return { came: /\(([^()]+)\)$/.exec(reason)?.[1] ?? reason, leaked: leaked || !outcome.startsWith('deferred 4.7.5') }
  } finally {
    await bench.close()
    await peer.close()
  }
}

async function tryAll({ kinds, trusted }: CertificateKinds): Promise<{ readonly wrong: readonly string[]; readonly leaks: number; readonly cells: number }> {
  const wrong: string[] = []
  let [leaks, cells] = [0, 0]
  for (const kind of kinds) {
    const row = TABLE[kind.name]
    if (row === undefined) throw new Error(`no row for a certificate: ${kind.name}`)
    for (const policy of POLICIES) {
      const { came, leaked } = await tryCell(kind, policy, trusted)
      cells++
      if (leaked) leaks++
      if (came !== expected(row, policy)) wrong.push(`${kind.name} under ${policy}: ${came}, not ${expected(row, policy)}`)
    }
  }
  return { wrong, leaks, cells }
}

await runBar('R12 cert-matrix', async () => {
  const made = makeCertificateKinds()
  const { wrong, leaks, cells } = await tryAll(made)
  const right = made.kinds.find(({ name }) => name === 'right')
  if (right === undefined) throw new Error('the right certificate is not there')
  const control = await tryCell({ ...right, host: 'other.y.test' }, 'verify', made.trusted)
  made.remove()
  for (const line of wrong) process.stderr.write(`${line}\n`)
  const noticed = control.came === 'ERR_TLS_CERT_ALTNAME_INVALID' ? 1 : 0
  return {
    passed: wrong.length === 0 && leaks === 0 && made.kinds.length >= 24 && noticed === 1,
    figures: { certificates: made.kinds.length, policies: POLICIES.length, cells, wrongCells: wrong.length, leaks, controlNoticed: noticed },
  }
})
