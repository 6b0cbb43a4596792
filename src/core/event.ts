/**
 * Every kind of history line, one closed union. History is append-only.
 *
 * `docs/queue.md` says of each what it means; a test checks that it does.
 */
import type { EpochMs, QueueId } from './brand.ts'
import type { AttemptTimings, Diagnosis, EarlierTry, RemoteMta, TlsFacts } from './outcome.ts'

export const EVENT_KINDS = [
  'accepted',
  'delivered',
  'deferred',
  'failed',
  'expired',
  'reclaimed',
  'captured',
  'discarded',
  'held',
  'resumed',
  'cancelled',
  'retried',
  'delay-notice',
  'lease-lost',
  'dsn-queued',
  'dsn-suppressed',
  'quarantined',
  'rewritten',
] as const
export type EventKind = (typeof EVENT_KINDS)[number]

/** What is told of an event beside its kind; fields that do not apply are left out. */
export interface EventDetail {
  /** Enhanced status, `4.4.1`. */
  readonly status?: string
  /** Ours, for people. */
  readonly reason?: string
  /** Theirs, word for word: `421 4.7.0 Try again later`. */
  readonly reply?: string
  readonly phase?: Diagnosis['phase']
  readonly scope?: Diagnosis['scope']
  readonly lane?: string
  readonly remoteMta?: RemoteMta
  readonly tls?: TlsFacts
  readonly timings?: AttemptTimings
  /** Of the same attempt, before what `remoteMta` says of it. */
  readonly earlier?: readonly EarlierTry[]
  readonly attempt?: number
  readonly dueAt?: EpochMs
  readonly duplicatePossible?: boolean
  /** Who did it, for operators' acts; who handed it in, for `accepted`. */
  readonly by?: string
  /** The DSN that tells of it. */
  readonly noticeId?: QueueId
}
export interface HistoryEvent {
  readonly at: EpochMs
  readonly kind: EventKind
  /** Index of the recipient in the message; null: the message as a whole. */
  readonly recipient: number | null
  readonly detail: EventDetail
}
