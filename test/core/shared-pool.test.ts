import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { SharedPool } from '../../src/core/shared-pool.ts'

describe('shared memory', () => {
  it('is used again', () => {
    const pool = new SharedPool(1_000, 2)
    const piece = pool.take()
    expect(piece).toHaveLength(1_000)
    expect(piece?.buffer).toBeInstanceOf(SharedArrayBuffer)
    if (piece !== null) pool.give(piece)
    expect(pool.take()?.buffer).toBe(piece?.buffer)
  })
  it('is bounded: whoever gets none takes memory of his own', () => {
    const pool = new SharedPool(10, 3)
    const taken = Array.from({ length: 5 }, () => pool.take())
    expect(taken.map((piece) => piece === null)).toEqual([false, false, false, true, true])
    pool.give(taken[1] as Buffer)
    expect(pool.take()?.buffer).toBe(taken[1]?.buffer)
  })
  it('that was lost is replaced once it was collected', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const pool = new SharedPool(10, 1)
    pool.take()
    expect(pool.take()).toBeNull()
    let piece: Buffer | null = null
    while (piece === null) {
      collect()
      await new Promise((resolve) => setImmediate(resolve))
      piece = pool.take()
    }
    expect(piece).toHaveLength(10)
  })
})
