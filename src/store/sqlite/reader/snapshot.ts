/**
 * Reads of several statements that see one state of the database, whatever the writer commits meanwhile.
 *
 * Without it a recipient whose lease ends between two counts is in neither, and a queue with mail in it looks empty.
 */
import type { Database } from '../database.ts'
import type { CallName, Calls } from '../reader-wire.ts'

/** The same calls, each in a read transaction of its own. */
export function inSnapshot<Names extends CallName>(db: Database, calls: Calls<Names>): Calls<Names> {
  const begin = db.prepare('BEGIN')
  const end = db.prepare('ROLLBACK')
  const together = <Ask, Answer>(call: (ask: Ask) => Answer): ((ask: Ask) => Answer) => {
    return (ask) => {
      begin.run()
      try {
        return call(ask)
      } finally {
        end.run()
      }
    }
  }
  const entries = Object.entries<(ask: never) => unknown>(calls).map(([name, call]) => [name, together(call)])
  return Object.fromEntries(entries) as Calls<Names>
}
