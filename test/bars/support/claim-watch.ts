/**
 * Stands between delivery and its transport and compares each report with what the peers took.
 */
import type { QueueId } from '../../../src/core/brand.ts'
import type { AttemptRecord } from '../../../src/ports/journal.ts'
import type { DeliveryBatch, Transport } from '../../../src/ports/transport.ts'
import { type Ledger, takenKey } from './dialogue-oracle.ts'

export interface Checks {
  messages: number
  notices: number
  attempts: number
  readonly outcomes: { delivered: number; failed: number; expired: number }
  openRecipients: number
  rejections: number
  withoutOutcome: number
  /** Said to be delivered, and the peer did not say so after the final dot. */
  falseClaims: number
  /** Failed for good without a 5yz of the peer. */
  unfounded: number
  /** Kept once more although no earlier attempt had said that this was possible. */
  unmarked: number
  marked: number
  slowestMs: number
  readonly complaints: string[]
}

export function noChecks(): Checks {
  return {
    messages: 0,
    notices: 0,
    attempts: 0,
    outcomes: { delivered: 0, failed: 0, expired: 0 },
    openRecipients: 0,
    rejections: 0,
    withoutOutcome: 0,
    falseClaims: 0,
    unfounded: 0,
    unmarked: 0,
    marked: 0,
    slowestMs: 0,
    complaints: [],
  }
}

/** Looks at each report of the transport and compares it with what the peers took. */
export function createWatch(checks: Checks, ledger: Ledger) {
  const openRecipients = new Map<string, number>()
  const notices = new Set<string>()
  /** Attempts that ended with `duplicatePossible`, by recipient. */
  const marks = new Map<string, number>()
  let noticesBefore = 0

  const complain = (text: string, facts: unknown): void => {
    if (checks.complaints.length < 50) checks.complaints.push(`${text} ${JSON.stringify(facts)}`)
  }
  const look = async (batch: DeliveryBatch, transport: Transport, signal: AbortSignal) => {
    const from = performance.now()
    const id = batch.message.envelope.queueId
    if (!openRecipients.has(id)) notices.add(id)
    const prefix = Buffer.concat([Buffer.from(`X-Queue-Id: ${id}\r\n`), batch.message.prefix])
    const keys = batch.recipients.map(({ recipient }) => takenKey(id, `${recipient.forwardPath.localPart}@${String(recipient.forwardPath.domain)}`))
    const earlier = keys.map((key) => ledger.taken.get(key) ?? 0)
    checks.attempts++
    try {
      const report = await transport.deliver({ ...batch, message: { ...batch.message, prefix } }, signal)
      if (report.outcomes.size !== batch.recipients.length) checks.withoutOutcome++
      for (const [index, { recipient }] of batch.recipients.entries()) {
        const outcome = report.outcomes.get(recipient.id)
        const key = keys[index] as string
        const before = earlier[index] as number
        const taken = ledger.taken.get(key) ?? 0
        if (outcome === undefined) checks.withoutOutcome++
        else if (outcome.kind === 'delivered') {
          if (taken === before) {
            checks.falseClaims++
            complain('claimed as delivered and not taken', { key, outcome })
          }
        } else if (outcome.kind === 'failed') {
          const code = outcome.diagnosis.reply?.code ?? 0
          const ours = outcome.diagnosis.reply === null && [3, 5, 6].includes(outcome.status.subject)
          if (code < 500 && !ours) {
            checks.unfounded++
            complain('failed without a 5yz', { key, outcome })
          }
        }
        const isMarked = outcome?.kind === 'deferred' && outcome.diagnosis.duplicatePossible
        if (isMarked) marks.set(key, (marks.get(key) ?? 0) + 1)
        // The first time is what is wanted; each further one must have been announced.
        const kept = ledger.kept.get(key) ?? 0
        if (kept > 1 + (marks.get(key) ?? 0)) {
          checks.unmarked++
          complain('kept more often than was announced', { key, kept, outcome })
        } else if (kept > 1) checks.marked++
      }
      return report
    } catch (fault) {
      checks.rejections++
      complain('the transport rejected', { id, fault: String(fault) })
      throw fault
    } finally {
      checks.slowestMs = Math.max(checks.slowestMs, performance.now() - from)
    }
  }
  return {
    begun: (id: QueueId, recipients: number): void => void openRecipients.set(id, recipients),
    open: (): number => openRecipients.size,
    noticesSeen: (): number => noticesBefore + notices.size,
    transport: (inner: Transport): Transport => ({
      name: inner.name,
      batchesPerSession: inner.batchesPerSession,
      deliver: (batch, signal) => look(batch, inner, signal),
      close: (deadlineMs) => inner.close(deadlineMs),
    }),
    ended(record: AttemptRecord): void {
      if (record.outcome !== 'delivered' && record.outcome !== 'failed' && record.outcome !== 'expired') return
      checks.outcomes[record.outcome]++
      const left = (openRecipients.get(record.queueId) ?? 0) - 1
      if (left > 0) openRecipients.set(record.queueId, left)
      else openRecipients.delete(record.queueId)
    },
    forget(): void {
      noticesBefore += notices.size
      notices.clear()
      marks.clear()
      openRecipients.clear()
    },
  }
}
