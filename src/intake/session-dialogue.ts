/**
 * The live dialogue of one client's session: whose recipients, and which message, a line is about.
 *
 * Costs nothing while nobody looks. Secrets were removed by the engine. A message has no queue id
 * before it is accepted, so that only the last reply names it.
 */
import type { QueueId } from '../core/brand.ts'
import type { DialogueTap } from '../ports/journal.ts'
import type { Transaction } from './transaction.ts'

export interface DialogueAbout {
  readonly session: string
  /** Of the listener. */
  readonly url: string
  /** The transaction that is open just now. */
  readonly transaction: () => Transaction | null
}
export type LineWriter = (direction: '>' | '<', text: string) => void

export class SessionDialogue {
  readonly #tap: DialogueTap
  readonly #about: DialogueAbout
  #ended: { readonly transaction: Transaction; readonly queueId: QueueId | null } | null = null

  constructor(tap: DialogueTap, about: DialogueAbout) {
    this.#tap = tap
    this.#about = about
  }

  /** Null while nobody looks. */
  get writer(): LineWriter | null {
    return this.#tap.active ? this.#write : null
  }

  /** What is said inside is about a transaction that is no longer open. */
  answering(transaction: Transaction, queueId: QueueId | null, say: () => void): void {
    this.#ended = { transaction, queueId }
    try {
      say()
    } finally {
      this.#ended = null
    }
  }

  readonly #write: LineWriter = (direction, text) => {
    const { session, url, transaction } = this.#about
    const about = this.#ended?.transaction ?? transaction()
    const known = about?.recipientAddresses ?? []
    const named = direction === '<' ? RCPT.exec(text)?.[1] : undefined
    const to = named === undefined ? known : [...known, named]
    const begun = direction === '<' ? MAIL.exec(text)?.[1] : undefined
    const from = about?.sender ?? (begun === '' ? '<>' : begun)
    this.#tap.line({ side: 'intake', session, peer: url, direction, text, queueId: this.#ended?.queueId ?? null, ...(from === undefined ? {} : { from }), to })
  }
}

/** Neither is one before it is accepted; its own line is about it all the same. */
const MAIL = /^mail from: ?<([^>]*)>/i
const RCPT = /^rcpt to: ?<([^>]*)>/i
