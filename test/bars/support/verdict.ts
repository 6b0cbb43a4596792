/**
 * Counts as Jepsen does and prints one line a bar.
 *
 *   lost       acknowledged, but neither delivered, bounced, still queued or held, nor deleted
 *   unexpected delivered, but never attempted
 *   foreign    delivered with other bytes than were sent
 *   duplicates deliveries beyond the first
 *   recovered  delivered though never acknowledged: allowed, counted
 */
import process from 'node:process'
import type { Load } from './load.ts'
import type { Sink } from './sink.ts'

export interface Tally {
  readonly acknowledged: number
  readonly delivered: number
  readonly lost: number
  readonly unexpected: number
  readonly foreign: number
  readonly duplicates: number
  readonly recovered: number
}

/** `stillQueued`: ids that the queue shows as not finished. */
export function tally(loads: readonly Load[], sink: Sink, stillQueued: ReadonlySet<string> = new Set()): Tally {
  const acknowledged = new Map(loads.flatMap((load) => [...load.acknowledged]))
  const attempted = new Set(loads.flatMap((load) => [...load.attempted]))
  const deliveries = new Map<string, number>()
  let foreign = 0
  for (const message of sink.received) {
    deliveries.set(message.id, (deliveries.get(message.id) ?? 0) + 1)
    const sent = acknowledged.get(message.id)
    if (sent !== undefined && sent.sha256 !== message.sha256) foreign++
  }
  const lost = [...acknowledged.keys()].filter((id) => !deliveries.has(id) && !stillQueued.has(id)).length
  return {
    acknowledged: acknowledged.size,
    delivered: deliveries.size,
    lost,
    unexpected: [...deliveries.keys()].filter((id) => !attempted.has(id)).length,
    foreign,
    duplicates: [...deliveries.values()].reduce((sum, count) => sum + count - 1, 0),
    recovered: [...deliveries.keys()].filter((id) => attempted.has(id) && !acknowledged.has(id)).length,
  }
}

export interface BarResult {
  readonly passed: boolean
  readonly figures: Readonly<Record<string, number | string>>
}
export type Bar = (mode: { readonly full: boolean; readonly seed: number }) => Promise<BarResult>

/** Thrown by a bar that cannot run on this machine; the message says why. */
export class CannotRun extends Error {}
const EXIT_CANNOT_RUN = 77

/** Runs a bar as a script: `--full` for full mode, `--seed N` to repeat a run; exit 1 when it is missed. */
export async function runBar(name: string, bar: Bar): Promise<void> {
  const args = process.argv.slice(2)
  const full = args.includes('--full')
  const seedAt = args.indexOf('--seed')
  const seed = seedAt === -1 ? Date.now() % 1_000_000 : Number(args[seedAt + 1])
  const from = performance.now()
  let result: BarResult
  try {
    result = await bar({ full, seed })
  } catch (fault) {
    if (fault instanceof CannotRun) {
      process.stdout.write(`${name} CANNOT RUN here: ${fault.message}\n`)
      process.exit(EXIT_CANNOT_RUN)
    }
    result = { passed: false, figures: { fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault) } }
  }
  const figures = Object.entries(result.figures).map(([key, value]) => `${key}=${value}`)
  const seconds = ((performance.now() - from) / 1000).toFixed(0)
  process.stdout.write(`${name} ${result.passed ? 'pass' : 'MISSED'} mode=${full ? 'full' : 'quick'} seed=${seed} ${figures.join(' ')} took=${seconds}s\n`)
  process.exit(result.passed ? 0 : 1)
}

/** A small seeded generator (mulberry32), so that a printed seed repeats a run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

/** Waits until the condition holds, checked every 20 ms; rejects after the limit. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const from = performance.now()
  while (!(await condition())) {
    if (performance.now() - from > limitMs) throw new Error(`not within ${limitMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
