import { describe, expect, it } from 'vitest'
import { createFakeTransport, deferredOutcome, deliverAll, reportAll } from '../support/fake-transport.ts'
import { MINUTE, makeRule, makeSettings, useRigs } from './rig.ts'

const { start } = useRigs()

describe('routes', () => {
  const held = (reason: string) => [makeRule({ kind: 'hold', reason })]

  it('hold, discard and capture without dialling', async () => {
    const routes = [
      makeRule({ kind: 'hold', reason: 'looked at first' }, { to: 'hold.test' }),
      makeRule({ kind: 'discard' }, { to: 'discard.test' }),
      makeRule({ kind: 'capture' }, { to: 'capture.test' }),
    ]
    const { submit, clock, state, history, smtp, capture, attempts } = await start({ settings: { routes } })
    const one = await submit({ to: ['a@hold.test', 'b@discard.test', 'c@capture.test', 'd@nowhere.test'] })
    await clock.settle()
    expect([0, 1, 2, 3].map((index) => state(one, index))).toEqual(['held', 'delivered', 'delivered', 'held'])
    expect(history(one)).toEqual(expect.arrayContaining(['held', 'discarded', 'captured']))
    expect(smtp.attempts).toEqual([])
    expect(capture.attempts.length).toBe(1)
    expect(attempts.map(({ outcome }) => outcome).sort()).toEqual(['captured', 'discarded'])
  })

  it('hold everything while the configuration cannot be read', async () => {
    const { submit, clock, state, smtp } = await start({ settings: { holdAll: 'the configuration could not be read' } })
    const one = await submit()
    await clock.settle()
    expect(state(one)).toBe('held')
    expect(smtp.attempts).toEqual([])
  })

  it('are decided at each attempt: mail queued for a relay is captured after a reload', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, state, delivery, capture } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    delivery.reload(makeSettings({ routes: [makeRule({ kind: 'capture' })] }))
    await clock.advance(6 * MINUTE)
    expect(capture.attempts.length).toBe(1)
    expect(smtp.attempts.length).toBe(1)
    expect(state(one)).toBe('delivered')
  })

  it('reach what waits in a lane already: it is routed anew at a reload', async () => {
    const smtp = createFakeTransport('manual')
    const { submit, clock, state, delivery, capture } = await start({ smtp })
    const all = []
    for (let i = 0; i < 6; i++) all.push(await submit())
    await clock.settle()
    expect(smtp.attempts.length).toBe(2)
    delivery.reload(makeSettings({ routes: [makeRule({ kind: 'capture' })] }))
    await clock.settle()
    expect(capture.attempts.length).toBe(4)
    for (const attempt of smtp.attempts) attempt.finish(deliverAll(attempt.batch))
    await clock.settle()
    expect(all.every((one) => state(one) === 'delivered')).toBe(true)
  })

  it('that hold are passed over for mail that an operator lets go, and nothing else is', async () => {
    const routes = [
      makeRule({ kind: 'hold', reason: 'looked at first' }, { to: 'a.test' }),
      makeRule({ kind: 'capture' }, { to: 'capture.a.test' }),
      makeRule({ kind: 'relay', relay: 'relay', credential: null }, { to: 'a.test' }),
      makeRule({ kind: 'hold', reason: 'nobody else' }),
    ]
    const { submit, clock, state, delivery, store, sentTo } = await start({ settings: { routes } })
    const looked = await submit({ to: ['x@a.test'] })
    const other = await submit({ to: ['x@b.test'] })
    await clock.settle()
    expect([state(looked), state(other)]).toEqual(['held', 'held'])
    await store.admin.act('resume', {}, 'operator', clock.now())
    delivery.wake()
    await clock.advance(1_000)
    expect(sentTo()).toEqual(['x@a.test'])
    expect([state(looked), state(other)]).toEqual(['delivered', 'held'])
    expect(store.state.rows.get(other.message.envelope.recipients[0].id)?.holdReason).toBe('no route matches')
  })

  it('that hold reach queued mail, too', async () => {
    const smtp = createFakeTransport((batch) => reportAll(batch, deferredOutcome()))
    const { submit, clock, state, delivery, store } = await start({ smtp })
    const one = await submit()
    await clock.settle()
    delivery.reload(makeSettings({ routes: held('wait') }))
    await clock.advance(6 * MINUTE)
    expect(state(one)).toBe('held')
    expect(store.state.rows.get(one.message.envelope.recipients[0].id)?.holdReason).toBe('wait')
  })
})
