import { describe, expect, it } from 'vitest'
import type { LaneKey } from '../../src/core/brand.ts'
import type { Acceptance, QueueStore } from '../../src/ports/queue-store.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createFakeTransport, deferredOutcome, deliverAll, reportAll } from '../support/fake-transport.ts'
import { makeAcceptance, queuedPlace } from '../support/make-message.ts'
import { createMemoryStore } from '../support/memory-store.ts'
import { HOUR, MINUTE, makeRelay, makeRule, type Rig, useRigs } from './rig.ts'

const { start } = useRigs()

/** A store from before a restart with that much due mail. */
async function storeWith(count: number, submitter: (index: number) => string) {
  const clock = createFakeClock()
  const store = createMemoryStore({ now: clock.now })
  const place = queuedPlace(clock.now(), 'smtp:relay/-' as LaneKey)
  for (let i = 0; i < count; i++) await store.queue.enqueue(makeAcceptance({ acceptedAt: clock.now(), place, submitter: submitter(i) }))
  return { clock, store }
}

function leasedIn({ store }: Pick<Rig, 'store'>): number {
  return [...store.state.rows.values()].filter((row) => row.state === 'leased').length
}

/** Ends the oldest open attempts one by one. */
async function drain(rig: Rig, count: number, from: { next: number }): Promise<void> {
  for (let i = 0; i < count; i++) {
    const attempt = rig.smtp.attempts[from.next++]
    attempt?.finish(deliverAll(attempt.batch))
    await rig.clock.settle()
  }
}

describe('claims', () => {
  it('bring no more of one submitter than its share, and more when half of that is gone', async () => {
    const { clock, store } = await storeWith(500, () => 'flood')
    const smtp = createFakeTransport('manual')
    const rig = await start({ clock, store, smtp, settings: { readySetMax: 1_000, readyPerFlowMax: 100 } })
    expect(leasedIn(rig)).toBeGreaterThan(40)
    expect(leasedIn(rig)).toBeLessThanOrEqual(110)
    await drain(rig, 120, { next: 0 })
    expect(leasedIn(rig)).toBeGreaterThan(40)
    expect(leasedIn(rig)).toBeLessThanOrEqual(110)
  })

  it('are made as often as the lane drains, not for every message', async () => {
    const { clock, store } = await storeWith(1_000, () => 'flood')
    let claims = 0
    const queue = (inner: QueueStore): QueueStore => ({
      ...inner,
      claimDue: (request) => {
        claims++
        return inner.claimDue(request)
      },
    })
    const { smtp } = await start({ clock, store, queue, settings: { readySetMax: 1_000, readyPerFlowMax: 100 } })
    await clock.advance(10_000)
    expect(smtp.attempts.length).toBe(1_000)
    expect(claims).toBeLessThan(60)
  })

  it('stop when a backlog is gone: new mail is born leased again and costs none', async () => {
    const { clock, store } = await storeWith(300, () => 'flood')
    let claims = 0
    const queue = (inner: QueueStore): QueueStore => ({
      ...inner,
      claimDue: (request) => {
        claims++
        return inner.claimDue(request)
      },
    })
    const { submit, smtp } = await start({ clock, store, queue, settings: { readySetMax: 400, readyPerFlowMax: 40 } })
    await clock.advance(5_000)
    expect(smtp.attempts.length).toBe(300)
    const before = claims
    for (let i = 0; i < 50; i++) {
      expect((await submit({ submitter: 'flood' })).placements[0]?.kind).toBe('leased')
      await clock.settle()
    }
    expect(claims - before).toBeLessThanOrEqual(1)
  })

  it('leave a lane alone that is full enough, however often another one asks', async () => {
    const { clock, store } = await storeWith(500, () => 'flood')
    const place = queuedPlace(clock.now(), 'smtp:other/-' as LaneKey)
    for (let i = 0; i < 200; i++) await store.queue.enqueue(makeAcceptance({ acceptedAt: clock.now(), place, submitter: 'other', to: ['a@other.test'] }))
    const relays = new Map(['relay', 'other'].map((name) => [name, { settings: makeRelay(name), credentials: [] }]))
    const routes = [
      makeRule({ kind: 'relay', relay: 'other', credential: null }, { to: 'other.test' }),
      makeRule({ kind: 'relay', relay: 'relay', credential: null }),
    ]
    const smtp = createFakeTransport((batch) => (batch.lane === 'smtp:other/-' ? deliverAll(batch) : new Promise(() => undefined)))
    const rig = await start({ clock, store, smtp, settings: { relays, routes, readySetMax: 1_000, readyPerFlowMax: 40 } })
    await clock.advance(5_000)
    expect([...store.state.rows.values()].filter((row) => row.state === 'delivered').length).toBe(200)
    expect(leasedIn(rig)).toBeLessThanOrEqual(60)
  })

  it('go before new mail of a submitter with a backlog, so that a flood that goes on does not starve its own beginning', async () => {
    const { clock, store } = await storeWith(200, () => 'flood')
    const old = new Set([...store.state.messages.keys()])
    const smtp = createFakeTransport('manual')
    const rig = await start({ clock, store, smtp, settings: { readySetMax: 400, readyPerFlowMax: 40 } })
    const next = { next: 0 }
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 3; i++) await rig.submit({ submitter: 'flood' })
      await drain(rig, 3, next)
    }
    const sent = smtp.attempts.map(({ batch }) => old.has(batch.message.envelope.queueId))
    expect(sent.slice(0, 300).filter(Boolean).length, 'the old ones come first').toBeGreaterThan(190)
    smtp.answer = deliverAll
    await drain(rig, smtp.attempts.length - next.next, next)
    await clock.advance(10_000)
    expect(smtp.attempts.length).toBe(500)
  })

  it('find mail that was committed while a claim had just found nothing', async () => {
    let committed: (() => void) | null = null
    const queue = (inner: QueueStore): QueueStore => ({
      ...inner,
      enqueue: async (acceptance: Acceptance) => {
        if (acceptance.message.header.subject === 'slow')
          await new Promise<void>((resolve) => {
            committed = resolve
          })
        await inner.enqueue(acceptance)
      },
    })
    const smtp = createFakeTransport('manual')
    const rig = await start({ queue, smtp, settings: { readySetMax: 100, readyPerFlowMax: 4 } })
    for (let i = 0; i < 6; i++) await rig.submit({ submitter: 'flood' })
    const slow = rig.submit({ submitter: 'flood', subject: 'slow' })
    smtp.answer = deliverAll
    await drain(rig, 6, { next: 0 })
    await rig.clock.advance(100)
    const open: (() => void) | null = committed
    if (open === null) throw new Error('not queued')
    ;(open as () => void)()
    const acceptance = await slow
    await rig.clock.settle()
    expect(acceptance.placements[0]?.kind).toBe('queued')
    expect(rig.state(acceptance), 'at once, not after the sleep').toBe('delivered')
  })

  it('come in time for a retry that was settled while the store was asked for the next due time', async () => {
    let answer: (() => void) | null = null
    let slow = false
    const queue = (inner: QueueStore): QueueStore => ({
      ...inner,
      nextDueAt: async (closed) => {
        const at = await inner.nextDueAt(closed)
        if (slow)
          await new Promise<void>((resolve) => {
            answer = resolve
          })
        return at
      },
    })
    const smtp = createFakeTransport('manual')
    const retry = { greylistMs: 120_000, minDelayMs: 5_000, maxDelayMs: HOUR, factor: 2, lifetimeMs: 100 * HOUR, jitter: 0 }
    const { submit, clock, state, delivery } = await start({ queue, smtp, settings: { retry } })
    const one = await submit()
    await clock.settle()
    slow = true
    delivery.wake()
    await clock.settle()
    smtp.attempts[0]?.finish(reportAll(smtp.attempts[0].batch, deferredOutcome()))
    await clock.settle()
    slow = false
    const open = answer as (() => void) | null
    open?.()
    smtp.answer = deliverAll
    await clock.advance(6_000)
    expect(state(one)).toBe('delivered')
  })
})

describe('the ready set', () => {
  it('keeps a reserve: when floods have filled it, one mail of somebody else is still born leased', async () => {
    const smtp = createFakeTransport('manual')
    const { submit } = await start({ smtp, settings: { readySetMax: 100, readyPerFlowMax: 60 } })
    for (let i = 0; i < 200; i++) await submit({ submitter: i % 2 === 0 ? 'one' : 'other' })
    expect((await submit({ submitter: 'one' })).placements[0]?.kind).toBe('queued')
    expect((await submit({ submitter: 'single' })).placements[0]?.kind).toBe('leased')
  })

  it('gets back the places of messages that were abandoned', async () => {
    const { delivery, clock } = await start({ settings: { readySetMax: 10, readyPerFlowMax: 10 } })
    for (let i = 0; i < 50; i++) {
      const acceptance = makeAcceptance({ acceptedAt: clock.now() })
      const placements = delivery.admission.place(acceptance.message)
      expect(placements[0]?.kind).toBe('leased')
      delivery.admission.abandoned({ ...acceptance, placements })
    }
  })

  it('forgets nothing and counts nothing twice: a stop needs no time once all is settled', async () => {
    let rounds = 0
    const smtp = createFakeTransport((batch) => {
      const outcomes = new Map(batch.recipients.map(({ recipient }) => [recipient.id, { kind: 'untried', reason: 'not yet' } as const]))
      return rounds++ === 0 ? { ...deliverAll(batch), outcomes } : deliverAll(batch)
    })
    const { submit, clock, delivery } = await start({ smtp })
    const abandoned = makeAcceptance({ acceptedAt: clock.now() })
    delivery.admission.abandoned({ ...abandoned, placements: delivery.admission.place(abandoned.message) })
    await submit({ to: ['a@x.test', 'b@x.test'] })
    await clock.settle()
    expect(rounds).toBe(2)
    let stopped = false
    void delivery.stop(HOUR).then(() => {
      stopped = true
    })
    await clock.settle()
    expect(stopped).toBe(true)
  })
})

describe('mail that is never tried because its lane stays closed', () => {
  const lane = { failedCohortsMax: 1, suspendMs: { initial: 100 * HOUR, max: 100 * HOUR }, credentialPauseMs: { initial: HOUR, max: HOUR } }
  const unwell = () =>
    createFakeTransport((batch) =>
      batch.message.origin.kind === 'dsn'
        ? deliverAll(batch)
        : reportAll(batch, deferredOutcome({ scope: 'hop' }), { kind: 'unwell', status: { class: 4, subject: 4, detail: 1 }, reason: 'connection refused' }),
    )

  it('still brings its sender one notice of the delay, and keeps its place and its count', async () => {
    const { submit, clock, notices, store } = await start({ smtp: unwell(), settings: { lane } })
    for (let i = 0; i < 5; i++) await submit({ from: `app${i}@sender.example` })
    await clock.settle()
    const [last] = [...store.state.rows.values()].slice(-1)
    const before = { attempts: last?.attempts, dueAt: last?.dueAt }
    await clock.advance(4 * HOUR - MINUTE)
    expect(notices()).toEqual([])
    await clock.advance(3 * MINUTE)
    expect(
      notices()
        .map(({ to }) => to)
        .sort(),
    ).toEqual([0, 1, 2, 3, 4].map((i) => `app${i}@sender.example`))
    await clock.advance(5 * HOUR)
    expect(notices().length).toBe(5)
    expect({ attempts: last?.attempts, dueAt: last?.dueAt }).toEqual(before)
    expect(notices()[0]?.text).toContain('connection refused')
  })

  it('does not expire because the wall clock jumped, before its lane could be asked again', async () => {
    const graceful = { ...lane, suspendMs: { initial: 2 * HOUR, max: 2 * HOUR } }
    const smtp = unwell()
    const { submit, clock, state } = await start({ smtp, settings: { lane: graceful, delayNoticeAfterMs: null } })
    const all = []
    for (let i = 0; i < 5; i++) all.push(await submit())
    await clock.advance(3 * HOUR)
    expect(all.every((one) => state(one) === 'queued')).toBe(true)
    clock.jumpWall(40 * 24 * HOUR)
    await clock.advance(30 * MINUTE)
    expect(all.filter((one) => state(one) === 'expired').length).toBeLessThanOrEqual(1)
    smtp.answer = deliverAll
    await clock.advance(3 * HOUR)
    expect(all.filter((one) => state(one) === 'delivered').length).toBeGreaterThanOrEqual(4)
  })
})
