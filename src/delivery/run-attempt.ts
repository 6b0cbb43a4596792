/**
 * One attempt: hands a batch to its transport and watches the content it opens.
 *
 * Decides nothing about outcomes. A transport reports how a transaction went, but cannot say that
 * our own store gave it damaged content: that is noted here, so that such mail is quarantined and
 * neither bounced nor held against the hop.
 */
import type { AttemptReport, RecipientOutcome } from '../core/outcome.ts'
import type { StoredContent } from '../ports/body-store.ts'
import { StoreFault } from '../ports/store-fault.ts'
import type { DeliveryBatch } from '../ports/transport.ts'
import type { DeliveryContext } from './context.ts'
import type { LeasedBatch } from './lane.ts'

export interface RunningAttempt {
  readonly batch: LeasedBatch
  readonly signal: AbortSignal
  /** What our own store did wrong, if anything. */
  contentFault: StoreFault | null
}
export interface AttemptEnd {
  reported(attempt: RunningAttempt, report: AttemptReport): void
  /** The transport threw, which is a bug of ours. */
  broke(attempt: RunningAttempt, error: unknown): void
}

/** Longest attempt whatever the transport waits for: twice what the phases of RFC 5321 §4.5.3.2 add up to, rounded. */
const ATTEMPT_MS = 60 * 60_000
/** Slowest peer for which a large message is still worth waiting. */
const OCTETS_PER_MS_MIN = 4

/** Leases must be trusted when this is called; `leases.ts` aborts the attempt when they no longer are. */
export function runAttempt(batch: LeasedBatch, context: DeliveryContext, end: AttemptEnd): void {
  const { transport } = batch.lane
  if (transport === null) throw new Error(`lane ${batch.lane.key} dials nobody`)
  const abort = new AbortController()
  const attempt: RunningAttempt = { batch, signal: abort.signal, contentFault: null }
  batch.abort = abort
  batch.deadlineMs = context.clock.monotonicMs() + ATTEMPT_MS + batch.message.sizeOctets / OCTETS_PER_MS_MIN
  let ended: Promise<AttemptReport>
  try {
    ended = transport.deliver(toDeliver(attempt, context), abort.signal)
  } catch (error) {
    ended = Promise.reject(error)
  }
  ended.then(
    (report) => end.reported(attempt, report),
    (error: unknown) => end.broke(attempt, error),
  )
}

/** Of an attempt that says nothing of any hop: one outcome for all of the batch. */
export function unreachedReport(batch: LeasedBatch, outcome: RecipientOutcome): AttemptReport {
  return {
    outcomes: new Map(batch.recipients.map(({ recipient }) => [recipient.id, outcome])),
    hop: { kind: 'not-reached' },
    timings: { setupMs: 0, transferMs: 0, sessionUse: 0 },
    remoteMta: null,
    tls: null,
  }
}

function toDeliver(attempt: RunningAttempt, context: DeliveryContext): DeliveryBatch {
  const { message, lane, route, recipients } = attempt.batch
  return { message, lane: lane.key, route, recipients, sessionsMax: lane.width, openContent: () => openWatched(attempt, context) }
}

async function openWatched(attempt: RunningAttempt, context: DeliveryContext): Promise<StoredContent> {
  try {
    const content = await context.bodies.open(attempt.batch.message.bodyRef)
    return content.whole === null ? { ...content, whole: null, chunks: () => watchChunks(attempt, content) } : content
  } catch (error) {
    noteFault(attempt, error)
    throw error
  }
}

async function* watchChunks(attempt: RunningAttempt, content: StoredContent): AsyncGenerator<Uint8Array> {
  try {
    yield* content.chunks()
  } catch (error) {
    noteFault(attempt, error)
    throw error
  }
}

function noteFault(attempt: RunningAttempt, error: unknown): void {
  attempt.contentFault = error instanceof StoreFault ? error : new StoreFault('io', error instanceof Error ? error.message : String(error), error)
}
