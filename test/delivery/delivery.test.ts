import { describe, expect, it } from 'vitest'
import { StoreFault } from '../../src/ports/store-fault.ts'
import {
  allUntried,
  createFakeTransport,
  deferredOutcome,
  deliverAll,
  deliveredOutcome,
  failedOutcome,
  hopUnwell,
  report,
  reportAll,
} from '../support/fake-transport.ts'
import { DAY, HOUR, MINUTE, makeRelay, useRigs } from './rig.ts'

const { start } = useRigs()

describe('a message', () => {
  it('is delivered at once, without a claim, when its lane has room', async () => {
    const { submit, state, clock, history, attempts } = await start()
    const one = await submit()
    expect(one.placements[0]?.kind).toBe('leased')
    await clock.settle()
    expect(state(one)).toBe('delivered')
    expect(history(one)).toEqual(['accepted', 'delivered'])
    expect(attempts).toMatchObject([{ outcome: 'delivered', status: '2.0.0', text: '250 2.0.0 Ok: queued as 4711', attempt: 1, lane: 'smtp:relay/-' }])
  })

  it('is counted as queue time, set-up and transfer, which add up to its delay', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, attempts } = await start({ smtp })
    await submit()
    await clock.advance(1_000)
    const [attempt] = smtp.attempts
    attempt?.finish({ ...deliverAll(attempt.batch), timings: { setupMs: 300, transferMs: 200, sessionUse: 1 } })
    await clock.settle()
    expect(attempts[0]).toMatchObject({ delayMs: 1_000, delays: [0, 500, 300, 200] })
  })

  it('goes out in one batch to all recipients of one lane, up to the limit of a transaction', async () => {
    const relays = new Map([['relay', { settings: makeRelay('relay', { recipientsPerTransaction: 3 }), credentials: [] }]])
    const { submit, clock, smtp, state } = await start({ settings: { relays } })
    const one = await submit({ to: ['a@x.test', 'b@x.test', 'c@x.test', 'd@x.test'] })
    await clock.settle()
    expect(smtp.attempts.map(({ batch }) => batch.recipients.length)).toEqual([3, 1])
    expect([0, 1, 2, 3].map((index) => state(one, index))).toEqual(['delivered', 'delivered', 'delivered', 'delivered'])
  })

  it('has an outcome for each recipient, and a bug of the transport defers its batch only', async () => {
    const smtp = createFakeTransport((batch) => {
      if (batch.message.header.subject === 'bug') throw new Error('no such thing')
      return deliverAll(batch)
    })
    const { submit, clock, state, notes } = await start({ smtp })
    const broken = await submit({ subject: 'bug' })
    const well = await submit()
    await clock.settle()
    expect([state(broken), state(well)]).toEqual(['queued', 'delivered'])
    expect(notes.some(({ level, text }) => level === 'error' && text.includes('no such thing'))).toBe(true)
  })

  it('is tried again after the delay when it is deferred, and an operator need not help', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, state, history } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    expect(state(one)).toBe('queued')
    smtp.answer = deliverAll
    await clock.advance(5 * MINUTE - 1_000)
    expect(state(one)).toBe('queued')
    await clock.advance(2_000)
    expect(state(one)).toBe('delivered')
    expect(history(one)).toEqual(['accepted', 'deferred', 'delivered'])
  })

  it('says in history that a duplicate is possible when the reply to the final dot was lost', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome({ scope: 'session', duplicatePossible: true })))
    const { submit, clock, store, attempts } = await start({ smtp })
    await submit()
    await clock.settle()
    expect(store.state.history.find(({ kind }) => kind === 'deferred')?.detail.duplicatePossible).toBe(true)
    expect(attempts[0]?.duplicatePossible).toBe(true)
  })

  it('without room in its lane waits in the store and is claimed when there is some', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, state, delivery } = await start({ smtp, settings: { readySetMax: 20, readyPerFlowMax: 10 } })
    const all = []
    for (let i = 0; i < 30; i++) all.push(await submit())
    expect(all.filter(({ placements }) => placements[0]?.kind === 'queued').length).toBeGreaterThan(10)
    await clock.settle()
    expect(delivery.lanes()[0]?.active).toBeLessThanOrEqual(2)
    smtp.answer = deliverAll
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.advance(1_000)
    expect(all.every((one) => state(one) === 'delivered')).toBe(true)
  })

  it('stays visible and is not sent when its content is damaged', async () => {
    const smtp = createFakeTransport(async (batch) => {
      await batch.openContent().catch(() => undefined)
      return hopUnwell(batch)
    })
    const { submit, clock, state, store, history, delivery } = await start({ smtp })
    store.bodies.open = () => Promise.reject(new StoreFault('damaged', 'hash differs'))
    const one = await submit()
    await clock.settle()
    expect(state(one)).toBe('held')
    expect(history(one)).toEqual(['accepted', 'quarantined'])
    expect(delivery.lanes()[0]?.state, 'the hop is not to blame').toBe('open')
  })
})

describe('recipients that were not tried', () => {
  it('go again at once when others of the batch went through, and the attempt is counted once', async () => {
    let round = 0
    const smtp = createFakeTransport((batch) => {
      round++
      const [first, ...rest] = batch.recipients
      const tried = [[first.recipient.id, deliveredOutcome()] as const]
      const untried = rest.map(({ recipient }) => [recipient.id, { kind: 'untried', reason: '452 4.5.3' } as const] as const)
      return report(new Map([...tried, ...untried]))
    })
    const { submit, clock, state, attempts } = await start({ smtp })
    const one = await submit({ to: ['a@x.test', 'b@x.test', 'c@x.test'] })
    await clock.settle()
    expect([0, 1, 2].map((index) => state(one, index))).toEqual(['delivered', 'delivered', 'delivered'])
    expect(round).toBe(3)
    expect(attempts.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  })

  it('are given back uncounted and tried again later when nothing went through, never in a hot loop', async () => {
    const smtp = createFakeTransport(allUntried)
    const { submit, clock, store, smtp: transport } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    const row = store.state.rows.get(one.message.envelope.recipients[0].id)
    expect(row).toMatchObject({ state: 'queued', attempts: 0 })
    const begun = transport.attempts.length
    expect(begun).toBe(2)
    await clock.advance(9_000)
    expect(transport.attempts.length).toBe(begun)
    smtp.answer = deliverAll
    await clock.advance(2_000)
    expect(row?.state).toBe('delivered')
    expect(row?.attempts).toBe(1)
  })
})

describe('the end of the lifetime', () => {
  it('brings one last attempt exactly then, and after it the message expires with one notice', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, state, attempts, notices } = await start({ smtp })
    const begun = clock.now()
    const one = await submit()
    smtp.answer = (batch) => (batch.message.origin.kind === 'dsn' ? deliverAll(batch) : reportAll(batch, deferredOutcome()))
    await clock.advance(5 * DAY + MINUTE)
    expect(state(one)).toBe('expired')
    const own = attempts.filter(({ from }) => from !== '<>')
    expect(own.at(-1)).toMatchObject({ outcome: 'expired' })
    expect(own.at(-1)?.delayMs).toBeGreaterThanOrEqual(5 * DAY)
    expect(own.at(-1)?.delayMs).toBeLessThan(5 * DAY + MINUTE)
    expect(clock.now() - begun).toBe(5 * DAY + MINUTE)
    const kinds = notices().map(({ text }) => /^Subject: (.*)\r$/m.exec(text)?.[1])
    expect(kinds).toEqual(['Delayed mail (still being tried)', 'Undelivered mail returned to sender (gave up trying)'])
  })

  it('tells of the delay once, after four hours, even if the lane was closed all the time', async () => {
    const smtp = createFakeTransport((batch) => (batch.message.origin.kind === 'dsn' ? reportAll(batch, deferredOutcome()) : hopUnwell(batch)))
    const { submit, clock, notices, history } = await start({ smtp })
    const all = []
    for (let i = 0; i < 10; i++) all.push(await submit({ from: `app${i}@sender.example` }))
    await clock.advance(4 * HOUR - MINUTE)
    expect(notices()).toEqual([])
    await clock.advance(10 * HOUR)
    expect(notices().length).toBe(10)
    expect(all.every((one) => history(one).filter((kind) => kind === 'delay-notice').length === 1)).toBe(true)
  })

  it('expires what waits behind a closed lane with the reason of the lane', async () => {
    const smtp = createFakeTransport(hopUnwell)
    const { submit, clock, state, store } = await start({
      smtp,
      settings: { retry: { greylistMs: 120_000, minDelayMs: MINUTE, maxDelayMs: HOUR, factor: 2, lifetimeMs: HOUR, jitter: 0 } },
    })
    const all = []
    for (let i = 0; i < 20; i++) all.push(await submit())
    await clock.advance(HOUR + 20 * MINUTE)
    expect(all.map((one) => state(one)).filter((kind) => kind === 'expired').length).toBe(20)
    expect(store.state.history.some(({ kind, detail }) => kind === 'expired' && detail.reason?.includes('connection refused') === true)).toBe(true)
  })

  it('does not bounce a queue because the wall clock jumped: one more attempt comes first', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, state } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    smtp.answer = deliverAll
    clock.jumpWall(40 * DAY)
    await clock.advance(2 * MINUTE)
    expect(state(one)).toBe('delivered')
  })
})

describe('a wall clock that is set back', () => {
  it('does not make mail wait for the time of before', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, state } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    smtp.answer = deliverAll
    clock.jumpWall(-3 * DAY)
    await clock.advance(2 * MINUTE)
    expect(state(one)).toBe('delivered')
  })
})

describe('a failed recipient', () => {
  it('is reported to the sender in the same commit', async () => {
    const smtp = createFakeTransport((batch) => (batch.message.origin.kind === 'dsn' ? deliverAll(batch) : reportAll(batch, failedOutcome())))
    const { submit, clock, state, history, notices, sentTo } = await start({ smtp })
    const one = await submit({ to: ['a@x.test', 'b@x.test'] })
    await clock.settle()
    await clock.advance(100)
    expect([state(one, 0), state(one, 1)]).toEqual(['failed', 'failed'])
    expect(history(one)).toEqual(['accepted', 'failed', 'dsn-queued', 'failed', 'dsn-queued'])
    expect(notices().map(({ to }) => to)).toEqual(['app@sender.example'])
    expect(sentTo().at(-1), 'the notice is delivered like any mail').toBe('app@sender.example')
  })
})
