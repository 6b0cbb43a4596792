/**
 * A clock that stands still until a test moves it: wall clock, monotonic clock and timers together.
 *
 * `advance` lets promises and callbacks of the program run after every timer it fires, so that a
 * test needs no sleep. `pending` lets a test prove that no timer was left behind.
 */
import type { EpochMs } from '../../src/core/brand.ts'
import type { CancelTimer, Clock } from '../../src/core/clock.ts'

export interface FakeClock extends Clock {
  /** Moves both clocks, firing what falls due in order, with the event loop turning after each. */
  advance(ms: number): Promise<void>
  /** The same without turning the event loop: for purely synchronous code. */
  advanceSync(ms: number): void
  /** Lets everything run that can run without time passing. */
  settle(): Promise<void>
  /** Moves the wall clock alone, as an administrator or NTP does; negative goes back. */
  jumpWall(ms: number): void
  /** Timers that have neither fired nor been cancelled. */
  readonly pending: number
  /** Monotonic times at which they fire, soonest first. */
  readonly dueTimes: readonly number[]
}

interface FakeTimer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

/** 2026-01-01 00:00:00 UTC. */
export const FAKE_START = Date.UTC(2026, 0, 1) as EpochMs
const DELAY_MAX_MS = 2 ** 31 - 1
/** Enough for any chain of promises and immediates in the program. */
const TURNS = 12

/** Turns the real event loop a few times, so that promises and immediates run. */
export async function turnEventLoop(turns = TURNS): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

export function createFakeClock(startAt: number = FAKE_START): FakeClock {
  let wall = startAt
  let monotonic = 1_000
  let order = 0
  const timers = new Set<FakeTimer>()

  const soonest = (limit: number): FakeTimer | null => {
    let best: FakeTimer | null = null
    for (const timer of timers) {
      if (timer.at > limit) continue
      if (best === null || timer.at < best.at || (timer.at === best.at && timer.order < best.order)) best = timer
    }
    return best
  }
  const moveTo = (at: number) => {
    if (at <= monotonic) return
    wall += at - monotonic
    monotonic = at
  }
  const fireNext = (end: number): boolean => {
    const timer = soonest(end)
    if (timer === null) return false
    moveTo(timer.at)
    timers.delete(timer)
    timer.callback()
    return true
  }

  return {
    now: () => wall as EpochMs,
    monotonicMs: () => monotonic,
    after(delayMs: number, callback: () => void): CancelTimer {
      if (Number.isNaN(delayMs)) throw new RangeError('a timer needs a number of milliseconds')
      const delay = Math.min(Math.max(delayMs, 0), DELAY_MAX_MS)
      const timer: FakeTimer = { at: monotonic + delay, order: order++, callback }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    async advance(ms) {
      const end = monotonic + ms
      await turnEventLoop()
      while (fireNext(end)) await turnEventLoop()
      moveTo(end)
      await turnEventLoop()
    },
    advanceSync(ms) {
      const end = monotonic + ms
      while (fireNext(end));
      moveTo(end)
    },
    settle: () => turnEventLoop(),
    jumpWall(ms) {
      wall += ms
    },
    get pending() {
      return timers.size
    },
    get dueTimes() {
      return [...timers].map((timer) => timer.at).sort((a, b) => a - b)
    },
  }
}
