/**
 * Looks up the servers of a batch's domain before it can be attempted.
 *
 * A look-up that finds nobody is how the attempt ended: it settles with the look-up's own judgement,
 * and says nothing of any hop, for none was reached.
 */
import { formatDomain } from '../core/address.ts'
import type { RecipientOutcome } from '../core/outcome.ts'
import type { Destination } from '../core/route.ts'
import type { DestinationAnswer } from '../ports/destinations.ts'
import type { DeliveryContext } from './context.ts'
import type { LeasedBatch } from './lane.ts'
import { type AttemptEnd, type RunningAttempt, unreachedReport } from './run-attempt.ts'

export interface LookupEnd extends AttemptEnd {
  found(batch: LeasedBatch, destination: Destination): void
}

/** Every recipient of the batch is of the same domain. An abort gives the batch back untried. */
export function runLookup(batch: LeasedBatch, context: DeliveryContext, end: LookupEnd): void {
  const abort = new AbortController()
  const attempt: RunningAttempt = { batch, signal: abort.signal, contentFault: null }
  let over = false
  const once = (act: () => void): void => {
    if (over) return
    over = true
    act()
  }
  batch.abort = abort
  abort.signal.addEventListener('abort', () => once(() => end.reported(attempt, unreachedReport(batch, { kind: 'untried', reason: GIVEN_UP }))))
  const answered = (answer: DestinationAnswer): void => {
    if (answer.kind === 'found') end.found(batch, answer.destination)
    else end.reported(attempt, unreachedReport(batch, outcomeOf(answer)))
  }
  context.destinations
    .find(formatDomain(batch.recipients[0].recipient.forwardPath), batch.route.kind === 'mx' ? (batch.route.tlsDemand ?? null) : null)
    .then((answer) => once(() => answered(answer)))
    // A bug of ours: look-ups never reject.
    .catch((error: unknown) => end.broke(attempt, error))
}

const GIVEN_UP = 'given up before the servers of the domain were looked up'

function outcomeOf({ phase, judgement }: Extract<DestinationAnswer, { readonly kind: 'refused' }>): RecipientOutcome {
  const { scope, reason } = judgement
  const diagnosis = { phase, scope, reason, reply: null, remoteMta: null, duplicatePossible: false }
  return judgement.kind === 'deferred' ? { kind: 'deferred', status: judgement.status, diagnosis } : { kind: 'failed', status: judgement.status, diagnosis }
}
