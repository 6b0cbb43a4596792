import { describe, expect, it } from 'vitest'
import { createCheckpoints } from '../../src/store/sqlite/checkpoints.ts'
import { turnEventLoop } from '../support/fake-clock.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'

function setup() {
  const steps: string[] = []
  let release: () => void = () => undefined
  let fault: Error | null = null
  let free = 1e12
  const { onLogSize: tell } = createCheckpoints({
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
    journal: { ...SILENT_JOURNAL, note: (_subsystem, level) => void steps.push(level) },
    freeOctets: () => free,
    onLittleSpace: (reason) => void steps.push(reason),
  })
  const fail = (error: Error | null): void => {
    fault = error
  }
  const shrink = (octets: number): void => {
    free = octets
  }
  return { steps, shrink, tell, release: () => release(), fail }
}

describe('checkpoints', () => {
  it('leave a short log alone', async () => {
    const { steps, tell } = setup()
    tell({ pages: 3_999, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual([])
  })
  it('move the bulk beside the writer, then let the writer finish, once', async () => {
    const { steps, tell, release } = setup()
    tell({ pages: 4_000, freePages: 0 })
    tell({ pages: 5_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside'])
    release()
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'finish'])
    tell({ pages: 4_000, freePages: 0 })
    expect(steps.at(-1)).toBe('beside')
  })
  it('are the work of the writer when the log outgrows the thread beside it', async () => {
    const { steps, tell } = setup()
    tell({ pages: 4_000, freePages: 0 })
    tell({ pages: 16_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'finish'])
  })
  it('need room: while the log might not fit into the database no new mail is taken', () => {
    const { steps, tell, shrink } = setup()
    shrink(20_000_000)
    tell({ pages: 1_000, freePages: 0 })
    expect(steps).toEqual([])
    tell({ pages: 3_000, freePages: 1_000 })
    expect(steps).toEqual([])
    tell({ pages: 3_000, freePages: 0 })
    expect(steps).toEqual(['the disk is nearly full'])
  })
  it('that fail are tried again at the next turn, and an overgrown log is told once', async () => {
    const { steps, tell, fail } = setup()
    fail(new Error('no'))
    tell({ pages: 4_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'warn'])
    fail(null)
    tell({ pages: 300_000, freePages: 0 })
    tell({ pages: 300_001, freePages: 0 })
    await turnEventLoop()
    expect(steps.filter((step) => step === 'beside')).toHaveLength(2)
    expect(steps.filter((step) => step === 'warn')).toHaveLength(2)
  })
})
