import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EpochMs, QueueId } from '../../src/core/brand.ts'
import {
  createQueueIds,
  firstQueueIdAt,
  parseQueueId,
  QUEUE_ID_LENGTH,
  queueIdFromNumber,
  queueIdToNumber,
  recipientId,
  splitRecipientId,
  timeOfQueueId,
} from '../../src/core/queue-id.ts'

const START = Date.UTC(2026, 0, 1) as EpochMs
const someNumber = fc.maxSafeNat()

describe('queue ids', () => {
  it('go to a number and back', () => {
    fc.assert(
      fc.property(someNumber, (value) => {
        const id = queueIdFromNumber(value)
        expect(id).toMatch(/^[0-9A-HJKMNP-TV-Z]{11}$/)
        expect(queueIdToNumber(id)).toBe(value)
      }),
    )
    expect(queueIdToNumber(queueIdFromNumber(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER)
  })

  it('tell the time at which they were made', () => {
    const next = createQueueIds(() => START, null)
    expect([next(), next(), next()].map(timeOfQueueId)).toEqual([START, START, START])
  })

  it('sort as text in the order of their numbers', () => {
    fc.assert(
      fc.property(someNumber, someNumber, (a, b) => {
        expect(queueIdFromNumber(a) < queueIdFromNumber(b)).toBe(a < b)
      }),
    )
  })

  it.each([-1, 1.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1])('are not made from %s', (value) => {
    expect(() => queueIdFromNumber(value)).toThrow(RangeError)
  })

  it('are read as an operator types them, and nothing else is', () => {
    const id = queueIdFromNumber(123_456_789_012)
    expect(parseQueueId(` ${id.toLowerCase()} `)).toBe(id)
    for (const text of ['', 'ABC', `${id}0`, id.slice(1), 'ILOU0000000', 'ZZZZZZZZZZZ', '../../etc/p', `${id.slice(1)}'`])
      expect(parseQueueId(text), text).toBeNull()
  })

  it('grow although the clock stands still or steps back', () => {
    let now = START
    const next = createQueueIds(() => now, null)
    const ids: QueueId[] = []
    for (let i = 0; i < 5000; i++) ids.push(next())
    now = (START - 86_400_000) as EpochMs
    for (let i = 0; i < 100; i++) ids.push(next())
    expect(new Set(ids).size).toBe(ids.length)
    expect([...ids].sort()).toEqual(ids)
  })

  it('begin above the highest one of the store', () => {
    const above = firstQueueIdAt((START + 3_600_000) as EpochMs)
    expect(createQueueIds(() => START, above)() > above).toBe(true)
  })

  it('are never below the first one of their millisecond', () => {
    const id = createQueueIds(() => START, null)()
    expect(id >= firstQueueIdAt(START)).toBe(true)
    expect(id < firstQueueIdAt((START + 1) as EpochMs)).toBe(true)
    expect(firstQueueIdAt(0 as EpochMs)).toBe('0'.repeat(QUEUE_ID_LENGTH))
  })
})

describe('recipient ids', () => {
  it('are a queue id and an index, and come apart again', () => {
    const queueId = queueIdFromNumber(42)
    expect(splitRecipientId(recipientId(queueId, 17))).toEqual({ queueId, index: 17 })
  })
  it('throw when they are none', () => {
    expect(() => splitRecipientId('nonsense' as never)).toThrow(RangeError)
    expect(() => splitRecipientId(`${'0'.repeat(11)}.x` as never)).toThrow(RangeError)
  })
})
