import { describe, expect, it, onTestFinished } from 'vitest'
import {
  CAPABILITIES,
  close,
  content,
  expectLine,
  greeted,
  type ScriptedPeer,
  type ServeOptions,
  type Step,
  send,
  serve,
  startPeer,
} from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeRelay, outcomesOf } from '../support/smtp-bench.ts'

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}
const serving = (options: ServeOptions = {}) => peerOf([send('220 peer.test ESMTP'), serve(options)])
const ENVELOPE = [expectLine('MAIL'), expectLine('RCPT'), expectLine('DATA')] as const
const TAKEN = send('250 ok\r\n250 ok\r\n354 go')

describe('hosts and addresses', () => {
  const names = { 'relay.test': ['127.0.0.1'], 'spare.test': ['127.0.0.1'], 'many.test': ['127.0.0.3', '127.0.0.2', '127.0.0.1'] }
  it('are tried in order, and what failed is tried last for minutes', async () => {
    const spare = await serving()
    const down = await peerOf([send('421 4.3.2 down'), close])
    const { deliver, clock } = createBench({ names })
    const relay = makeRelay(spare, { hosts: [{ host: 'relay.test', port: down.port }, { host: 'spare.test' }], limits: { messagesPerSession: 1 } })
    const first = await deliver(makeBatch(relay))
    expect(outcomesOf(first)).toEqual(['delivered 2.0.0'])
    expect(first.remoteMta?.host).toBe('spare.test')
    // The lane is well: somebody serves it.
    expect(first.hop.kind).toBe('healthy')
    await deliver(makeBatch(relay))
    expect(down.connections).toHaveLength(1)
    await clock.advance(121_000)
    await deliver(makeBatch(relay))
    expect(down.connections).toHaveLength(2)
  })
  it('that all fail leave the verdict of the last one', async () => {
    const down = await peerOf([send('421 4.3.2 down'), close])
    const { deliver } = createBench({ names })
    const report = await deliver(makeBatch(makeRelay(down, { hosts: [{ host: 'relay.test' }, { host: 'gone.test' }] })))
    expect(outcomesOf(report)).toEqual(['deferred 4.4.4 hop at mx-lookup'])
    expect(report.hop.kind).toBe('unwell')
  })
  it('of one name are tried in turn', async () => {
    const peer = await serving()
    const { deliver, notes } = createBench({ names })
    const report = await deliver(makeBatch(makeRelay(peer, { hosts: [{ host: 'many.test' }] })))
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0'])
    expect(report.remoteMta).toEqual({ host: 'many.test', address: '127.0.0.1' })
    expect(notes.filter((note) => note.includes('No session')).map((note) => note.slice(0, note.indexOf(' (')))).toEqual([
      `transport info No session with many.test[127.0.0.3]:${peer.port}: the server refused the connection`,
      `transport info No session with many.test[127.0.0.2]:${peer.port}: the server refused the connection`,
    ])
  })
  it('that failed before the last are told, each with its reason', async () => {
    const down = await peerOf([send('421 4.3.2 down'), close])
    const broken = await peerOf(greeted(CAPABILITIES, expectLine('MAIL'), close))
    const hosts = [{ host: 'gone.test' }, { host: 'relay.test', port: down.port }, { host: 'spare.test', port: broken.port }, { host: 'many.test', port: 1 }]
    const { deliver } = createBench({ names })
    const { earlier = [], remoteMta } = await deliver(makeBatch(makeRelay(down, { hosts })))
    expect(earlier.map((tried) => `${tried.remoteMta?.host} ${tried.remoteMta?.address} ${tried.reason.replace(/ \(.*/, '')}`)).toEqual([
      'undefined undefined gone.test: there is no such host',
      'relay.test 127.0.0.1 the server ends the session while waiting for the greeting: 421 4.3.2 down',
      'spare.test 127.0.0.1 the server closed the connection while sending MAIL FROM',
      'many.test 127.0.0.3 the server refused the connection',
      'many.test 127.0.0.2 the server refused the connection',
    ])
    expect(remoteMta?.address).toBe('127.0.0.1')
    expect((await deliver(makeBatch(makeRelay(await serving())))).earlier).toBeUndefined()
    // Nobody is left to be asked: the session that broke is the one that decides.
    expect((await deliver(makeBatch(makeRelay(await peerOf(greeted(CAPABILITIES, expectLine('MAIL'), close)))))).earlier).toBeUndefined()
  })
  it('are left when the session breaks in the transaction, but not after the final dot', async () => {
    const bad = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, send('250 ok\r\n250 ok'), close))
    const spare = await serving()
    const { deliver } = createBench({ names })
    const hosts = (port: number) => [{ host: 'relay.test', port }, { host: 'spare.test' }]
    expect(outcomesOf(await deliver(makeBatch(makeRelay(spare, { hosts: hosts(bad.port) }))))).toEqual(['delivered 2.0.0'])
    const worse = await peerOf(greeted(CAPABILITIES, ...ENVELOPE, TAKEN, content, close))
    const unknown = await deliver(makeBatch(makeRelay(spare, { hosts: hosts(worse.port) })))
    expect(outcomesOf(unknown)).toEqual(['deferred 4.4.2 session at final-dot (duplicate possible)'])
    expect(spare.contents).toHaveLength(1)
  })
  it('keep what was refused for good, and ask the next host only for the rest', async () => {
    const first = await peerOf(
      greeted(CAPABILITIES, expectLine('MAIL'), expectLine('RCPT'), expectLine('RCPT'), expectLine('DATA'), send('250 ok\r\n550 5.1.1 no\r\n250 ok'), close),
    )
    const spare = await serving()
    const { deliver } = createBench({ names })
    const report = await deliver(
      makeBatch(makeRelay(spare, { hosts: [{ host: 'relay.test', port: first.port }, { host: 'spare.test' }] }), { to: ['a@r.example', 'b@r.example'] }),
    )
    expect(outcomesOf(report)).toEqual(['failed 5.1.1 recipient at rcpt', 'delivered 2.0.0'])
    expect(spare.lines.filter((line) => line.startsWith('RCPT'))).toEqual(['RCPT TO:<b@r.example>'])
  })
  it('are not left for a refusal of the message or the recipient', async () => {
    const first = await serving({ answers: { RCPT: '450 4.2.0 greylisted' } })
    const spare = await serving()
    const { deliver } = createBench({ names })
    expect(outcomesOf(await deliver(makeBatch(makeRelay(spare, { hosts: [{ host: 'relay.test', port: first.port }, { host: 'spare.test' }] }))))).toEqual([
      'deferred 4.2.0 recipient at rcpt',
    ])
    expect(spare.connections).toHaveLength(0)
  })
  it('of the other family than our source address are not dialled', async () => {
    const { deliver } = createBench({ names: { 'six.test': ['127.0.0.1'] } })
    const report = await deliver(makeBatch(makeRelay(25, { hosts: [{ host: 'six.test' }], sourceAddress: '::1' })))
    expect(outcomesOf(report)[0]).toMatch(/^untried/)
  })
})
