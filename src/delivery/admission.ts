/**
 * Answers intake where a new message goes, before its commit, and takes it over after.
 *
 * A recipient is born leased when its lane is open and has room for its submitter: accepted and
 * claimed in one commit, delivered without a query. Everything else is queued and claimed later.
 */
import type { EpochMs } from '../core/brand.ts'
import type { EnvelopeRecipient } from '../core/envelope.ts'
import type { Admission } from '../ports/admission.ts'
import type { Acceptance, AcceptedMessage, LeasedRecipient, Placement } from '../ports/queue-store.ts'
import type { Batches } from './batches.ts'
import type { DeliveryContext } from './context.ts'
import type { Dispatch } from './dispatch.ts'
import type { ReadySet } from './ready-set.ts'

export interface AdmissionParts {
  readonly context: DeliveryContext
  readonly ready: ReadySet
  readonly batches: Batches
  readonly dispatch: Dispatch
  /** Due mail was put into the store for a lane that is open. */
  readonly wake: () => void
}

export function createAdmission(parts: AdmissionParts): Admission {
  const { context, ready, dispatch } = parts
  const unreserve = (acceptance: Acceptance): void => {
    const { submitter } = acceptance.message.origin
    for (const placement of acceptance.placements) {
      const lane = placement.kind === 'leased' ? ready.lanes.get(placement.lane) : undefined
      if (lane !== undefined) ready.unreserve(lane, lane.flows.flow(submitter))
    }
  }
  return {
    place(message) {
      const now = context.clock.now()
      const { recipients } = message.envelope
      if (recipients.length === 1) return [placeOne(parts, message, recipients[0], now)]
      return recipients.map((recipient) => placeOne(parts, message, recipient, now))
    },
    committed(acceptance) {
      unreserve(acceptance)
      const leased = leasedOf(acceptance)
      if (leased.length > 0) dispatch.admit(leased)
      if (leased.length < acceptance.placements.length) wakeForQueued(parts, acceptance)
    },
    abandoned: unreserve,
  }
}

/** Where our own notices go: never born leased, for they enter with other messages' settlements. */
export function placeQueued(parts: Pick<AdmissionParts, 'ready' | 'batches'>, message: AcceptedMessage): readonly Placement[] {
  return message.envelope.recipients.map((recipient) => {
    const route = parts.batches.routeOf(message, recipient)
    const lane = parts.ready.laneFor(route).key
    return route.kind === 'hold' ? { kind: 'held', lane, reason: route.reason } : { kind: 'queued', lane, dueAt: message.acceptedAt }
  })
}

function placeOne(parts: AdmissionParts, message: AcceptedMessage, recipient: EnvelopeRecipient, now: EpochMs): Placement {
  const { context, ready, batches } = parts
  const route = batches.routeOf(message, recipient)
  const lane = ready.laneFor(route)
  if (route.kind === 'hold') return { kind: 'held', lane: lane.key, reason: route.reason }
  const flow = lane.flows.flow(message.origin.submitter)
  if (context.stopping || !ready.admits(lane, flow)) {
    flow.backlogged = true
    lane.more = true
    return { kind: 'queued', lane: lane.key, dueAt: now }
  }
  ready.reserve(lane, flow)
  return { kind: 'leased', lane: lane.key, token: context.newToken(), leaseUntil: (now + context.settings.leaseMs) as EpochMs }
}

function leasedOf(acceptance: Acceptance): LeasedRecipient[] {
  const { message, placements } = acceptance
  const { recipients } = message.envelope
  const leased: LeasedRecipient[] = []
  for (let i = 0; i < placements.length; i++) {
    const placement = placements[i]
    const recipient = recipients[i]
    if (placement?.kind !== 'leased' || recipient === undefined) continue
    const { token, leaseUntil } = placement
    leased.push({ message, recipient, token, leaseUntil, attempts: 1, dueAt: message.acceptedAt, delayNoticeSent: false })
  }
  return leased
}

/** A queued recipient waits for its lane to drain; if that has happened meanwhile, nobody else will say so. */
function wakeForQueued(parts: AdmissionParts, acceptance: Acceptance): void {
  for (const placement of acceptance.placements) {
    const lane = placement.kind === 'queued' ? parts.ready.lanes.get(placement.lane) : undefined
    if (lane === undefined) continue
    lane.more = true
    if (parts.ready.wantsMore(lane)) {
      parts.wake()
      return
    }
  }
}
