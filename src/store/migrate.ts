/**
 * Brings a database to the newest schema: numbered steps, each applied once, in order.
 *
 * All that are missing run in one transaction, so that a process killed in between leaves the
 * old schema whole and the next start begins again. Knows no database: the steps are SQL text.
 */
export interface Migration {
  /** From 1, without gaps; the same step has the same number in every database. */
  readonly number: number
  readonly name: string
  readonly statements: readonly string[]
}
export interface MigratedDatabase {
  /** 0: empty. */
  version(): number
  begin(): void
  execute(sql: string): void
  setVersion(number: number): void
  commit(): void
  rollback(): void
}

/** The database was written by a newer program than this one. */
export class NewerSchemaError extends Error {
  constructor(found: number, known: number) {
    super(`the queue has schema ${found}, this program knows ${known}: run the newer version, or restore a backup made before the upgrade`)
    this.name = 'NewerSchemaError'
  }
}

/** `beforeStatement` is told the number of each statement, from 1, over all that run. Returns how many steps were applied. */
export function migrate(db: MigratedDatabase, migrations: readonly Migration[], beforeStatement: (count: number) => void): number {
  const found = db.version()
  const known = migrations.at(-1)?.number ?? 0
  if (found > known) throw new NewerSchemaError(found, known)
  if (found === known) return 0
  const missing = migrations.filter((migration) => migration.number > found)
  let count = 0
  db.begin()
  try {
    for (const migration of missing) {
      for (const sql of migration.statements) {
        count += 1
        beforeStatement(count)
        db.execute(sql)
      }
      db.setVersion(migration.number)
    }
    db.commit()
  } catch (error) {
    db.rollback()
    throw error
  }
  return missing.length
}
