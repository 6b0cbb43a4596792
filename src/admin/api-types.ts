/**
 * What the admin API takes and gives, as types only: all that the CLI and the web pages know of it.
 *
 * Times are milliseconds since 1970 UTC, sizes octets. Text that came from clients, peers or
 * headers is passed on as it came: whoever shows it must escape it for the place where it is shown.
 */
import type { EpochMs, QueueId } from '../core/brand.ts'
import type { Envelope, HeaderFacts, Notify, Origin } from '../core/envelope.ts'
import type { HistoryEvent } from '../core/event.ts'
import type { DialogueLine, Subsystem } from '../ports/journal.ts'
import type { QueueAct, QueueFilter, QueueRow } from '../ports/queue-admin.ts'

export type { DialogueLine, Subsystem } from '../ports/journal.ts'
export type { ActResult, HistoryPage, QueueAct, QueueCounts, QueueFilter, QueuePage, QueueRow } from '../ports/queue-admin.ts'
export type { LaneStatus, ListenerStatus, ReloadResult, RewriteExplanation, RewriteNode, RouteExplanation, ServerStatus } from '../ports/server-control.ts'

/** Every answer with a status of 400 or more. */
export interface ErrorAnswer {
  readonly error: {
    /** One of `admin/errors.ts`; stable. */
    readonly code: string
    /** A sentence for people. */
    readonly message: string
    /** What to do; null: nothing to add. */
    readonly hint: string | null
  }
}

export interface CountAnswer {
  readonly count: number
}
/** `POST /v1/queue/act`. An empty filter needs `all`. */
export interface ActRequest {
  readonly act: QueueAct
  readonly filter: QueueFilter
  readonly all?: boolean
  /** Who asks, for history: `cli:root`. */
  readonly by?: string
}
/** `GET /v1/find`: newest first. */
export interface FindAnswer {
  readonly queueIds: readonly QueueId[]
}

export interface MessageAnswer {
  readonly queueId: QueueId
  /** `<>` for the null reverse-path. */
  readonly sender: string
  readonly acceptedAt: EpochMs
  readonly sizeOctets: number
  readonly origin: Origin
  readonly header: HeaderFacts
  readonly body: Envelope['body']
  readonly smtputf8: boolean
  readonly requireTls: boolean
  readonly envelopeId: string | null
  readonly returnContent: Envelope['returnContent']
  /** Lines that we put before the content. */
  readonly prefix: string
}
export interface RecipientAnswer extends QueueRow {
  readonly notify: Notify
  readonly originalRecipient: string | null
}
/** `GET /v1/messages/:id`. */
export interface StoryAnswer {
  readonly message: MessageAnswer
  /** In the envelope's order, so that `history[].recipient` is an index into it. */
  readonly recipients: readonly RecipientAnswer[]
  readonly history: readonly HistoryEvent[]
  readonly contentStored: boolean
}

export interface FlushRequest {
  /** Lane or relay name; null: all. */
  readonly lane: string | null
}
export interface FlushAnswer {
  /** Due now that were not before. */
  readonly recipients: number
  /** Lanes that were suspended or paused and are open now. */
  readonly lanes: readonly string[]
}
export interface SubmitBody {
  /** `<>` for the null reverse-path. */
  readonly from: string
  readonly to: readonly string[]
  /** A whole message, base64. */
  readonly content: string
}
export interface SubmitAnswer {
  readonly queueId: QueueId
}
export interface BackupRequest {
  /** Absolute, on the server's machine; must not exist yet. */
  readonly path: string
}
export interface BackupAnswer {
  readonly path: string
  readonly octets: number
  readonly messages: number
}
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export interface LogLevelRequest {
  readonly subsystem: Subsystem | 'all'
  readonly level: LogLevel
}
export interface Done {
  readonly done: true
}

/** One line of `GET /v1/live`, a stream of JSON lines. `open` comes first: from then on nothing is missed but what `lost` counts. */
export type LiveLine =
  | { readonly kind: 'open'; readonly at: EpochMs }
  | ({ readonly kind: 'line'; readonly at: EpochMs } & DialogueLine)
  | { readonly kind: 'lost'; readonly at: EpochMs; readonly lines: number }
