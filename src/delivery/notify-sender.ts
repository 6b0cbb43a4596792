/**
 * Tells senders what became of their mail: decides whether a notice is due, and has it written.
 *
 * NOTIFY is honoured (RFC 3461 §4.1); the null reverse-path is never answered (RFC 5321 §4.5.5),
 * a copy may go to the postmaster instead; more than so many notices to one sender in an hour are
 * counted only. The notice is committed with the settlements it tells of: see `settle-queue.ts`.
 */
import { formatMailbox, parseMailbox } from '../core/address.ts'
import type { EpochMs } from '../core/brand.ts'
import type { EnvelopeRecipient, Mailbox, Notify, ReversePath } from '../core/envelope.ts'
import { readOriginalRecipient } from '../core/original-recipient.ts'
import type { RecipientOutcome, RemoteMta } from '../core/outcome.ts'
import { type EnhancedStatus, enhanced, formatReply, type SmtpReply } from '../core/reply.ts'
import { composeDsn, type DsnKind, type DsnRecipient, type DsnRequest, type NoticeRation } from '../message/dsn.ts'
import type { Acceptance, AcceptedMessage, HistoryLine, LeasedRecipient } from '../ports/queue-store.ts'
import type { DeliveryContext } from './context.ts'
import { acceptanceOfNotice, type NoticePlacer } from './notice-message.ts'
import { readOriginal } from './notice-original.ts'
import { createNoticeRate, type NoticeRate } from './notice-rate.ts'

/** One recipient of whom a notice may tell. */
export interface NoticeSubject {
  readonly leased: LeasedRecipient
  readonly status: EnhancedStatus
  readonly reason: string
  readonly reply: SmtpReply | null
  readonly remoteMta: RemoteMta | null
  readonly duplicatePossible: boolean
}
export interface Notice {
  /** To be committed with the settlements; null: none is sent. */
  readonly acceptance: Acceptance | null
  /** For the history of every recipient it tells of. */
  readonly line: HistoryLine | null
}
export type NoticeDecision = 'send' | 'not-asked' | 'null-path'

export function decideNotice(kind: DsnKind, notify: Notify, reversePath: ReversePath): NoticeDecision {
  if (reversePath.kind === 'null') return 'null-path'
  if (notify === 'never') return 'not-asked'
  // RFC 3461 §4.1: without NOTIFY a failure is told, and a delay if the server likes; we do.
  if (notify === null) return kind === 'relayed' || kind === 'delivered' ? 'not-asked' : 'send'
  const event = kind === 'delayed' ? 'delay' : kind === 'relayed' || kind === 'delivered' ? 'success' : 'failure'
  return notify.includes(event) ? 'send' : 'not-asked'
}

/** What a notice says of a recipient whose attempt ended so. */
export function noticeSubject(leased: LeasedRecipient, outcome: Exclude<RecipientOutcome, { kind: 'untried' }>): NoticeSubject {
  if (outcome.kind === 'delivered') {
    const { status, reply, remoteMta } = outcome
    if (outcome.final === true) return { leased, status, reason: 'the message is in the mailbox', reply: null, remoteMta: null, duplicatePossible: false }
    return { leased, status, reason: 'the next server took the message', reply, remoteMta, duplicatePossible: false }
  }
  const { reason, reply, remoteMta, duplicatePossible } = outcome.diagnosis
  return { leased, status: outcome.status, reason, reply, remoteMta, duplicatePossible }
}

/** For recipients that were not tried: their lane was closed. */
export function untriedSubject(leased: LeasedRecipient, reason: string): NoticeSubject {
  return { leased, status: enhanced(4, 4, 7), reason, reply: null, remoteMta: null, duplicatePossible: false }
}

export class SenderNotices {
  readonly #context: DeliveryContext
  readonly #place: NoticePlacer
  readonly #rate: NoticeRate = createNoticeRate()

  constructor(context: DeliveryContext, place: NoticePlacer) {
    this.#context = context
    this.#place = place
  }

  /** One notice for recipients of one message that share a fate. Never rejects: a notice that cannot be made is told in the journal. */
  async compose(kind: DsnKind, message: AcceptedMessage, subjects: readonly [NoticeSubject, ...NoticeSubject[]]): Promise<Notice> {
    const { reversePath } = message.envelope
    const to = this.#addressee(kind, message)
    if (to === null) return this.#doubleBounce(kind, message)
    const ration = this.#ration(to)
    if (ration === null) return this.#suppressed(`more than ${this.#context.settings.dsn.perSenderPerHourMax} notices to this sender in an hour`)
    try {
      const acceptance = await this.#write(kind, message, { to, subjects, ration })
      this.#context.counters.noticesQueued++
      const suffix = reversePath.kind === 'null' ? ' (copy to the postmaster)' : ''
      const detail = { noticeId: acceptance.message.envelope.queueId, reason: `${kind} notice to ${formatMailbox(to)}${suffix}` }
      return { acceptance, line: { kind: kind === 'delayed' ? 'delay-notice' : 'dsn-queued', detail } }
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      this.#context.journal.note('delivery', 'error', `a ${kind} notice could not be made: ${reason}`, { queueId: message.envelope.queueId })
      return this.#suppressed(`the notice could not be made: ${reason}`)
    }
  }

  /** The sender; for undeliverable notices the postmaster, unless it is he who cannot be reached. */
  #addressee(kind: DsnKind, message: AcceptedMessage): Mailbox | null {
    const { reversePath, recipients } = message.envelope
    if (reversePath.kind === 'mailbox' && this.#unreachable(reversePath.mailbox) === null) return reversePath.mailbox
    const { postmaster } = this.#context.settings.dsn
    if (postmaster === null || (kind !== 'failed' && kind !== 'expired')) return null
    const mailbox = parseMailbox(postmaster)
    if (mailbox === null) return null
    if (this.#unreachable(mailbox) !== null) return null
    return recipients.some((recipient) => wasFor(recipient, mailbox)) ? null : mailbox
  }

  /** Why a notice could not be delivered here: no such local user, aliases in a circle. Null: nothing is known against it. */
  #unreachable(mailbox: Mailbox): string | null {
    const check = this.#context.rewriter?.()?.checkRecipient(mailbox) ?? null
    return check?.kind === 'refused' ? formatReply(check.reply) : null
  }

  #doubleBounce(kind: DsnKind, message: AcceptedMessage): Notice {
    if (kind !== 'failed' && kind !== 'expired') return NO_NOTICE
    const { queueId, reversePath } = message.envelope
    if (reversePath.kind === 'mailbox') {
      const reason = `nobody is told, for the sender cannot be reached: ${this.#unreachable(reversePath.mailbox) ?? 'he is gone'}`
      this.#context.journal.note('delivery', 'warn', `a message cannot be delivered and ${reason}`, { queueId })
      return this.#suppressed(reason)
    }
    this.#context.journal.note('delivery', 'warn', 'a message without a sender cannot be delivered and nobody is told', {
      queueId,
      subject: message.header.subject,
    })
    return { acceptance: null, line: { kind: 'dsn-suppressed', detail: { reason: 'the reverse-path is null: such mail is never answered' } } }
  }

  #ration(to: Mailbox): NoticeRation | null {
    const { settings, clock, journal } = this.#context
    const { perSenderPerHourMax } = settings.dsn
    const ration = this.#rate.take(formatMailbox(to).toLowerCase(), perSenderPerHourMax, clock.monotonicMs())
    if (ration?.last === true)
      journal.note('delivery', 'warn', 'a sender gets no more notices within this hour', { sender: formatMailbox(to), perSenderPerHourMax })
    return ration
  }

  #suppressed(reason: string): Notice {
    this.#context.counters.noticesSuppressed++
    return { acceptance: null, line: { kind: 'dsn-suppressed', detail: { reason } } }
  }

  async #write(
    kind: DsnKind,
    message: AcceptedMessage,
    told: { readonly to: Mailbox; readonly subjects: readonly [NoticeSubject, ...NoticeSubject[]]; readonly ration: NoticeRation },
  ): Promise<Acceptance> {
    const { settings, bodies, clock } = this.#context
    const { returnFullMaxOctets } = settings.dsn
    const original = await readOriginal(bodies, message, { kind, returnFullMaxOctets, headerOnly: told.subjects.some(isUnfit) })
    const [first, ...rest] = told.subjects
    const request: DsnRequest = {
      kind,
      queueId: this.#context.newQueueId(),
      token: this.#newBoundaryToken(),
      hostname: settings.hostname,
      from: settings.dsn.from,
      to: told.to,
      at: clock.now(),
      recipients: [recipientOf(first), ...rest.map(recipientOf)],
      original,
      retryUntil: kind === 'delayed' ? ((message.acceptedAt + settings.retry.lifetimeMs) as EpochMs) : null,
      ration: told.ration,
    }
    const dsn = composeDsn(request)
    return acceptanceOfNotice(dsn, { request, about: message, context: this.#context, place: this.#place })
  }

  #newBoundaryToken(): string {
    return Math.floor(this.#context.random() * 2 ** 48).toString(36)
  }
}

/** RFC 3463 §3.7: content that could not be passed on as it is (6.3, 6.7) would stop a notice that holds it on the same way. */
function isUnfit({ status }: NoticeSubject): boolean {
  return status.subject === 6 && (status.detail === 3 || status.detail === 7)
}

/** It is that mailbox, or what the mailbox was rewritten to: else the postmaster's copies would follow one another for ever. */
function wasFor({ forwardPath, originalRecipient }: EnvelopeRecipient, mailbox: Mailbox): boolean {
  const wanted = formatMailbox(mailbox).toLowerCase()
  const original = originalRecipient === null ? null : readOriginalRecipient(originalRecipient)
  return formatMailbox(forwardPath).toLowerCase() === wanted || original?.toLowerCase() === wanted
}

const NO_NOTICE: Notice = { acceptance: null, line: null }

function recipientOf(subject: NoticeSubject): DsnRecipient {
  const { leased, status, reason, reply, remoteMta, duplicatePossible } = subject
  const { forwardPath, originalRecipient } = leased.recipient
  return { mailbox: forwardPath, originalRecipient, status, reason, reply, remoteMta, duplicatePossible }
}
