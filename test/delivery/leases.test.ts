/** The crash table of docs/queue.md, as far as delivery goes: dying counts, stopping does not. */
import { describe, expect, it } from 'vitest'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { allUntried, createFakeTransport, deferredOutcome, deliverAll, reportAll } from '../support/fake-transport.ts'
import { createMemoryStore } from '../support/memory-store.ts'
import { createRig, MINUTE, type Rig, useRigs } from './rig.ts'

const { start } = useRigs()

function rowOf(from: Rig, acceptance: Awaited<ReturnType<Rig['submit']>>) {
  const row = from.store.state.rows.get(acceptance.message.envelope.recipients[0].id)
  if (row === undefined) throw new Error('no such recipient')
  return row
}

/** A server that died with one attempt under way and the rest claimed. */
async function died(): Promise<{
  readonly clock: ReturnType<typeof createFakeClock>
  readonly store: ReturnType<typeof createMemoryStore>
  readonly all: Awaited<ReturnType<Rig['submit']>>[]
}> {
  const clock = createFakeClock()
  const store = createMemoryStore({ now: clock.now })
  const before = createRig({ clock, store, smtp: createFakeTransport('manual') })
  await before.delivery.start()
  const all = []
  for (let i = 0; i < 5; i++) all.push(await before.submit())
  await clock.settle()
  // Its timers die with it.
  const after = createFakeClock(clock.now())
  return { clock: after, store, all }
}

describe('after a crash', () => {
  it('whatever was leased is tried again after a pause, counted, with the possible duplicate in its history', async () => {
    const { clock, store, all } = await died()
    expect([...store.state.rows.values()].every((row) => row.state === 'leased')).toBe(true)
    const { state, history, smtp } = await start({ clock, store })
    expect(smtp.attempts, 'no hot loop: a pause comes first').toEqual([])
    await clock.advance(2 * MINUTE)
    for (const one of all) {
      expect(state(one)).toBe('delivered')
      expect(history(one)).toEqual(['accepted', 'reclaimed', 'delivered'])
    }
    expect(store.state.history.filter(({ kind }) => kind === 'reclaimed').every(({ detail }) => detail.duplicatePossible === true)).toBe(true)
    expect(all.map((one) => store.state.rows.get(one.message.envelope.recipients[0].id)?.attempts)).toEqual([2, 2, 2, 2, 2])
  })

  it('a message that was there at three crashes is quarantined and not tried any more', async () => {
    const clock = createFakeClock()
    const store = createMemoryStore({ now: clock.now })
    let one: Awaited<ReturnType<Rig['submit']>> | null = null
    for (let crash = 0; crash < 3; crash++) {
      const doomed = createRig({ clock: createFakeClock(clock.now() + crash * 10 * MINUTE), store, smtp: createFakeTransport('manual') })
      await doomed.delivery.start()
      one ??= await doomed.submit()
      await doomed.clock.advance(2 * MINUTE)
    }
    const later = await start({ clock: createFakeClock(clock.now() + 60 * MINUTE), store })
    await later.clock.advance(10 * MINUTE)
    expect(later.smtp.attempts).toEqual([])
    expect(one === null ? null : later.state(one)).toBe('held')
  })
})

describe('a lease', () => {
  it('is renewed as long as the attempt lasts, so that nobody else takes the mail', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, state } = await start({ smtp })
    const one = await submit()
    await clock.advance(55 * MINUTE)
    expect(smtp.attempts.length).toBe(1)
    expect(smtp.attempts[0]?.signal.aborted).toBe(false)
    smtp.attempts[0]?.finish(deliverAll(smtp.attempts[0].batch))
    await clock.settle()
    expect(state(one)).toBe('delivered')
  })

  it('that cannot be renewed is trusted no more before it ends: the attempt is aborted', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, store } = await start({ smtp })
    await submit()
    await clock.settle()
    store.fail(new StoreFault('io', 'disk gone'))
    await clock.advance(7 * MINUTE)
    expect(smtp.attempts[0]?.signal.aborted).toBe(false)
    await clock.advance(2.9 * MINUTE)
    expect(smtp.attempts[0]?.signal.aborted).toBe(true)
    smtp.attempts[0]?.finish(allUntried(smtp.attempts[0].batch))
    await clock.settle()
  })

  it('that was lost while we were alive settles nothing, and that is told', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, state, store, history, notes } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    await store.queue.reclaim({ now: clock.now(), dueAt: (clock.now() + 60 * MINUTE) as never, quarantineAfter: 9, all: true })
    smtp.attempts[0]?.finish(deliverAll(smtp.attempts[0].batch))
    await clock.settle()
    expect(state(one)).toBe('queued')
    expect(history(one)).toContain('lease-lost')
    expect(notes.some(({ text }) => text.includes('leases were lost'))).toBe(true)
  })

  it('is not taken for a dead one when the wall clock jumps ahead', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, history } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    clock.jumpWall(60 * MINUTE)
    await clock.advance(5 * MINUTE)
    expect(history(one)).not.toContain('reclaimed')
    expect(smtp.attempts.length).toBe(1)
    smtp.attempts[0]?.finish(deliverAll(smtp.attempts[0].batch))
    await clock.settle()
  })

  it('under which an attempt lasts for ever is given up in the end', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock } = await start({ smtp })
    await submit()
    await clock.advance(65 * MINUTE)
    expect(smtp.attempts[0]?.signal.aborted).toBe(true)
    smtp.attempts[0]?.finish(reportAll(smtp.attempts[0].batch, deferredOutcome({ scope: 'session' })))
    await clock.settle()
  })
})

describe('an orderly stop', () => {
  it('gives back what waits, uncounted, and lets attempts under way end', async () => {
    const smtp = createFakeTransport('manual')
    const current = await start({ smtp })
    const { submit, clock, state, delivery } = current
    const all = []
    for (let i = 0; i < 6; i++) all.push(await submit())
    await clock.settle()
    expect(smtp.open).toBe(2)
    let stopped = false
    const stopping = delivery.stop(10_000).then(() => {
      stopped = true
    })
    await clock.settle()
    expect(all.slice(2).map((one) => rowOf(current, one))).toMatchObject(all.slice(2).map(() => ({ state: 'queued', attempts: 0 })))
    expect(stopped).toBe(false)
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.settle()
    await stopping
    expect(all.slice(0, 2).map((one) => state(one))).toEqual(['delivered', 'delivered'])
    expect(smtp.attempts.length).toBe(2)
  })

  it('aborts at the deadline, and what was not sent is given back uncounted', async () => {
    const smtp = createFakeTransport((batch, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve(allUntried(batch)))))
    const current = await start({ smtp })
    const one = await current.submit()
    await current.clock.settle()
    const stopping = current.delivery.stop(10_000)
    await current.clock.advance(9_900)
    expect(rowOf(current, one).state).toBe('leased')
    await current.clock.advance(200)
    await stopping
    expect(rowOf(current, one)).toMatchObject({ state: 'queued', attempts: 0 })
  })

  it('does not wait for ever for an attempt that hears nothing: its lease is left to end', async () => {
    const current = await start({ smtp: createFakeTransport('manual') })
    const one = await current.submit()
    await current.clock.settle()
    const stopping = current.delivery.stop(1_000)
    await current.clock.advance(2_000)
    await stopping
    expect(rowOf(current, one).state).toBe('leased')
    expect(current.notes.some(({ text }) => text.startsWith('stopping although'))).toBe(true)
  })

  it('gives back what intake commits meanwhile', async () => {
    const current = await start()
    await current.delivery.stop(1_000)
    const one = await current.submit()
    await current.clock.settle()
    expect(rowOf(current, one)).toMatchObject({ state: 'queued', attempts: 0 })
    expect(current.smtp.attempts).toEqual([])
  })

  it('twice, or before a start, is harmless', async () => {
    const current = createRig()
    await current.delivery.stop(1_000)
    await current.delivery.start()
    await current.delivery.stop(1_000)
    await current.delivery.stop(1_000)
    expect(current.clock.pending).toBe(0)
  })
})
