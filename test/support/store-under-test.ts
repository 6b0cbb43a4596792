/**
 * The stores that the conformance suites are run against.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import type { BodyRef, QueueId } from '../../src/core/brand.ts'
import type { Clock } from '../../src/core/clock.ts'
import { queueIdToNumber } from '../../src/core/queue-id.ts'
import type { BodyStore } from '../../src/ports/body-store.ts'
import type { QueueAdmin } from '../../src/ports/queue-admin.ts'
import type { QueueStore } from '../../src/ports/queue-store.ts'
import { type OpenStore, openStore, type StoreOptions } from '../../src/store/open-store.ts'
import { UNIT_OCTETS } from '../../src/store/sqlite/place.ts'
import { createFakeClock } from './fake-clock.ts'
import { NOON } from './make-message.ts'
import { createMemoryStore } from './memory-store.ts'
import { SILENT_JOURNAL } from './silent-journal.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface StoreUnderTest {
  readonly queue: QueueStore
  readonly bodies: BodyStore
  readonly admin: QueueAdmin
  /** Flips one byte of stored content behind the store's back. */
  damage(ref: BodyRef): void
}
export type OpenStoreUnderTest = () => Promise<StoreUnderTest>

export async function openMemoryStore(): Promise<StoreUnderTest> {
  const { queue, bodies, admin, state } = createMemoryStore()
  return {
    queue,
    bodies,
    admin,
    damage(ref) {
      const chunk = state.contents.get(ref)?.chunks.at(-1)
      if (chunk !== undefined) chunk[0] = (chunk[0] ?? 0) ^ 1
    },
  }
}

export interface SqliteStore extends OpenStore {
  readonly folder: string
}

/** In a folder of its own unless one is named; closed when the test has finished. */
export async function openSqlite(options: Partial<StoreOptions> = {}): Promise<SqliteStore> {
  const folder = options.path ?? makeTempFolder()
  let tokens = 0
  const clock: Clock = createFakeClock(NOON)
  // Tokens differ from one opening to the next, as they do in the program.
  const boot = process.hrtime.bigint().toString(36)
  const store = await openStore({ path: folder, clock, journal: SILENT_JOURNAL, randomToken: () => `${boot}.${++tokens}`, ...options })
  onTestFinished(() => store.close())
  return { ...store, folder }
}

export async function openSqliteStore(): Promise<StoreUnderTest> {
  // Without the memory of contents: what the database holds is what is tested.
  const store = await openSqlite({ cacheOctetsMax: 0 })
  return { ...store, damage: (ref) => damageContent(store.folder, ref) }
}

export function openDatabase(folder: string): DatabaseSync {
  return new DatabaseSync(join(folder, 'queue.db'), { timeout: 2_000 })
}

function flipInFile(path: string, at: number): void {
  const fd = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(fd, byte, 0, 1, at)
  writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at)
  closeSync(fd)
}

/** The last byte of the content, in its row or in the content file, is flipped. */
export function damageContent(folder: string, ref: BodyRef): void {
  const db = openDatabase(folder)
  const id = queueIdToNumber(ref as string as QueueId)
  const flip = (bytes: unknown): Uint8Array => {
    const copy = Uint8Array.from(bytes as Uint8Array)
    copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1
    return copy
  }
  const message = db.prepare('SELECT content FROM messages WHERE id = ?').get(id)
  if (message?.content instanceof Uint8Array) db.prepare('UPDATE messages SET content = ? WHERE id = ?').run(flip(message.content), id)
  const chunk = db.prepare('SELECT place, octets FROM chunks WHERE id / 1024 = ? ORDER BY id DESC LIMIT 1').get(id)
  if (chunk !== undefined) flipInFile(join(folder, 'queue.content'), (chunk.place as number) * UNIT_OCTETS + (chunk.octets as number) - 1)
  db.close()
}
