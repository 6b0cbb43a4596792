/**
 * What the main thread asks a reader thread, and what it answers.
 */
import type { QueueId } from '../../core/brand.ts'
import type { HistoryEvent } from '../../core/event.ts'
import type { HistoryPage, QueueCounts, QueueFilter, QueuePage, QueueRow } from '../../ports/queue-admin.ts'
import type { StoreFaultKind } from '../../ports/store-fault.ts'
import type { MessageFields, RecipientFields } from '../rows.ts'

export interface FoundContent {
  readonly size: number
  /** Null: in that many chunks. */
  readonly whole: Uint8Array | null
  readonly chunks: number
}
export interface FoundStory {
  readonly message: MessageFields
  readonly recipients: readonly RecipientFields[]
  readonly rows: readonly QueueRow[]
  readonly history: readonly HistoryEvent[]
  readonly contentStored: boolean
}
interface Page {
  readonly limit: number
  readonly after: string | null
}
export interface ChunkAsk {
  readonly id: number
  readonly n: number
  /** Tells one reading of the same content from another: each is hashed on its own. */
  readonly stream: number
  /** Memory for the answer, where it has just its size. */
  readonly into: ArrayBuffer | null
}
/** Arguments and answer of each call. */
export interface ReaderCalls {
  readonly open: { readonly ask: { readonly id: number }; readonly answer: FoundContent }
  readonly 'open-with-prefix': { readonly ask: { readonly id: number }; readonly answer: (FoundContent & { readonly prefix: Uint8Array }) | null }
  readonly chunk: { readonly ask: ChunkAsk; readonly answer: Uint8Array }
  readonly forget: { readonly ask: { readonly stream: number }; readonly answer: null }
  readonly counts: { readonly ask: object; readonly answer: QueueCounts }
  readonly list: { readonly ask: { readonly filter: QueueFilter; readonly page: Page }; readonly answer: QueuePage }
  readonly count: { readonly ask: { readonly filter: QueueFilter }; readonly answer: number }
  /** Ids and indexes of a page of recipients, flat. */
  readonly match: {
    readonly ask: { readonly filter: QueueFilter; readonly page: Page }
    readonly answer: { readonly ids: readonly number[]; readonly next: string | null }
  }
  readonly story: { readonly ask: { readonly id: number }; readonly answer: FoundStory | null }
  readonly find: { readonly ask: { readonly address: string; readonly limit: number }; readonly answer: readonly QueueId[] }
  readonly history: { readonly ask: { readonly after: string | null; readonly limit: number }; readonly answer: HistoryPage }
  /** Moves what it can from the log into the database. */
  readonly checkpoint: { readonly ask: object; readonly answer: null }
  readonly backup: { readonly ask: { readonly target: string }; readonly answer: { readonly messages: number } }
}
export type CallName = keyof ReaderCalls
/** What a part of the reader thread carries out. */
export type Calls<Names extends CallName> = { readonly [Name in Names]: (ask: ReaderCalls[Name]['ask']) => ReaderCalls[Name]['answer'] }
export type ReaderCall<Name extends CallName = CallName> = { [N in Name]: { readonly call: N } & ReaderCalls[N]['ask'] }[Name]

export type ReaderRequest = { readonly kind: 'open'; readonly path: string } | { readonly kind: 'call'; readonly serial: number; readonly call: ReaderCall }
export interface ReaderFault {
  readonly kind: StoreFaultKind | null
  readonly text: string
  /** The system's, of a file that a backup cannot be written to; errors do not keep it from thread to thread. */
  readonly code: string | null
}
export type ReaderAnswer =
  | { readonly serial: number; readonly value: unknown; readonly fault: null }
  | { readonly serial: number; readonly value: null; readonly fault: ReaderFault }
