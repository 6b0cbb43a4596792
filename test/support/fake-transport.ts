/**
 * A transport that answers what the test says, at once or when the test lets it.
 */

import type { RecipientId } from '../../src/core/brand.ts'
import type { AttemptReport, FaultScope, HopVerdict, RecipientOutcome } from '../../src/core/outcome.ts'
import { enhanced, reply } from '../../src/core/reply.ts'
import type { DeliveryBatch, Transport } from '../../src/ports/transport.ts'

export interface Attempt {
  readonly batch: DeliveryBatch
  readonly signal: AbortSignal
  /** Ends the attempt; only with `manual`. */
  readonly finish: (report: AttemptReport) => void
  readonly fail: (error: Error) => void
}
export type Answer = (batch: DeliveryBatch, signal: AbortSignal) => AttemptReport | Promise<AttemptReport>
export interface FakeTransport extends Transport {
  /** Every attempt ever begun, oldest first. */
  readonly attempts: readonly Attempt[]
  /** Attempts under way. */
  readonly open: number
  /** The most that were ever under way together. */
  readonly openMax: number
  answer: Answer | 'manual'
  readonly closed: boolean
}

export const FAKE_MTA = { host: 'relay.test', address: '192.0.2.25' } as const
const TIMINGS = { setupMs: 1, transferMs: 2, sessionUse: 1 } as const

export function createFakeTransport(
  answer: Answer | 'manual' = deliverAll,
  options: { readonly name?: string; readonly batchesPerSession?: number } = {},
): FakeTransport {
  const attempts: Attempt[] = []
  let open = 0
  let openMax = 0
  let closed = false
  const transport: FakeTransport = {
    name: options.name ?? 'fake',
    batchesPerSession: options.batchesPerSession ?? 1,
    answer,
    attempts,
    get open() {
      return open
    },
    get openMax() {
      return openMax
    },
    get closed() {
      return closed
    },
    deliver(batch, signal) {
      open++
      openMax = Math.max(openMax, open)
      const ended = new Promise<AttemptReport>((finish, fail) => {
        attempts.push({ batch, signal, finish, fail })
        if (transport.answer === 'manual') return
        try {
          finish(transport.answer(batch, signal))
        } catch (error) {
          fail(error)
        }
      })
      return ended.finally(() => {
        open--
      })
    },
    close() {
      closed = true
      return Promise.resolve()
    },
  }
  return transport
}

export function report(outcomes: ReadonlyMap<RecipientId, RecipientOutcome>, hop: HopVerdict = { kind: 'healthy' }): AttemptReport {
  return { outcomes, hop, timings: TIMINGS, remoteMta: hop.kind === 'not-reached' ? null : FAKE_MTA, tls: null }
}

/** The same outcome for every recipient of the batch. */
export function reportAll(batch: DeliveryBatch, outcome: RecipientOutcome, hop?: HopVerdict): AttemptReport {
  return report(new Map(batch.recipients.map((leased) => [leased.recipient.id, outcome])), hop)
}

export function deliveredOutcome(relayedWithoutDsn = false): RecipientOutcome {
  return { kind: 'delivered', status: enhanced(2, 0, 0), reply: reply(250, enhanced(2, 0, 0), 'Ok: queued as 4711'), remoteMta: FAKE_MTA, relayedWithoutDsn }
}
export function deferredOutcome(options: { readonly scope?: FaultScope; readonly duplicatePossible?: boolean; readonly text?: string } = {}): RecipientOutcome {
  const { scope = 'recipient', duplicatePossible = false, text = 'Try again later' } = options
  const diagnosis = {
    phase: 'rcpt',
    scope,
    reason: 'the relay asked to try again',
    reply: reply(451, enhanced(4, 3, 0), text),
    remoteMta: FAKE_MTA,
    duplicatePossible,
  } as const
  return { kind: 'deferred', status: enhanced(4, 3, 0), diagnosis }
}
export function failedOutcome(text = 'No such user'): RecipientOutcome {
  const diagnosis = {
    phase: 'rcpt',
    scope: 'recipient',
    reason: 'the relay refused the recipient',
    reply: reply(550, enhanced(5, 1, 1), text),
    remoteMta: FAKE_MTA,
    duplicatePossible: false,
  } as const
  return { kind: 'failed', status: enhanced(5, 1, 1), diagnosis }
}
export const UNWELL: HopVerdict = { kind: 'unwell', status: enhanced(4, 4, 1), reason: 'connection refused' }
export const CREDENTIAL_REFUSED: HopVerdict = { kind: 'credential-refused', status: enhanced(4, 7, 8), reason: 'login refused' }

/** Answers: everything delivered; everything deferred by a hop that is unwell; nothing tried. */
export function deliverAll(batch: DeliveryBatch): AttemptReport {
  return reportAll(batch, deliveredOutcome())
}
export function hopUnwell(batch: DeliveryBatch): AttemptReport {
  return reportAll(batch, deferredOutcome({ scope: 'hop', text: 'connection refused' }), UNWELL)
}
export function allUntried(batch: DeliveryBatch): AttemptReport {
  return reportAll(batch, { kind: 'untried', reason: 'no session to be had' }, { kind: 'not-reached' })
}
