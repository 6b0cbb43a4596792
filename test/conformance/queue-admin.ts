/**
 * What every `QueueAdmin` does: lists, filters, pages, acts, stories, history, backup.
 */
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LaneKey } from '../../src/core/brand.ts'
import type { QueueFilter } from '../../src/ports/queue-admin.ts'
import type { Acceptance } from '../../src/ports/queue-store.ts'
import { heldPlace, LANE, leasedPlace, makeAcceptance, NOON, queuedPlace } from '../support/make-message.ts'
import type { OpenStoreUnderTest, StoreUnderTest } from '../support/store-under-test.ts'
import { makeTempFolder } from '../support/temp-folder.ts'
import { claimAll, firstOf, later, refOf, settlement } from './queue-steps.ts'

const GOOGLE = 'smtp:google/jira' as LaneKey
const ALL = { limit: 1_000, after: null }

export function exerciseQueueAdmin(name: string, open: OpenStoreUnderTest): void {
  describe(`queue admin: ${name}`, () => {
    describe('looking', () => exerciseLooking(open))
    describe('filters', () => exerciseFilters(open))
    describe('lanes by name', () => exerciseLaneNames(open))
    describe('acts', () => exerciseActs(open))
    describe('acts on leased recipients', () => exercisePending(open))
    describe('history', () => exerciseHistory(open))
    describe('backup', () => exerciseBackup(open))
  })
}

async function add(store: StoreUnderTest, options: Parameters<typeof makeAcceptance>[0] = {}): Promise<Acceptance> {
  const acceptance = makeAcceptance(options)
  await store.queue.enqueue(acceptance)
  return acceptance
}
async function rowOf(store: StoreUnderTest, acceptance: Acceptance) {
  return (await store.admin.story(acceptance.message.envelope.queueId))?.recipients[0]
}

function exerciseLooking(open: OpenStoreUnderTest): void {
  it('counts what waits, by lane', async () => {
    const store = await open()
    expect(await store.admin.counts()).toEqual({ queued: 0, deferred: 0, leased: 0, held: 0, oldestAcceptedAt: null, byLane: [] })
    await add(store, { acceptedAt: later(-5_000), place: queuedPlace(NOON, GOOGLE) })
    const [leased] = await store.queue.claimDue(claimAll())
    await store.queue.settle([settlement(refOf(leased), { event: 'defer', dueAt: later(9), lane: GOOGLE })], [])
    await add(store)
    await add(store, { place: leasedPlace('t') })
    await add(store, { acceptedAt: later(-9_000), place: heldPlace('x') })
    expect(await store.admin.counts()).toEqual({
      queued: 2,
      deferred: 1,
      leased: 1,
      held: 1,
      oldestAcceptedAt: later(-9_000),
      byLane: [
        { lane: GOOGLE, queued: 1 },
        { lane: LANE, queued: 1 },
      ],
    })
  })
  it('lists by age, whatever the state, and pages without a gap', async () => {
    const store = await open()
    const places = [queuedPlace(), leasedPlace('t'), heldPlace('x'), queuedPlace(later(-9)), queuedPlace()]
    const made: Acceptance[] = []
    for (const place of places) made.push(await add(store, { to: ['a@x.example', 'b@x.example'], place }))
    const seen: string[] = []
    let after: string | null = null
    do {
      const page: Awaited<ReturnType<typeof store.admin.list>> = await store.admin.list({}, { limit: 3, after })
      seen.push(...page.rows.map((row) => row.recipientId))
      after = page.next
    } while (after !== null)
    expect(seen).toEqual(made.flatMap((one) => one.message.envelope.recipients.map((recipient) => recipient.id)))
  })
  it('shows of each recipient what a list needs', async () => {
    const store = await open()
    const acceptance = await add(store, { from: '<>', to: ['ann@x.example'], subject: 'Hällo', submitter: 'login:jira', content: 'x\r\n' })
    expect((await store.admin.list({}, ALL)).rows).toEqual([
      {
        recipientId: firstOf(acceptance),
        queueId: acceptance.message.envelope.queueId,
        state: 'queued',
        acceptedAt: NOON,
        sizeOctets: 3,
        sender: '<>',
        recipient: 'ann@x.example',
        submitter: 'login:jira',
        subject: 'Hällo',
        lane: LANE,
        attempts: 0,
        dueAt: NOON,
        finishedAt: null,
        lastStatus: null,
        lastText: null,
        lastRelay: null,
        holdReason: null,
      },
    ])
  })
  it('finds messages by address, either side, in any case, newest first', async () => {
    const store = await open()
    const first = await add(store, { from: 'Jira@x.example', to: ['ann@y.example'] })
    await add(store, { from: 'other@x.example', to: ['bob@y.example'] })
    const third = await add(store, { from: 'x@x.example', to: ['bob@y.example', 'jira@X.example'.toLowerCase()] })
    const found = [third, first].map((one) => one.message.envelope.queueId)
    expect(await store.admin.findByAddress('JIRA@x.example', 10)).toEqual(found)
    expect(await store.admin.findByAddress('jira@x.example', 1)).toEqual(found.slice(0, 1))
    expect(await store.admin.findByAddress('jira', 10)).toEqual([])
  })
  it('finds messages by the address before rewriting', async () => {
    const store = await open()
    const { message } = await add(store, { to: ['catchall@x.example'], originalRecipient: 'rfc822;bob+2Bnews@y.example' })
    await add(store, { to: ['catchall@x.example'], originalRecipient: 'rfc822;abob+2Bnews@y.example' })
    expect(await store.admin.findByAddress('Bob+news@y.example', 10)).toEqual([message.envelope.queueId])
    expect(await store.admin.findByAddress('news@y.example', 10)).toEqual([])
  })
  it('keeps why a recipient could not be rewritten', async () => {
    const store = await open()
    const { message } = await add(store, { unrewritten: 'no table' })
    const story = await store.admin.story(message.envelope.queueId)
    expect(story?.message.envelope.recipients.map(({ unrewritten }) => unrewritten)).toEqual(['no table'])
  })
  it('gives content with its prefix, as it would be sent', async () => {
    const store = await open()
    const { message } = await add(store, { prefix: 'Received: x\r\n', content: 'Subject: y\r\n\r\nz\r\n' })
    const content = await store.admin.content(message.envelope.queueId)
    const parts: Uint8Array[] = []
    for await (const chunk of content?.chunks() ?? []) parts.push(chunk)
    expect(Buffer.concat(parts).toString()).toBe('Received: x\r\nSubject: y\r\n\r\nz\r\n')
    expect(content?.sizeOctets).toBe(Buffer.concat(parts).byteLength)
    expect(await store.admin.content(makeAcceptance().message.envelope.queueId)).toBeNull()
    expect(await store.admin.story(makeAcceptance().message.envelope.queueId)).toBeNull()
  })
  it('gives large content with its prefix in chunks', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ content: null, sizeOctets: 600_000, prefix: 'P: 1\r\n' })
    const writer = store.bodies.put(acceptance.message.bodyRef)
    await writer.write(new Uint8Array(600_000).fill(65))
    await writer.finish()
    await store.queue.enqueue(acceptance)
    let octets = 0
    for await (const chunk of (await store.admin.content(acceptance.message.envelope.queueId))?.chunks() ?? []) octets += chunk.byteLength
    expect(octets).toBe(600_006)
  })
}

function exerciseFilters(open: OpenStoreUnderTest): void {
  it('finds by state, address, relay, age, reply and deferral, and by all of them together', async () => {
    const store = await open()
    const a = await add(store, { from: 'jira@corp.example', to: ['ann@x.example'], place: queuedPlace(NOON, GOOGLE), acceptedAt: later(-10_000) })
    const [leased] = await store.queue.claimDue(claimAll())
    const last = { status: '4.7.0', text: '421 4.7.0 Try again LATER', relay: 'smtp.google.example' }
    await store.queue.settle([settlement(refOf(leased), { event: 'defer', dueAt: later(9), lane: GOOGLE }, { last })], [])
    const b = await add(store, { from: '<>', to: ['bob@y.example'] })
    const c = await add(store, { from: 'wiki@corp.example', to: ['carl@x.example'], place: heldPlace('held by ops') })
    const d = await add(store, { from: 'jira@corp.example', to: ['dora@z.example'], place: leasedPlace('t') })
    await store.queue.settle([settlement({ recipientId: firstOf(d), token: 't' as never }, { event: 'fail' })], [])
    const names = new Map([a, b, c, d].map((one, index) => [one.message.envelope.queueId as string, 'abcd'.charAt(index)]))
    const cases: readonly (readonly [QueueFilter, string])[] = [
      [{}, 'abcd'],
      [{ states: ['queued'] }, 'ab'],
      [{ states: ['held', 'failed'] }, 'cd'],
      [{ states: ['delivered', 'queued'] }, 'ab'],
      [{ states: [] }, ''],
      [{ sender: 'JIRA@' }, 'ad'],
      [{ sender: '*@corp.example' }, 'acd'],
      [{ sender: 'corp.example*' }, ''],
      [{ sender: '<>' }, 'b'],
      [{ recipient: 'x.example' }, 'ac'],
      [{ recipient: 'nobody' }, ''],
      [{ recipient: '%' }, ''],
      [{ relay: 'google' }, 'a'],
      [{ relay: 'google/jira' }, 'a'],
      [{ relay: 'smtp:google/jira' }, 'a'],
      [{ relay: 'goo' }, ''],
      [{ relay: 'relay' }, 'bcd'],
      [{ acceptedBefore: later(-1) }, 'a'],
      [{ acceptedAfter: later(-1) }, 'bcd'],
      [{ reply: 'try again later' }, 'a'],
      [{ reply: 'by ops' }, 'c'],
      [{ deferred: true }, 'a'],
      [{ deferred: false }, 'bcd'],
      [{ queueIds: [b, d].map((one) => one.message.envelope.queueId) }, 'bd'],
      [{ queueIds: [b, d].map((one) => one.message.envelope.queueId), states: ['failed'] }, 'd'],
      [{ queueIds: [] }, ''],
      [{ sender: 'jira', relay: 'google', deferred: true, acceptedBefore: NOON }, 'a'],
    ]
    for (const [filter, wanted] of cases) {
      const { rows } = await store.admin.list(filter, ALL)
      expect([filter, rows.map((row) => names.get(row.queueId)).join('')]).toEqual([filter, wanted])
      expect([filter, await store.admin.count(filter)]).toEqual([filter, wanted.length])
    }
  })
}

function exerciseLaneNames(open: OpenStoreUnderTest): void {
  it('finds all direct delivery by mx, and all mailboxes by local', async () => {
    const store = await open()
    for (const lane of ['smtp:mx/mx1.example.com', 'smtp:mx/a.example', 'local:bob', 'smtp:local/-', 'smtp:localhost/-', 'capture'])
      await add(store, { place: queuedPlace(NOON, lane as LaneKey) })
    const lanesOf = async (relay: string) => (await store.admin.list({ relay }, ALL)).rows.map(({ lane }) => lane)
    expect(await lanesOf('mx')).toEqual(['smtp:mx/mx1.example.com', 'smtp:mx/a.example'])
    expect(await lanesOf('mx/a.example')).toEqual(['smtp:mx/a.example'])
    expect(await lanesOf('local')).toEqual(['local:bob', 'smtp:local/-'])
    expect(await lanesOf('local:bob')).toEqual(['local:bob'])
    expect(await lanesOf('capture')).toEqual(['capture'])
  })
}

function exerciseActs(open: OpenStoreUnderTest): void {
  it('hold keeps it back and resume makes it due now', async () => {
    const store = await open()
    const acceptance = await add(store, { place: queuedPlace(later(5_000)) })
    expect(await store.admin.act('hold', {}, 'ops', later(10))).toEqual({ changed: 1, pending: 0 })
    expect(await rowOf(store, acceptance)).toMatchObject({ state: 'held', holdReason: 'held by ops' })
    expect(await store.admin.act('hold', {}, 'ops', later(11))).toEqual({ changed: 0, pending: 0 })
    expect(await store.queue.claimDue(claimAll({ now: later(9_999) }))).toEqual([])
    expect(await store.admin.act('resume', {}, 'ops', later(20))).toEqual({ changed: 1, pending: 0 })
    expect(await store.queue.claimDue(claimAll({ now: later(20) }))).toHaveLength(1)
    const story = await store.admin.story(acceptance.message.envelope.queueId)
    expect(story?.history.slice(1)).toEqual([
      { at: later(10), kind: 'held', recipient: 0, detail: { by: 'ops' } },
      { at: later(20), kind: 'resumed', recipient: 0, detail: { by: 'ops' } },
    ])
  })
  it('what was resumed is claimed as released from then on', async () => {
    const store = await open()
    await add(store, { place: heldPlace('by a route') })
    await add(store)
    await store.admin.act('resume', {}, 'ops', NOON)
    const claims = await store.queue.claimDue(claimAll())
    expect(claims.map(({ released }) => released)).toEqual([true, false])
    await store.queue.settle([settlement(refOf(claims[0]), { event: 'defer', dueAt: later(5), lane: LANE })], [])
    const [again] = await store.queue.claimDue(claimAll({ now: later(5) }))
    expect(again?.released, 'an attempt does not end it').toBe(true)
  })
  it('cancel ends it without a delivery', async () => {
    const store = await open()
    const [queued, held] = [await add(store), await add(store, { place: heldPlace('x') })]
    expect(await store.admin.act('cancel', {}, 'ops', later(10))).toEqual({ changed: 2, pending: 0 })
    for (const one of [queued, held]) expect(await rowOf(store, one)).toMatchObject({ state: 'cancelled', finishedAt: later(10) })
    expect(await store.queue.claimDue(claimAll({ now: later(1e9) }))).toEqual([])
    expect(await store.admin.act('resume', {}, 'ops', later(11))).toEqual({ changed: 0, pending: 0 })
  })
  it('retry makes it due now', async () => {
    const store = await open()
    await add(store, { place: queuedPlace(later(1e6)) })
    expect(await store.admin.act('retry', {}, 'ops', later(10))).toEqual({ changed: 1, pending: 0 })
    expect(await store.queue.claimDue(claimAll({ now: later(10) }))).toHaveLength(1)
  })
  it('acts only on what the filter finds, however many pages that is', async () => {
    const store = await open()
    await Promise.all(Array.from({ length: 1_203 }, (_, i) => add(store, { from: i % 3 === 0 ? 'a@x.example' : 'b@x.example' })))
    expect(await store.admin.act('cancel', { sender: 'a@' }, 'ops', NOON)).toEqual({ changed: 401, pending: 0 })
    expect(await store.admin.count({ states: ['queued'] })).toBe(802)
    expect(await store.admin.count({ states: ['cancelled'] })).toBe(401)
  })
}

function exercisePending(open: OpenStoreUnderTest): void {
  const DEFER = { event: 'defer', dueAt: NOON, lane: LANE } as const
  const RELEASE = { event: 'release', dueAt: NOON, lane: LANE } as const
  it.each([
    ['hold', DEFER, 'held'],
    ['hold', RELEASE, 'held'],
    ['cancel', DEFER, 'cancelled'],
    ['cancel', RELEASE, 'cancelled'],
    ['hold', { event: 'deliver' }, 'delivered'],
    ['cancel', { event: 'deliver' }, 'delivered'],
    ['cancel', { event: 'fail' }, 'failed'],
    ['cancel', { event: 'hold', reason: 'route' }, 'cancelled'],
  ] as const)('%s takes effect when the lease ends (%o): %s', async (act, change, state) => {
    const store = await open()
    const acceptance = await add(store, { place: leasedPlace('t') })
    expect(await store.admin.act(act, {}, 'ops', later(5))).toEqual({ changed: 0, pending: 1 })
    expect((await rowOf(store, acceptance))?.state).toBe('leased')
    await store.queue.settle([settlement({ recipientId: firstOf(acceptance), token: 't' as never }, change)], [])
    expect((await rowOf(store, acceptance))?.state).toBe(state)
    const kinds = (await store.admin.story(acceptance.message.envelope.queueId))?.history.map((line) => line.kind)
    if (state === 'held' || state === 'cancelled') expect(kinds?.at(-1)).toBe(state)
    expect(await store.queue.claimDue(claimAll({ now: later(1e9) }))).toEqual([])
  })
  it('takes effect when the lease is reclaimed', async () => {
    const store = await open()
    const acceptance = await add(store, { place: leasedPlace('t') })
    await store.admin.act('cancel', {}, 'ops', later(5))
    await store.queue.reclaim({ now: later(9), dueAt: later(9), quarantineAfter: 1, all: true })
    expect((await rowOf(store, acceptance))?.state).toBe('cancelled')
  })
  it('a hold can be taken back, a cancel not', async () => {
    const store = await open()
    const [one, two] = [await add(store, { place: leasedPlace('t') }), await add(store, { place: leasedPlace('t') })]
    const only = (acceptance: Acceptance): QueueFilter => ({ queueIds: [acceptance.message.envelope.queueId] })
    await store.admin.act('hold', only(one), 'ops', NOON)
    await store.admin.act('resume', only(one), 'ops', NOON)
    await store.admin.act('cancel', only(two), 'ops', NOON)
    await store.admin.act('hold', only(two), 'ops', NOON)
    await store.admin.act('resume', only(two), 'ops', NOON)
    await store.queue.settle(
      [one, two].map((each) => settlement({ recipientId: firstOf(each), token: 't' as never }, DEFER)),
      [],
    )
    expect([(await rowOf(store, one))?.state, (await rowOf(store, two))?.state]).toEqual(['queued', 'cancelled'])
  })
}

function exerciseHistory(open: OpenStoreUnderTest): void {
  it('follows all messages from a cursor, without a gap or a repeat', async () => {
    const store = await open()
    const first = await add(store, { from: '<>', to: ['ann@x.example'] })
    const start = await store.admin.history(null, 10)
    expect(start.events).toEqual([
      { at: NOON, kind: 'accepted', recipient: null, detail: { by: '<>' }, queueId: first.message.envelope.queueId, sender: '<>', recipientAddress: null },
    ])
    await store.admin.act('hold', {}, 'ops', later(1))
    await store.admin.act('resume', {}, 'ops', later(2))
    await store.admin.act('cancel', {}, 'ops', later(3))
    const next = await store.admin.history(start.next, 2)
    const rest = await store.admin.history(next.next, 2)
    expect([...next.events, ...rest.events].map((event) => event.kind)).toEqual(['held', 'resumed', 'cancelled'])
    expect(next.events[0]?.recipientAddress).toBe('ann@x.example')
    const none = await store.admin.history(rest.next, 2)
    expect(none).toEqual({ events: [], next: rest.next })
    expect((await store.admin.history(null, 2)).events.map((event) => event.kind)).toEqual(['resumed', 'cancelled'])
  })
}

function exerciseBackup(open: OpenStoreUnderTest): void {
  it('writes a file that only its owner may read', async () => {
    const store = await open()
    await add(store)
    const path = join(makeTempFolder(), 'backup')
    const { octets, messages } = await store.admin.backup(path)
    expect(statSync(path)).toMatchObject({ size: octets })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(messages).toBe(1)
  })
  it('never writes over a file', async () => {
    const store = await open()
    const path = join(makeTempFolder(), 'backup')
    writeFileSync(path, 'precious')
    await expect(store.admin.backup(path)).rejects.toThrow()
    expect(statSync(path).size).toBe(8)
    await expect(store.admin.backup(join(path, 'below', 'a', 'file'))).rejects.toThrow()
    expect(existsSync(join(path, 'below'))).toBe(false)
  })
}
