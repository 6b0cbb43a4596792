/**
 * The crash table of docs/queue.md, row by row as far as the store goes: a real process is killed at a named point.
 */
import { describe, expect, it } from 'vitest'
import type { QueueId } from '../../src/core/brand.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { claimAll } from '../conformance/queue-steps.ts'
import { makeAcceptance, NOON } from '../support/make-message.ts'
import { startStoreChild } from '../support/store-child.ts'
import { openDatabase, openSqlite, type SqliteStore } from '../support/store-under-test.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

interface Aftermath {
  readonly store: SqliteStore
  readonly lines: readonly string[]
}

/** Runs the scenario until it is killed at the point, and opens what is left. */
async function crash(scenario: string, crashAt: string): Promise<Aftermath> {
  const folder = makeTempFolder()
  const { lines, signal } = await startStoreChild({ folder, scenario, crashAt }).end()
  expect(signal).toBe('SIGKILL')
  const store = await openSqlite({ path: folder })
  const problems = openDatabase(folder).prepare('PRAGMA integrity_check').all()
  expect(problems).toEqual([{ integrity_check: 'ok' }])
  return { store, lines }
}
const statesOf = async (store: SqliteStore): Promise<readonly string[]> =>
  (await store.admin.list({}, { limit: 100, after: null })).rows.map((row) => row.state)

describe('killed', () => {
  it('before commit A: nothing is there, nobody was told', async () => {
    const { store, lines } = await crash('enqueue', 'enqueue.before-commit')
    expect(lines).not.toContain('acknowledged')
    expect(await statesOf(store)).toEqual([])
  })
  it('after commit A and before the reply: it is queued whole and will be delivered', async () => {
    const { store, lines } = await crash('enqueue', 'enqueue.after-commit')
    expect(lines).not.toContain('acknowledged')
    const [claimed] = await store.queue.claimDue(claimAll())
    expect(claimed?.attempts).toBe(1)
    expect((await store.bodies.open(claimed?.message.bodyRef ?? ('' as never))).sizeOctets).toBeGreaterThan(0)
  })
  it.each(['chunk.before-commit', 'chunk.after-commit', 'enqueue.before-commit'])(
    'at %s of content: nothing is left of it, its places are free',
    async (point) => {
      const { store, lines } = await crash('chunk', point)
      expect(lines.includes('finished')).toBe(point === 'enqueue.before-commit')
      expect(await statesOf(store)).toEqual([])
      const acceptance = makeAcceptance({ content: 'x'.repeat(100_000) })
      await store.queue.enqueue(acceptance)
      expect(openDatabase(store.folder).prepare('SELECT id % 1024 AS n, place FROM chunks').all()).toEqual([{ n: 0, place: 0 }])
    },
  )
  it('before commit B: it is still queued', async () => {
    const { store } = await crash('claim', 'claim.before-commit')
    expect(await statesOf(store)).toEqual(['queued'])
  })
  it('after commit B: leased, taken back at the start, and the attempt counts', async () => {
    const { store } = await crash('claim', 'claim.after-commit')
    expect(await statesOf(store)).toEqual(['leased'])
    expect(await store.queue.reclaim({ now: NOON, dueAt: NOON, quarantineAfter: 9, all: true })).toHaveLength(1)
    expect((await store.queue.claimDue(claimAll()))[0]?.attempts).toBe(2)
  })
  it('in commit C: still leased, no half of it is there', async () => {
    const { store } = await crash('settle', 'settle.before-commit')
    expect(await statesOf(store)).toEqual(['leased'])
    expect((await store.admin.history(null, 100)).events.map((event) => event.kind)).toEqual(['accepted'])
  })
  it('after commit C: outcome, history and notice are all there', async () => {
    const { store } = await crash('settle', 'settle.after-commit')
    expect(await statesOf(store)).toEqual(['failed', 'queued'])
    expect((await store.admin.history(null, 100)).events.map((event) => event.kind)).toEqual(['accepted', 'failed', 'accepted'])
  })
  it('while sweeping: before the commit all is there, after it all is gone', async () => {
    expect(await statesOf((await crash('sweep', 'sweep.before-commit')).store)).toEqual(['delivered'])
    const { store } = await crash('sweep', 'sweep.after-commit')
    expect(await statesOf(store)).toEqual([])
    expect(await store.queue.lastQueueId()).not.toBeNull()
  })
  it('before each statement of the migration: the next start begins again and ends well', async () => {
    const statements = MIGRATIONS.reduce((sum, migration) => sum + migration.statements.length, 0)
    for (let n = 1; n <= statements; n++) {
      const { store } = await crash('enqueue', `migrate.${n}`)
      expect(await store.queue.claimDue(claimAll())).toEqual([])
      await store.close()
    }
  }, 60_000)
  it('under load, again and again: nothing that was acknowledged is lost or comes back', async () => {
    const folder = makeTempFolder()
    const accepted = new Set<string>()
    const delivered = new Set<string>()
    for (let round = 0; round < 4; round++) {
      const child = startStoreChild({ folder, scenario: 'load' })
      expect(await child.next()).toBe('opened')
      for (let i = 0; i < 150 + round * 37; i++) note(await child.next(), accepted, delivered)
      await child.kill()
      for (const line of (await child.end()).lines) note(line, accepted, delivered)
    }
    const store = await openSqlite({ path: folder })
    const states = new Map<string, string>()
    for (let after: string | null = null, more = true; more; more = after !== null) {
      const page: Awaited<ReturnType<typeof store.admin.list>> = await store.admin.list({}, { limit: 1_000, after })
      for (const row of page.rows) states.set(row.queueId, row.state)
      after = page.next
    }
    expect([...accepted].filter((id) => !states.has(id))).toEqual([])
    expect([...delivered].filter((id) => states.get(id) !== 'delivered')).toEqual([])
    expect(accepted.size).toBeGreaterThan(200)
  }, 60_000)
})

function note(line: string, accepted: Set<string>, delivered: Set<string>): void {
  const [word, id = ''] = line.split(' ') as [string, QueueId]
  if (word === 'accepted') accepted.add(id)
  if (word === 'delivered') delivered.add(id)
}
