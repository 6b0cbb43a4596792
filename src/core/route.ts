/**
 * Where a recipient's mail goes, and the keys under which it is squeezed.
 *
 * A route is decided at every attempt by `delivery/router.ts` and never stored; the lane key is
 * stored beside the recipient as a hint for claims only.
 */
import type { LaneKey } from './brand.ts'
import type { DaneDemand, ReportedPolicy, TlsBasis, TlsDemand } from './tls-policy.ts'

/**
 * none: plain; may: TLS if offered, unverified; encrypt: TLS or defer; verify: TLS, chain and name right, or defer;
 * dane: TLS that one of the TLSA records of `dane` matches, or defer.
 */
export type TlsLevel = 'none' | 'may' | 'encrypt' | 'verify' | 'dane'

export interface RelayHost {
  /** A name or an address; or a Unix socket, as its absolute path. */
  readonly host: string
  /** 0 for a Unix socket. */
  readonly port: number
  /** TLS from the first byte (RFC 8314 §3). */
  readonly implicitTls: boolean
}
export interface TlsRequirement {
  readonly level: TlsLevel
  /** PEM text of the authorities to trust instead of the system's; null: the system's. */
  readonly ca: string | null
  /** Name to verify and to send as SNI instead of the host's. */
  readonly serverName: string | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Who demands the level; left out: nobody, it is the default. */
  readonly basis?: TlsBasis
  /** With level dane, always. */
  readonly dane?: DaneDemand
  /** Nobody vouches for the host's name (plain DNS): a certificate that is right for it proves less (C07). */
  readonly hostUnproved?: boolean
  /** What its sessions are counted under in TLS-RPT; left out: under nothing. */
  readonly reported?: ReportedPolicy
}
export interface Credential {
  /** Its name in the configuration; safe to log. */
  readonly name: string
  readonly username: string
  /** Asked for at each login, so that a changed file is seen; never logged. Throws if it cannot be had. */
  readonly password: () => string
  readonly mechanisms: readonly ('PLAIN' | 'LOGIN' | 'CRAM-MD5')[]
  /** Allow PLAIN and LOGIN without TLS. */
  readonly allowPlaintext: boolean
}
/** Everything a transport needs to know of a relay. */
export interface RelaySettings {
  readonly name: string
  /** `lmtp`: RFC 2033, an answer for each recipient after the final dot. Left out: `smtp`. */
  readonly protocol?: 'smtp' | 'lmtp'
  readonly hosts: readonly [RelayHost, ...RelayHost[]]
  readonly tls: TlsRequirement
  readonly heloName: string
  /** Our side of the connection; null: the system's choice. */
  readonly sourceAddress: string | null
  readonly limits: {
    readonly sessionsMax: number
    readonly sessionsInitial: number
    readonly messagesPerSession: number
    readonly sessionAgeMs: number
    readonly sessionIdleMs: number
    readonly recipientsPerTransaction: number
  }
  /** RFC 5321 §4.5.3.2. */
  readonly timeouts: PhaseTimeouts
}
export interface HostAddress {
  /** IPv4 or IPv6, never a name. */
  readonly address: string
  readonly family: 4 | 6
}
export interface MxHost {
  /** A-labels, or the address of a literal in its brackets: what is dialled, sent as SNI and logged. */
  readonly name: string
  /** Hosts of equal preference stand in for each other: a session to one serves for all. */
  readonly preference: number
  /** To be tried in this order; never empty, never ours, within the caps. */
  readonly addresses: readonly [HostAddress, ...HostAddress[]]
  readonly tls: TlsRequirement
}
/** A host that a TLS policy closes to the domain's mail. */
export interface ClosedHost {
  readonly name: string
  readonly preference: number
  /** One line; begins with the name of the fault. */
  readonly reason: string
}
/** Where the mail of a domain goes when it is delivered directly, in the order to try. */
export interface Destination {
  readonly domain: string
  /** The receiver: domains with the same hosts share it, and one lane. */
  readonly site: string
  readonly hosts: readonly [MxHost, ...MxHost[]]
  /** Only to be told of; left out: none. */
  readonly closed?: readonly [ClosedHost, ...ClosedHost[]]
  /** Monotonic milliseconds; later it is only good as a hint of the site. */
  readonly goodUntilMs: number
}
/** Our side of connections of one address family. */
export interface EgressSide {
  /** Null: the system's choice. */
  readonly sourceAddress: string | null
  readonly heloName: string
}
/** How mail goes to the recipients' own servers. */
export interface DirectSettings {
  /** 25, but for tests. */
  readonly port: number
  readonly ipv4: EgressSide
  readonly ipv6: EgressSide
  /** For each site, all of its hosts together. */
  readonly limits: RelaySettings['limits']
  readonly timeouts: PhaseTimeouts
  /** Longest wait for a connection while another address is left to try. */
  readonly fallOverMs: number
}
export interface PhaseTimeouts {
  readonly connectMs: number
  readonly greetingMs: number
  readonly ehloMs: number
  readonly starttlsMs: number
  readonly authMs: number
  readonly mailMs: number
  readonly rcptMs: number
  readonly dataMs: number
  readonly contentMs: number
  readonly finalDotMs: number
  readonly rsetMs: number
  readonly quitMs: number
}

export type Route =
  | { readonly kind: 'relay'; readonly relay: RelaySettings; readonly credential: Credential | null; readonly tlsDemand?: TlsDemand }
  /** To the servers of the recipient's domain; null: they have to be looked up first. */
  | { readonly kind: 'mx'; readonly direct: DirectSettings; readonly destination: Destination | null; readonly tlsDemand?: TlsDemand }
  /** Into the mailbox of a user of this machine; null: the address is nobody's. */
  | { readonly kind: 'mailbox'; readonly user: string | null }
  | { readonly kind: 'hold'; readonly reason: string }
  | { readonly kind: 'discard' }
  | { readonly kind: 'capture' }

/** Where recipients wait whose servers are being looked up. */
export const LOOKUP_LANE = 'lookup'

/** The lane of a route; routes that dial nobody have one each, too, so that claims can tell them apart. */
export function laneOf(route: Route): LaneKey {
  if (route.kind === 'mx') return (route.destination === null ? LOOKUP_LANE : `smtp:mx/${route.destination.site}`) as LaneKey
  // A lane each, so that a home folder that hangs holds up nobody else's mail.
  if (route.kind === 'mailbox') return `local:${route.user ?? '-'}` as LaneKey
  if (route.kind !== 'relay') return route.kind as LaneKey
  return `smtp:${route.relay.name}/${route.credential?.name ?? '-'}` as LaneKey
}

/** How operators name lanes: the lane itself, `google/jira` for one login, `google` for all of a relay's, `mx` for all direct ones, `local` for all mailboxes. */
export function isLaneNamed(lane: string, name: string): boolean {
  return lane === name || lane === `smtp:${name}` || lane.startsWith(`smtp:${name}/`) || (name === 'local' && lane.startsWith('local:'))
}
