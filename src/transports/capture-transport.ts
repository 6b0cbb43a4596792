/**
 * Keeps instead of sending: every recipient is delivered at once, to nobody.
 *
 * What "keeping" is, the store knows (content of captured messages stays longer); nothing is dialled.
 */
import type { RecipientId } from '../core/brand.ts'
import type { AttemptReport, RecipientOutcome } from '../core/outcome.ts'
import { enhanced, reply } from '../core/reply.ts'
import type { DeliveryBatch, Transport } from '../ports/transport.ts'

const STATUS = enhanced(2, 0, 0)
/** Shown as the reply; our own text never looks like a peer's (it names no address). */
const OUTCOME: RecipientOutcome = {
  kind: 'delivered',
  status: STATUS,
  reply: reply(250, STATUS, 'captured, nothing was sent'),
  remoteMta: { host: 'capture', address: 'none' },
  relayedWithoutDsn: false,
}

export function createCaptureTransport(): Transport {
  return {
    name: 'capture',
    batchesPerSession: 1,
    deliver(batch: DeliveryBatch): Promise<AttemptReport> {
      const outcomes = new Map<RecipientId, RecipientOutcome>()
      for (const { recipient } of batch.recipients) outcomes.set(recipient.id, OUTCOME)
      return Promise.resolve({ outcomes, hop: { kind: 'healthy' }, timings: { setupMs: 0, transferMs: 0, sessionUse: 0 }, remoteMta: null, tls: null })
    },
    close: () => Promise.resolve(),
  }
}
