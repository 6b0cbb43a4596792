/**
 * R03: the power goes under load, on ext4 and XFS. No acknowledged message may be lost.
 *
 * Two controls show that the harness can see a loss: SQLite with synchronous=NORMAL, and a file
 * renamed into place without a sync of its directory.
 */
import { spawn } from 'node:child_process'
import { closeSync, existsSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { untilDrained } from './support/admin.ts'
import { type Load, mixedOctets, startLoad } from './support/load.ts'
import { type CutDisk, makeDisk, whyNoCuts } from './support/power.ts'
import { freePort, makeFolder, NODE, removeFolder, startServer } from './support/server.ts'
import { type Sink, startSink } from './support/sink.ts'
import { CannotRun, runBar, seeded, tally } from './support/verdict.ts'

await runBar('R03 power-cut', async ({ full, seed }) => {
  const obstacle = whyNoCuts()
  if (obstacle !== null) throw new CannotRun(obstacle)
  const random = seeded(seed)
  const folder = makeFolder()
  const sink = await startSink()
  const loads: Load[] = []
  let damaged = 0
  const cuts = { ext4: full ? 40 : 3, xfs: full ? 10 : 1 }
  const controls = { normalLost: 0, renameLost: 0 }
  for (const kind of ['ext4', 'xfs'] as const) {
    const disk = makeDisk(folder, kind, kind === 'ext4' ? 256 : 320)
    try {
      if (kind === 'ext4') {
        controls.normalLost = await normalControl(disk)
        controls.renameLost = renameControl(disk)
      }
      const port = await freePort()
      for (let cut = 0; cut < cuts[kind]; cut++)
        damaged += await oneCut({ disk, sink, port, folder: join(folder, `run-${kind}`), loads, waitMs: 200 + random() * 1_500 })
      damaged += await drained({ disk, sink, port, folder: join(folder, `run-${kind}`), loads })
    } finally {
      disk.unmount()
    }
  }
  const result = tally(loads, sink)
  await sink.close()
  removeFolder(folder)
  return {
    passed: result.lost === 0 && result.unexpected === 0 && result.foreign === 0 && damaged === 0 && controls.normalLost > 0 && controls.renameLost > 0,
    figures: {
      cutsExt4: cuts.ext4,
      cutsXfs: cuts.xfs,
      ...result,
      databasesDamaged: damaged,
      controlNormalLost: controls.normalLost,
      controlRenameLost: controls.renameLost,
    },
  }
})

interface Run {
  readonly disk: CutDisk
  readonly sink: Sink
  readonly port: number
  readonly folder: string
  readonly loads: Load[]
}

function configOn(disk: CutDisk): Record<string, unknown> {
  return { data: join(disk.path, 'data'), queue: { reclaimDelay: '1s' }, retention: { content: '0s' } }
}

async function oneCut(run: Run & { readonly waitMs: number }): Promise<number> {
  const server = await startServer({ port: run.port, relayPort: run.sink.port, folder: run.folder, config: configOn(run.disk) })
  const load = startLoad({ port: run.port, sessions: 10, octets: mixedOctets, prefix: `p${run.loads.length}` })
  run.loads.push(load)
  await new Promise((resolve) => setTimeout(resolve, run.waitMs))
  // Our page cache is still whole: a plain kill can never show a missing sync.
  server.kill('SIGKILL')
  await server.exited
  run.disk.cut()
  await load.stop()
  return integrityFaults(run.disk)
}

async function drained(run: Run): Promise<number> {
  const server = await startServer({ port: run.port, relayPort: run.sink.port, folder: run.folder, config: configOn(run.disk) })
  await untilDrained(server, 120_000)
  server.kill('SIGTERM')
  await server.exited
  return integrityFaults(run.disk)
}

function integrityFaults(disk: CutDisk): number {
  const path = join(disk.path, 'data', 'queue.db')
  if (!existsSync(path)) throw new Error(`there is no ${path}`)
  const database = new DatabaseSync(path)
  try {
    const row = database.prepare('PRAGMA integrity_check').get() as { integrity_check: string }
    return row.integrity_check === 'ok' ? 0 : 1
  } finally {
    database.close()
  }
}

/** A child commits rows with synchronous=NORMAL and says so; after the cut some must be missing. */
async function normalControl(disk: CutDisk): Promise<number> {
  const path = join(disk.path, 'normal.db')
  const script = `
    const { DatabaseSync } = require('node:sqlite')
    const database = new DatabaseSync(${JSON.stringify(path)})
    database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)')
    const insert = database.prepare('INSERT INTO t (text) VALUES (?)')
    for (let i = 0; i < 200; i++) insert.run('x'.repeat(1000))
    console.log('committed')
    setInterval(() => {}, 1000)`
  const child = spawn(NODE, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await new Promise((resolve) => child.once('exit', resolve))
  disk.cut()
  if (!existsSync(path)) return 200
  const database = new DatabaseSync(path)
  try {
    return 200 - (database.prepare('SELECT COUNT(*) AS n FROM t').get() as { n: number }).n
  } catch {
    // The table itself was never synced: all of it is lost, which is what the control is to show.
    return 200
  } finally {
    database.close()
  }
}

/** Write, fsync, rename, no sync of the directory: the last file is gone after a cut. */
function renameControl(disk: CutDisk): number {
  const final = join(disk.path, 'accepted-message')
  const file = openSync(`${final}.tmp`, 'w')
  writeSync(file, 'accepted\n')
  fsyncSync(file)
  closeSync(file)
  renameSync(`${final}.tmp`, final)
  disk.cut()
  return existsSync(final) ? 0 : 1
}
