import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  afterCredentialRefused,
  afterHealthy,
  afterLimitsChanged,
  afterSuspension,
  afterUnwell,
  isProbing,
  openWindow,
  type WindowLimits,
  type WindowState,
} from '../../src/delivery/concurrency-window.ts'

const LIMITS: WindowLimits = {
  initial: 5,
  max: 20,
  failedCohortsMax: 1,
  suspendMs: { initial: 60_000, max: 600_000 },
  credentialPauseMs: { initial: 300_000, max: 3_600_000 },
}

type Step = 'healthy' | 'unwell' | 'refused' | 'time' | 'reload'

function apply(state: WindowState, step: Step, limits: WindowLimits, nowMs: number): WindowState {
  switch (step) {
    case 'healthy':
      return afterHealthy(state, limits, 20)
    case 'unwell':
      return afterUnwell(state, limits, 'refused', nowMs)
    case 'refused':
      return afterCredentialRefused(state, limits, 'bad password', nowMs)
    case 'time':
      return afterSuspension(state)
    case 'reload':
      return afterLimitsChanged(state, limits)
  }
}

describe('a lane window', () => {
  it('stays within its bounds whatever happens', () => {
    const limits = fc.record({
      initial: fc.integer({ min: 1, max: 50 }),
      max: fc.integer({ min: 1, max: 50 }),
      failedCohortsMax: fc.integer({ min: 1, max: 5 }),
    })
    const steps = fc.array(fc.constantFrom<Step>('healthy', 'unwell', 'refused', 'time', 'reload'), { maxLength: 200 })
    fc.assert(
      fc.property(limits, steps, (chosen, all) => {
        const bounds: WindowLimits = { ...LIMITS, ...chosen }
        let state: WindowState = openWindow(bounds)
        all.forEach((step, index) => {
          const nowMs = index * 1_000
          state = apply(state, step, bounds, nowMs)
          if (state.kind === 'open') {
            expect(state.width).toBeGreaterThanOrEqual(1)
            expect(state.width).toBeLessThanOrEqual(bounds.max)
            expect(Number.isInteger(state.width)).toBe(true)
            expect(state.credit).toBeGreaterThanOrEqual(0)
            expect(state.credit).toBeLessThan(1)
            expect(state.failedCohorts).toBeLessThan(bounds.failedCohortsMax)
          } else if (step === 'unwell' || step === 'refused') {
            expect(state.untilMs).toBeLessThanOrEqual(nowMs + 3_600_000)
            expect(state.untilMs).toBeGreaterThanOrEqual(0)
          }
        })
      }),
    )
  })

  it('grows by one place per cohort of healthy attempts, up to its maximum', () => {
    let state: WindowState = openWindow(LIMITS)
    for (let i = 0; i < 5; i++) state = afterHealthy(state, LIMITS, 5)
    expect(state).toMatchObject({ width: 6 })
    for (let i = 0; i < 1_000; i++) state = afterHealthy(state, LIMITS, 20)
    expect(state).toMatchObject({ width: 20 })
  })

  it('does not grow while its places are not used', () => {
    let state: WindowState = openWindow(LIMITS)
    for (let i = 0; i < 1_000; i++) state = afterHealthy(state, LIMITS, 1)
    expect(state).toMatchObject({ width: 6 })
  })

  it('keeps the same object when there is nothing to change', () => {
    const full = { ...openWindow(LIMITS), width: 20 }
    expect(afterHealthy(full, LIMITS, 20)).toBe(full)
  })

  it('loses a place at once and is suspended after one failed cohort', () => {
    let state: WindowState = openWindow(LIMITS)
    state = afterUnwell(state, LIMITS, 'refused', 0)
    expect(state).toMatchObject({ kind: 'open', width: 4 })
    let unwell = 1
    while (state.kind === 'open') {
      state = afterUnwell(state, LIMITS, 'refused', 0)
      unwell++
    }
    expect(unwell).toBeLessThanOrEqual(5)
    expect(state).toMatchObject({ kind: 'suspended', cause: 'hop', untilMs: 60_000, reason: 'refused' })
  })

  it('forgets failed cohorts after a healthy attempt', () => {
    const state = afterHealthy(afterUnwell(openWindow(LIMITS), LIMITS, 'refused', 0), LIMITS, 5)
    expect(state).toMatchObject({ failedCohorts: 0 })
  })

  it('starts again with one place and one probe, and is suspended longer each time a probe fails', () => {
    let state: WindowState = openWindow({ ...LIMITS, initial: 1 })
    const lengths: number[] = []
    for (let i = 0; i < 6; i++) {
      state = afterUnwell(state, LIMITS, 'refused', 0)
      if (state.kind === 'suspended') lengths.push(state.untilMs)
      state = afterSuspension(state)
      expect(state).toMatchObject({ kind: 'open', width: 1 })
      expect(isProbing(state)).toBe(true)
    }
    expect(lengths).toEqual([60_000, 120_000, 240_000, 480_000, 600_000, 600_000])
    expect(isProbing(afterHealthy(state, LIMITS, 1))).toBe(false)
  })

  it('opens early when an attempt from before comes back well, but not when a login was refused', () => {
    const suspended = afterUnwell({ ...openWindow(LIMITS), width: 1 }, LIMITS, 'refused', 0)
    expect(afterHealthy(suspended, LIMITS, 1)).toMatchObject({ kind: 'open', width: 1, relapses: 0 })
    const paused = afterCredentialRefused(openWindow(LIMITS), LIMITS, 'bad password', 0)
    expect(paused).toMatchObject({ kind: 'suspended', cause: 'credential', untilMs: 300_000 })
    expect(afterHealthy(paused, LIMITS, 1)).toBe(paused)
  })

  it('takes new limits at a reload, and a suspension becomes a probe', () => {
    expect(afterLimitsChanged({ ...openWindow(LIMITS), width: 20 }, { ...LIMITS, max: 7 })).toMatchObject({ width: 7 })
    expect(afterLimitsChanged(openWindow(LIMITS), { ...LIMITS, initial: 9 })).toMatchObject({ width: 9 })
    const suspended = afterUnwell({ ...openWindow(LIMITS), width: 1 }, LIMITS, 'refused', 0)
    expect(afterLimitsChanged(suspended, LIMITS)).toMatchObject({ kind: 'open', width: 1, relapses: 1 })
  })
})
