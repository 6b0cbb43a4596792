/**
 * What every `QueueStore` does: claim, fence, settle, reclaim, order, fairness.
 */
import { describe, expect, it } from 'vitest'
import type { LaneKey, LeaseToken, QueueId, RecipientId } from '../../src/core/brand.ts'
import type { EventKind } from '../../src/core/event.ts'
import type { Acceptance, LeasedRecipient, LeaseRef } from '../../src/ports/queue-store.ts'
import { heldPlace, LANE, leasedPlace, makeAcceptance, NOON, queuedPlace } from '../support/make-message.ts'
import type { OpenStoreUnderTest, StoreUnderTest } from '../support/store-under-test.ts'
import { exerciseFairness } from './queue-fairness.ts'
import { claimAll, firstOf, later, refOf, settlement } from './queue-steps.ts'

const OTHER_LANE = 'smtp:other/-' as LaneKey
const ids = (leased: readonly LeasedRecipient[]): readonly RecipientId[] => leased.map((one) => one.recipient.id)

async function kindsOf(store: StoreUnderTest, queueId: QueueId): Promise<readonly EventKind[]> {
  return ((await store.admin.story(queueId))?.history ?? []).map((line) => line.kind)
}
async function stateOf(store: StoreUnderTest, acceptance: Acceptance): Promise<string | undefined> {
  return (await store.admin.story(acceptance.message.envelope.queueId))?.recipients[0]?.state
}

export function exerciseQueueStore(name: string, open: OpenStoreUnderTest): void {
  describe(`queue store: ${name}`, () => {
    describe('enqueue', () => exerciseEnqueue(open))
    describe('claim', () => exerciseClaim(open))
    describe('fairness', () => exerciseFairness(open))
    describe('settle', () => exerciseSettle(open))
    describe('lost leases', () => exerciseFence(open))
    describe('reclaim', () => exerciseReclaim(open))
  })
}

function exerciseEnqueue(open: OpenStoreUnderTest): void {
  it('gives back every field of the message it took', async () => {
    const store = await open()
    const full = makeAcceptance({
      from: '"John Doe"@sender.example',
      to: ['ann@receiver.example', 'bob@[192.0.2.1]', 'c@d@receiver.example'],
      login: 'jira',
      notify: ['success', 'delay'],
      originalRecipient: 'rfc822;user+2Bx@example.com',
      envelopeId: 'QQ+2B314159',
      returnContent: 'headers',
      body: '8bitmime',
      smtputf8: true,
      requireTls: true,
      prefix: 'Received: x\r\n',
      header: { from: null, subject: 'Grüße \u0000 \u{1F4E8}', messageId: null, fields: [['to', 'ä']] },
      origin: { kind: 'api', clientAddress: null, heloName: null, protocol: 'UTF8SMTPSA' },
    })
    const bounce = makeAcceptance({ from: '<>', notify: 'never', prefix: '' })
    await store.queue.enqueue(full)
    await store.queue.enqueue(bounce)
    const claimed = await store.queue.claimDue(claimAll())
    const byId = new Map(claimed.map((one) => [one.message.envelope.queueId, one.message]))
    for (const { message } of [full, bounce]) {
      const found = byId.get(message.envelope.queueId)
      expect({ ...found, prefix: null }).toEqual({ ...message, prefix: null })
      expect(Buffer.from(found?.prefix ?? [])).toEqual(message.prefix)
    }
    expect(claimed).toHaveLength(4)
  })
  it('keeps what is born leased out of claims, its attempt counted', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ place: leasedPlace('born') })
    await store.queue.enqueue(acceptance)
    expect(await store.queue.claimDue(claimAll())).toEqual([])
    expect((await store.admin.list({}, { limit: 1, after: null })).rows[0]).toMatchObject({ state: 'leased', attempts: 1 })
    const lease = { recipientId: firstOf(acceptance), token: 'born' as LeaseToken }
    expect(await store.queue.settle([settlement(lease, { event: 'deliver' })], [])).toEqual({ lost: [] })
  })
  it('keeps what is held until somebody resumes it', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ place: heldPlace('route says hold') })
    await store.queue.enqueue(acceptance)
    expect(await store.queue.claimDue(claimAll())).toEqual([])
    const story = await store.admin.story(acceptance.message.envelope.queueId)
    expect(story?.recipients[0]).toMatchObject({ state: 'held', holdReason: 'route says hold' })
    expect(story?.history.map((line) => line.kind)).toEqual(['accepted', 'held'])
  })
  it('places each recipient on its own', async () => {
    const store = await open()
    const place = [queuedPlace(), leasedPlace('t'), heldPlace('why')]
    await store.queue.enqueue(makeAcceptance({ to: ['a@x.example', 'b@x.example', 'c@x.example'], place }))
    expect((await store.admin.list({}, { limit: 9, after: null })).rows.map((row) => row.state)).toEqual(['queued', 'leased', 'held'])
  })
  it('takes a message of 10,000 recipients and ends it', async () => {
    const store = await open()
    const to = Array.from({ length: 10_000 }, (_, n) => `r${n}@x.example`)
    const acceptance = makeAcceptance({ to, place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    const all = acceptance.message.envelope.recipients.map(({ id }) => settlement({ recipientId: id, token: 't' as LeaseToken }, { event: 'deliver' }))
    for (let at = 0; at < all.length; at += 1_000) expect(await store.queue.settle(all.slice(at, at + 1_000), [])).toEqual({ lost: [] })
    expect(await store.admin.count({ states: ['delivered'] })).toBe(10_000)
  })
  it('refuses a queue id that it has, and spares the others of that moment', async () => {
    const store = await open()
    const first = makeAcceptance()
    await store.queue.enqueue(first)
    const again = makeAcceptance({ queueId: first.message.envelope.queueId })
    const [refused, taken] = await Promise.allSettled([store.queue.enqueue(again), store.queue.enqueue(makeAcceptance())])
    expect(refused?.status).toBe('rejected')
    expect(taken?.status).toBe('fulfilled')
    expect(await store.queue.claimDue(claimAll())).toHaveLength(2)
  })
  it('refuses a message whose content was never put', async () => {
    const store = await open()
    await expect(store.queue.enqueue(makeAcceptance({ content: null, sizeOctets: 5 }))).rejects.toThrow()
    expect(await store.queue.claimDue(claimAll())).toEqual([])
  })
  it('knows the highest queue id, and none when it is empty', async () => {
    const store = await open()
    expect(await store.queue.lastQueueId()).toBeNull()
    const high = makeAcceptance({ acceptedAt: later(5_000) })
    await store.queue.enqueue(high)
    await store.queue.enqueue(makeAcceptance())
    expect(await store.queue.lastQueueId()).toBe(high.message.envelope.queueId)
  })
}

function exerciseClaim(open: OpenStoreUnderTest): void {
  it('takes what is due, oldest first, and leaves the rest', async () => {
    const store = await open()
    const due = [later(-1_000), later(-3_000), later(0), later(1), later(-2_000)]
    const made = due.map((dueAt) => makeAcceptance({ place: queuedPlace(dueAt) }))
    for (const one of made) await store.queue.enqueue(one)
    const claimed = await store.queue.claimDue(claimAll())
    expect(ids(claimed)).toEqual([1, 4, 0, 2].map((index) => firstOf(made[index] as Acceptance)))
    expect(claimed.map((one) => one.dueAt)).toEqual([later(-3_000), later(-2_000), later(-1_000), later(0)])
  })
  it('counts the attempt and gives each claim a token of its own', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance())
    const [first] = await store.queue.claimDue(claimAll())
    expect(first).toMatchObject({ attempts: 1, leaseUntil: later(60_000), delayNoticeSent: false })
    await store.queue.settle([settlement(refOf(first), { event: 'defer', dueAt: NOON, lane: LANE })], [])
    const [second] = await store.queue.claimDue(claimAll())
    expect(second?.attempts).toBe(2)
    expect(second?.token).not.toBe(first?.token)
  })
  it('takes no more than the limit, and nothing twice', async () => {
    const store = await open()
    for (let i = 0; i < 5; i++) await store.queue.enqueue(makeAcceptance())
    const first = await store.queue.claimDue(claimAll({ limit: 3 }))
    const second = await store.queue.claimDue(claimAll({ limit: 3 }))
    expect([first.length, second.length]).toEqual([3, 2])
    expect(new Set([...ids(first), ...ids(second)]).size).toBe(5)
    expect(await store.queue.claimDue(claimAll())).toEqual([])
  })
  it('takes nothing from closed lanes', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance({ place: queuedPlace(NOON, LANE) }))
    const other = makeAcceptance({ place: queuedPlace(later(-5), OTHER_LANE) })
    await store.queue.enqueue(other)
    expect(ids(await store.queue.claimDue(claimAll({ closedLanes: [LANE] })))).toEqual([firstOf(other)])
    expect(await store.queue.claimDue(claimAll({ closedLanes: [LANE, OTHER_LANE] }))).toEqual([])
  })
  it('knows when the next one is due, closed lanes left out', async () => {
    const store = await open()
    expect(await store.queue.nextDueAt([])).toBeNull()
    await store.queue.enqueue(makeAcceptance({ place: queuedPlace(later(500), LANE) }))
    await store.queue.enqueue(makeAcceptance({ place: queuedPlace(later(900), OTHER_LANE) }))
    expect(await store.queue.nextDueAt([])).toBe(later(500))
    expect(await store.queue.nextDueAt([LANE])).toBe(later(900))
    expect(await store.queue.nextDueAt([LANE, OTHER_LANE])).toBeNull()
  })
  it('claims by age whatever the due time, and tells warned senders from others', async () => {
    const store = await open()
    const made = [later(-9_000), later(-5_000), later(-100)].map((acceptedAt) => makeAcceptance({ acceptedAt, place: queuedPlace(later(1e9)) }))
    for (const one of made) await store.queue.enqueue(one)
    const request = { acceptedBefore: later(-1_000), unwarnedOnly: true, limit: 10, leaseUntil: later(60_000), now: NOON }
    const aged = await store.queue.claimAged(request)
    expect(ids(aged)).toEqual([firstOf(made[0] as Acceptance), firstOf(made[1] as Acceptance)])
    const release = { event: 'release', dueAt: later(1e9), lane: LANE } as const
    await store.queue.settle([settlement(refOf(aged[0]), release, { delayNoticeSent: true }), settlement(refOf(aged[1]), release)], [])
    expect(ids(await store.queue.claimAged(request))).toEqual([firstOf(made[1] as Acceptance)])
    const warned = await store.queue.claimAged({ ...request, unwarnedOnly: false })
    expect(warned.map((one) => [one.recipient.id, one.delayNoticeSent])).toEqual([[firstOf(made[0] as Acceptance), true]])
  })
  it('renews only leases that are still ours', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance())
    await store.queue.enqueue(makeAcceptance())
    const [one, two] = (await store.queue.claimDue(claimAll({ leaseUntil: later(10) }))).map(refOf) as [LeaseRef, LeaseRef]
    const stale = { recipientId: two.recipientId, token: 'stale' as LeaseToken }
    expect(await store.queue.renew([one, stale], later(90_000))).toEqual([one])
    const reclaimed = await store.queue.reclaim({ now: later(20), dueAt: later(20), quarantineAfter: 9, all: false })
    expect(reclaimed).toEqual([two.recipientId])
  })
}

function exerciseSettle(open: OpenStoreUnderTest): void {
  it.each([
    ['deliver', 'delivered'],
    ['fail', 'failed'],
    ['expire', 'expired'],
  ] as const)('%s ends it as %s, with its history and last word', async (event, state) => {
    const store = await open()
    const acceptance = makeAcceptance()
    await store.queue.enqueue(acceptance)
    const [leased] = await store.queue.claimDue(claimAll())
    const last = { status: '2.0.0', text: '250 ok', relay: 'relay.example[192.0.2.1]' }
    const history = [{ kind: state, detail: { status: '2.0.0', reply: '250 "ok" \u0007', attempt: 1 } }] as const
    await store.queue.settle([settlement(refOf(leased), { event }, { last, history })], [])
    const story = await store.admin.story(acceptance.message.envelope.queueId)
    expect(story?.recipients[0]).toMatchObject({ state, lastStatus: '2.0.0', lastText: '250 ok', lastRelay: last.relay, finishedAt: later(1_000), dueAt: null })
    expect(story?.history.at(-1)).toEqual({ at: later(1_000), kind: state, recipient: 0, detail: history[0].detail })
    expect(await store.queue.claimDue(claimAll({ now: later(1e9) }))).toEqual([])
  })
  it.each(['deliver', 'fail', 'expire'] as const)('%s: it stays in its lane, unless it is told where it ended', async (event) => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance())
    await store.queue.enqueue(makeAcceptance())
    const [one, two] = await store.queue.claimDue(claimAll())
    await store.queue.settle([settlement(refOf(one), { event }), settlement(refOf(two), { event, lane: OTHER_LANE })], [])
    const { rows } = await store.admin.list({ states: ['delivered', 'failed', 'expired'] }, { limit: 2, after: null })
    expect(rows.map(({ lane }) => lane)).toEqual([LANE, OTHER_LANE])
  })
  it('deferred, it comes back when due, in the lane it was given', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance())
    const [leased] = await store.queue.claimDue(claimAll())
    const last = { status: '4.4.1', text: 'no route', relay: 'x' }
    await store.queue.settle([settlement(refOf(leased), { event: 'defer', dueAt: later(5_000), lane: OTHER_LANE }, { last })], [])
    expect(await store.queue.claimDue(claimAll({ now: later(4_999) }))).toEqual([])
    expect((await store.admin.list({}, { limit: 1, after: null })).rows[0]).toMatchObject({ state: 'queued', lane: OTHER_LANE, lastText: 'no route' })
    expect((await store.queue.claimDue(claimAll({ now: later(5_000) })))[0]).toMatchObject({ attempts: 2, dueAt: later(5_000) })
  })
  it('released unused, the attempt is not counted', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance())
    const [leased] = await store.queue.claimDue(claimAll())
    await store.queue.settle([settlement(refOf(leased), { event: 'release', dueAt: NOON, lane: LANE })], [])
    expect((await store.queue.claimDue(claimAll()))[0]?.attempts).toBe(1)
  })
  it('held by a route, it says why', async () => {
    const store = await open()
    const acceptance = makeAcceptance()
    await store.queue.enqueue(acceptance)
    const [leased] = await store.queue.claimDue(claimAll())
    await store.queue.settle(
      [settlement(refOf(leased), { event: 'hold', reason: 'damaged' }, { history: [{ kind: 'held', detail: { reason: 'damaged' } }] })],
      [],
    )
    expect((await store.admin.list({}, { limit: 1, after: null })).rows[0]).toMatchObject({ state: 'held', holdReason: 'damaged' })
    expect(await kindsOf(store, acceptance.message.envelope.queueId)).toEqual(['accepted', 'held'])
  })
  it('takes the notice into the queue in the same breath', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance())
    const [leased] = await store.queue.claimDue(claimAll())
    const notice = makeAcceptance({ from: '<>', content: 'it failed\r\n' })
    const noticeId = notice.message.envelope.queueId
    await store.queue.settle([settlement(refOf(leased), { event: 'fail' }, { history: [{ kind: 'dsn-queued', detail: { noticeId } }] })], [notice])
    const [sent] = await store.queue.claimDue(claimAll())
    expect(sent?.message.envelope.queueId).toBe(noticeId)
    expect(Buffer.from((await store.bodies.open(notice.message.bodyRef)).whole ?? []).toString()).toBe('it failed\r\n')
  })
  it('records nothing of a batch whose notice cannot be stored', async () => {
    const store = await open()
    const acceptance = makeAcceptance()
    await store.queue.enqueue(acceptance)
    const [leased] = await store.queue.claimDue(claimAll())
    const impossible = makeAcceptance({ queueId: acceptance.message.envelope.queueId })
    await expect(store.queue.settle([settlement(refOf(leased), { event: 'fail' })], [impossible])).rejects.toThrow()
    expect(await store.queue.renew([refOf(leased)], later(90_000))).toHaveLength(1)
  })
  it('ends each recipient of a message on its own', async () => {
    const store = await open()
    const acceptance = makeAcceptance({ to: ['a@x.example', 'b@x.example'] })
    await store.queue.enqueue(acceptance)
    const [a, b] = await store.queue.claimDue(claimAll())
    await store.queue.settle([settlement(refOf(a), { event: 'deliver' }), settlement(refOf(b), { event: 'defer', dueAt: NOON, lane: LANE })], [])
    const story = await store.admin.story(acceptance.message.envelope.queueId)
    expect(story?.recipients.map((row) => row.state)).toEqual(['delivered', 'queued'])
    expect(ids(await store.queue.claimDue(claimAll()))).toEqual([b?.recipient.id])
  })
}

function exerciseFence(open: OpenStoreUnderTest): void {
  it('a stale token changes nothing, is named, and leaves a line', async () => {
    const store = await open()
    const acceptance = makeAcceptance()
    await store.queue.enqueue(acceptance)
    const [leased] = await store.queue.claimDue(claimAll({ leaseUntil: later(10) }))
    await store.queue.reclaim({ now: later(20), dueAt: later(20), quarantineAfter: 9, all: false })
    const history = [{ kind: 'delivered', detail: {} }] as const
    expect(await store.queue.settle([settlement(refOf(leased), { event: 'deliver' }, { history })], [])).toEqual({ lost: [firstOf(acceptance)] })
    expect(await stateOf(store, acceptance)).toBe('queued')
    expect(await kindsOf(store, acceptance.message.envelope.queueId)).toEqual(['accepted', 'reclaimed', 'lease-lost'])
  })
  it('settling twice finds the lease gone', async () => {
    const store = await open()
    const acceptance = makeAcceptance()
    await store.queue.enqueue(acceptance)
    const [leased] = await store.queue.claimDue(claimAll())
    const done = settlement(refOf(leased), { event: 'deliver' })
    expect(await store.queue.settle([done], [])).toEqual({ lost: [] })
    expect(await store.queue.settle([done], [])).toEqual({ lost: [firstOf(acceptance)] })
    expect(await stateOf(store, acceptance)).toBe('delivered')
  })
  it('a lost lease among others spares the others, and takes its own notice with it', async () => {
    const store = await open()
    const made = [makeAcceptance(), makeAcceptance()]
    for (const one of made) await store.queue.enqueue(one)
    const [one, two] = (await store.queue.claimDue(claimAll())).map(refOf) as [LeaseRef, LeaseRef]
    const notices = [makeAcceptance({ from: '<>' }), makeAcceptance({ from: '<>' })]
    const naming = (index: number) => [{ kind: 'dsn-queued' as const, detail: { noticeId: (notices[index] as Acceptance).message.envelope.queueId } }]
    const stale = { ...one, token: 'stale' as LeaseToken }
    const batch = [settlement(stale, { event: 'fail' }, { history: naming(0) }), settlement(two, { event: 'fail' }, { history: naming(1) })]
    expect(await store.queue.settle(batch, notices)).toEqual({ lost: [one.recipientId] })
    expect(ids(await store.queue.claimDue(claimAll()))).toEqual([firstOf(notices[1] as Acceptance)])
  })
  it('a recipient that was never there is lost, too', async () => {
    const store = await open()
    const lease = { recipientId: firstOf(makeAcceptance()), token: 'x' as LeaseToken }
    expect(await store.queue.settle([settlement(lease, { event: 'deliver' })], [])).toEqual({ lost: [lease.recipientId] })
  })
}

function exerciseReclaim(open: OpenStoreUnderTest): void {
  const reclaimNow = { now: later(100), dueAt: later(200), quarantineAfter: 2, all: false }
  it('takes back expired leases only, counted, due when asked', async () => {
    const store = await open()
    const old = makeAcceptance({ place: leasedPlace('a', later(50)) })
    await store.queue.enqueue(old)
    await store.queue.enqueue(makeAcceptance({ place: leasedPlace('b', later(500)) }))
    expect(await store.queue.reclaim(reclaimNow)).toEqual([firstOf(old)])
    expect(await store.queue.claimDue(claimAll({ now: later(199) }))).toEqual([])
    const [again] = await store.queue.claimDue(claimAll({ now: later(200) }))
    expect(again).toMatchObject({ attempts: 2, dueAt: later(200) })
    const story = await store.admin.story(old.message.envelope.queueId)
    expect(story?.history.at(-1)).toMatchObject({ kind: 'reclaimed', recipient: 0, detail: { duplicatePossible: true, attempt: 1 } })
  })
  it('takes all leases back when their holder is known to be dead', async () => {
    const store = await open()
    await store.queue.enqueue(makeAcceptance({ place: leasedPlace('a', later(50)) }))
    await store.queue.enqueue(makeAcceptance({ place: leasedPlace('b', later(1e9)) }))
    expect(await store.queue.reclaim({ ...reclaimNow, all: true })).toHaveLength(2)
    expect(await store.queue.reclaim({ ...reclaimNow, all: true })).toEqual([])
  })
  it('puts into quarantine what was reclaimed too often, and a deferral clears the count', async () => {
    const store = await open()
    const poison = makeAcceptance({ place: leasedPlace('a', later(50)) })
    await store.queue.enqueue(poison)
    const takeBack = () => store.queue.reclaim({ now: later(100), dueAt: NOON, quarantineAfter: 2, all: true })
    await takeBack()
    const [leased] = await store.queue.claimDue(claimAll())
    await store.queue.settle([settlement(refOf(leased), { event: 'defer', dueAt: NOON, lane: LANE })], [])
    await store.queue.claimDue(claimAll())
    await takeBack()
    expect(await stateOf(store, poison)).toBe('queued')
    await store.queue.claimDue(claimAll())
    await takeBack()
    expect(await stateOf(store, poison)).toBe('held')
    expect(await kindsOf(store, poison.message.envelope.queueId)).toContain('quarantined')
    expect((await store.admin.list({}, { limit: 1, after: null })).rows[0]?.holdReason).toMatch(/quarantined/)
  })
}
