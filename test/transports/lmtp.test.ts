import { mkdirSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type ScriptedPeer, type ServeOptions, send, serve, startPeer } from '../support/scripted-peer.ts'
import { createBench, makeBatch, makeRelay, outcomesOf, reasonOf } from '../support/smtp-bench.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const TO = ['a@store.test', 'b@store.test', 'c@store.test'] as const

async function lmtpPeer(options: ServeOptions): Promise<ScriptedPeer> {
  const answers = { LHLO: '250-store.test\r\n250-PIPELINING\r\n250 8BITMIME', ...options.answers }
  const peer = await startPeer([[send('220 store.test LMTP'), serve({ ...options, answers })]])
  onTestFinished(() => peer.close())
  return peer
}
const lmtp = (peer: ScriptedPeer) => ({ ...makeRelay(peer), protocol: 'lmtp' as const })

const UNKNOWN = 'deferred 4.4.2 session at final-dot (duplicate possible)'

describe('a relay that speaks LMTP', () => {
  it('answers for each recipient, and each outcome is its own', async () => {
    const peer = await lmtpPeer({ answers: { DOT: '250 2.0.0 a saved\r\n452 4.2.2 b is full\r\n550 5.2.1 c is disabled' } })
    const { deliver } = createBench()
    const report = await deliver(makeBatch(lmtp(peer), { to: [...TO] }))
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0', 'deferred 4.2.2 recipient at final-dot', 'failed 5.2.1 recipient at final-dot'])
    expect(report.hop).toEqual({ kind: 'healthy' })
  })

  it('may refuse some before the content, and answers for the others only', async () => {
    const peer = await lmtpPeer({
      answers: { RCPT: (line) => (line.includes('b@') ? '550 5.1.1 unknown user' : '250 ok'), DOT: '250 2.0.0 a\r\n250 2.0.0 c' },
    })
    const { deliver } = createBench()
    expect(outcomesOf(await deliver(makeBatch(lmtp(peer), { to: [...TO] })))).toEqual(['delivered 2.0.0', 'failed 5.1.1 recipient at rcpt', 'delivered 2.0.0'])
  })

  it('that says too little leaves the rest to another try, with the warning that it may be there (O18)', async () => {
    const peer = await lmtpPeer({ answers: { DOT: '250 2.0.0 a\r\n250 2.0.0 b\r\n421 4.3.2 going down' } })
    const { deliver } = createBench()
    expect(outcomesOf(await deliver(makeBatch(lmtp(peer), { to: [...TO] })))).toEqual([
      'delivered 2.0.0',
      'delivered 2.0.0',
      'deferred 4.3.2 session at final-dot',
    ])
    const closing = await lmtpPeer({ answers: { DOT: '250 2.0.0 a' } })
    const bench = createBench()
    const delivered = bench.deliver(makeBatch(lmtp(closing), { to: [...TO] }))
    await expect.poll(() => closing.contents.length).toBe(1)
    await closing.close()
    const report = await delivered
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0', UNKNOWN, UNKNOWN])
  })

  it('carries message after message on one session', async () => {
    const peer = await lmtpPeer({ answers: { DOT: '250 2.0.0 saved' } })
    const { deliver } = createBench()
    const relay = { ...lmtp(peer), limits: { ...makeRelay(peer).limits, sessionsMax: 1 } }
    const reports = await Promise.all(Array.from({ length: 5 }, () => deliver(makeBatch(relay))))
    expect(reports.flatMap(outcomesOf)).toEqual(Array(5).fill('delivered 2.0.0'))
    expect([peer.connections.length, peer.contents.length]).toEqual([1, 5])
  })

  it('is not asked in SMTP when it does not know LHLO', async () => {
    const peer = await lmtpPeer({ answers: { LHLO: '502 5.5.2 what' } })
    const { deliver } = createBench()
    const report = await deliver(makeBatch(lmtp(peer)))
    expect(outcomesOf(report)).toEqual(['deferred 4.5.2 hop at ehlo'])
    expect(reasonOf(report)).toContain('saying EHLO')
  })

  it('is reached through a Unix socket', async () => {
    const peer = await lmtpPeer({ answers: { DOT: '250 2.0.0 saved' } })
    const folder = join(makeTempFolder(), 's')
    mkdirSync(folder)
    const path = join(folder, 'lmtp')
    const server = net.createServer((near) => {
      const far = net.connect(peer.port, '127.0.0.1')
      near.pipe(far).pipe(near)
      near.on('error', () => far.destroy())
      far.on('error', () => near.destroy())
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    onTestFinished(() => void server.close())
    const { deliver } = createBench()
    const relay = { ...lmtp(peer), hosts: [{ host: path, port: 0, implicitTls: false }] as const }
    const report = await deliver(makeBatch(relay))
    expect(outcomesOf(report)).toEqual(['delivered 2.0.0'])
    expect(report.remoteMta).toEqual({ host: 'localhost', address: path })
  })

  it('whose socket is not there is waited for', async () => {
    const { deliver } = createBench()
    const relay = { ...makeRelay(1), protocol: 'lmtp' as const, hosts: [{ host: '/nowhere/lmtp', port: 0, implicitTls: false }] as const }
    const report = await deliver(makeBatch(relay))
    expect(outcomesOf(report)).toEqual(['deferred 4.4.1 hop at connect'])
    expect(report.hop.kind).toBe('unwell')
  })
})
