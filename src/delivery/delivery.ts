/**
 * Delivery as the rest of the program sees it: made, started, reloaded, stopped, asked.
 *
 * Wires its parts and holds no rules. Start it before intake serves: at start every lease in the
 * store is taken back, which must not hit mail that was just accepted.
 */

import type { LaneKey, LeaseToken, QueueId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import { isLaneNamed } from '../core/route.ts'
import { withinTime } from '../core/within-time.ts'
import type { Admission } from '../ports/admission.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { Destinations } from '../ports/destinations.ts'
import type { Journal } from '../ports/journal.ts'
import type { QueueStore } from '../ports/queue-store.ts'
import type { Rewriter } from '../ports/rewriter.ts'
import type { LaneStatus, RouteExplanation } from '../ports/server-control.ts'
import type { Signer } from '../ports/signer.ts'
import { createAdmission, placeQueued } from './admission.ts'
import { Batches } from './batches.ts'
import { type DeliveryContext, type DeliveryCounters, noCounters } from './context.ts'
import { DirectRoutes } from './direct-routes.ts'
import { Dispatch } from './dispatch.ts'
import { explainRoute, type RouteQuestion } from './explain-route.ts'
import { laneStatuses } from './lane-statuses.ts'
import { Leases } from './leases.ts'
import type { LocalMailNow } from './local-routes.ts'
import type { NoticePlacer } from './notice-message.ts'
import { SenderNotices } from './notify-sender.ts'
import { Overdue } from './overdue.ts'
import { ReadySet, type ReadySetParts } from './ready-set.ts'
import { OutcomeRecorder } from './record-outcomes.ts'
import { Reentry } from './reentry.ts'
import { createRouter } from './router.ts'
import { Scheduler } from './scheduler.ts'
import type { DeliverySettings } from './settings.ts'
import { SettleQueue, type SettleUnit } from './settle-queue.ts'

export interface DeliveryParts {
  readonly settings: DeliverySettings
  readonly store: QueueStore
  readonly bodies: BodyStore
  readonly destinations: Destinations
  readonly transports: ReadySetParts['transports']
  readonly clock: Clock
  readonly journal: Journal
  /** In [0, 1). */
  readonly random: () => number
  readonly newToken: () => LeaseToken
  readonly newQueueId: () => QueueId
  /** Left out: notices are not signed. */
  readonly signer?: Signer
  /** Null, or left out: no address is changed. */
  readonly rewriter?: () => Rewriter | null
  /** Local domains and their users as they are now. Left out: there are none. */
  readonly localMail?: LocalMailNow
  /** The wall clock was set back: what is queued has to be made due anew, then `wake` called. */
  readonly clockWentBack?: () => void
}
export type { RouteQuestion }

export interface Delivery {
  readonly admission: Admission
  /** Rejects with `StoreFault`; nothing is under way then. Starting twice is harmless. */
  start(): Promise<void>
  /** Begins nothing more, gives attempts under way until the deadline, gives the rest back unused. Does not close transports. */
  stop(deadlineMs: number): Promise<void>
  /** In force at once, for mail that is queued, too; suspended lanes are probed. */
  reload(settings: DeliverySettings): void
  /** Mail may be due that delivery does not know of: an operator's act changed the queue. */
  wake(): void
  /** Ends suspensions: of one lane or relay (`smtp:google/jira`, `google/jira`, `google`), or of all. Answers with the lanes that were closed. */
  openLanes(lane: string | null): readonly LaneKey[]
  /** In use first, then those of configured relays that nobody has used yet. */
  lanes(): readonly LaneStatus[]
  /** Direct routes are looked up for it. */
  explain(query: RouteQuestion): Promise<RouteExplanation>
  counters(): Readonly<DeliveryCounters>
}

/** Time for aborted attempts to say how they ended, and for their outcome to be recorded. */
const ABORT_GRACE_MS = 800

export function createDelivery(parts: DeliveryParts): Delivery {
  const { settings, transports, clock } = parts
  const context: DeliveryContext = { ...parts, router: createRouter(settings, parts.localMail), stopping: false, graceUntilMs: 0, counters: noCounters() }
  const ready = new ReadySet({ settings, transports })
  const direct = new DirectRoutes(parts.destinations, clock)
  const batches = new Batches({ context, ready, direct })
  const queue = new SettleQueue({ store: parts.store, clock, journal: parts.journal, settled: (unit) => settled(unit, { context, ready, scheduler }) })
  const place: NoticePlacer = (message) => placeQueued({ ready, batches }, message)
  const notices = new SenderNotices(context, place)
  const recorder = new OutcomeRecorder({ context, queue, notices })
  const reentry = new Reentry({ context, queue, recorder, place })
  const dispatch: Dispatch = new Dispatch({
    context,
    ready,
    batches,
    direct,
    recorder,
    reentry,
    wake: () => scheduler.wake(),
    wakeSoon: () => scheduler.wakeSoon(),
  })
  const scheduler = new Scheduler({ context, ready, batches, dispatch })
  const leases = new Leases({ context, ready, dueAt: (at) => scheduler.dueAt(at) })
  const overdue = new Overdue({ context, ready, batches, dispatch, recorder, clockWentBack: () => parts.clockWentBack?.() })
  let started = false

  return {
    admission: createAdmission({ context, ready, batches, dispatch, wake: scheduler.wake }),
    async start() {
      if (started) return
      await leases.start()
      started = true
      overdue.start()
      scheduler.start()
    },
    async stop(deadlineMs) {
      if (!started || context.stopping) return
      context.stopping = true
      scheduler.stop()
      overdue.stop()
      dispatch.releaseWaiting()
      await drain(context, ready, deadlineMs)
      leases.stop()
      queue.stop()
    },
    reload(next) {
      context.settings = next
      context.router = createRouter(next, parts.localMail)
      ready.reconfigure(next)
      dispatch.reroute()
      scheduler.wake()
    },
    wake: scheduler.wake,
    openLanes(name) {
      const closed = [...ready.lanes.values()].filter((lane) => lane.suspension !== null && (name === null || isLaneNamed(lane.key, name)))
      for (const lane of closed) dispatch.open(lane)
      return closed.map((lane) => lane.key)
    },
    lanes: () => laneStatuses(ready.lanes, context.settings, clock),
    explain: (query) => explainRoute(context, direct, query),
    counters: () => context.counters,
  }
}

/** A unit is in the store: its places are free, and what it left behind is due some day. */
function settled(unit: SettleUnit, parts: { readonly context: DeliveryContext; readonly ready: ReadySet; readonly scheduler: Scheduler }): void {
  const { context, ready, scheduler } = parts
  const { batch } = unit
  ready.letGo(batch, unit.settlements.length)
  if (context.stopping) return
  for (const { change } of unit.settlements) {
    if (change.event === 'defer' || (change.event === 'release' && batch.lane.suspension === null)) scheduler.dueAt(change.dueAt)
  }
  if (unit.notice !== null || ready.wantsMore(batch.lane)) scheduler.wake()
  else scheduler.roomFreed()
}

/** Waits for what is under way, until the deadline; then aborts it and waits a little more. */
async function drain(context: DeliveryContext, ready: ReadySet, deadlineMs: number): Promise<void> {
  const { clock, journal } = context
  const empty = ready.whenEmpty().then(() => true)
  if (await withinTime(empty, clock, deadlineMs, false)) return
  for (const batch of ready.held) batch.abort?.abort()
  if (await withinTime(empty, clock, ABORT_GRACE_MS, false)) return
  journal.note('delivery', 'warn', 'stopping although not everything could be given back; it will be tried again', { messages: ready.held.size })
}
