import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EpochMs } from '../../src/core/brand.ts'
import { nextAttempt, type RetryPolicy } from '../../src/core/retry-schedule.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const POLICY: RetryPolicy = { greylistMs: 120_000, minDelayMs: 5 * MINUTE, maxDelayMs: HOUR, factor: 2, lifetimeMs: 5 * DAY, jitter: 0 }
const START = Date.UTC(2026, 2, 1) as EpochMs

/** Attempts as they happen when each one is deferred at once: times since acceptance. */
function scheduleOf(policy: RetryPolicy, random: () => number): number[] {
  const times: number[] = []
  let now = START
  for (let attempts = 1; attempts < 10_000; attempts++) {
    times.push(now - START)
    const next = nextAttempt(policy, { acceptedAt: START, attempts }, now, random)
    if (next.kind === 'give-up') return times
    now = next.dueAt
  }
  throw new Error('never gives up')
}

const policies = fc.record({
  greylistMs: fc.integer({ min: MINUTE, max: HOUR }),
  minDelayMs: fc.integer({ min: MINUTE, max: HOUR }),
  maxDelayMs: fc.integer({ min: HOUR, max: DAY }),
  factor: fc.double({ min: 1.5, max: 4, noNaN: true }),
  lifetimeMs: fc.integer({ min: HOUR, max: 6 * DAY }),
  jitter: fc.double({ min: 0, max: 0.5, noNaN: true }),
})

describe('the retry schedule', () => {
  it('comes back early once where it is greylisted, and then as after a first attempt', () => {
    const delays = [1, 2, 3, 4].map((attempts) => {
      const next = nextAttempt(POLICY, { acceptedAt: START, attempts, greylisted: true }, START, () => 0.5)
      return next.kind === 'at' ? next.dueAt - START : null
    })
    expect(delays).toEqual([2, 5, 10, 20].map((minutes) => minutes * MINUTE))
    const short = nextAttempt({ ...POLICY, minDelayMs: MINUTE }, { acceptedAt: START, attempts: 1, greylisted: true }, START, () => 0.5)
    expect(short).toEqual({ kind: 'at', dueAt: START + MINUTE })
  })

  it('doubles from the least to the greatest delay and ends with one attempt at the end of the lifetime', () => {
    const times = scheduleOf(POLICY, () => 0.5)
    expect(times.slice(0, 7)).toEqual([0, 5, 15, 35, 75, 135, 195].map((minutes) => minutes * MINUTE))
    expect(times.at(-1)).toBe(5 * DAY)
    expect(times.filter((time) => time >= 5 * DAY).length).toBe(1)
  })

  it('goes forward only, stays within its bounds and tries exactly once at the end, whatever the policy', () => {
    fc.assert(
      fc.property(policies, fc.double({ min: 0, max: 0.999, noNaN: true }), (policy, chance) => {
        const times = scheduleOf(policy, () => chance)
        const delays = times.slice(1).map((time, index) => time - (times[index] ?? 0))
        expect(Math.min(...delays)).toBeGreaterThan(0)
        expect(Math.max(...delays)).toBeLessThanOrEqual(policy.maxDelayMs * (1 + policy.jitter) + 1)
        // The last one is cut by the end of the lifetime.
        expect(Math.min(...delays.slice(0, -1))).toBeGreaterThanOrEqual(policy.minDelayMs * (1 - policy.jitter) - 1)
        expect(times.at(-1)).toBe(policy.lifetimeMs)
      }),
    )
  })

  it('never gets shorter without jitter, but for the last step', () => {
    fc.assert(
      fc.property(policies, (policy) => {
        const times = scheduleOf({ ...policy, jitter: 0 }, () => 0.5)
        const delays = times.slice(1).map((time, index) => time - (times[index] ?? 0))
        for (let i = 1; i < delays.length - 1; i++) expect(delays[i]).toBeGreaterThanOrEqual((delays[i - 1] ?? 0) - 1)
      }),
    )
  })

  it('spreads a backlog by its jitter, both ways', () => {
    const due = (chance: number) => nextAttempt({ ...POLICY, jitter: 0.2 }, { acceptedAt: START, attempts: 1 }, START, () => chance)
    expect(due(0)).toEqual({ kind: 'at', dueAt: START + 4 * MINUTE })
    expect(due(0.5)).toEqual({ kind: 'at', dueAt: START + 5 * MINUTE })
    expect(due(1)).toEqual({ kind: 'at', dueAt: START + 6 * MINUTE })
  })

  it('gives up once the lifetime is over, and not a millisecond earlier', () => {
    const asked = (age: number) => nextAttempt(POLICY, { acceptedAt: START, attempts: 100 }, (START + age) as EpochMs, () => 0.5)
    expect(asked(5 * DAY)).toEqual({ kind: 'give-up' })
    expect(asked(5 * DAY - 1)).toEqual({ kind: 'at', dueAt: START + 5 * DAY })
  })

  it('takes a recipient that was never counted as one at its first attempt', () => {
    expect(nextAttempt(POLICY, { acceptedAt: START, attempts: 0 }, START, () => 0.5)).toEqual({ kind: 'at', dueAt: START + 5 * MINUTE })
  })

  it('stays finite after thousands of attempts', () => {
    const next = nextAttempt({ ...POLICY, lifetimeMs: 10_000 * DAY }, { acceptedAt: START, attempts: 5_000 }, START, () => 0.5)
    expect(next).toEqual({ kind: 'at', dueAt: START + HOUR })
  })
})
