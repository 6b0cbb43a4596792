/**
 * A reader thread: answers one call after the other beside the writer, and changes nothing.
 *
 * Started up to three times: for content and checkpoints, for operators' looks, for a backup.
 */
import { parentPort } from 'node:worker_threads'
import { type Database, faultKind, openReader } from './database.ts'
import { createFaults, NO_FAULTS } from './faults.ts'
import { backUp } from './reader/backup.ts'
import { createContentCalls } from './reader/content.ts'
import { createListCalls } from './reader/list.ts'
import { PlacedReader } from './reader/placed.ts'
import { inSnapshot } from './reader/snapshot.ts'
import { createStoryCalls } from './reader/story.ts'
import type { CallName, Calls, FoundContent, ReaderAnswer, ReaderRequest } from './reader-wire.ts'

function createCalls(path: string, db: Database): Calls<CallName> {
  const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  return {
    ...createContentCalls(db, new PlacedReader(path)),
    ...inSnapshot(db, { ...createListCalls(db), ...createStoryCalls(db) }),
    checkpoint() {
      checkpoint.get()
      return null
    },
    backup: ({ target }) => backUp(path, target),
  }
}

function open(path: string): Calls<CallName> {
  const db = openReader(path, createFaults(NO_FAULTS))
  try {
    return createCalls(path, db)
  } catch (error) {
    db.close()
    throw error
  }
}

function attach(port: NonNullable<typeof parentPort>): void {
  let path: string | null = null
  let calls: Calls<CallName> | null = null
  const opened = (): Calls<CallName> => {
    if (path === null) throw new Error('not opened')
    // Again at every call: what was in the way the last time may be over.
    calls ??= open(path)
    return calls
  }
  const answer = (request: Extract<ReaderRequest, { readonly kind: 'call' }>): unknown => {
    const call = opened()[request.call.call] as (ask: object) => unknown
    return call(request.call)
  }
  port.on('message', (request: ReaderRequest) => {
    if (request.kind === 'open') {
      path = request.path
      return
    }
    const reply = carryOut(request.serial, () => answer(request))
    port.postMessage(reply, buffersOf(reply.value))
  })
}

function carryOut(serial: number, call: () => unknown): ReaderAnswer {
  try {
    return { serial, value: call(), fault: null }
  } catch (error) {
    const kind = faultKind(error)
    return { serial, value: null, fault: { kind, text: error instanceof Error ? error.message : String(error), code: systemCode(error) } }
  }
}

function systemCode(error: unknown): string | null {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** Content is handed over, not copied: copies of a large content would wait here for a collection that is long in coming. */
function buffersOf(value: unknown): readonly ArrayBuffer[] {
  const bytes = value instanceof Uint8Array ? value : (value as Partial<FoundContent> | null)?.whole
  if (!(bytes instanceof Uint8Array) || !(bytes.buffer instanceof ArrayBuffer)) return []
  return bytes.byteLength === bytes.buffer.byteLength ? [bytes.buffer] : []
}

if (parentPort !== null) attach(parentPort)
