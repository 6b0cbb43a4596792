import { describe, expect, it, onTestFinished } from 'vitest'
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
  until,
} from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeRelay, outcomesOf } from '../support/smtp-bench.ts'
import { createSignal, waitUntil } from '../support/wait-for-signal.ts'

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}
const serving = (options: ServeOptions = {}) => peerOf([send('220 peer.test ESMTP'), serve(options)])
const ENVELOPE = [expectLine('MAIL'), expectLine('RCPT'), expectLine('DATA')] as const
const TAKEN = send('250 ok\r\n250 ok\r\n354 go')
const chained = (peer: ScriptedPeer) => /\r\n\.\r\nMAIL[\s\S]*DATA\r\n$/.test(Buffer.concat(peer.connections[0]?.received ?? []).toString())
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))

describe('an abort', () => {
  it('before the final dot leaves the recipients untried, and the peer without a message', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, stay))
    const { deliver } = createBench()
    const controller = new AbortController()
    const sent = deliver(makeBatch(makeRelay(peer)), controller.signal)
    await waitUntil(() => peer.lines.includes('DATA'))
    controller.abort()
    const report = await sent
    expect(outcomesOf(report)).toEqual(['untried: given up before the message was handed over'])
    expect(peer.contents).toEqual([])
    await waitUntil(() => peer.open === 0)
  })
  it('after the final dot waits for the reply', async () => {
    const gate = createSignal<true>()
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, until(gate.next()), send('250 2.0.0 ok'), serve()))
    const { deliver } = createBench()
    const controller = new AbortController()
    const sent = deliver(makeBatch(makeRelay(peer)), controller.signal)
    await waitUntil(() => peer.contents.length === 1)
    controller.abort()
    gate.fire(true)
    expect(outcomesOf(await sent)).toEqual(['delivered 2.0.0'])
  })
  it('of a chained message does not hurt the one in front', async () => {
    const gate = createSignal<true>()
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, until(gate.next()), send('250 2.0.0 ok'), serve()))
    const { deliver } = createBench()
    const controller = new AbortController()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const first = deliver(makeBatch(relay))
    const second = deliver(makeBatch(relay), controller.signal)
    await waitUntil(() => chained(peer), 'the chained envelope')
    controller.abort()
    gate.fire(true)
    expect(outcomesOf(await first)).toEqual(['delivered 2.0.0'])
    expect(outcomesOf(await second)[0]).toMatch(/^untried/)
    expect(peer.contents.filter((one) => one.length > 0)).toHaveLength(1)
  })
  it('while waiting or connecting is at once', async () => {
    const peer = await peerOf([stay])
    const { deliver } = createBench()
    const controller = new AbortController()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const sent = times(3, () => deliver(makeBatch(relay), controller.signal))
    await waitUntil(() => peer.open === 1)
    controller.abort()
    for (const report of await Promise.all(sent)) expect(outcomesOf(report)[0]).toMatch(/^untried/)
  })
})

describe('closing the transport', () => {
  it('gives the places of sessions that have just ended back at once, and leaves no timer', async () => {
    const peer = await serving()
    const { deliver, transport, clock } = createBench()
    await deliver(makeBatch(makeRelay(peer, { limits: { messagesPerSession: 1 } })))
    await waitUntil(() => clock.dueTimes.includes(clock.monotonicMs() + 5), 'the session to have ended')
    await transport.close(1_000)
    expect(clock.pending).toBe(0)
  })
  it('says QUIT in idle sessions, waits for busy ones, and gives back what waits', async () => {
    const gate = createSignal<true>()
    const opened = gate.next()
    const peer = await serving({ beforeDot: ({ messages }) => (messages === 0 ? Promise.resolve() : opened) })
    const { deliver, transport, clock } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    await deliver(makeBatch(relay))
    const busy = deliver(makeBatch(relay))
    const behind = deliver(makeBatch(relay))
    const waiting = deliver(makeBatch(relay))
    await waitUntil(() => peer.contents.length === 2)
    const closed = transport.close(10_000)
    expect(outcomesOf(await waiting)[0]).toMatch(/^untried/)
    gate.fire(true)
    expect(outcomesOf(await busy)).toEqual(['delivered 2.0.0'])
    expect(outcomesOf(await behind)).toEqual(['delivered 2.0.0'])
    await closed
    await waitUntil(() => peer.open === 0)
    expect(peer.lines.at(-1)).toBe('QUIT')
    expect(clock.pending).toBe(0)
    expect(outcomesOf(await deliver(makeBatch(relay)))[0]).toMatch(/^untried/)
  })
  it('gives up set-ups at once, unused, and blames nobody', async () => {
    const peer = await peerOf([stay])
    const { deliver, transport, notes } = createBench()
    const sent = deliver(makeBatch(makeRelay(peer)))
    await waitUntil(() => peer.open === 1)
    const closed = transport.close(10_000)
    expect(outcomesOf(await sent)).toEqual(['untried: the server is stopping'])
    await closed
    await waitUntil(() => peer.open === 0)
    expect(notes).toEqual([])
  })
  it('does not wait beyond its deadline', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, stay))
    const { deliver, transport, clock } = createBench()
    const sent = deliver(makeBatch(makeRelay(peer)))
    await waitUntil(() => peer.contents.length === 1)
    const closed = transport.close(1_000)
    await clock.advance(1_000)
    await closed
    expect(outcomesOf(await sent)).toEqual(['deferred 4.4.2 session at final-dot (duplicate possible)'])
    expect(clock.pending).toBe(0)
  })
})
