/**
 * One application floods the queue of a slow relay; another's single mail goes through all the same.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startLoad } from '../bars/support/load.ts'
import { freePort, type PosternProcess, removeFolder, startServer } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { sendMail } from './support/send-mail.ts'
import { startWireSink, type WireSink } from './support/wire-sink.ts'

const FLOOD = 50_000
const WITHIN_MS = 5_000
/** With the 20 sessions of the defaults: at most 100 mails a second, so the flood takes minutes. */
const ANSWER_AFTER_MS = 200

let sink: WireSink
let postern: PosternProcess
let port: number

beforeAll(async () => {
  sink = await startWireSink({ answerAfterMs: ANSWER_AFTER_MS })
  port = await freePort()
  postern = await startServer({ port, relayPort: sink.port, config: { drainTime: '1s', log: { level: 'warn' } } })
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  await sink?.close()
  if (postern !== undefined) removeFolder(postern.folder)
})

it(`delivers another application's single mail within 5 s, during and behind a flood of ${FLOOD}`, async () => {
  const flood = startLoad({ port, sessions: 20, octets: 500, messages: FLOOD, from: 'flood@app.test', to: (n) => `user${n % 100}@rcpt.test` })
  await until('half of the flood is taken', () => flood.acknowledged.size >= FLOOD / 2, 60_000)
  const waits = [await singleMail('during@app.test')]
  await flood.done
  expect(flood.acknowledged.size).toBe(FLOOD)
  for (const from of ['first@app.test', 'second@app.test', 'third@app.test']) waits.push(await singleMail(from))
  const through = sink.mails.filter((mail) => mail.from === 'flood@app.test').length
  console.log(`flood: ${FLOOD} queued, ${through} of them through; single mails were there after ${waits.map((wait) => wait.toFixed(0)).join(', ')} ms`)
  // The relay is slow enough for the test to mean something, and the flood is not starved either.
  expect(through).toBeLessThan(FLOOD / 2)
  expect(through).toBeGreaterThan(100)
  for (const wait of waits) expect(wait).toBeLessThanOrEqual(WITHIN_MS)
})

async function singleMail(from: string): Promise<number> {
  const start = performance.now()
  await sendMail(port, { from, to: ['single@rcpt.test'], content: 'Subject: single\r\n\r\nhello\r\n' })
  await until(`the mail of ${from} is at the relay`, () => sink.mails.some((mail) => mail.from === from), 30_000)
  return (sink.mails.find((mail) => mail.from === from)?.atMs ?? Number.POSITIVE_INFINITY) - start
}
