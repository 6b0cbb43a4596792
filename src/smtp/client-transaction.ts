/**
 * One transaction on the wire: the plan, and two cursors on it, what was sent and what was answered.
 *
 * Steps are numbered: 0 MAIL, then one a recipient, then DATA, then the final dot. Replies come in the
 * order of the steps, so the answered cursor alone says what a reply belongs to (RFC 2920 §3.1). With LMTP
 * the last step has as many replies as recipients were taken.
 */
import type { SmtpReply } from '../core/reply.ts'
import type { Capabilities } from './capabilities.ts'
import type { ClientFault, Transaction, TransactionEnd, TransactionPlan } from './client-events.ts'
import type { ClientPhase } from './client-machine.ts'
import { formatMail, formatRcpt } from './command-format.ts'

export class OpenTransaction implements Transaction {
  readonly plan: TransactionPlan
  sent: Transaction['sent'] = 'nothing'
  mailReply: SmtpReply | null = null
  readonly rcptReplies: (SmtpReply | null)[]
  anyAccepted = false
  dataReply: SmtpReply | null = null
  finalReply: SmtpReply | null = null
  readonly finalReplies: (SmtpReply | null)[] | null
  loneDot = false
  end: TransactionEnd | null = null
  fault: ClientFault | null = null
  /** Whole commands, MAIL first, DATA last. */
  readonly #lines: readonly string[]
  #stepsSent = 0
  #stepsAnswered = 0

  /** Formats every command before the first one leaves. Throws CommandFault. */
  constructor(plan: TransactionPlan, peer: Capabilities, lmtp = false) {
    this.plan = plan
    const smtputf8 = plan.mail.smtputf8
    const lines = [formatMail(plan.mail, peer)]
    for (const recipient of plan.recipients) lines.push(formatRcpt(recipient, smtputf8, peer))
    lines.push('DATA\r\n')
    this.#lines = lines
    this.rcptReplies = new Array<SmtpReply | null>(plan.recipients.length).fill(null)
    this.finalReplies = lmtp ? this.rcptReplies.slice() : null
  }

  /** Something was sent that was not answered. */
  get outstanding(): boolean {
    return this.#stepsAnswered < this.#stepsSent
  }

  /** The oldest unanswered step; `content` while content is being sent; null: nothing is outstanding. */
  get phase(): ClientPhase | null {
    if (this.outstanding) return this.#phaseOf(this.#stepsAnswered)
    return this.sent === 'content' ? 'content' : null
  }

  /** True once every recipient was answered and none taken, or MAIL was refused: DATA is of no use. */
  get hopeless(): boolean {
    if (this.mailReply !== null && !isAccepted(this.mailReply)) return true
    return this.#stepsAnswered > this.plan.recipients.length && !this.anyAccepted
  }

  /** MAIL was taken and no content followed: the peer still has our envelope. */
  get needsReset(): boolean {
    return this.mailReply !== null && isAccepted(this.mailReply) && this.sent === 'envelope'
  }

  /** Everything up to DATA. */
  takeEnvelope(): readonly string[] {
    this.sent = 'envelope'
    this.#stepsSent = this.#lines.length
    return this.#lines
  }

  /** The next command alone, for peers without PIPELINING. */
  takeStep(): string {
    const line = this.#lines[this.#stepsSent]
    if (line === undefined) throw new Error('the envelope has no further step')
    this.sent = 'envelope'
    this.#stepsSent++
    return line
  }

  takeFinalDot(): void {
    this.sent = 'final-dot'
    this.#stepsSent++
  }

  /** Records the reply to the oldest unanswered step, and says which step that was. */
  record(reply: SmtpReply): ClientPhase {
    const step = this.#stepsAnswered
    const phase = this.#phaseOf(step)
    // RFC 2033 §4.2: the final dot is answered for each recipient that was taken, in their order.
    if (phase !== 'final-dot' || this.#recordFinal(reply)) this.#stepsAnswered++
    if (phase === 'mail') this.mailReply = reply
    else if (phase === 'rcpt') this.#recordRecipient(step - 1, reply)
    else if (phase === 'data') this.dataReply = reply
    return phase
  }

  /** True if nothing more is to come. */
  #recordFinal(reply: SmtpReply): boolean {
    this.finalReply = reply
    const replies = this.finalReplies
    if (replies === null) return true
    const open = replies.flatMap((known, index) => (known === null && isTaken(this.rcptReplies[index]) ? [index] : []))
    if (open[0] !== undefined) replies[open[0]] = reply
    return open.length <= 1
  }

  /** A recipient taken after a refused MAIL is not taken: there is no transaction that it could belong to. */
  #recordRecipient(index: number, reply: SmtpReply): void {
    this.rcptReplies[index] = reply
    if (isAccepted(reply) && this.mailReply !== null && isAccepted(this.mailReply)) this.anyAccepted = true
  }

  #phaseOf(step: number): ClientPhase {
    if (step === 0) return 'mail'
    const recipients = this.plan.recipients.length
    if (step <= recipients) return 'rcpt'
    return step === recipients + 1 ? 'data' : 'final-dot'
  }
}

function isTaken(reply: SmtpReply | null | undefined): boolean {
  return reply !== null && reply !== undefined && isAccepted(reply)
}

export function isAccepted(reply: SmtpReply): boolean {
  return reply.code >= 200 && reply.code < 300
}
