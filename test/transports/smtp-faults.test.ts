import { describe, expect, it, onTestFinished } from 'vitest'
import type { AttemptReport } from '../../src/core/outcome.ts'
import {
  CAPABILITIES,
  close,
  content,
  expectLine,
  greeted,
  octets,
  reset,
  type ScriptedPeer,
  type Step,
  send,
  serve,
  startPeer,
  stay,
} from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeRelay, outcomesOf, reasonOf } from '../support/smtp-bench.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

async function peerOf(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}

/** One message to a peer that follows the script; time passes only as far as it must. */
async function sendTo(
  script: readonly Step[],
  options: { readonly waitMs?: number; readonly to?: readonly string[] } = {},
): Promise<{ readonly report: AttemptReport; readonly peer: ScriptedPeer }> {
  const peer = await peerOf(script)
  const { deliver, clock } = createBench()
  const sent = deliver(makeBatch(makeRelay(peer), options.to === undefined ? {} : { to: options.to }))
  if (options.waitMs !== undefined) {
    await waitUntil(() => peer.connections.length > 0, 'the connection')
    await settleIo(clock)
    await clock.advance(options.waitMs)
  }
  return { report: await sent, peer }
}

/** Loopback needs a few turns of the real event loop to carry a dialogue. */
async function settleIo(clock: { settle(): Promise<void> }): Promise<void> {
  for (let i = 0; i < 20; i++) await clock.settle()
}

const ENVELOPE = [expectLine('MAIL'), expectLine('RCPT'), expectLine('DATA')] as const
const at = (...steps: readonly Step[]) => greeted(CAPABILITIES, ...steps)

describe('a greeting', () => {
  const CASES: readonly (readonly [string, readonly Step[], string])[] = [
    ['closed before it', [close], 'deferred 4.4.2 hop at greeting'],
    ['421', [send('421 4.3.2 busy'), stay], 'deferred 4.3.2 session at greeting'],
    ['450', [send('450 busy'), stay], 'deferred 4.0.0 hop at greeting'],
    ['521', [send('521 5.3.2 no mail here'), stay], 'deferred 4.3.2 hop at greeting'],
    ['554', [send('554 5.7.1 go away'), stay], 'deferred 4.7.1 hop at greeting'],
    ['of POP3', [send('+OK hello'), stay], 'deferred 4.5.0 hop at greeting'],
    ['of SSH', [send('SSH-2.0-OpenSSH_9.2'), stay], 'deferred 4.5.0 hop at greeting'],
    ['of HTTP', [send('HTTP/1.1 400 Bad Request'), stay], 'deferred 4.5.0 hop at greeting'],
    ['of TLS', [send(Uint8Array.from([0x15, 3, 1, 0, 2, 2, 10, 10])), close], 'deferred 4.5.0 hop at greeting'],
    ['with two digits', [send('22 hello'), stay], 'deferred 4.5.0 hop at greeting'],
    ['with four digits', [send('2200 hello'), stay], 'deferred 4.5.0 hop at greeting'],
    ['of 1 MB in one line', [send(`220 ${'x'.repeat(1024 * 1024)}`), stay], 'deferred 4.5.0 hop at greeting'],
    ['of 10,000 lines', [send('220-x\r\n'.repeat(10_000)), stay], 'deferred 4.5.0 hop at greeting'],
    ['with differing codes', [send('220-x\r\n421 y'), stay], 'deferred 4.5.0 hop at greeting'],
    ['354', [send('354 go ahead'), stay], 'deferred 4.5.0 hop at greeting'],
  ]
  it.each(CASES)('%s defers (O02)', async (_, script, expected) => {
    const { report, peer } = await sendTo(script)
    expect(outcomesOf(report)).toEqual([expected])
    expect(report.hop.kind).toBe('unwell')
    await waitUntil(() => peer.open === 0, 'the connection to be closed')
  })
  it('reset before it defers (O01)', async () =>
    expect(outcomesOf((await sendTo([reset])).report)[0]).toMatch(/^deferred 4\.4\.[12] hop at (connect|greeting)$/))
  it.each([
    ['is our own, ours in other letters', '220 POSTERN.test ESMTP Postern', 'deferred 4.4.6 hop at greeting'],
    ['has our name, but is of another server on our machine', '220 postern.test ESMTP Postfix', 'delivered 2.0.0'],
    ['is of another Postern', '220 relay.test ESMTP Postern', 'delivered 2.0.0'],
  ])('that %s is known by its text (O19)', async (_, greeting, expected) => {
    const { report } = await sendTo([send(greeting), serve()])
    expect(outcomesOf(report)).toEqual([expected])
  })
  it('220 without text is fine', async () => expect(outcomesOf((await sendTo([send('220'), serve()])).report)).toEqual(['delivered 2.0.0']))
  it('that drips is cut off by the deadline for the whole reply (O02, O05)', async () => {
    const { report } = await sendTo([send('220-slow\r\n220-'), stay], { waitMs: 301_000 })
    expect(outcomesOf(report)).toEqual(['deferred 4.4.2 hop at greeting'])
    expect(reasonOf(report)).toBe('timed out after 300 s while waiting for the greeting')
    expect(report.timings).toMatchObject({ transferMs: 0, sessionUse: 0 })
    expect(report.timings.setupMs, 'the time for a session that did not come about is set-up').toBeGreaterThanOrEqual(300_000)
    expect(report.timings.setupMs).toBeLessThanOrEqual(301_000)
  })
})

describe('EHLO', () => {
  const hello = (...steps: readonly Step[]) => [send('220 peer.test'), expectLine('EHLO'), ...steps]
  const CASES: readonly (readonly [string, readonly Step[], string])[] = [
    ['421', hello(send('421 4.3.2 closing'), close), 'deferred 4.3.2 session at ehlo'],
    ['closed', hello(close), 'deferred 4.4.2 hop at ehlo'],
    ['450', hello(send('450 4.3.0 later'), stay), 'deferred 4.3.0 hop at ehlo'],
    ['refused, and HELO too', hello(send('500 what'), expectLine('HELO'), send('550 5.7.1 no'), stay), 'deferred 4.7.1 hop at ehlo'],
    ['with differing codes', hello(send('250-peer\r\n251 x'), stay), 'deferred 4.5.0 hop at ehlo'],
    ['10,000 keywords', hello(send('250-X\r\n'.repeat(10_000)), stay), 'deferred 4.5.0 hop at ehlo'],
  ]
  it.each(CASES)('answered %s defers (O03)', async (_, script, expected) => expect(outcomesOf((await sendTo(script)).report)).toEqual([expected]))
  it.each(['500', '502', '550'])('answered %s falls back to HELO (O03)', async (code) => {
    expect(outcomesOf((await sendTo(hello(send(`${code} what`), serve({ answers: { HELO: '250 hi' } })))).report)).toEqual(['delivered 2.0.0'])
  })
  it('with lower case, doubles and unknown keywords is understood (O03)', async () => {
    const odd = hello(send('250-peer\r\n250-pipelining\r\n250-Pipelining\r\n250-size 1000000\r\n250-XVERP\r\n250-250-X\r\n250 8bitmime'), serve())
    const { report, peer } = await sendTo(odd)
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0'])
    expect(peer.lines.find((line) => line.startsWith('MAIL'))).toContain('SIZE=')
  })
  it('without its last line waits until the deadline', async () => {
    expect(outcomesOf((await sendTo(hello(send('250-peer\r\n'), stay), { waitMs: 301_000 })).report)).toEqual(['deferred 4.4.2 hop at ehlo'])
  })
  it('masked by a firewall still carries mail (O36)', async () => {
    expect(outcomesOf((await sendTo(hello(send('250-peer\r\n250-XXXXXXXA\r\n250 XXXX'), serve()))).report)).toEqual(['delivered 2.0.0'])
  })
})

describe('the peer in a transaction', () => {
  const CASES: readonly (readonly [string, readonly Step[], string])[] = [
    ['closes after MAIL (O07)', at(expectLine('MAIL'), close), 'deferred 4.4.2 session at mail'],
    ['resets after MAIL (O07)', at(expectLine('MAIL'), reset), 'deferred 4.4.2 session at mail'],
    ['closes after its reply to MAIL (O07)', at(...ENVELOPE, send('250 ok'), close), 'deferred 4.4.2 session at rcpt'],
    ['closes after its reply to RCPT (O07)', at(...ENVELOPE, send('250 ok\r\n250 ok'), close), 'deferred 4.4.2 session at data'],
    [
      'resets in the content (O07)',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), octets(10), content, reset),
      'deferred 4.4.2 session at final-dot (duplicate possible)',
    ],
    [
      'closes after the final dot (Q04)',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, close),
      'deferred 4.4.2 session at final-dot (duplicate possible)',
    ],
    [
      'breaks off in its reply to the final dot (O12)',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('250-ok\r\n'), close),
      'deferred 4.4.2 session at final-dot (duplicate possible)',
    ],
    [
      'says 354 again to the final dot (O12)',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('354 go'), stay),
      'deferred 4.5.0 session at final-dot (duplicate possible)',
    ],
    [
      'says 121 to the final dot (O12)',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('121 hm'), stay),
      'deferred 4.5.0 session at final-dot (duplicate possible)',
    ],
    [
      'says 999 to the final dot (O12)',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('999 hm'), stay),
      'deferred 4.5.0 session at final-dot (duplicate possible)',
    ],
    [
      'says 421 to the final dot',
      at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('421 4.3.2 closing'), close),
      'deferred 4.3.2 session at final-dot',
    ],
    ['says 250 to DATA (O11)', at(...ENVELOPE, send('250 ok\r\n250 ok\r\n250 ok'), stay), 'deferred 4.5.0 session at data'],
    ['says 554 to DATA (O11)', at(...ENVELOPE, send('250 ok\r\n250 ok\r\n554 5.7.0 no'), expectLine('RSET'), close), 'failed 5.7.0 message at data'],
    ['says 354 to MAIL (O08)', at(...ENVELOPE, send('354 go'), stay), 'deferred 4.5.0 session at mail'],
    ['says 421 to MAIL', at(expectLine('MAIL'), send('421 4.7.0 try later'), close), 'deferred 4.7.0 session at mail'],
    ['says 421 to RCPT', at(...ENVELOPE, send('250 ok\r\n421 4.7.0 try later'), close), 'deferred 4.7.0 session at rcpt'],
    ['never ends its reply (O06)', at(...ENVELOPE, send('250-x\r\n'.repeat(20_000)), stay), 'deferred 4.5.0 session at mail'],
    ['talks too early (O08)', at(send('250 ok\r\n250 ok\r\n354 go\r\n250 queued'), stay), 'deferred 4.5.0'],
  ]
  it.each(CASES)('%s', async (_, script, expected) => {
    const { report, peer } = await sendTo(script)
    expect(outcomesOf(report)[0]).toContain(expected)
    await waitUntil(() => peer.open === 0, 'the connection to be closed')
  })
  it.each(['250 2.0.0 ok', '251 ok', '252 ok', '299 ok', '250 5.1.1 contradictory'])('says %s to the final dot: delivered (O12)', async (reply) => {
    const { report } = await sendTo(at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send(reply), stay))
    expect(outcomesOf(report)[0]).toMatch(/^delivered 2\./)
  })
  it('closes right after 250 to the final dot: delivered (O07)', async () => {
    const { report } = await sendTo(at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('250 2.0.0 ok'), close))
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0'])
    expect(report.hop.kind).toBe('healthy')
  })
  it('gives one reply too many: what it took stays taken, the session is not used again (O08)', async () => {
    const peer = await peerOf(at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, send('250 2.0.0 ok\r\n250 2.0.0 again'), stay), [
      send('220 x'),
      serve(),
    ])
    const { deliver } = createBench()
    const relay = makeRelay(peer)
    expect(outcomesOf(await deliver(makeBatch(relay)))).toEqual(['delivered 2.0.0'])
    await waitUntil(() => peer.connections[0]?.closed === true)
    expect(outcomesOf(await deliver(makeBatch(relay)))).toEqual(['delivered 2.0.0'])
    expect(peer.connections).toHaveLength(2)
  })
  it('sends its replies octet by octet: each is taken for its command (O09)', async () => {
    const bytewise = (text: string): readonly Step[] => [...text].map((octet) => send(Buffer.from(octet)))
    const { report } = await sendTo(at(...ENVELOPE, ...bytewise('250 ok\r\n550 5.1.1 no\r\n354 go\r\n'), content, ...bytewise('250 2.0.0 ok\r\n'), stay), {})
    expect(outcomesOf(report)).toEqual(['failed 5.1.1 recipient at rcpt'])
  })
  const SILENT: readonly (readonly [string, readonly Step[], number, string])[] = [
    ['MAIL', at(...ENVELOPE, stay), 301_000, 'deferred 4.4.2 session at mail'],
    ['RCPT', at(...ENVELOPE, send('250 ok'), stay), 301_000, 'deferred 4.4.2 session at rcpt'],
    ['DATA', at(...ENVELOPE, send('250 ok\r\n250 ok'), stay), 121_000, 'deferred 4.4.2 session at data'],
    ['the final dot', at(...ENVELOPE, send('250 ok\r\n250 ok\r\n354 go'), content, stay), 601_000, 'deferred 4.4.2 session at final-dot (duplicate possible)'],
  ]
  it.each(SILENT)('is silent after %s: times out by RFC 5321 §4.5.3.2 (O05)', async (_, script, waitMs, expected) => {
    const { report, peer } = await sendTo(script, { waitMs })
    expect(outcomesOf(report)).toEqual([expected])
    expect(report.hop.kind).toBe('unwell')
    await waitUntil(() => peer.open === 0, 'the connection to be closed')
  })
  it('refuses one recipient and then closes: that one stays refused', async () => {
    const script = at(expectLine('MAIL'), expectLine('RCPT'), expectLine('RCPT'), expectLine('DATA'), send('250 ok\r\n550 5.1.1 no\r\n250 ok'), close)
    const { report } = await sendTo(script, { to: ['a@r.example', 'b@r.example'] })
    expect(outcomesOf(report)).toEqual(['failed 5.1.1 recipient at rcpt', 'deferred 4.4.2 session at data'])
  })
})

describe('no connection', () => {
  it('is deferred 4.4.1 when it is refused, with the hop unwell (O01)', async () => {
    const peer = await startPeer([[]])
    await peer.close()
    const { deliver } = createBench()
    const report = await deliver(makeBatch(makeRelay(peer)))
    expect(outcomesOf(report)).toEqual(['deferred 4.4.1 hop at connect'])
    expect(report.hop).toMatchObject({ kind: 'unwell' })
    expect(report.timings.sessionUse).toBe(0)
  })
  it('is deferred 4.4.4 when there is no such host', async () => {
    const { deliver } = createBench({ names: {} })
    const report = await deliver(makeBatch(makeRelay(25, { hosts: [{ host: 'gone.test' }] })))
    expect(outcomesOf(report)).toEqual(['deferred 4.4.4 hop at mx-lookup'])
  })
  it('is not asked for a second time by those who waited for the same session', async () => {
    const peer = await startPeer([[]])
    await peer.close()
    const { deliver } = createBench()
    const relay = makeRelay(peer, { limits: { sessionsMax: 1 } })
    const reports = await Promise.all([deliver(makeBatch(relay)), deliver(makeBatch(relay)), deliver(makeBatch(relay))])
    expect(reports.map((report) => outcomesOf(report)[0]?.split(' ')[0])).toEqual(['deferred', 'untried:', 'untried:'])
    expect(reports.map((report) => report.hop.kind)).toEqual(['unwell', 'not-reached', 'not-reached'])
  })
})
