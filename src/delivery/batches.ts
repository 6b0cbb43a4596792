/**
 * Which leased recipients travel together: those of one message in one lane, of one domain where mail
 * goes to the domain's own servers, as many as one transaction takes.
 *
 * Routes them and holds their leases; lining them up and attempting them is `dispatch.ts`.
 */
import { formatDomain, formatMailbox, formatReversePath } from '../core/address.ts'
import type { Route } from '../core/route.ts'
import type { AcceptedMessage, LeasedRecipient } from '../ports/queue-store.ts'
import type { DeliveryContext } from './context.ts'
import type { DirectRoutes } from './direct-routes.ts'
import type { LeasedBatch } from './lane.ts'
import { trustUntil } from './lease-trust.ts'
import type { ReadySet } from './ready-set.ts'
import { demandOf, tlsDemandFor } from './tls-demand.ts'

export interface BatchesParts {
  readonly context: DeliveryContext
  readonly ready: ReadySet
  readonly direct: DirectRoutes
}

/** Lanes that dial nobody have no limit of their own. */
const LOCAL_RECIPIENTS_MAX = 1_000

export class Batches {
  readonly #parts: BatchesParts

  constructor(parts: BatchesParts) {
    this.#parts = parts
  }

  /** Where a recipient's mail goes now. `released`: an operator has let it go. */
  routeOf(message: AcceptedMessage, leased: LeasedRecipient['recipient'], released = false): Route {
    // Whatever the routes say: it is not the address that they are about.
    if (leased.unrewritten !== undefined) return { kind: 'hold', reason: leased.unrewritten }
    const query = {
      from: formatReversePath(message.envelope.reversePath),
      to: formatMailbox(leased.forwardPath),
      submitter: message.origin.submitter,
      header: message.header.fields,
      released,
    }
    const { context, direct } = this.#parts
    const { tlsDemands } = context.settings
    const asked = tlsDemands === undefined ? null : tlsDemandFor(tlsDemands, { ...query, requireTls: message.envelope.requireTls })
    // RFC 8460 §3: a report that tells of broken TLS must not be lost to it.
    return direct.bind(context.router.decide(query).route, leased.forwardPath, message.origin.kind === 'report' ? 'relaxed' : asked)
  }

  /** Groups by message and lane, direct ones by domain as well; the batches are held, but wait nowhere yet. */
  form(leased: readonly LeasedRecipient[]): LeasedBatch[] {
    const [only] = leased
    if (only !== undefined && leased.length === 1) return [this.hold([only], this.routeOf(only.message, only.recipient, only.released), 0)]
    const groups = new Map<string, { readonly route: Route; readonly recipients: LeasedRecipient[] }>()
    for (const one of leased) {
      const route = this.routeOf(one.message, one.recipient, one.released)
      const domain = route.kind === 'mx' ? formatDomain(one.recipient.forwardPath) : ''
      const key = `${one.message.envelope.queueId} ${this.#parts.ready.laneFor(route).key} ${domain} ${demandOf(route)} ${one.recipient.unrewritten === undefined}`
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { route, recipients: [one] })
      else group.recipients.push(one)
    }
    const batches: LeasedBatch[] = []
    for (const { route, recipients } of groups.values()) {
      const most = recipientsPerTransaction(route)
      for (let from = 0; from < recipients.length; from += most) {
        const [first, ...rest] = recipients.slice(from, from + most)
        if (first !== undefined) batches.push(this.hold([first, ...rest], route, 0))
      }
    }
    return batches
  }

  /** Holds the leases of one batch; it waits nowhere yet. */
  hold(recipients: LeasedBatch['recipients'], route: Route, untriedRounds: number): LeasedBatch {
    const { context, ready } = this.#parts
    const [{ message, leaseUntil }] = recipients
    const lane = ready.laneFor(route)
    const batch: LeasedBatch = {
      message,
      recipients,
      route,
      lane,
      flow: lane.flows.flow(message.origin.submitter),
      trustUntilMs: trustUntil(context.clock, leaseUntil, context.settings.leaseMs),
      leaseUntil,
      untriedRounds,
      unsettled: recipients.length,
      abort: null,
      deadlineMs: Number.POSITIVE_INFINITY,
      next: null,
    }
    ready.hold(batch)
    return batch
  }
}

function recipientsPerTransaction(route: Route): number {
  if (route.kind === 'relay') return route.relay.limits.recipientsPerTransaction
  return route.kind === 'mx' ? route.direct.limits.recipientsPerTransaction : LOCAL_RECIPIENTS_MAX
}
