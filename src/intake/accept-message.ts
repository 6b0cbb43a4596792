/**
 * Commit A: turns an envelope and its content into a message that is in the queue.
 *
 * The only road in, for SMTP, CLI and API alike: content is stored, delivery is asked where it goes,
 * the queue takes it; only when that is durable may anybody be told. What the message looks like
 * was decided by `message/submission-fixups.ts`, who may hand it in by `policy.ts`.
 */
import { formatMailbox, formatReversePath, isNonAscii } from '../core/address.ts'
import type { BodyRef, QueueId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import type { Envelope, EnvelopeRecipient, Mailbox, Notify, Origin, ReversePath } from '../core/envelope.ts'
import { recipientId } from '../core/queue-id.ts'
import { composePrefix } from '../message/received-field.ts'
import type { Admission } from '../ports/admission.ts'
import type { BodyStore } from '../ports/body-store.ts'
import type { Journal } from '../ports/journal.ts'
import type { Acceptance, AcceptedMessage, QueueStore } from '../ports/queue-store.ts'
import type { Rewriter } from '../ports/rewriter.ts'
import type { Signer } from '../ports/signer.ts'
import type { TakenContent } from './content-intake.ts'
import type { StoreWatch } from './store-watch.ts'

/** What can only be had once the store is open. */
export interface Backend {
  readonly store: Pick<QueueStore, 'enqueue'>
  readonly bodies: BodyStore
  readonly admission: Admission
  readonly newQueueId: () => QueueId
  /** Left out: nothing is signed. */
  readonly signer?: Signer
  /** Null, or left out: no address is changed. */
  readonly rewriter?: () => Rewriter | null
  /** Does what follows an acceptance, soon. Left out: at once. */
  readonly afterwards?: (work: () => void) => void
}
export interface SubmittedRecipient {
  readonly forwardPath: Mailbox
  readonly notify: Notify
  readonly originalRecipient: string | null
  readonly unrewritten?: string | null
}
/** The envelope before it has a queue id. */
export interface SubmittedEnvelope {
  readonly reversePath: ReversePath
  readonly recipients: readonly [SubmittedRecipient, ...SubmittedRecipient[]]
  readonly body: '7bit' | '8bitmime'
  readonly smtputf8: boolean
  readonly requireTls: boolean
  readonly envelopeId: string | null
  readonly returnContent: 'full' | 'headers' | null
}
export interface Submission {
  readonly envelope: SubmittedEnvelope
  readonly origin: Origin
  /** `TLSv1.3 with cipher ...`; null: no TLS. */
  readonly tls: string | null
  readonly hostname: string
  readonly content: TakenContent
}
export interface AcceptParts {
  readonly backend: Backend
  /** How slow the store is. */
  readonly watch: StoreWatch
  readonly formatDate: (epochMs: number) => string
  readonly clock: Clock
  readonly journal: Journal
}

/**
 * Resolves when the message is durable, after `onDurable` was called. Rejects with `StoreFault` or
 * `SigningFault` if it is not in the queue.
 */
export async function acceptMessage(parts: AcceptParts, submission: Submission, onDurable: (queueId: QueueId) => void): Promise<QueueId> {
  const acceptance = await enqueue(parts, submission)
  const { admission, afterwards = atOnce } = parts.backend
  const { message } = acceptance
  const { queueId } = message.envelope
  try {
    onDurable(queueId)
  } finally {
    afterwards(() => {
      try {
        record(parts.journal, message)
      } finally {
        admission.committed(acceptance)
      }
    })
  }
  return queueId
}

function atOnce(work: () => void): void {
  work()
}

async function enqueue(parts: AcceptParts, submission: Submission): Promise<Acceptance> {
  const { store, admission, newQueueId } = parts.backend
  const queueId = submission.content.queueId ?? newQueueId()
  const unsigned = composeMessage(submission, queueId, parts)
  const { signing } = submission.content
  const message = signing === null ? unsigned : { ...unsigned, prefix: Buffer.concat([await signing.sign(unsigned.prefix), unsigned.prefix]) }
  const { inline, sendsAsIs, letGo } = submission.content
  const acceptance: Acceptance = { message, content: inline, placements: admission.place(message), sendsAsIs, letGo }
  const begunAt = parts.clock.monotonicMs()
  try {
    await store.enqueue(acceptance)
    parts.watch.took(parts.clock.monotonicMs() - begunAt)
  } catch (fault) {
    admission.abandoned(acceptance)
    throw fault
  }
  return acceptance
}

function composeMessage(submission: Submission, queueId: QueueId, parts: AcceptParts): AcceptedMessage {
  const { envelope, origin, content } = submission
  const acceptedAt = parts.clock.now()
  const [first, ...others] = envelope.recipients
  const prefix = composePrefix(
    {
      hostname: submission.hostname,
      queueId,
      protocol: origin.kind === 'smtp' ? origin.protocol : null,
      heloName: origin.heloName,
      clientAddress: origin.clientAddress,
      tls: submission.tls,
      onlyRecipient: others.length === 0 ? formatMailbox(first.forwardPath) : null,
      date: parts.formatDate(acceptedAt),
    },
    { date: content.fixups.addDate, messageId: content.fixups.addMessageId },
  )
  return {
    envelope: completeEnvelope(rewriteEnvelope(envelope, parts.backend.rewriter?.() ?? null), queueId, content.eightBit),
    origin,
    header: content.fixups.addMessageId ? { ...content.header, messageId: `<${queueId}@${submission.hostname}>` } : content.header,
    prefix: Buffer.from(prefix),
    bodyRef: queueId as string as BodyRef,
    sizeOctets: content.sizeOctets,
    acceptedAt,
  }
}

/** Trace lines name the recipient that the client named; everything behind goes to those that it became. */
function rewriteEnvelope(envelope: SubmittedEnvelope, rewriter: Rewriter | null): SubmittedEnvelope {
  if (rewriter === null) return envelope
  const reversePath = rewriter.rewriteSender(envelope.reversePath)
  const recipients = rewriter.rewriteRecipients(envelope.recipients)
  const addresses = recipients.map(({ forwardPath }) => forwardPath)
  return { ...envelope, reversePath, recipients, smtputf8: envelope.smtputf8 || [reversePath, ...addresses].some(needsSmtputf8) }
}

function needsSmtputf8(path: ReversePath | Mailbox): boolean {
  if ('kind' in path) return path.kind === 'mailbox' && isNonAscii(formatMailbox(path.mailbox))
  return isNonAscii(formatMailbox(path))
}

function completeEnvelope(envelope: SubmittedEnvelope, queueId: QueueId, eightBit: boolean): Envelope {
  const complete = (recipient: SubmittedRecipient, index: number): EnvelopeRecipient => ({
    id: recipientId(queueId, index),
    forwardPath: recipient.forwardPath,
    notify: recipient.notify,
    originalRecipient: recipient.originalRecipient,
    ...(recipient.unrewritten == null ? {} : { unrewritten: recipient.unrewritten }),
  })
  const [first, ...others] = envelope.recipients
  return {
    queueId,
    reversePath: envelope.reversePath,
    recipients: [complete(first, 0), ...others.map((recipient, index) => complete(recipient, index + 1))],
    // What clients declare is often wrong; what a peer without 8BITMIME must not get is what is there.
    body: eightBit ? '8bitmime' : envelope.body,
    smtputf8: envelope.smtputf8,
    requireTls: envelope.requireTls,
    envelopeId: envelope.envelopeId,
    returnContent: envelope.returnContent,
  }
}

function record(journal: Journal, message: AcceptedMessage): void {
  const { envelope, origin } = message
  journal.accepted({
    queueId: envelope.queueId,
    from: formatReversePath(envelope.reversePath),
    recipients: envelope.recipients.length,
    sizeOctets: message.sizeOctets,
    submitter: origin.submitter,
    client: origin.clientAddress,
    protocol: origin.protocol,
    messageId: message.header.messageId,
  })
}
