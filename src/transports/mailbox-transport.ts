/**
 * Delivery into mailboxes of this machine: final delivery, one recipient after the other.
 *
 * Writes the fields that belong to it (RFC 5321 §4.4), ends loops, and says what became of each
 * recipient. Who the user is was decided by the route; files, locks and rights are behind
 * `ports/mailboxes.ts`. A full or locked mailbox is that recipient's matter; one that hangs stops its lane.
 */
import { formatMailbox } from '../core/address.ts'
import type { RecipientId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import type { EnvelopeRecipient } from '../core/envelope.ts'
import { readOriginalRecipient } from '../core/original-recipient.ts'
import type { AttemptReport, HopVerdict, RecipientOutcome } from '../core/outcome.ts'
import { type EnhancedStatus, enhanced, formatStatus, reply } from '../core/reply.ts'
import { composeFinalHeader, type FinalDelivery } from '../message/final-header.ts'
import { type HeaderScan, scanHeaderBlock } from '../message/header-block.ts'
import type { StoredContent } from '../ports/body-store.ts'
import type { MailboxAnswer, Mailboxes } from '../ports/mailboxes.ts'
import type { DeliveryBatch, Transport } from '../ports/transport.ts'

export interface MailboxTransportParts {
  readonly mailboxes: Mailboxes
  readonly clock: Clock
}

/** One under way, one at hand when it is done. */
const BATCHES_PER_SESSION = 2
/** What intake can be told to take, and our own lines. */
const HEADER_OCTETS_MAX = 11_000_000
const DELIVERED = enhanced(2, 0, 0)
/** Of the fields that are added. */
const OWN_OCTETS = 500
const HEALTHY: HopVerdict = { kind: 'healthy' }

export function createMailboxTransport({ mailboxes, clock }: MailboxTransportParts): Transport {
  return {
    name: 'mailbox',
    batchesPerSession: BATCHES_PER_SESSION,
    async deliver(batch, signal) {
      const content = await batch.openContent()
      const fromMs = clock.monotonicMs()
      const outcomes = new Map<RecipientId, RecipientOutcome>()
      let hop = HEALTHY
      for (const { recipient } of batch.recipients) {
        const answer = hop === HEALTHY ? await deliverOne(mailboxes, { batch, content, recipient }, signal) : null
        outcomes.set(recipient.id, answer === null ? { kind: 'untried', reason: 'the mailbox hangs' } : outcomeOf(answer, userOf(batch)))
        if (answer?.kind === 'refused' && answer.hangs) hop = { kind: 'unwell', status: answer.status, reason: answer.reason }
      }
      // Whole content was copied for each mailbox; pieces may still be on their way into one.
      if (content.whole !== null) content.giveBack?.()
      return reportOf(outcomes, hop, clock.monotonicMs() - fromMs)
    },
    close: (deadlineMs) => mailboxes.close(deadlineMs),
  }
}

interface OneDelivery {
  readonly batch: DeliveryBatch
  readonly content: StoredContent
  readonly recipient: EnvelopeRecipient
}
type Answer = MailboxAnswer | { readonly kind: 'loop' } | { readonly kind: 'no-header' }

function userOf({ route }: DeliveryBatch): string | null {
  if (route.kind !== 'mailbox') throw new Error(`the mailbox transport has no way for a route of kind ${route.kind}`)
  return route.user
}

async function deliverOne(mailboxes: Mailboxes, one: OneDelivery, signal: AbortSignal): Promise<Answer> {
  const { batch, content } = one
  const user = userOf(batch)
  if (user === null) return { kind: 'unknown-user' }
  const { reversePath } = batch.message.envelope
  const from = reversePath.kind === 'null' ? '' : formatMailbox(reversePath.mailbox)
  const pieces = allOf(batch.message.prefix, content)
  try {
    const { head, scan } = await readHeader(pieces)
    if (scan.kind !== 'block') return { kind: 'no-header' }
    const header = composeFinalHeader(head, scan.block, fieldsOf(one.recipient, from))
    if (header.kind === 'loop') return { kind: 'loop' }
    const sizeOctets = OWN_OCTETS + batch.message.prefix.byteLength + content.sizeOctets
    return await mailboxes.deliver({ user, from: from === '' ? 'MAILER-DAEMON' : from, sizeOctets, content: () => joined(header.pieces, pieces) }, signal)
  } finally {
    // Nobody may have asked for the rest.
    await pieces.return(undefined)
  }
}

async function* joined(first: readonly Uint8Array[], rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* first
  yield* rest
}

function fieldsOf(recipient: EnvelopeRecipient, reversePath: string): FinalDelivery {
  const address = formatMailbox(recipient.forwardPath)
  const original = recipient.originalRecipient === null ? null : readOriginalRecipient(recipient.originalRecipient)
  return { reversePath, recipient: address, originalRecipient: original ?? address }
}

/** Octets from the first one, at least the whole header. */
async function readHeader(pieces: AsyncGenerator<Uint8Array>): Promise<{ readonly head: Uint8Array; readonly scan: HeaderScan }> {
  let head: Uint8Array = new Uint8Array()
  for (;;) {
    const { value, done } = await pieces.next()
    if (done !== true) head = head.byteLength === 0 ? value : Buffer.concat([head, value])
    const scan = scanHeaderBlock(head, { headerOctetsMax: HEADER_OCTETS_MAX, ended: done === true })
    if (scan.kind !== 'unfinished') return { head, scan }
  }
}

async function* allOf(prefix: Uint8Array, content: StoredContent): AsyncGenerator<Uint8Array> {
  if (content.whole !== null) yield Buffer.concat([prefix, content.whole])
  else {
    yield prefix
    yield* content.chunks()
  }
}

function outcomeOf(answer: Answer, user: string | null): RecipientOutcome {
  switch (answer.kind) {
    case 'delivered':
      return {
        kind: 'delivered',
        status: DELIVERED,
        reply: reply(250, DELIVERED, `delivered to the mailbox of ${user}`),
        remoteMta: { host: 'local', address: user ?? '' },
        relayedWithoutDsn: false,
        final: true,
      }
    case 'given-up':
      return { kind: 'untried', reason: 'given up before the message was handed over' }
    case 'unknown-user':
      return failed(enhanced(5, 1, 1), user === null ? 'there is no such user on this machine' : `there is no user ${user} on this machine`)
    case 'loop':
      return failed(enhanced(5, 4, 6), 'the message was delivered to this very address before: mail goes round in a loop')
    case 'no-header':
      return failed(enhanced(5, 6, 0), 'the header of the message has no end')
    case 'refused': {
      const { status, reason, duplicatePossible, hangs } = answer
      const diagnosis = { phase: 'final-dot', scope: hangs ? 'hop' : 'recipient', reason, reply: null, remoteMta: null, duplicatePossible } as const
      return { kind: 'deferred', status, diagnosis }
    }
  }
}

function failed(status: EnhancedStatus<5>, reason: string): RecipientOutcome {
  const diagnosis = {
    phase: 'rcpt',
    scope: 'recipient',
    reason: `${reason} (${formatStatus(status)})`,
    reply: null,
    remoteMta: null,
    duplicatePossible: false,
  } as const
  return { kind: 'failed', status, diagnosis }
}

function reportOf(outcomes: AttemptReport['outcomes'], hop: HopVerdict, transferMs: number): AttemptReport {
  const delivered = [...outcomes.values()].find((outcome) => outcome.kind === 'delivered')
  return { outcomes, hop, timings: { setupMs: 0, transferMs, sessionUse: 0 }, remoteMta: delivered?.remoteMta ?? null, tls: null }
}
