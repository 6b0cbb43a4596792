/**
 * R18: the peer drops the connection after the final dot, at random before or after it stored the
 * message. Nothing may be lost, and each duplicate must be marked in the history.
 */
import { untilDrained } from './support/admin.ts'
import { startLoad } from './support/load.ts'
import { freePort, makeFolder, removeFolder, startServer } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { runBar, seeded, tally } from './support/verdict.ts'

await runBar('R18 after-dot', async ({ full, seed }) => {
  const random = seeded(seed)
  const messages = full ? 2_000 : 200
  let drops = 0
  const droppedOnce = new Set<string>()
  const sink = await startSink({
    onFinalDot(message) {
      // Each message is dropped at most once, so that the run ends.
      if (droppedOnce.has(message.id) || random() < 0.5) return 'accept'
      droppedOnce.add(message.id)
      drops++
      return random() < 0.5 ? 'drop' : 'store-and-drop'
    },
  })
  const port = await freePort()
  const folder = makeFolder()
  const server = await startServer({ port, relayPort: sink.port, folder })
  const load = startLoad({ port, sessions: 10, octets: 4096, messages })
  await load.done
  await untilDrained(server, full ? 400_000 : 90_000)
  const seen = new Map<string, number>()
  for (const { id } of sink.received) seen.set(id, (seen.get(id) ?? 0) + 1)
  const twice = [...seen].filter(([, count]) => count > 1).map(([id]) => id)
  let unmarked = 0
  for (const id of full ? twice.slice(0, 60) : twice.slice(0, 20)) {
    const queueId = load.acknowledged.get(id)?.queueId ?? ''
    const story = await server.cli(['trace', queueId, '--json'])
    if (!story.includes('"duplicatePossible":true') && !story.includes('"duplicatePossible": true')) unmarked++
  }
  const result = tally([load], sink)
  server.kill('SIGTERM')
  await server.exited
  await sink.close()
  removeFolder(folder)
  return {
    passed: result.lost === 0 && result.unexpected === 0 && result.foreign === 0 && unmarked === 0 && result.duplicates <= drops,
    figures: { drops, ...result, duplicatesUnmarked: unmarked },
  }
})
