/**
 * The statements of the hot path go by index, whatever the size of the queue: SQLite says so itself.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { BY_LANE, HELD, LEASED, OLDEST_QUEUED } from '../../src/store/sqlite/reader/list.ts'
import { HISTORY_AFTER, HISTORY_OF } from '../../src/store/sqlite/reader/story.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { AGED, DUE_OF_FLOW, NEXT_FLOW, TAKE_LEASE } from '../../src/store/sqlite/writer/claim.ts'
import { EARLIEST, NEXT_LANE } from '../../src/store/sqlite/writer/lane-dues.ts'
import { EXPIRED, RENEW } from '../../src/store/sqlite/writer/leases.ts'
import { CONTENT, MESSAGE, RECIPIENTS } from '../../src/store/sqlite/writer/load-claimed.ts'
import { END_FOR_GOOD, IS_OURS } from '../../src/store/sqlite/writer/settle.ts'
import { DUE, LAST_ID } from '../../src/store/sqlite/writer/sweep.ts'

function planOf(sql: string): readonly string[] {
  const db = new DatabaseSync(':memory:')
  for (const statement of MIGRATIONS.flatMap((migration) => migration.statements)) db.exec(statement)
  const plan = db
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .all()
    .map((row) => String(row.detail))
  db.close()
  return plan
}

describe('by search, never by scan', () => {
  it.each(
    Object.entries({
      NEXT_FLOW,
      DUE_OF_FLOW,
      NEXT_LANE,
      EARLIEST,
      AGED,
      TAKE_LEASE,
      EXPIRED,
      RENEW,
      END_FOR_GOOD,
      IS_OURS,
      MESSAGE,
      CONTENT,
      RECIPIENTS,
      DUE,
      HISTORY_OF,
      HISTORY_AFTER,
    }),
  )('%s', (_name, sql) => {
    const plan = planOf(sql)
    expect(plan.length).toBeGreaterThan(0)
    expect(plan.filter((step) => !step.startsWith('SEARCH'))).toEqual([])
  })
})

describe('prepared once', () => {
  const folder = new URL('../../src/store/sqlite/writer/', import.meta.url)
  const files = readdirSync(folder)
  it.each(files)('%s: no bare parameter behind LIMIT, for which SQLite prepares anew at each use', (name) => {
    expect(readFileSync(new URL(name, folder), 'utf8')).not.toMatch(/LIMIT (\?|:|@|\$\w)/)
  })
})

describe('from an index alone', () => {
  it.each(Object.entries({ NEXT_FLOW, DUE_OF_FLOW, NEXT_LANE, EARLIEST, BY_LANE, LEASED, HELD, OLDEST_QUEUED }))('%s', (_name, sql) => {
    const steps = planOf(sql).filter((step) => /recipients/.test(step))
    expect(steps.length).toBeGreaterThan(0)
    expect(steps.filter((step) => !step.includes('COVERING INDEX'))).toEqual([])
  })
  it('the highest id is looked up, not searched for', () => {
    expect(planOf(LAST_ID).filter((step) => /SCAN messages/.test(step))).toEqual([])
  })
})

describe('without sorting', () => {
  it.each(Object.entries({ NEXT_FLOW, DUE_OF_FLOW, NEXT_LANE, AGED, EXPIRED, DUE }))('%s', (_name, sql) => {
    expect(planOf(sql).filter((step) => step.includes('TEMP B-TREE'))).toEqual([])
  })
})
