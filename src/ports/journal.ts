/**
 * What the running server says of itself: one call a fact, typed; `app/journal.ts` writes it with pino.
 *
 * Calls never throw and never wait. No secret is ever an argument.
 */
import type { LaneKey, QueueId } from '../core/brand.ts'
import type { AttemptTimings, RemoteMta, TlsFacts } from '../core/outcome.ts'

export interface AcceptedRecord {
  readonly queueId: QueueId
  readonly from: string
  readonly recipients: number
  readonly sizeOctets: number
  readonly submitter: string
  readonly client: string | null
  readonly protocol: string
  readonly messageId: string | null
}
/** One line per recipient per attempt, in Postfix's order of facts. */
export interface AttemptRecord {
  readonly queueId: QueueId
  readonly from: string
  readonly to: string
  readonly originalTo: string | null
  readonly lane: LaneKey
  readonly relay: RemoteMta | null
  readonly attempt: number
  readonly outcome: 'delivered' | 'deferred' | 'failed' | 'expired' | 'captured' | 'discarded' | 'held'
  /** Enhanced status. */
  readonly status: string
  /** The reply word for word, else our reason. */
  readonly text: string
  /** Since acceptance. */
  readonly delayMs: number
  /** Postfix's a/b/c/d: before the queue, in it, set-up of the session, transfer. */
  readonly delays: readonly [number, number, number, number]
  readonly timings: AttemptTimings
  readonly tls: TlsFacts | null
  readonly duplicatePossible: boolean
}
export type Subsystem = 'intake' | 'delivery' | 'transport' | 'store' | 'admin' | 'config' | 'server'
export interface Journal {
  accepted(record: AcceptedRecord): void
  attempt(record: AttemptRecord): void
  /** Anything else worth a line; `facts` are JSON values, never secrets or raw remote bytes unescaped. */
  note(subsystem: Subsystem, level: 'debug' | 'info' | 'warn' | 'error', text: string, facts?: Readonly<Record<string, unknown>>): void
}

/** SMTP dialogue as it happens, for `postern trace --live`. Secrets are removed before the call. */
export interface DialogueLine {
  readonly side: 'intake' | 'delivery'
  /** Names one session. */
  readonly session: string
  /** Relay or listener. */
  readonly peer: string
  /** '>' sent by us, '<' received, '*' a remark of ours. */
  readonly direction: '>' | '<' | '*'
  readonly text: string
  readonly queueId: QueueId | null
  /** Reverse-path of the transaction, for `--from`; left out: there is none yet. */
  readonly from?: string
  /** Recipients of the transaction, for `--to`. */
  readonly to: readonly string[]
}
export interface DialogueTap {
  /** False: nobody looks, build no lines. */
  readonly active: boolean
  line(line: DialogueLine): void
}
