import { describe, expect, it } from 'vitest'
import { createCheckpoints } from '../../src/store/sqlite/checkpoints.ts'
import { turnEventLoop } from '../support/fake-clock.ts'

function setup() {
  const steps: string[] = []
  let release: () => void = () => undefined
  let fault: Error | null = null
  const tell = createCheckpoints({
    beside: () => {
      steps.push('beside')
      if (fault !== null) return Promise.reject(fault)
      return new Promise<void>((resolve) => {
        release = resolve
      })
    },
    finish: async () => {
      steps.push('finish')
      return 0
    },
    journal: { accepted: () => undefined, attempt: () => undefined, note: (_subsystem, level) => void steps.push(level) },
  })
  const fail = (error: Error | null): void => {
    fault = error
  }
  return { steps, tell, release: () => release(), fail }
}

describe('checkpoints', () => {
  it('leave a short log alone', async () => {
    const { steps, tell } = setup()
    tell(3_999)
    await turnEventLoop()
    expect(steps).toEqual([])
  })
  it('move the bulk beside the writer, then let the writer finish, once', async () => {
    const { steps, tell, release } = setup()
    tell(4_000)
    tell(5_000)
    await turnEventLoop()
    expect(steps).toEqual(['beside'])
    release()
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'finish'])
    tell(4_000)
    expect(steps.at(-1)).toBe('beside')
  })
  it('are the work of the writer when the log outgrows the thread beside it', async () => {
    const { steps, tell } = setup()
    tell(4_000)
    tell(16_000)
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'finish'])
  })
  it('that fail are tried again at the next turn, and an overgrown log is told once', async () => {
    const { steps, tell, fail } = setup()
    fail(new Error('no'))
    tell(4_000)
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'warn'])
    fail(null)
    tell(300_000)
    tell(300_001)
    await turnEventLoop()
    expect(steps.filter((step) => step === 'beside')).toHaveLength(2)
    expect(steps.filter((step) => step === 'warn')).toHaveLength(2)
  })
})
