/**
 * The tables, as numbered migrations. A migration that was released is never changed: add the next.
 *
 * Ids are the numbers of queue ids, so that rows are appended. A message delivered at once touches
 * one index only (`recipients_leased`); the others hold what waits and nothing else. `docs/queue.md`.
 */
import type { Migration } from '../migrate.ts'

export const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'queue',
    statements: [
      // chunks: 0 inline in content, more: rows of that table, -1: gone. meta: envelope, origin and header facts as JSON.
      `CREATE TABLE messages (
        id INTEGER PRIMARY KEY, accepted_at INTEGER NOT NULL, size INTEGER NOT NULL, recipients INTEGER NOT NULL,
        chunks INTEGER NOT NULL, sha256 BLOB, meta TEXT NOT NULL, prefix BLOB NOT NULL, content BLOB) STRICT`,
      // state as in rows.ts. pending: 1 hold, 2 cancel, noted while leased. total: recipients of the message.
      `CREATE TABLE recipients (
        message_id INTEGER NOT NULL, n INTEGER NOT NULL, state INTEGER NOT NULL, lane TEXT NOT NULL, submitter TEXT NOT NULL,
        accepted_at INTEGER NOT NULL, due_at INTEGER NOT NULL, lease_until INTEGER, token TEXT, attempts INTEGER NOT NULL,
        total INTEGER NOT NULL, sender TEXT NOT NULL, address TEXT NOT NULL, dsn TEXT,
        reclaims INTEGER NOT NULL DEFAULT 0, warned INTEGER NOT NULL DEFAULT 0, pending INTEGER NOT NULL DEFAULT 0, pending_by TEXT,
        captured INTEGER NOT NULL DEFAULT 0, finished_at INTEGER, last_status TEXT, last_text TEXT, last_relay TEXT, hold_reason TEXT,
        PRIMARY KEY (message_id, n)) STRICT, WITHOUT ROWID`,
      'CREATE INDEX recipients_by_flow ON recipients (lane, submitter, due_at) WHERE state = 0',
      'CREATE INDEX recipients_by_lane ON recipients (lane, due_at, attempts) WHERE state = 0',
      'CREATE INDEX recipients_by_age ON recipients (warned, accepted_at) WHERE state = 0',
      'CREATE INDEX recipients_leased ON recipients (lease_until) WHERE state = 1',
      'CREATE INDEX recipients_held ON recipients (message_id, n) WHERE state = 2',
      'CREATE INDEX recipients_lost ON recipients (message_id, n) WHERE state > 3',
      // Content longer than INLINE_OCTETS_MAX: id is message id * 1024 + number of the chunk.
      'CREATE TABLE chunks (id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT',
      // Content under way: its row goes with the commit that accepts the message.
      'CREATE TABLE streams (message_id INTEGER PRIMARY KEY, begun_at INTEGER NOT NULL) STRICT',
      // class: 0 content due, 1 content due and captured, 2 content gone.
      'CREATE TABLE finished (class INTEGER NOT NULL, at INTEGER NOT NULL, message_id INTEGER NOT NULL, PRIMARY KEY (class, at, message_id)) STRICT, WITHOUT ROWID',
      // Append-only; recipient is null for the message as a whole.
      `CREATE TABLE history (
        serial INTEGER PRIMARY KEY, message_id INTEGER NOT NULL, recipient INTEGER, at INTEGER NOT NULL,
        kind TEXT NOT NULL, detail TEXT NOT NULL) STRICT`,
      'CREATE INDEX history_by_message ON history (message_id)',
      'CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID',
    ],
  },
  {
    number: 2,
    name: 'released',
    statements: [
      // 1: an operator has let it go; routes that hold are passed over.
      'ALTER TABLE recipients ADD COLUMN released INTEGER NOT NULL DEFAULT 0',
    ],
  },
  {
    number: 3,
    name: 'content-file',
    statements: [
      // Null: the bytes are in the row, as in backups and in what was stored before.
      'ALTER TABLE chunks ADD COLUMN place INTEGER',
      'ALTER TABLE chunks ADD COLUMN octets INTEGER',
      // In the content file, of a message of class 3: as class 0, but the oldest go when they become too many.
      'ALTER TABLE finished ADD COLUMN octets INTEGER NOT NULL DEFAULT 0',
      // Content under way has no rows any more.
      'DELETE FROM chunks WHERE id IN (SELECT chunks.id FROM streams JOIN chunks ON chunks.id BETWEEN message_id * 1024 AND message_id * 1024 + 1023)',
      'DROP TABLE streams',
    ],
  },
]
