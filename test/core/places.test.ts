import { describe, expect, it } from 'vitest'
import { Places } from '../../src/core/places.ts'

describe('places', () => {
  it('are handed over in order, and nobody comes in between', async () => {
    const places = new Places(1, 10)
    const first = await places.take()
    const order: string[] = []
    const second = places.take().then((left) => {
      order.push('second')
      return left
    })
    const third = places.take().then((left) => {
      order.push('third')
      return left
    })
    first?.()
    // Comes while the place is being handed over.
    const late = places.take().then(() => order.push('late'))
    ;(await second)?.()
    ;(await third)?.()
    await late
    expect(order).toEqual(['second', 'third', 'late'])
  })
  it('have a line of a length', async () => {
    const places = new Places(1, 1)
    const left = await places.take()
    const waiting = places.take()
    expect(await places.take()).toBeNull()
    left?.()
    expect(await waiting).not.toBeNull()
  })
  it('that were given back can be taken again', async () => {
    const places = new Places(1, 0)
    for (let turn = 0; turn < 3; turn++) {
      const left = await places.take()
      expect(left).not.toBeNull()
      left?.()
    }
  })
})
