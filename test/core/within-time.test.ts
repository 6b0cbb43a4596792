import { describe, expect, it } from 'vitest'
import { withinTime } from '../../src/core/within-time.ts'
import { createFakeClock } from '../support/fake-clock.ts'

describe('what is wanted within a time', () => {
  it('counts if it comes in time, and no timer stays', async () => {
    const clock = createFakeClock()
    const { promise, resolve } = Promise.withResolvers<string>()
    const answer = withinTime(promise, clock, 1_000, 'late')
    await clock.advance(999)
    resolve('in time')
    expect(await answer).toBe('in time')
    await clock.settle()
    expect(clock.pending).toBe(0)
  })
  it('counts no more afterwards, whatever comes', async () => {
    const clock = createFakeClock()
    const { promise, reject } = Promise.withResolvers<string>()
    const answer = withinTime(promise, clock, 1_000, 'late')
    await clock.advance(1_000)
    expect(await answer).toBe('late')
    reject(new Error('too late to matter'))
  })
  it('is refused as it is refused', async () => {
    const answer = withinTime(Promise.reject(new Error('broken')), createFakeClock(), 1_000, 'late')
    await expect(answer).rejects.toThrow('broken')
  })
})
