/**
 * The running server as its admin API sees it: status, reload, routes, live dialogue.
 *
 * Made by `app/compose.ts`; queue matters are in `ports/queue-admin.ts`.
 */
import type { EpochMs, QueueId } from '../core/brand.ts'
import type { ClosedHost, TlsLevel } from '../core/route.ts'
import type { TlsDemand } from '../core/tls-policy.ts'
import type { DialogueLine, Subsystem } from './journal.ts'
import type { QueueCounts } from './queue-admin.ts'

export interface LaneStatus {
  readonly lane: string
  readonly state: 'open' | 'suspended' | 'paused'
  /** Sessions allowed now. */
  readonly width: number
  /** Batches under way and ready. */
  readonly active: number
  readonly ready: number
  readonly until: EpochMs | null
  /** Why it is not open. */
  readonly reason: string | null
}
export interface ListenerStatus {
  readonly url: string
  readonly sessions: number
}
export interface ServerStatus {
  readonly version: string
  readonly pid: number
  readonly startedAt: EpochMs
  readonly now: EpochMs
  readonly hostname: string
  readonly configFile: string | null
  readonly listeners: readonly ListenerStatus[]
  readonly underPressure: boolean
  readonly intakePaused: string | null
  /** What is wrong with tables of rewriting, as sentences. */
  readonly tableFaults: readonly string[]
  readonly queue: QueueCounts
  readonly lanes: readonly LaneStatus[]
  readonly sinceStart: {
    readonly accepted: number
    readonly delivered: number
    readonly deferred: number
    readonly failed: number
    readonly expired: number
    readonly captured: number
  }
  readonly memory: { readonly rssOctets: number }
}
export interface RouteExplanation {
  /** What happens to the addresses before a route is looked for; the route is that of the first that comes of it. Left out: nothing. */
  readonly rewriting?: RewriteExplanation
  /** Routes of the other recipients that the address becomes, at most 19. */
  readonly others?: readonly RouteExplanation[]
  readonly from: string
  readonly to: string
  /** Every rule in order, until the one that matched. `why` is empty for a rule that takes all mail. */
  readonly steps: readonly { readonly rule: string; readonly matched: boolean; readonly why: string }[]
  /** For people: `relay google as jira (jira@example.com)`, `hold: ...`, `capture`. */
  readonly decision: string
  readonly lane: string
  readonly credential: string | null
  /** Of direct delivery: servers in the order to try. Null: another way, or there are none. */
  readonly hosts: readonly { readonly name: string; readonly preference: number; readonly addresses: readonly string[]; readonly tls: TlsLevel }[] | null
  /** Servers that a TLS policy closes to this domain; left out: none. */
  readonly closed?: readonly ClosedHost[]
  /** What TLS is demanded of the mail itself, beyond its way (`tlsPolicy.require`, `TLS-Required: No`); left out: nothing. */
  readonly tlsDemand?: TlsDemand
  /** Why there are none: `4.4.3 looking up the mail servers of example.com failed: timeout`. */
  readonly obstacle: string | null
}
/** An address on its way through rules and aliases. */
export interface RewriteNode {
  /** Empty: what is written there is no address. */
  readonly address: string
  /** The rule that leads on from here; null: none does. */
  readonly rule: string | null
  /** `mailbox`, `local-user`, `unknown-user`, `again`, `loop`, `too-deep`, `too-many`, `off`, `invalid`, `unavailable`; null: it has children. */
  readonly kind: string | null
  /** The same for people; empty where there is nothing to say. */
  readonly end: string | null
  readonly children: readonly RewriteNode[]
}
export interface RewriteExplanation {
  readonly address: string
  readonly recipient: RewriteNode
  /** The reply at RCPT; null: it is taken. */
  readonly refusal: string | null
  readonly from: string | null
  /** Rules that change the sender, in order, and what it is after each. */
  readonly sender: readonly { readonly rule: string; readonly address: string }[]
}
export interface ReloadResult {
  readonly changed: readonly string[]
  /** Changes that wait for a restart (`data`, user). */
  readonly needsRestart: readonly string[]
  /** What of the configuration may not be meant so, in sentences with file and line. */
  readonly warnings: readonly string[]
  /** Null: there is none, the defaults are in force. */
  readonly configFile: string | null
}
export interface DialogueFilter {
  readonly relay: string | null
  readonly from: string | null
  readonly to: string | null
  readonly queueId: QueueId | null
}
export interface SubmitRequest {
  readonly from: string
  readonly to: readonly string[]
  /** A whole message; line ends are normalized. */
  readonly content: Uint8Array
}
export interface ServerControl {
  status(): Promise<ServerStatus>
  /** All or nothing; rejects with `ConfigError` and changes nothing. */
  reload(): Promise<ReloadResult>
  explainRoute(query: {
    readonly from: string
    readonly to: string
    readonly submitter: string | null
    readonly header: readonly (readonly [string, string])[]
  }): Promise<RouteExplanation>
  /** What an address becomes; null: it is none. */
  explainRewriting(query: { readonly address: string; readonly from: string | null }): RewriteExplanation | null
  /** Everything queued is due now and suspended lanes are opened; `lane` limits it to one relay. */
  flush(lane: string | null): Promise<{ readonly recipients: number /** Those that were closed and are open now. */; readonly lanes: readonly string[] }>
  /** Level of one subsystem or of all, at run time. */
  setLogLevel(subsystem: Subsystem | 'all', level: 'debug' | 'info' | 'warn' | 'error'): void
  submit(request: SubmitRequest): Promise<QueueId>
  /** Calls back for each line until the returned function is called; slow consumers lose lines, never slow mail. */
  watchDialogue(filter: DialogueFilter, line: (line: DialogueLine) => void): () => void
}
