/**
 * What the configuration tells delivery, already checked. Made by `app/settings.ts`; replaced as a
 * whole at a reload.
 */
import type { Pattern } from '../core/pattern.ts'
import type { RetryPolicy } from '../core/retry-schedule.ts'
import type { Credential, DirectSettings, RelaySettings, Route } from '../core/route.ts'
import type { TlsDemandSettings } from './tls-demand.ts'

/** All given parts must match; none given matches everything. */
export interface RouteMatch {
  readonly from: Pattern | null
  readonly to: Pattern | null
  readonly submitter: Pattern | null
  /** Header fields, names in lower case; every one must match one of the message's fields of that name. */
  readonly header: readonly (readonly [name: string, pattern: Pattern])[]
}
/** `relay` with credential 'by-sender' picks among the relay's credentials by reverse-path. */
export type RouteTarget =
  | Exclude<Route, { readonly kind: 'relay' | 'mx' | 'mailbox' }>
  | { readonly kind: 'relay'; readonly relay: string; readonly credential: string | null }
  | { readonly kind: 'mx' }
  /** Into a mailbox of this machine: that user's, or the recipient's own (null). */
  | { readonly kind: 'local'; readonly user: string | null }
export interface RouteRule {
  /** As written, for `route explain`: `routes[2]: from jira@example.com`. */
  readonly label: string
  readonly match: RouteMatch
  readonly target: RouteTarget
}
export interface ConfiguredRelay {
  readonly settings: RelaySettings
  /** Chosen by sender address, then sender domain, then `fallback`; empty: no login. */
  readonly credentials: readonly ConfiguredCredential[]
}
export interface ConfiguredCredential {
  readonly credential: Credential
  /** Senders this one is for; address patterns go before domain patterns; null: not chosen by sender. */
  readonly senders: readonly { readonly pattern: string; readonly matches: Pattern; readonly kind: 'address' | 'domain' }[]
  readonly fallback: boolean
}
export interface DeliverySettings {
  readonly hostname: string
  readonly routes: readonly RouteRule[]
  readonly relays: ReadonlyMap<string, ConfiguredRelay>
  /** For routes of kind `mx`. */
  readonly direct: DirectSettings
  /** Takes by LMTP what goes to local users by their address; missing or null: it goes into mailboxes. */
  readonly localLmtp?: RelaySettings | null
  /** TLS demanded of chosen mail on any way. Left out: nothing. */
  readonly tlsDemands?: TlsDemandSettings
  readonly retry: RetryPolicy
  /** Age at which the sender is told that it takes longer; null: never. */
  readonly delayNoticeAfterMs: number | null
  readonly readySetMax: number
  readonly readyPerFlowMax: number
  readonly lane: {
    /** Cohorts that must fail before the lane is suspended. */
    readonly failedCohortsMax: number
    readonly suspendMs: { readonly initial: number; readonly max: number }
    readonly credentialPauseMs: { readonly initial: number; readonly max: number }
  }
  readonly leaseMs: number
  readonly reclaimDelayMs: number
  readonly quarantineAfter: number
  readonly dsn: {
    readonly from: string
    /** Content returned in full up to this many octets, headers only above. */
    readonly returnFullMaxOctets: number
    /** Most DSNs to one sender in an hour; more are counted in history only. */
    readonly perSenderPerHourMax: number
    /** Gets a copy of DSNs that cannot be delivered; null: nobody. */
    readonly postmaster: string | null
  }
  /** Everything is held while this is not null: the configuration could not be read. */
  readonly holdAll: string | null
}
