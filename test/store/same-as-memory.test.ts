/**
 * The database and the fake in memory do the same, whatever is asked of them in whatever order.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EpochMs, LaneKey } from '../../src/core/brand.ts'
import type { QueueAct } from '../../src/ports/queue-admin.ts'
import type { LeaseRef, SettledChange } from '../../src/ports/queue-store.ts'
import { claimAll, later, settlement } from '../conformance/queue-steps.ts'
import { heldPlace, LANE, leasedPlace, makeAcceptance, NOON, queuedPlace } from '../support/make-message.ts'
import { createMemoryStore } from '../support/memory-store.ts'
import { openSqlite, type StoreUnderTest } from '../support/store-under-test.ts'

const LANES = [LANE, 'smtp:other/x' as LaneKey]
const small = fc.nat({ max: 20 })
const operation = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('enqueue' as const),
      place: fc.nat({ max: 2 }),
      recipients: fc.integer({ min: 1, max: 3 }),
      due: small,
      lane: fc.nat({ max: 1 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim' as const), now: small, closed: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('aged' as const), now: small, unwarned: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(), event: fc.nat({ max: 5 }), due: small, warned: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('act' as const), act: fc.constantFrom<QueueAct>('hold', 'resume', 'cancel', 'retry'), which: fc.nat() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reclaim' as const), now: small, all: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('sweep' as const), before: small, history: fc.boolean() }) },
)
type Operation = typeof operation extends fc.Arbitrary<infer Type> ? Type : never

/** Tokens differ from store to store: a lease is named by its recipient. */
interface Driven {
  readonly store: Pick<StoreUnderTest, 'queue' | 'bodies' | 'admin'>
  readonly leases: Map<string, LeaseRef>
}

function changeOf(event: number, due: number): SettledChange {
  const given = { dueAt: later(due), lane: LANE }
  const changes: readonly SettledChange[] = [
    { event: 'deliver' },
    { event: 'fail' },
    { event: 'expire' },
    { event: 'defer', ...given },
    { event: 'release', ...given },
    { event: 'hold', reason: 'route' },
  ]
  return changes[event] ?? { event: 'deliver' }
}

/** Carries one operation out and answers what can be compared. */
async function carryOut({ store, leases }: Driven, op: Operation, made: ReturnType<typeof makeAcceptance> | null, known: readonly string[]): Promise<unknown> {
  const pick = (which: number): string | undefined => known[which % Math.max(1, known.length)]
  if (op.kind === 'enqueue' && made !== null) {
    await store.queue.enqueue(made)
    made.placements.forEach((place, index) => {
      const recipientId = made.message.envelope.recipients[index]?.id
      if (place.kind === 'leased' && recipientId !== undefined) leases.set(recipientId, { recipientId, token: place.token })
    })
    return null
  }
  if (op.kind === 'claim' || op.kind === 'aged') {
    const leaseUntil = later(op.now + 5)
    const aged = { acceptedBefore: later(op.now), unwarnedOnly: op.kind === 'aged' && op.unwarned, limit: 99, leaseUntil, now: later(op.now) }
    const due = claimAll({ now: later(op.now), leaseUntil, closedLanes: op.kind === 'claim' && op.closed ? [LANE] : [] })
    const claimed = op.kind === 'claim' ? await store.queue.claimDue(due) : await store.queue.claimAged(aged)
    for (const one of claimed) leases.set(one.recipient.id, { recipientId: one.recipient.id, token: one.token })
    return claimed.map((one) => `${one.recipient.id} ${one.attempts} ${one.dueAt} ${one.delayNoticeSent} ${one.released}`).sort()
  }
  if (op.kind === 'settle') {
    const lease = leases.get(pick(op.which) ?? '')
    if (lease === undefined) return null
    const last = { status: '4.0.0', text: `said ${op.event}`, relay: 'r' }
    const history = [{ kind: 'deferred' as const, detail: { attempt: op.event } }]
    return store.queue.settle([settlement(lease, changeOf(op.event, op.due), { at: later(op.due), last, history, delayNoticeSent: op.warned })], [])
  }
  if (op.kind === 'act') return store.admin.act(op.act, { queueIds: known.length === 0 ? [] : [String(pick(op.which)).slice(0, 11) as never] }, 'ops', NOON)
  if (op.kind === 'reclaim') return [...(await store.queue.reclaim({ now: later(op.now), dueAt: later(3), quarantineAfter: 2, all: op.all }))].sort()
  if (op.kind !== 'sweep') return null
  const before = later(op.before)
  const times = {
    contentFinishedBefore: before,
    capturedFinishedBefore: before,
    historyFinishedBefore: op.history ? before : (0 as EpochMs),
    orphanedBefore: 0 as EpochMs,
  }
  const { contents, messages } = await store.bodies.sweep({ now: NOON, limit: 1_000, ...times })
  return { contents, messages }
}

async function picture({ store }: Driven): Promise<unknown> {
  const { rows } = await store.admin.list({}, { limit: 1_000, after: null })
  const stories = await Promise.all([...new Set(rows.map((row) => row.queueId))].map((id) => store.admin.story(id)))
  const comparable = stories.map((story) => [story?.history, story?.contentStored, story?.recipients])
  return { rows, comparable, counts: await store.admin.counts(), nextDueAt: await store.queue.nextDueAt([]), last: await store.queue.lastQueueId() }
}

describe('two stores', () => {
  it('asked the same give the same answers and come to the same end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 40 }), async (operations) => {
        const sqlite = await openSqlite()
        const [one, two]: readonly Driven[] = [
          { store: sqlite, leases: new Map() },
          { store: createMemoryStore(), leases: new Map() },
        ]
        const known: string[] = []
        for (const op of operations) {
          const made = op.kind === 'enqueue' ? acceptanceOf(op) : null
          if (made !== null) known.push(...made.message.envelope.recipients.map((recipient) => recipient.id))
          expect([op, await carryOut(one as Driven, op, made, known)]).toEqual([op, await carryOut(two as Driven, op, made, known)])
        }
        expect(await picture(one as Driven)).toEqual(await picture(two as Driven))
        await sqlite.close()
      }),
      { numRuns: 25, interruptAfterTimeLimit: 50_000 },
    )
  }, 60_000)
})

function acceptanceOf(op: Extract<Operation, { readonly kind: 'enqueue' }>): ReturnType<typeof makeAcceptance> {
  const lane = LANES[op.lane] ?? LANE
  const place = [queuedPlace(later(op.due), lane), leasedPlace('born', later(op.due), lane), heldPlace('why', lane)][op.place] ?? queuedPlace()
  const to = Array.from({ length: op.recipients }, (_, n) => `r${n}@x.example`)
  return makeAcceptance({ to, place, acceptedAt: later(op.due - 10) })
}
