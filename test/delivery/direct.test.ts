/**
 * Direct delivery before anybody is dialled: the lane `lookup`, the lanes of sites, thousands of them.
 */
import { describe, expect, it } from 'vitest'
import { compileAddressPattern } from '../../src/core/pattern.ts'
import { enhanced } from '../../src/core/reply.ts'
import type { DestinationAnswer } from '../../src/ports/destinations.ts'
import { createFakeDestinations, type FakeDestinations, foundAt, refusedWith } from '../support/direct.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { createFakeTransport, deliverAll, hopUnwell } from '../support/fake-transport.ts'
import { HOUR, MINUTE, makeRule, makeSettings, type Rig, type RigOptions, useRigs } from './rig.ts'

const { start } = useRigs()
const DIRECT = [makeRule({ kind: 'mx' })]

async function startDirect(
  options: RigOptions & { readonly answer?: FakeDestinations['answer'] } = {},
): Promise<Rig & { readonly destinations: FakeDestinations }> {
  const clock = createFakeClock()
  const destinations = createFakeDestinations(clock, options.answer)
  const rig = await start({ ...options, clock, destinations, settings: { routes: DIRECT, ...options.settings } })
  return { ...rig, destinations }
}
const lanesOf = (rig: Rig) => rig.delivery.lanes().map((lane) => lane.lane)
const TIMEOUT = refusedWith(enhanced(4, 4, 3), 'the DNS does not answer')

describe('a domain that is not known', () => {
  it('is looked up, and its mail moves into the lane of its site as one attempt', async () => {
    const rig = await startDirect()
    const sent = await rig.submit({ to: ['one@rcpt.example'] })
    expect(sent.placements).toMatchObject([{ kind: 'leased', lane: 'lookup' }])
    await rig.clock.settle()
    expect(rig.state(sent)).toBe('delivered')
    expect(rig.history(sent)).toEqual(['accepted', 'delivered'])
    expect(rig.attempts).toMatchObject([{ lane: 'smtp:mx/mx.rcpt.example', attempt: 1 }])
    expect(rig.smtp.attempts[0]?.batch).toMatchObject({
      lane: 'smtp:mx/mx.rcpt.example',
      sessionsMax: 2,
      route: { kind: 'mx', destination: { site: 'mx.rcpt.example' } },
    })
  })

  it('is known the next time: placed in its lane, and asked about nobody', async () => {
    const rig = await startDirect()
    await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    const again = await rig.submit({ to: ['two@rcpt.example'] })
    expect(again.placements).toMatchObject([{ kind: 'leased', lane: 'smtp:mx/mx.rcpt.example' }])
    await rig.clock.settle()
    expect(rig.destinations.asked).toEqual(['rcpt.example'])
  })

  it('keeps its recipients apart from those of other domains, and together by message', async () => {
    const rig = await startDirect({ answer: () => foundAt('mx.hoster.example', Number.MAX_SAFE_INTEGER) })
    await rig.submit({ to: ['a@one.example', 'b@two.example', 'c@one.example'] })
    await rig.clock.settle()
    const batches = rig.smtp.attempts.map(({ batch }) => batch.recipients.map(({ recipient }) => recipient.forwardPath.localPart).join())
    expect(batches.sort()).toEqual(['a,c', 'b'])
    expect(lanesOf(rig)).toContain('smtp:mx/mx.hoster.example')
  })

  it('of a literal is looked up by its brackets', async () => {
    const rig = await startDirect()
    await rig.submit({ to: ['one@[192.0.2.7]'] })
    await rig.clock.settle()
    expect(rig.destinations.asked).toEqual(['[192.0.2.7]'])
  })
})

describe('a look-up that finds nobody', () => {
  it('defers with its own words, and closes no lane', async () => {
    const rig = await startDirect({ answer: () => TIMEOUT })
    const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => rig.submit({ to: [`one@d${i}.example`] })))
    await rig.clock.settle()
    expect(sent.map((one) => rig.state(one))).toEqual(Array(20).fill('queued'))
    expect(rig.attempts[0]).toMatchObject({ lane: 'lookup', outcome: 'deferred', status: '4.4.3', text: 'the DNS does not answer', relay: null })
    expect(rig.delivery.lanes().filter((lane) => lane.state !== 'open')).toEqual([])
    rig.destinations.answer = (domain) => foundAt(domain, Number.MAX_SAFE_INTEGER)
    await rig.clock.advance(5 * MINUTE)
    expect(sent.map((one) => rig.state(one))).toEqual(Array(20).fill('delivered'))
  })

  it('fails where the answer is final, and tells the sender', async () => {
    const rig = await startDirect({ answer: () => refusedWith(enhanced(5, 1, 10), 'the domain takes no mail') })
    const sent = await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    expect(rig.state(sent)).toBe('failed')
    expect(rig.notices()[0]?.text).toContain('the domain takes no mail')
    expect(rig.notices()[0]?.text).toContain('Status: 5.1.10')
  })

  it('does not hold up those whose servers are known', async () => {
    const rig = await startDirect()
    await rig.submit({ to: ['one@known.example'] })
    await rig.clock.settle()
    rig.destinations.answer = () => new Promise<DestinationAnswer>(() => undefined)
    for (let i = 0; i < 400; i++) await rig.submit({ to: [`one@dead${i}.example`] })
    const known = await rig.submit({ to: ['two@known.example'] })
    await rig.clock.settle()
    expect(rig.state(known)).toBe('delivered')
    expect(rig.delivery.lanes().find((lane) => lane.lane === 'lookup')).toMatchObject({ active: 256 })
  })
})

describe('what is known but over', () => {
  it('is looked up again in the place it holds in its lane', async () => {
    const rig = await startDirect({ answer: () => foundAt('mx.rcpt.example', MINUTE) })
    await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    await rig.clock.advance(HOUR)
    const sent = await rig.submit({ to: ['two@rcpt.example'] })
    expect(sent.placements).toMatchObject([{ lane: 'smtp:mx/mx.rcpt.example' }])
    await rig.clock.settle()
    expect(rig.state(sent)).toBe('delivered')
    expect(rig.destinations.asked).toEqual(['rcpt.example', 'rcpt.example'])
  })

  it('goes to another site when the domain has moved', async () => {
    const rig = await startDirect({ answer: () => foundAt('old.example', MINUTE) })
    await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    await rig.clock.advance(HOUR)
    rig.destinations.answer = () => foundAt('new.example', Number.MAX_SAFE_INTEGER)
    await rig.submit({ to: ['two@rcpt.example'] })
    await rig.clock.settle()
    expect(rig.attempts.map(({ lane }) => lane)).toEqual(['smtp:mx/old.example', 'smtp:mx/new.example'])
    expect(rig.delivery.lanes().every((lane) => lane.active === 0)).toBe(true)
  })
})

describe('a site that is down', () => {
  it('is suspended for all of its domains, and for nobody else', async () => {
    const rig = await startDirect({
      answer: (domain) => foundAt(domain === 'other.example' ? 'mx.other.example' : 'mx.hoster.example', Number.MAX_SAFE_INTEGER),
      smtp: createFakeTransport((batch) => (batch.lane === 'smtp:mx/mx.hoster.example' ? hopUnwell(batch) : deliverAll(batch))),
    })
    for (let i = 0; i < 4; i++) await rig.submit({ to: [`x@d${i}.example`] })
    await rig.clock.settle()
    expect(rig.delivery.lanes().find((lane) => lane.state === 'suspended')?.lane).toBe('smtp:mx/mx.hoster.example')
    const closed = await rig.submit({ to: ['y@d1.example'] })
    const other = await rig.submit({ to: ['y@other.example'] })
    await rig.clock.settle()
    expect(closed.placements).toMatchObject([{ kind: 'queued', lane: 'smtp:mx/mx.hoster.example' }])
    expect([rig.state(closed), rig.state(other)]).toEqual(['queued', 'delivered'])
    expect(rig.delivery.openLanes('mx')).toEqual(['smtp:mx/mx.hoster.example'])
  })
})

describe('a reload', () => {
  it('reroutes what is being looked up', async () => {
    let answer = (_: DestinationAnswer): void => undefined
    const rig = await startDirect({
      answer: () =>
        new Promise((resolve) => {
          answer = resolve
        }),
    })
    const sent = await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    rig.delivery.reload(makeSettings({ routes: [makeRule({ kind: 'capture' })] }))
    answer(foundAt('mx.rcpt.example', Number.MAX_SAFE_INTEGER))
    await rig.clock.settle()
    expect(rig.state(sent)).toBe('delivered')
    expect([rig.smtp.attempts.length, rig.capture.attempts.length]).toEqual([0, 1])
  })
})

describe('stopping', () => {
  it('gives back what is being looked up, uncounted', async () => {
    const rig = await startDirect({ answer: () => new Promise<DestinationAnswer>(() => undefined) })
    const sent = await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    const stopped = rig.delivery.stop(1_000)
    await rig.clock.advance(2_000)
    await stopped
    expect(rig.state(sent)).toBe('queued')
    expect(rig.store.state.rows.get(sent.message.envelope.recipients[0].id)?.attempts).toBe(0)
  })
})

describe('thousands of sites', () => {
  it('do not stay in memory when nobody uses them', async () => {
    const rig = await startDirect()
    for (let i = 0; i < 3_000; i++) {
      await rig.submit({ to: [`one@d${i}.example`] })
      if (i % 50 === 0) await rig.clock.settle()
    }
    await rig.clock.settle()
    expect(rig.smtp.attempts).toHaveLength(3_000)
    expect(lanesOf(rig).length).toBeLessThan(1_100)
  })

  it('that are down keep their state, and each is asked again in its time', async () => {
    const rig = await startDirect({ smtp: createFakeTransport(hopUnwell), settings: { routes: DIRECT, readySetMax: 10_000 } })
    for (let i = 0; i < 1_500; i++) await rig.submit({ to: [`one@d${i}.example`] })
    await rig.clock.settle()
    await rig.clock.advance(10_000)
    expect(rig.smtp.attempts).toHaveLength(1_500)
    rig.smtp.answer = deliverAll
    for (let i = 0; i < 60 && rig.smtp.attempts.length < 3_000; i++) await rig.clock.advance(10_000)
    expect(new Set(rig.sentTo()).size).toBe(1_500)
    expect([...rig.store.state.rows.values()].every((row) => row.state === 'delivered')).toBe(true)
  })

  it('are reached by name', async () => {
    const rig = await startDirect()
    await rig.submit({ to: ['one@rcpt.example'] })
    await rig.clock.settle()
    const answer = await rig.delivery.explain({ from: 'a@b.example', to: 'x@new.example', submitter: null, header: [] })
    expect(answer).toMatchObject({ lane: 'smtp:mx/mx.new.example', hosts: [{ name: 'mx.new.example', addresses: ['192.0.2.1'], tls: 'may' }], obstacle: null })
    rig.destinations.answer = () => TIMEOUT
    expect(await rig.delivery.explain({ from: 'a@b.example', to: 'x@dead.example', submitter: null, header: [] })).toMatchObject({
      lane: 'lookup',
      hosts: null,
      obstacle: '4.4.3 the DNS does not answer',
    })
  })

  it('are explained with what is demanded of the mail itself, and with servers that a policy closes', async () => {
    const tlsDemands = { rules: [{ from: null, to: compileAddressPattern('board@new.example'), level: 'verify' as const }], heedTlsRequiredNo: true }
    const rig = await startDirect({ settings: { tlsDemands } })
    const { destinations } = rig
    const closed = [{ name: 'mx0.new.example', preference: 5, reason: 'not in the policy' }] as const
    const before = destinations.answer
    destinations.answer = async (domain) => {
      const found = await before(domain)
      return found.kind === 'found' ? { ...found, destination: { ...found.destination, closed } } : found
    }
    const explain = (to: string, header: [string, string][] = []) => rig.delivery.explain({ from: 'a@b.example', to, submitter: null, header })
    expect(await explain('board@new.example')).toMatchObject({ tlsDemand: 'verify', closed, lane: 'smtp:mx/mx.new.example' })
    expect(await explain('you@new.example')).not.toHaveProperty('tlsDemand')
    expect(await explain('you@new.example', [['TLS-Required', 'No']])).toMatchObject({ tlsDemand: 'relaxed' })
  })

  it('by rule: some direct, some not', async () => {
    const rig = await startDirect({
      settings: {
        routes: [
          { ...makeRule({ kind: 'capture' }), match: { from: null, to: compileAddressPattern('*@inside.example'), submitter: null, header: [] } },
          ...DIRECT,
        ],
      },
    })
    await rig.submit({ to: ['a@inside.example', 'b@outside.example'] })
    await rig.clock.settle()
    expect(rig.attempts.map(({ lane }) => lane).sort()).toEqual(['capture', 'smtp:mx/mx.outside.example'])
  })
})
