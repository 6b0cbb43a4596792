/**
 * One mail transaction of a session: the envelope as it grows, and the content behind it.
 *
 * A mailbox that is named twice is one recipient; the parameters of the first RCPT count.
 */
import { formatMailbox, formatReversePath } from '../core/address.ts'
import type { DomainName } from '../core/brand.ts'
import type { Mailbox } from '../core/envelope.ts'
import type { MailCommand, RcptCommand } from '../smtp/command.ts'
import type { SubmittedEnvelope, SubmittedRecipient } from './accept-message.ts'
import type { ContentIntake } from './content-intake.ts'

export class Transaction {
  readonly #mail: MailCommand
  readonly #recipients: SubmittedRecipient[] = []
  /** Made with the second recipient: most messages have one. */
  #seen: Set<string> | null = null
  content: ContentIntake | null = null

  constructor(mail: MailCommand) {
    this.#mail = mail
  }

  /** `hostname` is the domain of a bare postmaster (RFC 5321 §4.5.1). */
  addRecipient(rcpt: RcptCommand, hostname: string): void {
    const forwardPath: Mailbox =
      rcpt.forwardPath === 'postmaster' ? { localPart: 'postmaster', domain: hostname.toLowerCase() as DomainName } : rcpt.forwardPath
    if (this.#isKnown(forwardPath)) return
    this.#recipients.push({ forwardPath, notify: rcpt.notify, originalRecipient: rcpt.originalRecipient })
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
