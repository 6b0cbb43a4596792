/**
 * `BodyStore` in memory: see `memory-store.ts`.
 */
import { createHash } from 'node:crypto'
import type { BodyRef, QueueId } from '../../src/core/brand.ts'
import { isFinal } from '../../src/core/recipient-state.ts'
import type { BodyStore, StoredContent, SweepRequest, SweepResult } from '../../src/ports/body-store.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import type { MemoryContent, MemoryState } from './memory-store.ts'

export function createMemoryBodies(state: MemoryState): BodyStore {
  return {
    put(ref) {
      const content: MemoryContent = { chunks: [], begunAt: state.now(), sha256: null, sizeOctets: 0 }
      state.contents.set(ref, content)
      return {
        async write(chunk) {
          state.gate()
          content.chunks.push(Uint8Array.from(chunk))
          content.sizeOctets += chunk.byteLength
        },
        async finish() {
          state.gate()
          content.sha256 = hash(content)
        },
        async abort() {
          state.contents.delete(ref)
        },
      }
    },
    async open(ref) {
      state.gate()
      const content = state.contents.get(ref)
      if (content === undefined) throw new StoreFault('damaged', `there is no content ${ref}`)
      return storedContent(content)
    },
    async sweep(request) {
      state.gate()
      return sweep(state, request)
    },
  }
}

function hash(content: MemoryContent): string {
  const digest = createHash('sha256')
  for (const chunk of content.chunks) digest.update(chunk)
  return digest.digest('hex')
}

export function storedContent(content: MemoryContent, prefix: Uint8Array = new Uint8Array(0)): StoredContent {
  const octets = content.chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0)
  if (octets !== content.sizeOctets || hash(content) !== content.sha256) throw new StoreFault('damaged', 'size or hash of the content differ')
  return {
    sizeOctets: prefix.byteLength + content.sizeOctets,
    whole: Buffer.concat([prefix, ...content.chunks]),
    async *chunks() {
      if (prefix.byteLength > 0) yield prefix
      yield* content.chunks
    },
  }
}

function sweep(state: MemoryState, request: SweepRequest): SweepResult {
  let contents = 0
  let messages = 0
  for (const [queueId, message] of [...state.messages]) {
    const rows = [...state.rows.values()].filter((row) => row.queueId === queueId)
    if (!rows.every((row) => isFinal(row.state))) continue
    const finishedAt = state.ended.get(queueId) ?? 0
    const forget = finishedAt < request.historyFinishedBefore
    const drop = finishedAt < (rows.some((row) => row.captured) ? request.capturedFinishedBefore : request.contentFinishedBefore)
    if (contents + messages >= request.limit && (forget || drop)) return { contents, messages, more: true }
    if ((drop || forget) && state.contents.delete(message.bodyRef)) contents += 1
    if (forget) {
      forgetMessage(state, queueId)
      messages += 1
    }
  }
  const owned = new Set<BodyRef>([...state.messages.values()].map((message) => message.bodyRef))
  for (const [ref, content] of [...state.contents]) {
    if (!owned.has(ref) && content.begunAt < request.orphanedBefore && state.contents.delete(ref)) contents += 1
  }
  return { contents, messages, more: false }
}

function forgetMessage(state: MemoryState, queueId: QueueId): void {
  state.messages.delete(queueId)
  state.ended.delete(queueId)
  for (const row of [...state.rows.values()]) if (row.queueId === queueId) state.rows.delete(row.id)
  const kept = state.history.filter((line) => line.queueId !== queueId)
  state.history.splice(0, state.history.length, ...kept)
}
