/**
 * What is examined, and with what: facts that are gathered before, and the few things the checks ask.
 *
 * Made by `app/doctor.ts`. The checks themselves open no socket and read no file.
 */
import type { EpochMs } from '../core/brand.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'

/** An address from which our mail reaches others. */
export interface EgressAddress {
  readonly address: string
  readonly family: 4 | 6
  /** Others can see it as it is: not private, not loopback. */
  readonly isPublic: boolean
  /** Name we say in EHLO from it. */
  readonly heloName: string
}
/** How mail of a sender domain leaves. */
export interface Departure {
  readonly kind: 'direct' | 'relay'
  /** Name of the relay; empty for direct delivery. */
  readonly relay: string
}
export interface SenderDomain {
  readonly domain: string
  /** It stands in reverse-paths: SPF is asked of it. Reports have none, nor has mail that a relay sends in its own name. */
  readonly inReversePath: boolean
  /** It stands in From: DKIM and DMARC are asked of it. */
  readonly inFrom: boolean
  /** Empty: its mail is captured, held or kept here. */
  readonly departures: readonly Departure[]
  /** We have a key for it: its own, that of a domain above, or the default one. */
  readonly signed: boolean
}
export interface RelaySubject {
  readonly name: string
  readonly hosts: readonly string[]
  /** Names of its logins; empty: none. */
  readonly logins: readonly string[]
  readonly local: boolean
}
/** A key that we sign with. */
export interface SigningKey {
  readonly domain: string
  readonly selector: string
  readonly algorithm: 'rsa' | 'ed25519'
  /** What has to be published: `v=DKIM1; k=rsa; p=...` */
  readonly record: string
}
/** One kind of mail that was sent in the last day. */
export interface SentMail {
  /** Domain of the From field; null: it has none that can be read. */
  readonly from: string | null
  /** Domain of the reverse-path; null: the null reverse-path. */
  readonly envelope: string | null
  /** Domains of the signatures that we put. */
  readonly signedBy: readonly string[]
  readonly departure: Departure
  readonly messages: number
}
export interface ListenerSubject {
  readonly url: string
  readonly loopback: boolean
  readonly requireAuth: boolean
}
export interface StorageFacts {
  readonly folder: string
  /** Name of the file system, `ext4`, `overlay`, `nfs`; null: unknown. */
  readonly fileSystem: string | null
  readonly mountOptions: readonly string[]
  readonly freeOctets: number
  readonly totalOctets: number
  readonly freeInodes: number
  readonly totalInodes: number
  /** Octets that one accepted message may take. */
  readonly messageOctetsMax: number
  /** The queue's journal mode as its file tells; null: there is no queue yet. */
  readonly journalMode: 'wal' | 'rollback' | null
  /** Why the folder cannot be written; null: it can. */
  readonly writeFault: string | null
  /** A running server has read `synchronous=FULL` back at its start. */
  readonly serverRuns: boolean
}
/** What becomes of mail for root. */
export type RootMail =
  | { readonly kind: 'goes'; readonly to: readonly string[] }
  | { readonly kind: 'lost'; readonly why: string }
  /** Names without domain are refused. */
  | { readonly kind: 'no-domain' }
export interface LocalSubject {
  /** In lower case; literals in brackets. */
  readonly domains: readonly string[]
  readonly root: RootMail
}
export interface DoctorFacts {
  readonly hostname: string
  readonly now: EpochMs
  readonly egress: readonly EgressAddress[]
  /** `stays`: no mail leaves for anybody else's server. */
  readonly delivery: { readonly direct: boolean; readonly stays: boolean }
  readonly senders: readonly SenderDomain[]
  readonly relays: readonly RelaySubject[]
  readonly keys: readonly SigningKey[]
  /** Domains whose active keys are all out of their time. */
  readonly keylessDomains: readonly string[]
  /** Null: no server was there to be asked. */
  readonly sent: readonly SentMail[] | null
  readonly listeners: readonly ListenerSubject[]
  readonly local: LocalSubject
  /** Networks that may relay without login. */
  readonly networks: readonly string[]
  readonly openFiles: { readonly limit: number | null; readonly wanted: number }
  readonly storage: StorageFacts | null
  readonly configWarnings: readonly { readonly text: string; readonly remedy: string }[]
  /** Where port 25 is tried; null: nobody was chosen. */
  readonly port25Host: string | null
  readonly clockSynchronised: boolean | null
  /** `dns.validating` is set; whether it counts, the resolver itself says. */
  readonly validatingAsked: boolean
}

/** A session that was opened to see whether it can be, and ended with QUIT. */
export type ProbeResult =
  | {
      readonly kind: 'reached'
      readonly host: string
      readonly address: string
      /** `TLSv1.3, certificate verified`; null: no TLS. */
      readonly tls: string | null
      readonly certificate: 'verified' | 'untrusted' | 'none'
      readonly certificateFault: string | null
      /** When it is valid, in epoch milliseconds; null: there is none. */
      readonly certificateTime: { readonly from: number; readonly until: number } | null
      /** The login that was accepted; null: none was tried. */
      readonly login: string | null
      readonly greeting: string | null
    }
  | { readonly kind: 'failed'; readonly phase: string; readonly reason: string; readonly greeting: string | null }

export interface SpfQuestion {
  readonly address: string
  readonly heloName: string
  /** Domain of the reverse-path; null: the HELO name itself is asked about. */
  readonly domain: string | null
  /** As if this were the SPF record of that name. */
  readonly instead?: { readonly name: string; readonly text: string }
}
export interface SpfAnswer {
  readonly result: 'pass' | 'fail' | 'softfail' | 'neutral' | 'none' | 'temperror' | 'permerror'
  /** Why, for people. */
  readonly reason: string
  /** Which limit of RFC 7208 §4.6.4 a permerror is about; null: none. */
  readonly limit: 'look-ups' | 'missing-names' | null
}
export interface DoctorParts {
  readonly dns: DnsResolver
  readonly spf: (question: SpfQuestion) => Promise<SpfAnswer>
  /** Login null: only connection, TLS and EHLO. */
  readonly probeRelay: (relay: string, login: string | null) => Promise<ProbeResult>
  readonly probePort25: (host: string) => Promise<ProbeResult>
}
export interface Subject {
  readonly facts: DoctorFacts
  readonly parts: DoctorParts
}
