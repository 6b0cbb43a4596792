/**
 * A hundred reloads while applications hand mail in: no session is lost, no mail either.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { startLoad } from '../bars/support/load.ts'
import { freePort, type PosternProcess, removeFolder, startServer } from '../bars/support/server.ts'
import { type Sink, startSink } from '../bars/support/sink.ts'
import { tally, until } from '../bars/support/verdict.ts'

const RELOADS = 100
/** Every fifth file is broken. */
const BROKEN_EVERY = 5

let sink: Sink
let postern: PosternProcess
let port: number
let secondPort: number

beforeAll(async () => {
  sink = await startSink()
  port = await freePort()
  secondPort = await freePort()
  postern = await startServer({ port, relayPort: sink.port })
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  await sink?.close()
  if (postern !== undefined) removeFolder(postern.folder)
})

it(`loses no session and no mail in ${RELOADS} reloads, by signal and by command, of good and broken files`, async () => {
  const original = parse(readFileSync(postern.configPath, 'utf8')) as Record<string, unknown>
  const load = startLoad({ port, sessions: 8, octets: 4_000 })
  await until('the load runs', () => load.acknowledged.size > 100, 20_000)
  for (let n = 1; n <= RELOADS; n++) {
    const broken = n % BROKEN_EVERY === 0
    writeFileSync(postern.configPath, stringify(broken ? { ...original, retry: { min: 'soon' } } : variant(original, n)), { mode: 0o600 })
    if (n % 2 === 0) await postern.cli(['reload'], [broken ? 4 : 0])
    else postern.kill('SIGHUP')
    await until(`reload ${n} is noted`, () => reloadsNoted().length >= n, 10_000)
  }
  await load.stop()
  await until('all mail is at the relay', () => sink.counts.messages >= load.acknowledged.size, 30_000)
  const noted = reloadsNoted()
  console.log(
    `reload: ${noted.length} reloads, ${noted.filter((line) => line.includes('refused')).length} of broken files, ${load.acknowledged.size} mails meanwhile, ${load.lost.length} sessions lost`,
  )
  expect(noted.filter((line) => line.includes('reload refused')).length).toBe(RELOADS / BROKEN_EVERY)
  expect([load.lost, [...load.refusals]]).toEqual([[], []])
  expect(tally([load], sink)).toMatchObject({ lost: 0, unexpected: 0, foreign: 0, duplicates: 0 })
})

/** Limits, listeners and relays change from one file to the next, so that every part has something to do. */
function variant(original: Record<string, unknown>, n: number): Record<string, unknown> {
  const [first] = original.listen as readonly string[]
  return {
    ...original,
    listen: n % 3 === 0 ? [first, `smtp://127.0.0.1:${secondPort}`] : [first],
    limits: { messageSize: `${10 + (n % 7)} MB`, recipients: 100 + n },
    relays: { sink: { host: `127.0.0.1:${sink.port}`, tls: 'none', limits: { sessions: 5 + (n % 10), messagesPerSession: 20 + n } } },
  }
}

function reloadsNoted(): readonly string[] {
  return readFileSync(postern.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.includes('configuration reloaded') || line.includes('reload refused'))
}
