/**
 * R01: SIGKILL at random under load, again and again. Nothing acknowledged may be lost.
 *
 * Duplicates are bounded by the transactions open at each kill (RFC 1047): the sink's sessions.
 */
import { untilDrained } from './support/admin.ts'
import { type Load, mixedOctets, startLoad } from './support/load.ts'
import { freePort, makeFolder, removeFolder, startServer } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { runBar, seeded, tally, until } from './support/verdict.ts'

await runBar('R01 kill-intake', async ({ full, seed }) => {
  const random = seeded(seed)
  const kills = full ? 200 : 12
  const sink = await startSink()
  const port = await freePort()
  const folder = makeFolder()
  const options = { port, relayPort: sink.port, folder, config: { queue: { reclaimDelay: '1s' } } }
  const loads: Load[] = []
  let slowestStartMs = 0
  let openAtKills = 0
  for (let kill = 0; kill < kills; kill++) {
    const server = await startServer(options)
    slowestStartMs = Math.max(slowestStartMs, server.listeningMs)
    const load = startLoad({ port, sessions: 10, octets: mixedOctets, prefix: `k${kill}` })
    loads.push(load)
    await new Promise((resolve) => setTimeout(resolve, 100 + random() * 700))
    openAtKills += sink.counts.open * 2
    server.kill('SIGKILL')
    await server.exited
    await Promise.race([load.stop(), new Promise((resolve) => setTimeout(resolve, 200))])
  }
  const server = await startServer(options)
  const acknowledged = new Set(loads.flatMap((load) => [...load.acknowledged.keys()]))
  const delivered = (): Set<string> => new Set(sink.received.map((message) => message.id))
  await until(
    'every acknowledged message is delivered',
    () => {
      const seen = delivered()
      return [...acknowledged].every((id) => seen.has(id))
    },
    90_000,
  ).catch(() => {})
  await untilDrained(server, 60_000).catch(() => {})
  const { queue } = JSON.parse(await server.cli(['status', '--json']))
  const result = tally(loads, sink)
  const limbo = queue.queued + queue.leased + queue.held
  server.kill('SIGTERM')
  await server.exited
  await sink.close()
  removeFolder(folder)
  const enough = !full || result.acknowledged >= 20_000
  return {
    passed:
      result.lost === 0 &&
      result.unexpected === 0 &&
      result.foreign === 0 &&
      limbo === 0 &&
      slowestStartMs <= 2_000 &&
      result.duplicates <= openAtKills &&
      enough,
    figures: { kills, ...result, duplicatesAllowed: openAtKills, limbo, slowestStartMs: Math.round(slowestStartMs) },
  }
})
