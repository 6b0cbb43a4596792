/**
 * What every `BodyStore` does: bytes come out as they went in or not at all; retention.
 */
import { describe, expect, it } from 'vitest'
import type { BodyRef, EpochMs } from '../../src/core/brand.ts'
import type { SweepRequest } from '../../src/ports/body-store.ts'
import { INLINE_OCTETS_MAX } from '../../src/ports/queue-store.ts'
import { leasedPlace, makeAcceptance, NOON } from '../support/make-message.ts'
import type { OpenStoreUnderTest, StoreUnderTest } from '../support/store-under-test.ts'
import { firstOf, later, settlement } from './queue-steps.ts'

/** Bytes of every value, not the same in any two chunks. */
function bytesOf(octets: number): Uint8Array {
  const bytes = new Uint8Array(octets)
  for (let i = 0; i < octets; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + (i >>> 16)) & 0xff
  return bytes
}

async function readAll(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

/** Puts content in pieces of that many octets and accepts the message. */
async function putAndAccept(store: StoreUnderTest, content: Uint8Array, pieceOctets: number): Promise<BodyRef> {
  const acceptance = makeAcceptance({ content: null, sizeOctets: content.byteLength })
  const writer = store.bodies.put(acceptance.message.bodyRef)
  for (let at = 0; at < content.byteLength; at += pieceOctets) await writer.write(content.slice(at, at + pieceOctets))
  await writer.finish()
  await store.queue.enqueue(acceptance)
  return acceptance.message.bodyRef
}

const KEEP_ALL: SweepRequest = {
  now: NOON,
  contentFinishedBefore: 0 as EpochMs,
  capturedFinishedBefore: 0 as EpochMs,
  historyFinishedBefore: 0 as EpochMs,
  orphanedBefore: 0 as EpochMs,
  limit: 100,
}

/** Accepts a message and ends it at that time. */
async function finished(store: StoreUnderTest, at: EpochMs, kind: 'delivered' | 'captured' = 'delivered'): Promise<BodyRef> {
  const acceptance = makeAcceptance({ place: leasedPlace('t') })
  await store.queue.enqueue(acceptance)
  const lease = { recipientId: firstOf(acceptance), token: 't' as never }
  await store.queue.settle([settlement(lease, { event: 'deliver' }, { at, history: [{ kind, detail: {} }] })], [])
  return acceptance.message.bodyRef
}

export function exerciseBodyStore(name: string, open: OpenStoreUnderTest): void {
  describe(`body store: ${name}`, () => {
    describe('content', () => exerciseContent(open))
    describe('damage', () => exerciseDamage(open))
    describe('sweep', () => exerciseSweep(open))
  })
}

function exerciseContent(open: OpenStoreUnderTest): void {
  it.each([0, 1, 4096, INLINE_OCTETS_MAX])('gives %i inline octets back, whole', async (octets) => {
    const store = await open()
    const content = bytesOf(octets)
    const acceptance = makeAcceptance({ content })
    await store.queue.enqueue(acceptance)
    const found = await store.bodies.open(acceptance.message.bodyRef)
    expect(found.sizeOctets).toBe(octets)
    expect(Buffer.compare(await readAll(found.chunks()), content)).toBe(0)
    expect(found.whole === null ? -1 : Buffer.compare(found.whole, content)).toBe(0)
  })
  it.each([
    [0, 1],
    [10, 3],
    [INLINE_OCTETS_MAX, 65_536],
    [INLINE_OCTETS_MAX + 1, 65_536],
    [3 * INLINE_OCTETS_MAX, 100_000],
    [5 * INLINE_OCTETS_MAX + 77, 2 * INLINE_OCTETS_MAX + 5],
  ])('gives %i octets back that came in pieces of %i', async (octets, piece) => {
    const store = await open()
    const content = bytesOf(octets)
    const ref = await putAndAccept(store, content, piece)
    const found = await store.bodies.open(ref)
    expect(found.sizeOctets).toBe(octets)
    // Twice: another host may have to be asked.
    for (let i = 0; i < 2; i++) expect(Buffer.compare(await readAll(found.chunks()), content)).toBe(0)
  })
  it('two readers of one content do not disturb each other, and one may stop halfway', async () => {
    const store = await open()
    const content = bytesOf(3 * INLINE_OCTETS_MAX)
    const found = await store.bodies.open(await putAndAccept(store, content, 65_536))
    const halfway = found.chunks()[Symbol.asyncIterator]()
    await halfway.next()
    const [one, two] = await Promise.all([readAll(found.chunks()), readAll(found.chunks())])
    await halfway.return?.()
    expect([Buffer.compare(one, content), Buffer.compare(two, content)]).toEqual([0, 0])
  })
  it('pieces that are given back one by one harm neither what follows nor another reader', async () => {
    const store = await open()
    const content = bytesOf(6 * INLINE_OCTETS_MAX + 77)
    const found = await store.bodies.open(await putAndAccept(store, content, 65_536))
    const returning = async (): Promise<Buffer> => {
      const parts: Uint8Array[] = []
      for await (const chunk of found.chunks()) {
        parts.push(Uint8Array.from(chunk))
        found.doneWith?.(chunk)
      }
      return Buffer.concat(parts)
    }
    const all = await Promise.all([returning(), readAll(found.chunks()), returning()])
    expect(all.map((one) => Buffer.compare(one, content))).toEqual([0, 0, 0])
  })
  it('many contents are put at once, each its own', async () => {
    const store = await open()
    const contents = [1, 2, 3, 4].map((n) => bytesOf(n * 200_000 + n))
    const refs = await Promise.all(contents.map((content) => putAndAccept(store, content, 50_000)))
    for (const [index, ref] of refs.entries()) {
      const content = await store.bodies.open(ref)
      expect(Buffer.compare(await readAll(content.chunks()), contents[index] as Uint8Array)).toBe(0)
    }
  })
  it('content that was given up is gone, and giving up twice is harmless', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ content: null, sizeOctets: 600_000 })
    const writer = store.bodies.put(acceptance.message.bodyRef)
    await writer.write(bytesOf(600_000))
    await writer.abort()
    await writer.abort()
    await expect(store.bodies.open(acceptance.message.bodyRef)).rejects.toMatchObject({ kind: 'damaged' })
    await expect(store.queue.enqueue(acceptance)).rejects.toThrow()
  })
  it('content that nobody accepted cannot be opened by its message', async () => {
    const store = await open()
    await expect(store.bodies.open(makeAcceptance().message.bodyRef)).rejects.toMatchObject({ kind: 'damaged' })
  })
}

function exerciseDamage(open: OpenStoreUnderTest): void {
  it('refuses small content with one flipped bit', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ content: bytesOf(5_000) })
    await store.queue.enqueue(acceptance)
    store.damage(acceptance.message.bodyRef)
    await expect(store.bodies.open(acceptance.message.bodyRef)).rejects.toMatchObject({ name: 'StoreFault', kind: 'damaged' })
  })
  it('never gives the last chunk of damaged content out', async () => {
    const store = await open()
    const octets = 4 * INLINE_OCTETS_MAX
    const ref = await putAndAccept(store, bytesOf(octets), 65_536)
    store.damage(ref)
    let given = 0
    const read = async (): Promise<void> => {
      for await (const chunk of (await store.bodies.open(ref)).chunks()) given += chunk.byteLength
    }
    await expect(read()).rejects.toMatchObject({ kind: 'damaged' })
    expect(given).toBeLessThan(octets)
  })
  it('a claim brings no damaged content along', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ content: bytesOf(100) })
    await store.queue.enqueue(acceptance)
    store.damage(acceptance.message.bodyRef)
    const claimed = await store.queue.claimDue({ limit: 1, limitPerFlow: 1, closedLanes: [], leaseUntil: later(1_000), now: NOON })
    expect(claimed).toHaveLength(1)
    await expect(store.bodies.open(acceptance.message.bodyRef)).rejects.toMatchObject({ kind: 'damaged' })
  })
}

function exerciseSweep(open: OpenStoreUnderTest): void {
  const storyOf = (store: StoreUnderTest, ref: BodyRef) => store.admin.story(ref as string as never)
  it('removes content whose message was finished long enough, and keeps its history', async () => {
    const store = await open()
    const old = await finished(store, later(1_000))
    const young = await finished(store, later(9_000))
    const result = await store.bodies.sweep({ ...KEEP_ALL, contentFinishedBefore: later(5_000) })
    expect(result).toMatchObject({ contents: 1, messages: 0 })
    await expect(store.bodies.open(old)).rejects.toMatchObject({ kind: 'damaged' })
    expect((await store.bodies.open(young)).sizeOctets).toBeGreaterThan(0)
    expect(await storyOf(store, old)).toMatchObject({ contentStored: false, recipients: [{ state: 'delivered' }] })
    expect(await store.admin.content(old as string as never)).toBeNull()
  })
  it('keeps captured content for its own time', async () => {
    const store = await open()
    const captured = await finished(store, later(1_000), 'captured')
    await store.bodies.sweep({ ...KEEP_ALL, contentFinishedBefore: later(5_000) })
    expect((await store.bodies.open(captured)).sizeOctets).toBeGreaterThan(0)
    await store.bodies.sweep({ ...KEEP_ALL, capturedFinishedBefore: later(5_000) })
    await expect(store.bodies.open(captured)).rejects.toMatchObject({ kind: 'damaged' })
  })
  it('never touches what is still in the queue, however old', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ to: ['a@x.example', 'b@x.example'], place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    const lease = { recipientId: firstOf(acceptance), token: 't' as never }
    await store.queue.settle([settlement(lease, { event: 'deliver' }, { at: NOON })], [])
    const all = later(1e12)
    const everything = { ...KEEP_ALL, contentFinishedBefore: all, capturedFinishedBefore: all, historyFinishedBefore: all, orphanedBefore: all }
    expect(await store.bodies.sweep(everything)).toMatchObject({ contents: 0, messages: 0 })
    expect((await store.bodies.open(acceptance.message.bodyRef)).sizeOctets).toBeGreaterThan(0)
  })
  it('counts a message of many recipients as finished with its last one', async () => {
    const store = await open()
    const to = Array.from({ length: 40 }, (_, n) => `r${n}@x.example`)
    const acceptance = makeAcceptance({ to, place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    const times = { ...KEEP_ALL, contentFinishedBefore: later(5_000) }
    for (const { id } of acceptance.message.envelope.recipients) {
      expect(await store.bodies.sweep(times)).toMatchObject({ contents: 0 })
      await store.queue.settle([settlement({ recipientId: id, token: 't' as never }, { event: 'deliver' })], [])
    }
    expect(await store.bodies.sweep(times)).toMatchObject({ contents: 1 })
  })
  it('forgets messages with their history, content or not, and never their ids', async () => {
    const store = await open()
    const one = await finished(store, later(1_000))
    await store.bodies.sweep({ ...KEEP_ALL, contentFinishedBefore: later(5_000) })
    const two = await finished(store, later(2_000))
    const highest = await store.queue.lastQueueId()
    expect(await store.bodies.sweep({ ...KEEP_ALL, historyFinishedBefore: later(5_000) })).toMatchObject({ contents: 1, messages: 2 })
    expect([await storyOf(store, one), await storyOf(store, two)]).toEqual([null, null])
    expect(await store.admin.count({})).toBe(0)
    expect((await store.admin.history(null, 10)).events).toEqual([])
    expect(await store.queue.lastQueueId()).toBe(highest)
  })
  it('removes content that nobody accepted, chunks and all', async () => {
    const store = await open()
    const ref = makeAcceptance().message.bodyRef
    const writer = store.bodies.put(ref)
    await writer.write(bytesOf(600_000))
    await writer.finish()
    expect(await store.bodies.sweep({ ...KEEP_ALL, orphanedBefore: NOON })).toMatchObject({ contents: 0 })
    expect(await store.bodies.sweep({ ...KEEP_ALL, orphanedBefore: later(1) })).toMatchObject({ contents: 1 })
  })
  it('goes in steps and says that more is waiting', async () => {
    const store = await open()
    for (let i = 0; i < 5; i++) await finished(store, later(i))
    const counts: number[] = []
    let more = true
    while (more) {
      const result = await store.bodies.sweep({ ...KEEP_ALL, contentFinishedBefore: later(5_000), limit: 2 })
      counts.push(result.contents)
      more = result.more
    }
    expect(Math.max(...counts)).toBe(2)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(5)
  })
  it('removes large content, if in several steps', async () => {
    const store = await open()
    const octets = 80 * INLINE_OCTETS_MAX
    const acceptance = makeAcceptance({ content: null, sizeOctets: octets, place: leasedPlace('t') })
    const writer = store.bodies.put(acceptance.message.bodyRef)
    const piece = bytesOf(INLINE_OCTETS_MAX)
    for (let i = 0; i < 80; i++) await writer.write(piece)
    await writer.finish()
    await store.queue.enqueue(acceptance)
    await store.queue.settle([settlement({ recipientId: firstOf(acceptance), token: 't' as never }, { event: 'deliver' })], [])
    let contents = 0
    for (let more = true; more; ) {
      const result = await store.bodies.sweep({ ...KEEP_ALL, contentFinishedBefore: later(5_000) })
      await expect(store.bodies.open(acceptance.message.bodyRef)).rejects.toMatchObject({ kind: 'damaged' })
      contents += result.contents
      more = result.more
    }
    expect(contents).toBe(1)
  })
}
