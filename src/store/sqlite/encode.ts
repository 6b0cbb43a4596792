/**
 * Acceptances and settlements as fields of an op: the inverse of `writer/enqueue.ts` and `writer/settle.ts`.
 */
import { queueIdToNumber, splitRecipientId } from '../../core/queue-id.ts'
import type { Acceptance, Placement, Settlement } from '../../ports/queue-store.ts'
import { formatDsn, formatMailbox, formatMeta, formatSender, STATE_NUMBERS } from '../rows.ts'
import type { BatchWriter } from './wire.ts'

const NO_CONTENT = new Uint8Array(0)

export function octetsOf({ message, content }: Acceptance): number {
  return message.prefix.byteLength + (content?.byteLength ?? 0)
}

export function encodeAcceptance(to: BatchWriter, { message, content, placements }: Acceptance): void {
  const { envelope, origin } = message
  const total = envelope.recipients.length
  to.values.push(queueIdToNumber(envelope.queueId), message.acceptedAt, message.sizeOctets, total)
  to.values.push(formatMeta(message), JSON.stringify({ by: origin.submitter }))
  to.bytes(message.prefix)
  to.values.push(content === null ? 0 : 1)
  to.bytes(content ?? NO_CONTENT)
  to.values.push(origin.submitter, formatSender(envelope.reversePath), total)
  for (let index = 0; index < total; index++) {
    const recipient = envelope.recipients[index]
    const place = placements[index]
    if (recipient === undefined || place === undefined) throw new RangeError('one placement per recipient')
    to.values.push(formatMailbox(recipient.forwardPath), formatDsn(recipient), STATE_NUMBERS[place.kind], place.lane)
    encodePlace(to, place)
  }
}

function encodePlace(to: BatchWriter, place: Placement): void {
  if (place.kind === 'leased') to.values.push(place.leaseUntil, place.token)
  else if (place.kind === 'held') to.values.push(0, place.reason)
  else to.values.push(place.dueAt, null)
}

export function encodeSettlement(to: BatchWriter, { recipientId, token, change, at, history, last, delayNoticeSent }: Settlement): void {
  const { queueId, index } = splitRecipientId(recipientId)
  to.values.push(queueIdToNumber(queueId), index, token, change.event, at)
  if (change.event === 'defer' || change.event === 'release') to.values.push(change.dueAt, change.lane, null)
  else if (change.event === 'hold') to.values.push(null, null, change.reason)
  else to.values.push(null, change.lane ?? null, null)
  if (last === null) to.values.push(null, null, null)
  else to.values.push(last.status, last.text, last.relay)
  to.values.push(delayNoticeSent ? 1 : 0, history.some((line) => line.kind === 'captured') ? 1 : 0, history.length)
  for (const line of history) to.values.push(line.kind, JSON.stringify(line.detail))
}

export function encodeSettle(to: BatchWriter, batch: readonly Settlement[], notices: readonly Acceptance[]): void {
  to.values.push(batch.length)
  for (const settlement of batch) encodeSettlement(to, settlement)
  to.values.push(notices.length)
  for (const notice of notices) encodeNotice(to, batch, notice)
}

function encodeNotice(to: BatchWriter, batch: readonly Settlement[], notice: Acceptance): void {
  const { queueId } = notice.message.envelope
  const naming = batch.flatMap((settlement, index) => (settlement.history.some((line) => line.detail.noticeId === queueId) ? [index] : []))
  const end = to.values.length
  // Where the next one begins, known only afterwards; the writer skips to it if nobody needs this one.
  to.values.push(0, naming.length, ...naming)
  encodeAcceptance(to, notice)
  to.values[end] = to.values.length
}
