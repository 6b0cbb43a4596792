import { describe, expect, it, onTestFinished } from 'vitest'
import type { AttemptReport } from '../../src/core/outcome.ts'
import {
  CAPABILITIES,
  close,
  content,
  expectLine,
  greeted,
  reset,
  type ScriptedPeer,
  type ServeOptions,
  type Step,
  send,
  serve,
  startPeer,
  stay,
  until,
} from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeCredential, makeRelay, outcomesOf, type RelayOptions } from '../support/smtp-bench.ts'
import { createSignal, waitUntil } from '../support/wait-for-signal.ts'

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}
const serving = (options: ServeOptions = {}) => peerOf([send('220 peer.test ESMTP'), serve(options)])
const ENVELOPE = [expectLine('MAIL'), expectLine('RCPT'), expectLine('DATA')] as const
const TAKEN = send('250 ok\r\n250 ok\r\n354 go')
const use = (report: AttemptReport) => report.timings.sessionUse
const chained = (peer: ScriptedPeer) => /\r\n\.\r\nMAIL[\s\S]*DATA\r\n$/.test(Buffer.concat(peer.connections[0]?.received ?? []).toString())
const times = <T>(count: number, make: (index: number) => T): T[] => Array.from({ length: count }, (_, index) => make(index))

describe('a session', () => {
  it('is kept for the next message, without RSET, and its use is counted (O30)', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    const uses = [
      use(await deliver(makeBatch(relay))),
      use(await deliver(makeBatch(relay, { from: 'other@sender.example' }))),
      use(await deliver(makeBatch(relay))),
    ]
    expect(uses).toEqual([1, 2, 3])
    expect(peer.connections).toHaveLength(1)
    expect(peer.lines).not.toContain('RSET')
  })
  it('that ends behind a good reply: the message taken is delivered, the one that waited goes another way', async () => {
    const [taken, bye] = ['250 2.0.0 taken', '421 4.4.2 closing']
    const step = [expectLine('MAIL'), send('250 ok'), expectLine('RCPT'), send('250 ok'), expectLine('DATA'), send('354 go'), content] as const
    const bare = CAPABILITIES.filter((one) => one !== 'PIPELINING')
    // In one segment, so that the second reply is there before the next envelope leaves.
    const peer = await peerOf(greeted(bare, ...step, send(`${taken}\r\n${bye}\r\n`), close), greeted(bare, serve()))
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const reports = await Promise.all([
      deliver(makeBatch(relay, { to: ['first@r.example'], sessionsMax: 1 })),
      deliver(makeBatch(relay, { to: ['second@r.example'], sessionsMax: 1 })),
    ])
    expect(reports.map(outcomesOf)).toEqual([['delivered 2.0.0'], ['delivered 2.0.0']])
    expect(peer.lines.filter((line) => line.startsWith('RCPT')).map((line) => line.includes('first'))).toEqual([true, false])
  })
  it('took its time to be set up only for the first message', async () => {
    const peer = await serving()
    const { deliver, clock } = createBench()
    const relay = makeRelay(peer)
    expect((await deliver(makeBatch(relay))).timings.setupMs).toBe(0)
    await clock.advance(5)
    expect((await deliver(makeBatch(relay))).timings.setupMs).toBe(0)
  })
  it('is cleaned with RSET after a refused transaction, and used again (O30)', async () => {
    const peer = await serving({ answers: { RCPT: (line) => (line.includes('nobody') ? '550 5.1.1 unknown' : '250 ok') } })
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    expect(outcomesOf(await deliver(makeBatch(relay, { to: ['nobody@r.example'] })))[0]).toContain('failed 5.1.1')
    const second = await deliver(makeBatch(relay))
    expect(outcomesOf(second)).toEqual(['delivered 2.0.0'])
    expect(use(second)).toBe(2)
    expect(peer.connections).toHaveLength(1)
    expect(peer.lines.indexOf('RSET')).toBeGreaterThan(0)
  })
  it('whose RSET is refused is given up, without loss', async () => {
    const peer = await peerOf([send('220 x'), serve({ answers: { RCPT: '550 5.1.1 no', RSET: '500 what' } })], [send('220 x'), serve()])
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    await deliver(makeBatch(relay))
    expect(outcomesOf(await deliver(makeBatch(relay)))).toEqual(['delivered 2.0.0'])
    expect(peer.connections).toHaveLength(2)
  })
  it('ends with QUIT after its messages, exactly (O32)', async () => {
    const peer = await serving()
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { messagesPerSession: 3 } })
    for (let i = 0; i < 7; i++) await deliver(makeBatch(relay))
    await waitUntil(() => peer.connections.filter((one) => one.closed).length === 2, 'two sessions to be over')
    expect(peer.connections.map((one) => one.contents.length)).toEqual([3, 3, 1])
    expect(peer.connections.slice(0, 2).map((one) => one.lines.at(-1))).toEqual(['QUIT', 'QUIT'])
  })
  it('ends with QUIT when it idles, and leaves no timer behind', async () => {
    const peer = await serving()
    const { deliver, clock } = createBench()
    await deliver(makeBatch(makeRelay(peer)))
    await clock.advance(6_000)
    await waitUntil(() => peer.open === 0, 'the session to be over')
    expect(peer.lines.at(-1)).toBe('QUIT')
    await clock.advance(1_000)
    expect(clock.pending).toBe(0)
  })
  it('ends when it is old, busy or not', async () => {
    const peer = await serving()
    const { deliver, clock } = createBench()
    const relay = makeRelay(peer, { limits: { sessionAgeMs: 10_000, sessionIdleMs: 60_000 } })
    await deliver(makeBatch(relay))
    await clock.advance(11_000)
    await waitUntil(() => peer.open === 0)
    await deliver(makeBatch(relay))
    expect(peer.connections).toHaveLength(2)
  })
  it('that ignores QUIT is not waited for (O20)', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, send('250 ok'), expectLine('QUIT'), stay))
    const { deliver, clock } = createBench()
    await deliver(makeBatch(makeRelay(peer)))
    await clock.advance(6_000)
    await waitUntil(() => peer.lines.at(-1) === 'QUIT')
    await clock.advance(3_000)
    await waitUntil(() => peer.open === 0, 'the connection to be destroyed')
  })
  it('is not shared between credentials, hosts, levels or source addresses (C12, O30, A07)', async () => {
    const peer = await serving({ capabilities: [...CAPABILITIES, 'AUTH PLAIN'], answers: { AUTH: '235 ok' } })
    const { deliver } = createBench()
    const login = (name: string) => makeCredential({ name, username: name, allowPlaintext: true })
    const variants: readonly (readonly [RelayOptions, ReturnType<typeof login> | null])[] = [
      [{}, null],
      [{}, login('one')],
      [{}, login('two')],
      [{ tls: { level: 'may' } }, null],
      [{ sourceAddress: '127.0.0.2' }, null],
      [{ hosts: [{ host: '127.0.0.1' }], heloName: 'other.test' }, null],
      [{ tls: { serverName: 'other.test' } }, null],
    ]
    for (const [options, credential] of variants) await deliver(makeBatch(makeRelay(peer, options), { credential }))
    expect(peer.connections).toHaveLength(variants.length)
    // A reload gives new objects with the same values: the session is shared.
    await deliver(makeBatch(makeRelay(peer)))
    expect(peer.connections).toHaveLength(variants.length)
  })
})

describe('a stale session', () => {
  const STALE: readonly (readonly [string, readonly Step[]])[] = [
    ['closed while idle', [close]],
    ['closed on MAIL', [expectLine('MAIL'), close]],
    ['reset on MAIL', [expectLine('MAIL'), reset]],
    ['421 to MAIL', [expectLine('MAIL'), send('421 4.4.2 timeout'), close]],
    ['421 while idle', [send('421 4.4.2 idle too long'), close]],
    ['at its own limit', [...ENVELOPE, send('451 4.7.1 Mails per session limit\r\n503 5.5.1 no\r\n503 5.5.1 no'), stay]],
  ]
  it.each(STALE)('%s costs one free try on a fresh connection (O15, O31)', async (_, steps) => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, send('250 ok'), ...steps), [send('220 x'), serve()])
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    await deliver(makeBatch(relay))
    const second = await deliver(makeBatch(relay))
    expect(outcomesOf(second)).toEqual(['delivered 2.0.0'])
    expect(second.hop.kind).toBe('healthy')
    expect(use(second)).toBe(1)
    expect(peer.connections).toHaveLength(2)
    expect(peer.contents).toHaveLength(2)
  })
  it('that times out is no free try', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, send('250 ok'), stay))
    const { deliver, clock } = createBench()
    const relay = makeRelay(peer, { limits: { sessionIdleMs: 999_000, sessionAgeMs: 9_999_000 } })
    await deliver(makeBatch(relay))
    const second = deliver(makeBatch(relay))
    await waitUntil(() => (peer.connections[0]?.received.length ?? 0) > 3, 'the second envelope')
    await clock.advance(301_000)
    expect(outcomesOf(await second)).toEqual(['deferred 4.4.2 session at mail'])
  })
  it('whose fresh connection fails, too, is deferred', async () => {
    const peer = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, send('250 ok'), expectLine('MAIL'), close), [send('421 4.3.2 closing'), close])
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    await deliver(makeBatch(relay))
    expect(outcomesOf(await deliver(makeBatch(relay)))).toEqual(['deferred 4.3.2 session at greeting'])
    expect(peer.connections).toHaveLength(2)
  })
})

describe('a chained envelope', () => {
  /** The peer takes the first body, and holds its reply until told. */
  const holding = (then: readonly Step[], gate: Promise<unknown>) => greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, until(gate), ...then)

  it('rides behind the last body: one round trip a message', async () => {
    const gate = createSignal<true>()
    const peer = await peerOf(holding([send('250 2.0.0 first'), serve()], gate.next()))
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const sent = times(4, (index) => deliver(makeBatch(relay, { to: [`n${index}@r.example`] })))
    await waitUntil(() => chained(peer), 'the chained envelope')
    const last = peer.connections[0]!.received.at(-1)!.toString()
    // The body of the first, its final dot and the envelope of the second in one write.
    expect(last).toMatch(/^Received[\s\S]*\r\n\.\r\nMAIL FROM:[\s\S]*RCPT TO:<n1@r\.example>\r\nDATA\r\n$/)
    gate.fire(true)
    const reports = await Promise.all(sent)
    expect(reports.map(use)).toEqual([1, 2, 3, 4])
    expect(peer.connections).toHaveLength(1)
    // EHLO, envelope, and one write for each message after that.
    expect(peer.connections[0]?.received).toHaveLength(6)
  })
  it('is retried for free when the session dies under the one in front, whose outcome is unknown (Q04)', async () => {
    const gate = createSignal<true>()
    const peer = await peerOf(holding([close], gate.next()), [send('220 x'), serve()])
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const first = deliver(makeBatch(relay, { to: ['first@r.example'] }))
    const second = deliver(makeBatch(relay, { to: ['second@r.example'] }))
    await waitUntil(() => (peer.connections[0]?.received.at(-1)?.toString() ?? '').includes('second@'), 'the chained envelope')
    gate.fire(true)
    expect(outcomesOf(await first)).toEqual(['deferred 4.4.2 session at final-dot (duplicate possible)'])
    const report = await second
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0'])
    expect(report.hop.kind).toBe('healthy')
    expect(peer.contents.filter((one) => one.length > 0)).toHaveLength(2)
  })
  it('is not taken down by a refused final dot in front', async () => {
    const gate = createSignal<true>()
    const peer = await peerOf(holding([send('554 5.7.1 spam'), serve()], gate.next()))
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const both = [deliver(makeBatch(relay)), deliver(makeBatch(relay))]
    await waitUntil(() => chained(peer), 'the chained envelope')
    gate.fire(true)
    expect((await Promise.all(both)).map((report) => outcomesOf(report)[0])).toEqual(['failed 5.7.1 message at final-dot', 'delivered 2.0.0'])
  })
  it('goes elsewhere when the one in front got 421', async () => {
    const gate = createSignal<true>()
    const peer = await peerOf(holding([send('421 4.3.2 closing'), close], gate.next()), [send('220 x'), serve()])
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const both = [deliver(makeBatch(relay)), deliver(makeBatch(relay))]
    await waitUntil(() => chained(peer), 'the chained envelope')
    gate.fire(true)
    expect((await Promise.all(both)).map((report) => outcomesOf(report)[0])).toEqual(['deferred 4.3.2 session at final-dot', 'delivered 2.0.0'])
  })
  it('is not made for a peer without PIPELINING', async () => {
    const peer = await serving({ capabilities: ['8BITMIME'] })
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const reports = await Promise.all(times(3, () => deliver(makeBatch(relay))))
    expect(reports.map(use)).toEqual([1, 2, 3])
    for (const write of peer.connections[0]!.received) expect(write.toString()).not.toMatch(/\.\r\nMAIL/)
  })
})

describe('the number of sessions', () => {
  it.each([1, 2, 5, 20])('never goes above %i, and gets there (O32)', async (max) => {
    const gate = createSignal<true>()
    const opened = gate.next()
    const peer = await serving({ beforeDot: () => opened })
    const { deliver, clock } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: max, messagesPerSession: 7 } })
    const sent = times(100, () => deliver(makeBatch(relay)))
    await waitUntil(() => peer.open === max, 'all sessions to be open')
    gate.fire(true)
    const all = Promise.all(sent)
    while (peer.contents.length < 100) await clock.advance(10)
    const reports = await all
    expect(reports.every((report) => outcomesOf(report)[0] === 'delivered 2.0.0')).toBe(true)
    expect(peer.openMax).toBe(max)
    expect(Math.max(...peer.connections.map((one) => one.contents.length))).toBeLessThanOrEqual(7)
  })
  it('follows the window of the lane', async () => {
    const gate = createSignal<true>()
    const opened = gate.next()
    const peer = await serving({ beforeDot: () => opened })
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    const sent = times(10, () => deliver(makeBatch(relay, { sessionsMax: 3 })))
    await waitUntil(() => peer.open === 3)
    gate.fire(true)
    await Promise.all(sent)
    expect(peer.openMax).toBe(3)
  })
  it('beyond what the peer allows is no deferral while other sessions work', async () => {
    const gate = createSignal<true>()
    const opened = gate.next()
    const peer = await peerOf([send('220 x'), serve({ beforeDot: () => opened })], [send('421 4.7.0 too many connections'), close])
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    const first = deliver(makeBatch(relay))
    await waitUntil(() => peer.lines.includes('DATA'))
    const others = times(3, () => deliver(makeBatch(relay)))
    await waitUntil(() => peer.connections.length >= 2)
    gate.fire(true)
    const reports = await Promise.all([first, ...others])
    expect(reports.map((report) => outcomesOf(report)[0])).toEqual(times(4, () => 'delivered 2.0.0'))
    // The lane hears that it asked for too much.
    expect(reports.some((report) => report.hop.kind === 'unwell')).toBe(true)
  })
})
