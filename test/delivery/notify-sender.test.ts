import { describe, expect, it } from 'vitest'
import type { Notify } from '../../src/core/envelope.ts'
import { enhanced } from '../../src/core/reply.ts'
import { createNoticeRate } from '../../src/delivery/notice-rate.ts'
import { decideNotice } from '../../src/delivery/notify-sender.ts'
import type { DsnKind } from '../../src/message/dsn.ts'
import { createFakeTransport, deferredOutcome, deliverAll, deliveredOutcome, failedOutcome, report, reportAll } from '../support/fake-transport.ts'
import { makeReversePath } from '../support/make-message.ts'
import { HOUR, MINUTE, makeSettings, useRigs } from './rig.ts'

const { start } = useRigs()

const failing = () => createFakeTransport((batch) => (batch.message.origin.kind === 'dsn' ? deliverAll(batch) : reportAll(batch, failedOutcome())))
const dsn = { ...makeSettings().dsn }

describe('whether a notice is due (RFC 3461)', () => {
  const table: [Notify, DsnKind, string][] = [
    [null, 'failed', 'send'],
    [null, 'expired', 'send'],
    [null, 'delayed', 'send'],
    [null, 'relayed', 'not-asked'],
    [null, 'delivered', 'not-asked'],
    ['never', 'failed', 'not-asked'],
    ['never', 'delayed', 'not-asked'],
    [['failure'], 'failed', 'send'],
    [['failure'], 'expired', 'send'],
    [['failure'], 'delayed', 'not-asked'],
    [['delay'], 'delayed', 'send'],
    [['delay'], 'failed', 'not-asked'],
    [['success'], 'relayed', 'send'],
    [['success'], 'delivered', 'send'],
    [['failure'], 'delivered', 'not-asked'],
    [['success'], 'failed', 'not-asked'],
    [['success', 'failure', 'delay'], 'relayed', 'send'],
  ]
  it.each(table)('NOTIFY %j and %s: %s', (notify, kind, decision) => {
    expect(decideNotice(kind, notify, makeReversePath('a@x.test'))).toBe(decision)
    expect(decideNotice(kind, notify, makeReversePath('<>')), 'the null reverse-path is never answered').toBe('null-path')
  })
})

describe('a notice', () => {
  it('goes for some recipients of a batch and not for others, as each asked', async () => {
    const smtp = createFakeTransport((batch) => {
      if (batch.message.origin.kind === 'dsn') return deliverAll(batch)
      return report(new Map(batch.recipients.map(({ recipient }, index) => [recipient.id, index === 0 ? deliveredOutcome(true) : failedOutcome()])))
    })
    const { submit, clock, notices } = await start({ smtp })
    await submit({ to: ['well@x.test', 'bad@x.test'], notify: ['success', 'failure'] })
    await clock.advance(100)
    expect(
      notices()
        .map(({ text }) => /Action: (\w+)/.exec(text)?.[1])
        .sort(),
    ).toEqual(['failed', 'relayed'])
    expect(notices().every(({ text }) => text.includes('well@x.test') !== text.includes('bad@x.test'))).toBe(true)
  })

  it('is one for all recipients that failed together', async () => {
    const { submit, clock, notices } = await start({ smtp: failing() })
    await submit({ to: ['a@x.test', 'b@x.test', 'c@x.test'] })
    await clock.advance(100)
    expect(notices().length).toBe(1)
    expect(notices()[0]?.text.match(/Action: failed/g)?.length).toBe(3)
  })

  it('is not sent for success when the peer reports itself, nor for NOTIFY=NEVER', async () => {
    const { submit, clock, notices, smtp } = await start()
    await submit({ notify: ['success'] })
    smtp.answer = (batch) => reportAll(batch, failedOutcome())
    await submit({ notify: 'never' })
    await clock.advance(100)
    expect(notices()).toEqual([])
  })

  it('is never sent for a delay that was not asked for, and the store is not asked again and again', async () => {
    let aged = 0
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, notices } = await start({
      smtp,
      queue: (queue) => ({
        ...queue,
        claimAged: async (request) => {
          const found = await queue.claimAged(request)
          aged += found.length
          return found
        },
      }),
    })
    await submit({ notify: ['failure'] })
    await submit({ from: '<>' })
    await clock.advance(10 * HOUR)
    expect(notices()).toEqual([])
    expect(aged).toBeLessThanOrEqual(2)
  })

  it('names its id in the history of the recipient, and is itself from nobody and asks for nothing', async () => {
    const { submit, clock, notices, store } = await start({ smtp: failing() })
    await submit({ from: 'App+tag@sender.example' })
    await clock.advance(100)
    const [notice] = notices()
    expect(store.state.history.find(({ kind }) => kind === 'dsn-queued')?.detail.noticeId).toBe(notice?.queueId)
    expect(notice?.to, 'the sender byte for byte').toBe('App+tag@sender.example')
    const message = notice === undefined ? undefined : store.state.messages.get(notice.queueId)
    expect(message?.envelope).toMatchObject({ reversePath: { kind: 'null' }, recipients: [{ notify: 'never', originalRecipient: null }] })
  })

  it('returns the header only of what could not be passed on as it is, or it would meet the same obstacle', async () => {
    const { submit, clock, notices, smtp } = await start({ smtp: failing() })
    await submit()
    await clock.advance(100)
    expect(notices()[0]?.text).toContain('Content-Type: message/rfc822')
    const refused = failedOutcome()
    if (refused.kind !== 'failed') throw new Error('a failure is a failure')
    smtp.answer = (batch) => (batch.message.origin.kind === 'dsn' ? deliverAll(batch) : reportAll(batch, { ...refused, status: enhanced(5, 6, 3) }))
    await submit()
    await clock.advance(100)
    expect(notices()[1]?.text).toContain('Content-Type: text/rfc822-headers')
  })

  it('is made even though the content is gone', async () => {
    const { submit, clock, notices, store } = await start({ smtp: failing() })
    const { open } = store.bodies
    store.bodies.open = () => Promise.reject(new Error('gone'))
    await submit({ subject: 'What it was about' })
    await clock.advance(100)
    store.bodies.open = open
    expect(notices()[0]?.text).toContain('What it was about')
  })
})

describe('backscatter', () => {
  it('is limited: a thousand failures for one sender are not a thousand notices, and each that was kept back is noted', async () => {
    const { submit, clock, notices, store, delivery } = await start({ smtp: failing(), settings: { dsn: { ...dsn, perSenderPerHourMax: 10 } } })
    for (let i = 0; i < 100; i++) {
      await submit({ from: 'noisy@x.test' })
      await clock.settle()
    }
    await submit({ from: 'quiet@x.test' })
    await clock.advance(1_000)
    expect(notices().filter(({ to }) => to === 'noisy@x.test').length).toBe(10)
    expect(notices().filter(({ to }) => to === 'quiet@x.test').length).toBe(1)
    expect(store.state.history.filter(({ kind }) => kind === 'dsn-suppressed').length).toBe(90)
    expect(delivery.counters()).toMatchObject({ failed: 101, noticesSuppressed: 90 })
    await clock.advance(HOUR)
    await submit({ from: 'noisy@x.test' })
    await clock.advance(1_000)
    const told = notices()
      .filter(({ to }) => to === 'noisy@x.test')
      .map(({ text }) => text.replace(/\r\n */g, ' '))
    expect(told.map((text) => /the last one for now/.test(text))).toEqual([...Array.from({ length: 9 }, () => false), true, false])
    expect(told.map((text) => /(\d+) earlier notices/.exec(text)?.[1]).filter((count) => count !== undefined)).toEqual(['90'])
  })

  it('never answers a message from nobody, but keeps it visible', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, failedOutcome()))
    const { submit, clock, notices, history, notes } = await start({ smtp })
    const one = await submit({ from: '<>' })
    await clock.advance(MINUTE)
    expect(notices()).toEqual([])
    expect(history(one)).toEqual(['accepted', 'failed', 'dsn-suppressed'])
    expect(notes.some(({ level, text }) => level === 'warn' && text.includes('without a sender'))).toBe(true)
  })

  it('ends at the postmaster: he gets a copy of an undeliverable notice, and nobody hears of it when he cannot be reached', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, failedOutcome()))
    const { submit, clock, notices } = await start({ smtp, settings: { dsn: { ...dsn, postmaster: 'postmaster@postern.test' } } })
    await submit({ from: 'app@gone.test' })
    await clock.advance(10 * MINUTE)
    expect(notices().map(({ to }) => to)).toEqual(['app@gone.test', 'postmaster@postern.test'])
  })
})

describe('the limit per sender', () => {
  it('counts each sender for itself and an hour from its first notice', () => {
    const rate = createNoticeRate()
    const first = { keptBack: 0, last: false }
    const last = { keptBack: 0, last: true }
    expect([rate.take('a', 2, 0), rate.take('a', 2, 1), rate.take('a', 2, 2), rate.take('b', 2, 3)]).toEqual([first, last, null, first])
    expect(rate.take('a', 2, HOUR - 1)).toBeNull()
    expect(rate.take('c', 0, 0)).toBeNull()
  })

  it('tells how many were kept back with the next one that is sent, even after others came between', () => {
    const rate = createNoticeRate()
    for (let i = 0; i < 5; i++) rate.take('a', 2, i)
    rate.take('b', 2, 2 * HOUR)
    expect(rate.take('a', 2, 2 * HOUR)).toEqual({ keptBack: 3, last: false })
    expect(rate.take('a', 2, 4 * HOUR)).toEqual({ keptBack: 0, last: false })
  })

  it('does not grow with the number of senders', () => {
    const rate = createNoticeRate()
    for (let i = 0; i < 30_000; i++) expect(rate.take(`sender${i}`, 1, 0)).not.toBeNull()
    expect(rate.take('sender29999', 1, 1)).toBeNull()
    expect(rate.take('sender0', 1, 1), 'forgotten: one notice too many at worst').not.toBeNull()
  })
})
