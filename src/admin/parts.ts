/**
 * What the admin API stands on.
 */
import type { Clock } from '../core/clock.ts'
import type { Journal } from '../ports/journal.ts'
import type { QueueAdmin } from '../ports/queue-admin.ts'
import type { ServerControl } from '../ports/server-control.ts'

export interface AdminParts {
  readonly control: ServerControl
  readonly queue: QueueAdmin
  readonly clock: Clock
  readonly journal: Journal
  /** At most 107 octets; a dead socket there is replaced. */
  readonly socketPath: string
}
