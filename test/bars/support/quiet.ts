/**
 * What is left when all is quiet: memory after a collection, and what keeps the event loop alive.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export interface Footprint {
  readonly rssOctets: number
  readonly heapOctets: number
  /** Timers, sockets, servers ... by kind. */
  readonly resources: ReadonlyMap<string, number>
}

/**
 * Runs this script again with an allocator that gives memory back. As it is set by default, what
 * glibc keeps for later hides a leak of a few kilobytes a session.
 */
export function insistOnTrimmedMemory(): void {
  const settings = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072', MALLOC_ARENA_MAX: '2' }
  if (process.env.MALLOC_TRIM_THRESHOLD_ === settings.MALLOC_TRIM_THRESHOLD_) return
  const again = spawnSync(process.execPath, process.argv.slice(1), { stdio: 'inherit', env: { ...process.env, ...settings } })
  process.exit(again.status ?? 1)
}

export async function footprint(): Promise<Footprint> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let [rssOctets, heapOctets] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  for (let i = 0; i < 6; i++) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 200))
    const { rss, heapUsed, external } = process.memoryUsage()
    rssOctets = Math.min(rssOctets, rss)
    heapOctets = Math.min(heapOctets, heapUsed + external)
  }
  const resources = new Map<string, number>()
  for (const kind of process.getActiveResourcesInfo()) resources.set(kind, (resources.get(kind) ?? 0) + 1)
  return { rssOctets, heapOctets, resources }
}

/** Kinds of which there are more than before, as `TCPSocketWrap+2`. */
export function leftOver(before: Footprint, after: Footprint): readonly string[] {
  return [...after.resources].flatMap(([kind, count]) => {
    const more = count - (before.resources.get(kind) ?? 0)
    return more > 0 ? [`${kind}+${more}`] : []
  })
}
