import { describe, expect, it } from 'vitest'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { createCheckpoints } from '../../src/store/sqlite/checkpoints.ts'
import { turnEventLoop } from '../support/fake-clock.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'

function setup() {
  const steps: string[] = []
  let release: () => void = () => undefined
  let fault: Error | null = null
  let syncFault: Error | null = null
  let free = 1e12
  const { onLogSize: tell } = createCheckpoints({
    beside: () => {
      steps.push('beside')
      if (fault !== null) return Promise.reject(fault)
      return new Promise<void>((resolve) => {
        release = resolve
      })
    },
    sync: () => {
      steps.push('sync')
      return syncFault === null ? Promise.resolve() : Promise.reject(syncFault)
    },
    finish: async () => {
      steps.push('finish')
      return 0
    },
    journal: { ...SILENT_JOURNAL, note: (_subsystem, level) => void steps.push(level) },
    freeOctets: () => free,
    onFailed: (reason) => void steps.push(`failed: ${reason}`),
    onLittleSpace: (reason) => void steps.push(reason),
  })
  const fail = (error: Error | null): void => {
    fault = error
  }
  const failSync = (error: Error): void => {
    syncFault = error
  }
  const shrink = (octets: number): void => {
    free = octets
  }
  return { steps, shrink, tell, release: () => release(), fail, failSync }
}

describe('checkpoints', () => {
  it('leave a short log alone', async () => {
    const { steps, tell } = setup()
    tell({ pages: 1_999, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual([])
  })
  it('move the bulk beside the writer and sync it, then what came meanwhile, then let the writer finish, once', async () => {
    const { steps, tell, release } = setup()
    tell({ pages: 2_000, freePages: 0 })
    tell({ pages: 5_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside'])
    release()
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'sync', 'beside'])
    release()
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'sync', 'beside', 'sync', 'finish'])
    tell({ pages: 2_000, freePages: 0 })
    expect(steps.at(-1)).toBe('beside')
  })
  it('are the work of the writer when the log outgrows the thread beside it', async () => {
    const { steps, tell } = setup()
    tell({ pages: 2_000, freePages: 0 })
    tell({ pages: 16_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'finish'])
  })
  it('that the closing store cuts short are no fault', async () => {
    const { steps, tell, fail } = setup()
    fail(new StoreFault('closed', 'the store is closed'))
    tell({ pages: 2_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside'])
  })
  it('that fail ask the disk whether anything was lost: only a sync that fails is told', async () => {
    const { steps, tell, fail, failSync } = setup()
    fail(new StoreFault('io', 'no thread'))
    tell({ pages: 2_000, freePages: 0 })
    await turnEventLoop()
    expect(steps).toEqual(['beside', 'warn', 'sync'])
    failSync(new StoreFault('io', 'EIO'))
    tell({ pages: 2_000, freePages: 0 })
    await turnEventLoop()
    expect(steps.slice(3)).toEqual(['beside', 'warn', 'sync', 'failed: EIO'])
  })
  it('need room: while the log might not fit into the database no new mail is taken', () => {
    const { steps, tell, shrink } = setup()
    shrink(14_000_000)
    tell({ pages: 500, freePages: 0 })
    expect(steps).toEqual([])
    tell({ pages: 1_900, freePages: 1_000 })
    expect(steps).toEqual([])
    tell({ pages: 1_900, freePages: 0 })
    expect(steps).toEqual(['the disk is nearly full'])
  })
  it('that fail are tried again at the next turn, and an overgrown log is told once', async () => {
    const { steps, tell, fail } = setup()
    fail(new Error('no'))
    tell({ pages: 2_000, freePages: 0 })
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
