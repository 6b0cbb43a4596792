/**
 * One mail transaction of a session: the envelope as it grows, and the content behind it.
 *
 * A mailbox that is named twice is one recipient; the parameters of the first RCPT count.
 */
import { formatMailbox, formatReversePath } from '../core/address.ts'
import type { DomainName } from '../core/brand.ts'
import type { Mailbox } from '../core/envelope.ts'
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import type { Rewriter } from '../ports/rewriter.ts'
import type { MailCommand, RcptCommand } from '../smtp/command.ts'
import type { SubmittedEnvelope, SubmittedRecipient } from './accept-message.ts'
import type { ContentIntake } from './content-intake.ts'

/** For the log, of a recipient that is not taken. */
export function nameOf({ forwardPath }: RcptCommand): string {
  return forwardPath === 'postmaster' ? forwardPath : formatMailbox(forwardPath)
}

const TOO_MANY_REWRITTEN = reply(452, enhanced(4, 5, 3), 'Too many recipients: the addresses become more than one message may have')

export class Transaction {
  readonly #mail: MailCommand
  readonly #recipients: SubmittedRecipient[] = []
  /** Made with the second recipient: most messages have one. */
  #seen: Set<string> | null = null
  /** What the recipients become, as far as is known now. */
  #rewritten = 0
  content: ContentIntake | null = null

  constructor(mail: MailCommand) {
    this.#mail = mail
  }

  /** `hostname` is the domain of a bare postmaster (RFC 5321 §4.5.1). Null: added, else why not. */
  addRecipient(rcpt: RcptCommand, hostname: string, rewriter: Rewriter | null = null): SmtpReply | null {
    const forwardPath: Mailbox =
      rcpt.forwardPath === 'postmaster' ? { localPart: 'postmaster', domain: hostname.toLowerCase() as DomainName } : rcpt.forwardPath
    const refusal = rewriter === null ? null : this.#checkRewritten(forwardPath, rewriter)
    if (refusal !== null || this.#isKnown(forwardPath)) return refusal
    this.#recipients.push({ forwardPath, notify: rcpt.notify, originalRecipient: rcpt.originalRecipient })
    return null
  }

  /** Lists that together become too many go in several transactions. */
  #checkRewritten(forwardPath: Mailbox, rewriter: Rewriter): SmtpReply | null {
    const check = rewriter.checkRecipient(forwardPath)
    if (check.kind === 'refused') return check.reply
    if (this.#rewritten > 0 && this.#rewritten + check.recipients > rewriter.recipientsMax) return TOO_MANY_REWRITTEN
    this.#rewritten += check.recipients
    return null
  }

  /** Throws if there is no recipient: the engine gives 354 only with one. */
  envelope(): SubmittedEnvelope {
    const [first, ...others] = this.#recipients
    if (first === undefined) throw new Error('a transaction reached its content without a recipient')
    const { reversePath, body, smtputf8, requireTls, envelopeId, returnContent } = this.#mail
    return { reversePath, recipients: [first, ...others], body, smtputf8, requireTls, envelopeId, returnContent }
  }

  /** For the log, of a message that is not taken. */
  get facts(): { readonly from: string; readonly to: string | null; readonly nrcpt: number } {
    const [first] = this.#recipients
    const to = first === undefined ? null : formatMailbox(first.forwardPath)
    return { from: formatReversePath(this.#mail.reversePath), to, nrcpt: this.#recipients.length }
  }

  get sender(): string {
    return formatReversePath(this.#mail.reversePath)
  }

  get recipientAddresses(): readonly string[] {
    return this.#recipients.map((recipient) => formatMailbox(recipient.forwardPath))
  }

  #isKnown(mailbox: Mailbox): boolean {
    const [first] = this.#recipients
    if (first === undefined) return false
    this.#seen ??= new Set([formatMailbox(first.forwardPath)])
    const address = formatMailbox(mailbox)
    if (this.#seen.has(address)) return true
    this.#seen.add(address)
    return false
  }
}
