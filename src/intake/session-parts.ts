/** What all sessions share, and what those that began under the same settings share. */
import type { Clock } from '../core/clock.ts'
import type { SmtpReply } from '../core/reply.ts'
import type { DialogueTap } from '../ports/journal.ts'
import type { AcceptParts } from './accept-message.ts'
import type { CompiledListener, CompiledSettings } from './compiled-settings.ts'
import type { ContentBudget } from './content-intake.ts'
import type { GuessCounter } from './credentials.ts'
import type { ScratchPool } from './gathered-content.ts'
import type { QuietNote } from './quiet-notes.ts'

export interface SharedParts {
  readonly clock: Clock
  readonly tap: DialogueTap
  readonly note: QuietNote
  readonly guesses: GuessCounter
  readonly budget: ContentBudget
  readonly scratch: ScratchPool
  /** Every plain read goes through it. */
  readonly readBuffer: Buffer
  /** Null until `serve`. */
  readonly accept: () => AcceptParts | null
  /** Why no mail is taken now; null: it is. */
  readonly trouble: () => SmtpReply | null
}
export interface SessionParts {
  readonly shared: SharedParts
  readonly compiled: CompiledSettings
  readonly listener: CompiledListener
}
