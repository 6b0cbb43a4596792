/** A healthy server that delivers directly for example.com, and whatever a test changes of it. */
import type { EpochMs } from '../../src/core/brand.ts'
import { createSpfEvaluation } from '../../src/doctor/evaluate-spf.ts'
import { examine } from '../../src/doctor/examine.ts'
import type { CheckName, Finding } from '../../src/doctor/finding.ts'
import type { DoctorFacts, DoctorParts, ProbeResult, RelaySubject, SenderDomain, Subject } from '../../src/doctor/subject.ts'
import { type DnsTable, dnsOf } from '../support/dns-table.ts'
import { createFakeClock } from '../support/fake-clock.ts'

export const HEALTHY_ZONE: DnsTable = {
  'A mail.example.com': ['192.0.2.1'],
  'PTR 192.0.2.1': ['mail.example.com'],
  'TXT mail.example.com': ['v=spf1 a -all'],
  'TXT example.com': ['v=spf1 ip4:192.0.2.1 -all', 'some-verification=1'],
  'MX example.com': ['10 in.example.com'],
  'TXT s1._domainkey.example.com': ['v=DKIM1; k=rsa; p=QUJD'],
  'TXT _spf.google.com': ['v=spf1 include:_netblocks.google.com ~all'],
  'TXT _netblocks.google.com': ['v=spf1 ip4:203.0.113.0/24 ~all'],
  'TXT spf.protection.outlook.com': ['v=spf1 ip4:198.51.100.0/24 -all'],
  'TXT _dmarc.example.com': ['v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com'],
}
export const REACHED: ProbeResult = {
  kind: 'reached',
  host: 'relay.example.net',
  address: '198.51.100.7',
  tls: 'TLSv1.3, certificate verified',
  certificate: 'verified',
  certificateFault: null,
  certificateTime: null,
  login: null,
  greeting: '220 relay.example.net ESMTP',
}
export const DIRECT_SENDER: SenderDomain = {
  domain: 'example.com',
  inReversePath: true,
  inFrom: true,
  departures: [{ kind: 'direct', relay: '' }],
  signed: true,
}
export const GOOGLE: RelaySubject = { name: 'google', hosts: ['smtp-relay.gmail.com'], logins: ['jira'], local: false }
/** All mail leaves through Google. */
export const BY_RELAY = {
  delivery: { direct: false, stays: false },
  relays: [GOOGLE],
  senders: [{ ...DIRECT_SENDER, departures: [{ kind: 'relay', relay: 'google' }] }],
} as const satisfies Partial<DoctorFacts>
const FACTS: DoctorFacts = {
  hostname: 'mail.example.com',
  now: Date.UTC(2026, 10, 22, 12) as EpochMs,
  egress: [{ address: '192.0.2.1', family: 4, isPublic: true, heloName: 'mail.example.com' }],
  delivery: { direct: true, stays: false },
  senders: [DIRECT_SENDER],
  relays: [],
  keylessDomains: [],
  keys: [{ domain: 'example.com', selector: 's1', algorithm: 'rsa', record: 'v=DKIM1; k=rsa; p=QUJD' }],
  sent: [],
  listeners: [{ url: 'smtp://127.0.0.1:25', loopback: true, requireAuth: false }],
  local: { domains: ['localhost', 'mail.example.com'], root: { kind: 'goes', to: ['ops@example.com'] } },
  networks: ['127.0.0.0/8', '::1/128'],
  openFiles: { limit: 65_536, wanted: 2_000 },
  storage: {
    folder: '/var/lib/postern',
    fileSystem: 'ext4',
    mountOptions: ['rw', 'relatime'],
    freeOctets: 50e9,
    totalOctets: 100e9,
    freeInodes: 1_000_000,
    totalInodes: 6_000_000,
    messageOctetsMax: 50e6,
    journalMode: 'wal',
    writeFault: null,
    serverRuns: true,
  },
  configWarnings: [],
  port25Host: 'mx.example.net',
  clockSynchronised: true,
  validatingAsked: true,
}

export interface SubjectChanges {
  readonly facts?: Partial<DoctorFacts>
  readonly zone?: DnsTable
  readonly parts?: Partial<DoctorParts>
  readonly dns?: { readonly validates?: boolean; readonly secure?: boolean }
}

export function makeSubject(changes: SubjectChanges = {}): Subject {
  const dns = dnsOf({ ...HEALTHY_ZONE, ...changes.zone }, changes.dns ?? { validates: true, secure: true })
  const parts: DoctorParts = {
    dns,
    spf: createSpfEvaluation(dns),
    probeRelay: () => Promise.resolve(REACHED),
    probePort25: () => Promise.resolve(REACHED),
    ...changes.parts,
  }
  return { facts: { ...FACTS, ...changes.facts }, parts }
}

export async function examined(names: readonly CheckName[], changes: SubjectChanges = {}): Promise<readonly Finding[]> {
  return examine(makeSubject(changes), { names, clock: createFakeClock(), done: () => undefined })
}

/** The finding of a check that makes only one. */
export async function only(name: CheckName, changes: SubjectChanges = {}): Promise<Finding> {
  const [finding, ...more] = await examined([name], changes)
  if (finding === undefined || more.length > 0) throw new Error(`not one finding: ${JSON.stringify([finding, ...more])}`)
  return finding
}
