/**
 * R06: a 64 MB file system fills to the last octet under load, then runs out of inodes. Intake
 * answers 452, what is queued is still delivered, intake is back soon after space is.
 */
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { readStatus, untilDrained } from './support/admin.ts'
import { startLoad } from './support/load.ts'
import { makeDisk, whyNoCuts } from './support/power.ts'
import { freePort, makeFolder, removeFolder, startServer } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { CannotRun, runBar, tally, until } from './support/verdict.ts'

await runBar('R06 disk-full', async ({ full }) => {
  const obstacle = whyNoCuts()
  if (obstacle !== null) throw new CannotRun(obstacle)
  const folder = makeFolder()
  const disk = makeDisk(folder, 'ext4', 64)
  const sink = await startSink()
  const port = await freePort()
  const server = await startServer({
    port,
    relayPort: sink.port,
    folder: join(folder, 'run'),
    config: { data: join(disk.path, 'data'), retention: { content: '0s' } },
  })
  const loads = []
  const backMs: number[] = []
  let refusals452 = 0
  let otherRefusals = ''
  try {
    for (const round of full ? ['space', 'inodes', 'space'] : ['space', 'inodes']) {
      const load = startLoad({ port, sessions: 5, octets: 16_384, prefix: `${round}${loads.length}` })
      loads.push(load)
      await until('mail flows', () => load.acknowledged.size > 20, 20_000)
      const ballast = round === 'space' ? fillSpace(disk.path) : fillInodes(disk.path)
      const before = load.acknowledged.size
      if (round === 'space') await until('452', () => [...load.refusals.keys()].some((text) => text.startsWith('452')), 30_000)
      else await until('mail flows without inodes, or is refused', () => load.acknowledged.size > before + 20 || load.refusals.size > 0, 30_000)
      await until(
        'the queue drains on a full disk',
        async () => {
          const { queue } = await readStatus(server)
          return queue.queued + queue.leased <= 5
        },
        60_000,
      )
      const from = performance.now()
      const acknowledged = load.acknowledged.size
      rmSync(ballast, { recursive: true, force: true })
      await until('intake is back', () => load.acknowledged.size > acknowledged, 20_000)
      backMs.push(Math.round(performance.now() - from))
      await load.stop()
      refusals452 += [...load.refusals].filter(([text]) => text.startsWith('452')).reduce((sum, [, count]) => sum + count, 0)
      otherRefusals ||= [...load.refusals.keys()].find((text) => !text.startsWith('452')) ?? ''
    }
    await untilDrained(server, 60_000)
  } finally {
    server.kill('SIGTERM')
    await server.exited
    disk.unmount()
  }
  const result = tally(loads, sink)
  await sink.close()
  removeFolder(folder)
  return {
    passed: result.lost === 0 && result.unexpected === 0 && result.foreign === 0 && refusals452 > 0 && Math.max(...backMs) <= 10_000,
    figures: { ...result, refusals452, otherRefusals: otherRefusals === '' ? 'none' : JSON.stringify(otherRefusals), backMs: backMs.join('/') },
  }
})

function fillSpace(path: string): string {
  const file = join(path, 'ballast')
  const descriptor = openSync(file, 'w')
  for (const size of [1 << 20, 1 << 14, 1 << 12, 1]) {
    const block = Buffer.alloc(size)
    try {
      for (;;) if (writeSync(descriptor, block) < size) break
    } catch {
      // Full at this block size: smaller blocks fill the rest.
    }
  }
  closeSync(descriptor)
  return file
}

function fillInodes(path: string): string {
  const folder = join(path, 'inodes')
  mkdirSync(folder)
  try {
    for (let i = 0; i < 200_000; i++) closeSync(openSync(join(folder, String(i)), 'w'))
  } catch {
    // No inode is left, which is what was wanted.
  }
  return folder
}
