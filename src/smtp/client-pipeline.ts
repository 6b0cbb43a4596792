/**
 * The transactions of one session: which commands may leave now, and to which one a reply belongs.
 *
 * At most two are open: one under way, and one whose envelope waits to ride behind the final dot of the
 * first (RFC 2920 §3.1: what follows the dot begins a new group). Without PIPELINING one command leaves at
 * a time. Set-up, and what ends a session, is `client-engine.ts`.
 */
import type { SmtpReply } from '../core/reply.ts'
import { type Capabilities, NO_CAPABILITIES } from './capabilities.ts'
import type { ClientFault, ClientFaultKind, Transaction, TransactionPlan } from './client-events.ts'
import { type ClientPhase, isAnswer } from './client-machine.ts'
import { OpenTransaction } from './client-transaction.ts'
import { DotEncoder, NulInContent } from './dot-codec.ts'

/** What the pipeline needs of its session. */
export interface PipelineSession {
  /** RFC 2033. */
  readonly lmtp: boolean
  capabilities(): Capabilities | null
  /** Set up, and no command of the session's own is outstanding. */
  ready(): boolean
  over(): boolean
  /** False, and the session has failed: octets came though nothing was outstanding. */
  inStep(): boolean
  /** Whole commands; `head` goes in front of them and is not shown. */
  sendLines(head: string, lines: readonly string[]): void
  writeContent(bytes: Uint8Array): void
  sendReset(): void
  fail(kind: ClientFaultKind, reason: string, reply: SmtpReply | null, phase: ClientPhase | null): void
}

/** One under way, one that rides behind it. */
export const TRANSACTIONS_MAX = 2
const NO_LINES: readonly string[] = []

export class ClientPipeline {
  readonly #session: PipelineSession
  /** In the order of their envelopes; only the first may be in its content. */
  readonly #queue: OpenTransaction[] = []
  #encoder = new DotEncoder()

  constructor(session: PipelineSession) {
    this.#session = session
  }

  get length(): number {
    return this.#queue.length
  }
  get phase(): ClientPhase | null {
    return this.#queue[0]?.phase ?? null
  }
  get inContent(): boolean {
    return this.#queue[0]?.sent === 'content'
  }
  /** The transaction to which the next reply belongs. */
  get answering(): OpenTransaction | null {
    const [first, second] = this.#queue
    if (first?.outstanding === true) return first
    return second?.outstanding === true ? second : null
  }

  submit(plan: TransactionPlan): Transaction {
    const transaction = new OpenTransaction(plan, this.#session.capabilities() ?? NO_CAPABILITIES, this.#session.lmtp)
    this.#queue.push(transaction)
    this.advance()
    return transaction
  }

  /** Sends whatever may be sent now. */
  advance(): void {
    if (!this.#session.ready()) return
    const [first, second] = this.#queue
    if (first === undefined || first.sent === 'content') return
    if (!this.#pipelining) this.#advanceStepwise(first)
    else if (first.sent === 'nothing') this.#sendEnvelope(first)
    else if (first.sent === 'final-dot' && second?.sent === 'nothing') this.#sendEnvelope(second)
  }

  takeReply(transaction: OpenTransaction, reply: SmtpReply): void {
    const phase = transaction.record(reply)
    const answers = isAnswer(phase, reply)
    if (phase === 'final-dot' && answers && !transaction.outstanding) this.#finish(transaction, transaction.loneDot ? 'refused' : 'completed')
    if (reply.code === 421) this.#session.fail('closing', 'the server closes the session', reply, phase)
    else if (!answers) this.#session.fail('desynchronised', 'the reply cannot answer this command', reply, phase)
    else if (phase === 'data') this.#takeDataReply(transaction, reply)
    else if (phase !== 'final-dot') this.advance()
  }

  writeContent(slice: Uint8Array, sendsAsIs: boolean): void {
    this.#contentOf('writeContent')
    try {
      const encoded = sendsAsIs ? this.#encoder.pass(slice) : this.#encoder.encode(slice)
      if (encoded.length > 0) this.#session.writeContent(encoded)
    } catch (error) {
      if (!(error instanceof NulInContent)) throw error
      // The only way out of DATA without delivering is to drop the connection.
      this.#session.fail('content', error.message, null, 'content')
    }
  }

  endContent(): void {
    this.#sendFinalDot(this.#contentOf('endContent'))
  }

  /** The session is over: every open transaction ends. */
  breakAll(fault: ClientFault): void {
    for (const transaction of this.#queue.splice(0)) {
      transaction.fault = fault
      transaction.end = 'broken'
      transaction.plan.onEnd(transaction)
    }
  }

  get #pipelining(): boolean {
    return this.#session.capabilities()?.pipelining === true
  }

  #advanceStepwise(transaction: OpenTransaction): void {
    if (transaction.outstanding || transaction.sent === 'final-dot') return
    if (transaction.hopeless) this.#refuse(transaction)
    else if (this.#session.inStep()) this.#session.sendLines('', [transaction.takeStep()])
  }

  #sendEnvelope(transaction: OpenTransaction): void {
    if (this.answering !== null || this.#session.inStep()) this.#session.sendLines('', transaction.takeEnvelope())
  }

  #takeDataReply(transaction: OpenTransaction, reply: SmtpReply): void {
    if (reply.code >= 400) this.#refuse(transaction)
    else if (reply.code === 354) this.#beginContent(transaction)
    else this.#session.fail('desynchronised', 'DATA was answered with neither yes nor no', reply, 'data')
  }

  #beginContent(transaction: OpenTransaction): void {
    transaction.sent = 'content'
    this.#encoder = new DotEncoder()
    // RFC 2920 §3.1: 354 although nobody was taken. A lone dot delivers nothing.
    transaction.loneDot = !transaction.anyAccepted
    // RFC 2033 §4.2 has it refuse DATA then: how many answers to a dot would come, nobody knows.
    if (transaction.loneDot && this.#session.lmtp) this.#session.fail('desynchronised', 'DATA was taken without a recipient', null, 'data')
    else if (transaction.loneDot) this.#sendFinalDot(transaction)
    else transaction.plan.onSendContent(transaction)
  }

  #sendFinalDot(transaction: OpenTransaction): void {
    if (!this.#session.inStep()) return
    transaction.takeFinalDot()
    const waiting = this.#queue[1]
    this.#session.sendLines(this.#encoder.end(), waiting?.sent === 'nothing' && this.#pipelining ? waiting.takeEnvelope() : NO_LINES)
  }

  /** MAIL, all recipients or DATA were refused. */
  #refuse(transaction: OpenTransaction): void {
    if (transaction.needsReset) this.#session.sendReset()
    if (!this.#session.over()) this.#finish(transaction, 'refused')
  }

  #finish(transaction: OpenTransaction, end: 'completed' | 'refused'): void {
    transaction.end = end
    this.#queue.shift()
    // Before anything else is sent: a fault then ends those behind it, and this one has its end already.
    transaction.plan.onEnd(transaction)
    // A 421 ends the session: what waits is not begun.
    if (transaction.finalReply?.code !== 421) this.advance()
  }

  #contentOf(caller: string): OpenTransaction {
    const first = this.#queue[0]
    if (first?.sent !== 'content') throw new Error(`${caller}: no content is awaited`)
    return first
  }
}
