/**
 * R35: SIGTERM under load, again and again. Nothing lost, nothing twice, exit 0, within the drain deadline.
 */
import { untilDrained } from './support/admin.ts'
import { type Load, startLoad } from './support/load.ts'
import { freePort, makeFolder, removeFolder, startServer } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { runBar, seeded, tally } from './support/verdict.ts'

const DRAIN_MS = 5_000

await runBar('R35 shutdown', async ({ full, seed }) => {
  const random = seeded(seed)
  const stops = full ? 50 : 6
  const sink = await startSink()
  const port = await freePort()
  const folder = makeFolder()
  const loads: Load[] = []
  const codes = new Set<string>()
  let slowestMs = 0
  for (let stop = 0; stop <= stops; stop++) {
    const server = await startServer({ port, relayPort: sink.port, folder, config: { drainTime: `${DRAIN_MS}ms` } })
    if (stop < stops) {
      const load = startLoad({ port, sessions: 10, octets: 4096, prefix: `s${stop}` })
      loads.push(load)
      await new Promise((resolve) => setTimeout(resolve, 200 + random() * 800))
      const from = performance.now()
      server.kill('SIGTERM')
      const { code, signal } = await server.exited
      codes.add(String(code ?? signal))
      slowestMs = Math.max(slowestMs, performance.now() - from)
      await load.stop()
    } else {
      await untilDrained(server, 60_000)
      server.kill('SIGTERM')
      await server.exited
    }
  }
  const result = tally(loads, sink)
  await sink.close()
  removeFolder(folder)
  return {
    passed:
      result.lost === 0 &&
      result.duplicates === 0 &&
      result.unexpected === 0 &&
      result.foreign === 0 &&
      slowestMs <= DRAIN_MS + 1_000 &&
      codes.size === 1 &&
      codes.has('0'),
    figures: { stops, ...result, exitCodes: [...codes].join(','), slowestStopMs: Math.round(slowestMs) },
  }
})
