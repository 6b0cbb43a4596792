/** A healthy server that delivers directly for example.com, and whatever a test changes of it. */
import type { EpochMs } from '../../src/core/brand.ts'
import { createSpfEvaluation } from '../../src/doctor/evaluate-spf.ts'
import type { DoctorFacts, DoctorParts, ProbeResult, Subject } from '../../src/doctor/subject.ts'
import { type ScriptedDns, scriptedDns } from './scripted-dns.ts'

export const HEALTHY_ZONE: ScriptedDns = {
  'A mail.example.com': ['192.0.2.1'],
  'PTR 192.0.2.1': ['mail.example.com'],
  'TXT mail.example.com': ['v=spf1 a -all'],
  'TXT example.com': ['v=spf1 ip4:192.0.2.1 -all', 'some-verification=1'],
  'MX example.com': ['10 in.example.com'],
  'TXT s1._domainkey.example.com': ['v=DKIM1; k=rsa; p=QUJD'],
  'TXT _dmarc.example.com': ['v=DMARC1; p=quarantine; rua=mailto:dmarc@example.com'],
}
export const REACHED: ProbeResult = {
  kind: 'reached',
  host: 'relay.example.net',
  address: '198.51.100.7',
  tls: 'TLSv1.3, certificate verified',
  certificate: 'verified',
  certificateFault: null,
  login: null,
  greeting: '220 relay.example.net ESMTP',
}
const FACTS: DoctorFacts = {
  hostname: 'mail.example.com',
  now: Date.UTC(2026, 10, 22, 12) as EpochMs,
  egress: [{ address: '192.0.2.1', family: 4, isPublic: true, heloName: 'mail.example.com' }],
  delivery: { direct: true, captureOnly: false },
  senders: [{ domain: 'example.com', origin: 'configured', departures: [{ kind: 'direct', relay: '' }], signed: true }],
  relays: [],
  keys: [{ domain: 'example.com', selector: 's1', algorithm: 'rsa', record: 'v=DKIM1; k=rsa; p=QUJD' }],
  sent: [],
  listeners: [{ url: 'smtp://127.0.0.1:25', loopback: true, requireAuth: false }],
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
  readonly zone?: ScriptedDns
  readonly parts?: Partial<DoctorParts>
  readonly dns?: { readonly validates?: boolean; readonly secure?: boolean }
}

export function makeSubject(changes: SubjectChanges = {}): Subject {
  const dns = scriptedDns({ ...HEALTHY_ZONE, ...changes.zone }, changes.dns ?? { validates: true, secure: true })
  const parts: DoctorParts = {
    dns,
    spf: createSpfEvaluation(dns),
    probeRelay: () => Promise.resolve(REACHED),
    probePort25: () => Promise.resolve(REACHED),
    ...changes.parts,
  }
  return { facts: { ...FACTS, ...changes.facts }, parts }
}
