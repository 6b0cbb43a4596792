import { describe, expect, it } from 'vitest'
import type { LaneKey } from '../../src/core/brand.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { CREDENTIAL_REFUSED, createFakeTransport, deferredOutcome, deliverAll, hopUnwell, reportAll } from '../support/fake-transport.ts'
import type { AcceptanceOptions } from '../support/make-message.ts'
import { makeAcceptance, queuedPlace } from '../support/make-message.ts'
import { createMemoryStore } from '../support/memory-store.ts'
import { HOUR, MINUTE, makeCredential, makeRelay, makeRule, makeSettings, useRigs } from './rig.ts'

const { start } = useRigs()

const twoRelays = {
  relays: new Map([
    ['dead', { settings: makeRelay('dead'), credentials: [] }],
    ['well', { settings: makeRelay('well'), credentials: [] }],
  ]),
  routes: [makeRule({ kind: 'relay', relay: 'dead', credential: null }, { to: 'dead.test' }), makeRule({ kind: 'relay', relay: 'well', credential: null })],
}

describe('a suspended lane', () => {
  it('keeps its mail in the store, uncounted, while other lanes flow', async () => {
    const smtp = createFakeTransport((batch) => (batch.lane.startsWith('smtp:dead') ? hopUnwell(batch) : deliverAll(batch)))
    const { submit, clock, state, store, delivery } = await start({ smtp, settings: twoRelays })
    const stuck = []
    const flowing = []
    for (let i = 0; i < 50; i++) {
      stuck.push(await submit({ to: ['a@dead.test'] }))
      flowing.push(await submit({ to: ['a@x.test'] }))
    }
    await clock.advance(1_000)
    expect(flowing.every((one) => state(one) === 'delivered')).toBe(true)
    expect(stuck.every((one) => state(one) === 'queued')).toBe(true)
    const tried = stuck.filter((one) => (store.state.rows.get(one.message.envelope.recipients[0].id)?.attempts ?? 0) > 0)
    expect(tried.length).toBeLessThanOrEqual(4)
    const status = delivery.lanes().find(({ lane }) => lane === 'smtp:dead/-')
    expect(status).toMatchObject({ state: 'suspended', width: 0, reason: 'connection refused', ready: 0 })
    expect(status?.until).toBeGreaterThan(clock.now())
  })

  it('shows its reason on mail that was never tried', async () => {
    const { submit, clock, store, smtp } = await start({ smtp: createFakeTransport('manual') })
    const all = []
    for (let i = 0; i < 5; i++) all.push(await submit())
    await clock.settle()
    for (const attempt of smtp.attempts) attempt.finish(hopUnwell(attempt.batch))
    await clock.settle()
    const last = all.at(-1)
    const row = last === undefined ? undefined : store.state.rows.get(last.message.envelope.recipients[0].id)
    expect(row).toMatchObject({ state: 'queued', attempts: 0, last: { text: 'connection refused', relay: 'smtp:relay/-' } })
  })

  it('takes new mail as queued, at once, without a claim for it', async () => {
    let claims = 0
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock, delivery } = await start({
      smtp,
      queue: (queue) => ({
        ...queue,
        claimDue: (request) => {
          claims++
          return queue.claimDue(request)
        },
      }),
    })
    await submit()
    await submit()
    await clock.settle()
    expect(delivery.lanes()[0]?.state).toBe('suspended')
    const before = claims
    for (let i = 0; i < 100; i++) expect((await submit()).placements[0]?.kind).toBe('queued')
    await clock.settle()
    expect(claims - before).toBeLessThanOrEqual(1)
  })

  it('is probed with one attempt at a time, ever more rarely while probes fail', async () => {
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock } = await start({ smtp })
    for (let i = 0; i < 200; i++) await submit()
    await clock.settle()
    const counts: number[] = []
    for (let minute = 0; minute < 60; minute++) {
      const before = smtp.attempts.length
      await clock.advance(MINUTE)
      counts.push(smtp.attempts.length - before)
    }
    expect(Math.max(...counts)).toBe(1)
    // 1 + 2 + 4 + 8 + 10 + 10 + 10 minutes: seven probes in an hour.
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(6)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(8)
  })

  it('recovers with one probe first and grows from there, and drains to the last message', async () => {
    const relays = new Map([['relay', { settings: makeRelay('relay', { sessionsInitial: 5, sessionsMax: 10 }), credentials: [] }]])
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock, state, delivery } = await start({ smtp, settings: { relays } })
    const all = []
    for (let i = 0; i < 300; i++) all.push(await submit())
    await clock.settle()
    smtp.answer = 'manual'
    const before = smtp.attempts.length
    await clock.advance(61_000)
    expect(smtp.attempts.length - before).toBe(1)
    smtp.answer = deliverAll
    smtp.attempts.at(-1)?.finish(deliverAll(smtp.attempts.at(-1)?.batch as never))
    await clock.advance(1_000)
    expect(delivery.lanes()[0]?.width).toBeGreaterThan(2)
    await clock.advance(10 * MINUTE)
    expect(all.every((one) => state(one) === 'delivered')).toBe(true)
  })

  it('opens when an operator says so, by the name of the relay', async () => {
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock, state, delivery } = await start({
      smtp,
      settings: { retry: { greylistMs: 120_000, minDelayMs: 1_000, maxDelayMs: HOUR, factor: 2, lifetimeMs: 100 * HOUR, jitter: 0 } },
    })
    const all = []
    for (let i = 0; i < 10; i++) all.push(await submit())
    await clock.settle()
    smtp.answer = deliverAll
    expect(delivery.openLanes('other')).toEqual([])
    expect(delivery.lanes()[0]?.state).toBe('suspended')
    expect(delivery.openLanes('relay')).toEqual(['smtp:relay/-'])
    expect(delivery.openLanes('relay'), 'nothing is closed any more').toEqual([])
    expect(delivery.lanes()[0]?.state).toBe('open')
    await clock.advance(5_000)
    expect(all.every((one) => state(one) === 'delivered')).toBe(true)
  })

  it('is probed after a reload, and has forgotten nothing', async () => {
    const relays = new Map([['relay', { settings: makeRelay('relay', { sessionsInitial: 5, sessionsMax: 10 }), credentials: [] }]])
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock, delivery } = await start({ smtp, settings: { relays } })
    for (let i = 0; i < 50; i++) await submit()
    await clock.settle()
    smtp.answer = 'manual'
    const before = smtp.attempts.length
    delivery.reload(makeSettings({ relays: new Map([['relay', { settings: makeRelay('relay', { sessionsInitial: 5, sessionsMax: 10 }), credentials: [] }]]) }))
    await clock.advance(1_000)
    expect(smtp.attempts.length - before, 'it does not come back in full').toBe(1)
    const [probe] = smtp.attempts.slice(before)
    probe?.finish(hopUnwell(probe.batch))
    await clock.settle()
    const status = delivery.lanes().find(({ lane }) => lane === 'smtp:relay/-')
    expect((status?.until ?? 0) - clock.now(), 'the second suspension is longer').toBe(2 * MINUTE)
    delivery.reload(
      makeSettings({ relays: new Map([['other', { settings: makeRelay('other'), credentials: [] }]]), routes: [makeRule({ kind: 'hold', reason: 'x' })] }),
    )
    expect(
      delivery.lanes().map(({ lane }) => lane),
      'the lane of a relay that is gone is gone',
    ).toEqual(['smtp:other/-'])
  })

  it('does not keep what it holds from a reload: its mail goes where the new route says', async () => {
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock, state, delivery, capture } = await start({ smtp })
    const all = []
    for (let i = 0; i < 10; i++) all.push(await submit())
    await clock.settle()
    delivery.reload(makeSettings({ routes: [makeRule({ kind: 'capture' })] }))
    await clock.advance(6 * MINUTE)
    expect(capture.attempts.length).toBe(10)
    expect(all.every((one) => state(one) === 'delivered')).toBe(true)
  })
})

describe('the lanes that are shown', () => {
  it('are those of every relay and login that is configured, used or not', async () => {
    const relays = new Map([
      ['relay', { settings: makeRelay(), credentials: [] }],
      [
        'google',
        { settings: makeRelay('google', { sessionsInitial: 3 }), credentials: [makeCredential('jira', ['jira@x.test']), makeCredential('mail', [], true)] },
      ],
    ])
    const { submit, clock, delivery } = await start({ settings: { relays } })
    await submit()
    await clock.settle()
    const lanes = delivery.lanes()
    expect(lanes.map(({ lane }) => lane)).toEqual(['smtp:relay/-', 'smtp:google/jira', 'smtp:google/mail'])
    expect(lanes[1]).toEqual({ lane: 'smtp:google/jira', state: 'open', width: 3, active: 0, ready: 0, until: null, reason: null })
  })
})

describe('a refused login', () => {
  it('pauses that credential only, defers and never fails', async () => {
    const settings = {
      relays: new Map([['relay', { settings: makeRelay(), credentials: [makeCredential('jira', ['jira@x.test']), makeCredential('wiki', [], true)] }]]),
    }
    const smtp = createFakeTransport((batch) =>
      batch.lane.endsWith('/jira')
        ? reportAll(batch, deferredOutcome({ scope: 'credential', text: '5.7.8 bad password' }), CREDENTIAL_REFUSED)
        : deliverAll(batch),
    )
    const { submit, clock, state, delivery } = await start({ smtp, settings })
    const refused = []
    for (let i = 0; i < 20; i++) refused.push(await submit({ from: 'jira@x.test' }))
    const other = await submit({ from: 'wiki@x.test' })
    await clock.settle()
    expect(state(other)).toBe('delivered')
    expect(refused.every((one) => state(one) === 'queued')).toBe(true)
    const tried = smtp.attempts.filter(({ batch }) => batch.lane.endsWith('/jira')).length
    expect(tried, 'more guesses lock accounts').toBeLessThanOrEqual(2)
    expect(delivery.lanes().find(({ lane }) => lane === 'smtp:relay/jira')).toMatchObject({ state: 'paused', reason: 'login refused' })
    await clock.advance(HOUR)
    expect(smtp.attempts.filter(({ batch }) => batch.lane.endsWith('/jira')).length - tried).toBeLessThanOrEqual(4)
  })
})

describe('fairness', () => {
  it("a flood of 5,000 does not delay another submitter's single mail by more than a few batches", async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock } = await start({ smtp, settings: { readySetMax: 1_000, readyPerFlowMax: 500 } })
    for (let i = 0; i < 5_000; i++) await submit({ from: 'flood@x.test', submitter: 'flood' })
    const single = await submit({ from: 'single@x.test', submitter: 'single' })
    expect(single.placements[0]?.kind, 'born leased although the flood has filled its share').toBe('leased')
    const begunBefore = smtp.attempts.length
    let batches = 0
    while (!smtp.attempts.some(({ batch }) => batch.message === single.message)) {
      const open = smtp.attempts[batches++]
      if (open === undefined) break
      open.finish(deliverAll(open.batch))
      await clock.settle()
    }
    expect(smtp.attempts.length - begunBefore).toBeLessThanOrEqual(4)
    smtp.answer = deliverAll
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.advance(10_000)
    expect(smtp.attempts.length).toBe(5_001)
  })

  it('after a restart one of each submitter goes before the second of any', async () => {
    const clock = createFakeClock()
    const store = createMemoryStore({ now: clock.now })
    const queued = (options: AcceptanceOptions) =>
      store.queue.enqueue(makeAcceptance({ acceptedAt: clock.now(), place: queuedPlace(clock.now(), 'smtp:relay/-' as LaneKey), ...options }))
    for (let i = 0; i < 300; i++) await queued({ submitter: 'flood' })
    await queued({ submitter: 'single', to: ['single@x.test'] })
    const { sentTo, smtp } = await start({ clock, store, smtp: createFakeTransport('manual') })
    expect(sentTo()).toContain('single@x.test')
    smtp.answer = deliverAll
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.advance(5_000)
    expect(sentTo().length).toBe(301)
  })

  it('never holds more leases than the ready set allows, whatever waits', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, store } = await start({ smtp, settings: { readySetMax: 100, readyPerFlowMax: 40 } })
    for (let i = 0; i < 600; i++) await submit({ submitter: `app${i % 7}` })
    await clock.settle()
    const leased = [...store.state.rows.values()].filter((row) => row.state === 'leased').length
    expect(leased).toBeLessThanOrEqual(125)
    smtp.answer = deliverAll
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.advance(30_000)
    expect([...store.state.rows.values()].every((row) => row.state === 'delivered')).toBe(true)
  })
})

describe('a backlog behind a dead relay', () => {
  it('costs a few claims a minute, not a loop', async () => {
    const clock = createFakeClock()
    const store = createMemoryStore({ now: clock.now })
    for (let i = 0; i < 2_000; i++)
      await store.queue.enqueue(
        makeAcceptance({ acceptedAt: clock.now(), place: queuedPlace(clock.now(), 'smtp:relay/-' as LaneKey), submitter: `app${i % 20}` }),
      )
    let claims = 0
    let settlements = 0
    await start({
      clock,
      store,
      smtp: createFakeTransport(hopUnwell),
      queue: (queue) => ({
        ...queue,
        claimDue: (request) => {
          claims++
          return queue.claimDue(request)
        },
        settle: (batch, notices) => {
          settlements += batch.length
          return queue.settle(batch, notices)
        },
      }),
    })
    const [firstClaims, firstSettlements] = [claims, settlements]
    await clock.advance(10 * MINUTE)
    expect(claims - firstClaims).toBeLessThan(60)
    expect(settlements - firstSettlements).toBeLessThan(60)
  })
})
