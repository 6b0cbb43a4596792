import { describe, expect, it, onTestFinished } from 'vitest'
import type { StoredContent } from '../../src/ports/body-store.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { BARE_ENDS } from '../support/false-ends.ts'
import {
  CAPABILITIES,
  content,
  expectLine,
  greeted,
  type ScriptedPeer,
  type ServeOptions,
  type Step,
  send,
  serve,
  startPeer,
  stay,
  stopReading,
} from '../support/scripted-peer.ts'
import { chunksOf, createBench, makeBatch, makeRelay, outcomesOf, reasonOf } from '../support/smtp-bench.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}
const serving = (options: ServeOptions = {}) => peerOf([send('220 peer.test ESMTP'), serve(options)])
const ENVELOPE = [expectLine('MAIL'), expectLine('RCPT'), expectLine('DATA')] as const
const TAKEN = send('250 ok\r\n250 ok\r\n354 go')

const LINE = Buffer.from(`${'x'.repeat(62)}\r\n`)
const MEGABYTE = Buffer.concat(Array.from({ length: 16_384 }, () => LINE))
function stream(chunks: () => AsyncIterable<Uint8Array>, sizeOctets: number): StoredContent {
  return { sizeOctets, whole: null, chunks }
}
const megabytes = (count: number): StoredContent =>
  stream(() => chunksOf(Array.from({ length: count * 4 }, (_, i) => MEGABYTE.subarray((i % 4) * 262_144, ((i % 4) + 1) * 262_144))), count * 1_048_576)

describe('large content', () => {
  it('streams, and arrives whole', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    const stored = megabytes(5)
    expect(outcomesOf(await deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(stored) })))).toEqual(['delivered 2.0.0'])
    const prefix = peer.contents[0]!.indexOf('\r\n') + 2
    expect(peer.contents[0]!.length - prefix).toBe(5 * 1_048_576)
  })
  it('carries the next envelope behind its final dot, too', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const reports = await Promise.all([1, 2, 3].map(() => deliver(makeBatch(relay, { openContent: () => Promise.resolve(megabytes(1)) }))))
    expect(reports.map((report) => outcomesOf(report)[0])).toEqual(['delivered 2.0.0', 'delivered 2.0.0', 'delivered 2.0.0'])
  })
  describe('whose memory is to be used again', () => {
    const MARKED = Array.from({ length: 12 }, (_, n) => Buffer.concat(Array.from({ length: 4_096 }, () => Buffer.from(`${String(n).padStart(62, 'x')}\r\n`))))
    /** Pieces that are overwritten as soon as they are given back. */
    const overwritten = (): { readonly content: StoredContent; readonly backs: number[] } => {
      const pieces: Uint8Array[] = MARKED.map((piece) => Buffer.copyBytesFrom(piece))
      const backs: number[] = []
      const doneWith = (piece: Uint8Array): void => {
        const n = pieces.indexOf(piece)
        if (n < 0) return
        backs.push(n)
        piece.fill(0x21)
      }
      return { content: { ...stream(() => chunksOf(pieces), 12 * 262_144), doneWith }, backs }
    }
    const lent = (): { readonly content: StoredContent; given(): number } => {
      let given = 0
      return { content: { ...megabytes(1), giveBack: () => void given++ }, given: () => given }
    }
    it('is given back once, when it has left', async () => {
      const peer = await serving()
      const { deliver } = createBench()
      const { content: stored, given } = lent()
      expect(outcomesOf(await deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(stored) })))).toEqual(['delivered 2.0.0'])
      expect(given()).toBe(1)
    })
    it('is given back piece by piece, each when it has left', async () => {
      const peer = await serving()
      const { deliver } = createBench()
      const { content: stored, backs } = overwritten()
      expect(outcomesOf(await deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(stored) })))).toEqual(['delivered 2.0.0'])
      expect(backs).toEqual(MARKED.map((_, n) => n))
      expect(peer.contents[0]!.subarray(-12 * 262_144).equals(Buffer.concat(MARKED))).toBe(true)
    })
    it('is not given back while a socket may still hold some of it', async () => {
      const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, stopReading, stay))
      const { deliver, clock } = createBench()
      const { content: stored, given } = lent()
      const [pieces, back] = [[] as Uint8Array[], new Set<Uint8Array>()]
      const many: StoredContent = {
        ...stored,
        async *chunks() {
          for await (const piece of megabytes(64).chunks()) {
            pieces.push(piece)
            yield piece
          }
        },
        doneWith: (piece) => void back.add(piece),
      }
      const sent = deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(many) }))
      for (let i = 0; i < 40; i++) await clock.settle()
      await clock.advance(600_000)
      expect(outcomesOf(await sent)[0]).toMatch(/^deferred /)
      expect(given()).toBe(0)
      // The one that the socket was left with, and the one that was not sent any more.
      const kept = pieces.map((piece) => !back.has(piece))
      expect([kept.slice(-2), kept.slice(0, -2).includes(true)]).toEqual([[true, true], false])
    })
  })
  it('waits for a peer that does not read, and times out without having buffered it (O05, O33)', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, stopReading, stay))
    const { deliver, clock } = createBench()
    let given = 0
    async function* counted(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 190; i++) {
        given++
        yield await Promise.resolve(MEGABYTE.subarray(0, 262_144))
      }
    }
    const sent = deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(stream(counted, 190 * 262_144)) }))
    await waitUntil(() => given > 0)
    for (let before = -1; before !== given; ) {
      before = given
      for (let i = 0; i < 10; i++) await clock.settle()
    }
    // Kernel buffers take some megabytes, we take none.
    expect(given).toBeLessThan(100)
    await clock.advance(181_000)
    expect(outcomesOf(await sent)).toEqual(['deferred 4.4.2 session at content'])
  })
  it('that turns out to be damaged is never completed, and the fault is handed on', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    async function* damaged(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(MEGABYTE)
      throw new StoreFault('damaged', 'the hash is wrong')
    }
    await expect(deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(stream(damaged, 2_000_000)) }))).rejects.toMatchObject({
      kind: 'damaged',
    })
    await waitUntil(() => peer.open === 0)
    expect(peer.contents).toEqual([])
  })
  it('that is damaged from the start is never dialled for', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    await expect(deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.reject(new StoreFault('damaged', 'gone')) }))).rejects.toMatchObject({
      kind: 'damaged',
    })
    expect(peer.connections).toEqual([])
  })
  it('that is damaged does not hurt the message behind it', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    async function* damaged(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(MEGABYTE)
      throw new StoreFault('damaged', 'the hash is wrong')
    }
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const first = expect(deliver(makeBatch(relay, { openContent: () => Promise.resolve(stream(damaged, 2_000_000)) }))).rejects.toMatchObject({
      kind: 'damaged',
    })
    const second = deliver(makeBatch(relay))
    await first
    expect(outcomesOf(await second)).toEqual(['delivered 2.0.0'])
  })
  it('refused by the peer half way is a refusal of the message', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go\r\n552 5.3.4 too big'), stay))
    const { deliver } = createBench()
    const report = await deliver(makeBatch(makeRelay(peer), { openContent: () => Promise.resolve(megabytes(20)) }))
    expect(outcomesOf(report)[0]).toMatch(/^(failed 5\.3\.4 message|deferred 4\.5\.0 session) at content$/)
  })
})

describe('octets', () => {
  it.each(BARE_ENDS)('%j smuggle nothing out (S07)', async (sequence) => {
    const peer = await serving()
    const { deliver } = createBench()
    const smuggled = `Subject: x\r\n\r\nbefore${sequence}MAIL FROM:<smuggled@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nx\r\n`
    expect(outcomesOf(await deliver(makeBatch(makeRelay(peer), { content: smuggled })))).toEqual(['delivered 2.0.0'])
    await deliver(makeBatch(makeRelay(peer)))
    expect(peer.contents).toHaveLength(2)
    expect(peer.lines.filter((line) => line.includes('smuggled'))).toEqual([])
    const raw = Buffer.concat(peer.connections.flatMap((one) => one.received)).toString('latin1')
    expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  })
  it('NUL go to nobody: the message fails and the session is dropped', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    const report = await deliver(makeBatch(relay, { content: 'Subject: x\r\n\r\na\0b\r\n' }))
    expect(outcomesOf(report)).toEqual(['failed 5.6.0 message at content'])
    expect(reasonOf(report)).toContain('NUL')
    expect(peer.contents).toEqual([])
    expect(outcomesOf(await deliver(makeBatch(relay)))).toEqual(['delivered 2.0.0'])
  })
  it('in an empty message are the prefix and the final dot', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    expect(outcomesOf(await deliver(makeBatch(makeRelay(peer), { content: '' })))).toEqual(['delivered 2.0.0'])
    expect(peer.contents[0]?.toString()).toMatch(/^Received: [^\r]*\r\n$/)
  })
  it('in lines of dots come back as they were', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    const text = 'Subject: x\r\n\r\n.\r\n..\r\n...\r\n.a\r\nb.\r\n.\r\n'
    await deliver(makeBatch(makeRelay(peer), { content: text }))
    expect(peer.contents[0]?.toString().endsWith(text)).toBe(true)
  })
})

describe('a script of the peer', () => {
  it('is followed to its end', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, send('250 ok'), expectLine('QUIT'), send('221 bye')))
    const { deliver, clock } = createBench()
    await deliver(makeBatch(makeRelay(peer)))
    await clock.advance(6_000)
    await waitUntil(() => peer.open === 0)
    peer.check()
  })
})
