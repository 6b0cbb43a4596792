/**
 * R02: Postern is killed at each point of the crash table (docs/queue.md), again and again, and every
 * column of the row is looked at: content, row, lease, what the restart does, how often the relay got it.
 */
import { inParallel } from './support/client.ts'
import { KILL_ROWS } from './support/kill-rows.ts'
import { KillScene } from './support/kill-scene.ts'
import { makeFolder, removeFolder } from './support/server.ts'
import { runBar } from './support/verdict.ts'

/** A command costs as much as a start: the first runs of each row are told by it, the others by the API. */
const COMMAND_TURNS = 3
/** Runs side by side: starting is most of the work, waiting most of the time. */
const WIDTH = 4

// Hundreds of starts: compiled code is kept from one to the next.
process.env.NODE_COMPILE_CACHE = makeFolder()
await runBar('R02 kill-points', async ({ full }) => {
  const times = full ? 20 : 2
  const first = await KillScene.make({ config: {}, byCommand: true })
  await first.start()
  await first.stop()
  await first.end()
  const missed = new Map<string, number>()
  const runs = KILL_ROWS.flatMap((row) => Array.from({ length: times }, (_, turn) => ({ row, turn })))
  await inParallel(runs, WIDTH, async ({ row, turn }) => {
    const scene = await KillScene.make({ config: row.config ?? {}, byCommand: turn < COMMAND_TURNS })
    try {
      await row.run(scene, turn)
    } catch (fault) {
      scene.check('the run ended', false, fault instanceof Error ? fault.stack : String(fault))
    }
    if (scene.problems.length > 0) {
      missed.set(row.name, (missed.get(row.name) ?? 0) + 1)
      process.stderr.write(`${row.name}, turn ${turn}:\n  ${scene.problems.join('\n  ')}\n`)
    }
    await scene.end()
  })
  removeFolder(process.env.NODE_COMPILE_CACHE ?? '')
  return {
    passed: missed.size === 0,
    figures: {
      rows: KILL_ROWS.length,
      runs: runs.length,
      runsMissed: [...missed.values()].reduce((sum, count) => sum + count, 0),
      rowsMissed: missed.size === 0 ? 'none' : [...missed.keys()].join(',').replaceAll(' ', '-'),
    },
  }
})
