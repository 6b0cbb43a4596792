import { describe, expect, it } from 'vitest'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { createFakeTransport, deferredOutcome, deliverAll, reportAll } from '../support/fake-transport.ts'
import { MINUTE, makeRelay, useRigs } from './rig.ts'

const { start } = useRigs()

describe('the store', () => {
  it('is asked again until it takes an outcome: a delivery that happened is never forgotten', async () => {
    const { submit, clock, state, store, smtp, notes } = await start()
    const one = await submit()
    store.fail(new StoreFault('io', 'disk gone'))
    await clock.advance(10 * MINUTE - 1_000)
    expect(smtp.attempts.length).toBe(1)
    expect(state(one)).toBe('leased')
    store.mend()
    await clock.advance(20_000)
    expect(state(one)).toBe('delivered')
    expect(smtp.attempts.length).toBe(1)
    expect(notes.some(({ level }) => level === 'error')).toBe(true)
  })

  it('gets outcomes in groups: what ends during one commit goes into the next', async () => {
    const sizes: number[] = []
    const { submit, clock } = await start({
      settings: { relays: new Map([['relay', { settings: makeRelay('relay', { sessionsInitial: 20, sessionsMax: 20 }), credentials: [] }]]) },
      queue: (queue) => ({
        ...queue,
        settle: (batch, notices) => {
          sizes.push(batch.length)
          return queue.settle(batch, notices)
        },
      }),
    })
    await Promise.all(Array.from({ length: 20 }, () => submit()))
    await clock.settle()
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(20)
    expect(sizes.length).toBeLessThan(10)
  })

  it('that cannot take one outcome for a bug of ours still gets all others', async () => {
    const bad = new Set<string>()
    const smtp = createFakeTransport('manual')
    const { submit, clock, state, notes } = await start({
      smtp,
      queue: (queue) => ({
        ...queue,
        settle: (batch, notices) =>
          batch.some(({ recipientId }) => bad.has(recipientId)) ? Promise.reject(new TypeError('cannot bind')) : queue.settle(batch, notices),
      }),
    })
    const all = []
    for (let i = 0; i < 2; i++) all.push(await submit())
    bad.add(all[0]?.message.envelope.recipients[0].id ?? '')
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.settle()
    expect(all.map((one) => state(one))).toEqual(['leased', 'delivered'])
    expect(notes.some(({ text }) => text.includes('cannot bind'))).toBe(true)
  })

  it('is not asked in a hot loop when it cannot give out mail', async () => {
    let claims = 0
    const { clock } = await start({
      queue: (queue) => ({
        ...queue,
        claimDue: () => {
          claims++
          return Promise.reject(new StoreFault('io', 'disk gone'))
        },
      }),
    })
    await clock.advance(10 * MINUTE)
    expect(claims).toBeGreaterThan(10)
    expect(claims).toBeLessThan(40)
  })
  it('gets a recipient back whose report was nonsense: its lease ends, and the others go on', async () => {
    let broken = true
    const smtp = createFakeTransport((batch) => {
      const once = reportAll(batch, deferredOutcome())
      if (!broken) return deliverAll(batch)
      broken = false
      return { ...once, outcomes: { get: () => Object.freeze({ kind: 'nonsense' }) } as never }
    })
    const { submit, clock, state, history, notes } = await start({ smtp })
    const one = await submit()
    const other = await submit()
    await clock.advance(1_000)
    expect([state(one), state(other)]).toEqual(['leased', 'delivered'])
    expect(notes.some(({ text }) => text.startsWith('an outcome could not be recorded'))).toBe(true)
    await clock.advance(20 * MINUTE)
    expect(history(one)).toEqual(['accepted', 'reclaimed', 'delivered'])
  })
})
