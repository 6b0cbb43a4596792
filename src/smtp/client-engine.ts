/**
 * The client's side of SMTP and LMTP without I/O: bytes in, calls and bytes out, all synchronous.
 *
 * With PIPELINING (RFC 2920) an envelope leaves in one write, behind the final dot before it if there is
 * one; without, one command at a time. Replies are matched by order only; one that nobody asked for ends
 * the session. What a reply means is `core/classify.ts`; timers, TLS and the socket are the transport's.
 */
import { formatReply, type SmtpReply } from '../core/reply.ts'
import { type Capabilities, NO_CAPABILITIES, parseCapabilities } from './capabilities.ts'
import type { ClientEvents, ClientFaultKind, Transaction, TransactionPlan } from './client-events.ts'
import { answerChallenge, beginLogin } from './client-login.ts'
import { type ClientPhase, isAnswer, nextSessionState, OUTSTANDING, PHASES, type SessionState } from './client-machine.ts'
import { ClientPipeline, type PipelineSession, TRANSACTIONS_MAX } from './client-pipeline.ts'
import { isAccepted } from './client-transaction.ts'
import { formatWords } from './command-format.ts'
import { greetsAs } from './greeting.ts'
import { REPLY_FAULT_TEXTS, ReplyReader } from './reply-codec.ts'
import type { SaslExchange } from './sasl.ts'

export type { ClientEvents, ClientFault, ClientFaultKind, Transaction, TransactionEnd, TransactionPlan } from './client-events.ts'
export type { ClientPhase } from './client-machine.ts'

export interface ClientEngineOptions {
  readonly heloName: string
  /** Speaks LMTP (RFC 2033): LHLO, and a reply for each recipient after the final dot. Default: false. */
  readonly lmtp?: boolean
  readonly events: ClientEvents
}

export class ClientEngine {
  readonly #heloName: string
  readonly #lmtp: boolean
  readonly #events: ClientEvents
  readonly #reader = new ReplyReader()
  readonly #pipeline: ClientPipeline
  #state: SessionState = 'greeting'
  #capabilities: Capabilities | null = null
  #greeting: SmtpReply | null = null
  #authenticated = false
  #exchange: SaslExchange | null = null
  #challenges = 0
  #phaseSerial = 0

  constructor(options: ClientEngineOptions) {
    this.#heloName = options.heloName
    this.#lmtp = options.lmtp ?? false
    this.#events = options.events
    this.#pipeline = new ClientPipeline(this.#asPipelineSession())
  }

  /** Any number of octets, cut anywhere. */
  receive(bytes: Uint8Array): void {
    if (this.#isOver) return
    if (this.#state === 'handshake') this.#fail('desynchronised', 'plain bytes behind the reply to STARTTLS', null, 'starttls')
    this.#reader.feed(bytes)
    while (!this.#isOver) {
      const event = this.#reader.next()
      if (event.kind === 'partial') return
      if (event.kind === 'fault') this.#fail('malformed', REPLY_FAULT_TEXTS[event.fault], null, this.phase)
      else this.#takeReply(event.reply)
    }
  }

  /** Only when `idle` and STARTTLS is among the capabilities. */
  startTls(): void {
    this.#requireIdle('startTls')
    this.#state = nextSessionState(this.#state, 'startTls')
    this.#send('STARTTLS\r\n')
  }

  /** EHLO is sent again; capabilities from before are forgotten (RFC 3207 §4.2). */
  tlsStarted(): void {
    if (this.#isOver) return
    this.#state = nextSessionState(this.#state, 'tlsStarted')
    this.#capabilities = null
    this.#authenticated = false
    this.#sendHello()
  }

  /** Only when `idle`. Throws CommandFault if the exchange says what cannot be sent. */
  authenticate(exchange: SaslExchange): void {
    this.#requireIdle('authenticate')
    const { line, shown } = beginLogin(exchange)
    this.#state = nextSessionState(this.#state, 'authenticate')
    this.#exchange = exchange
    this.#challenges = 0
    this.#send(line, shown)
  }

  /**
   * Begins at once if the session is free, else waits for the final dot before it: see `room`. Throws
   * CommandFault, before anything is sent, if an address or parameter cannot be said to this peer.
   */
  submit(plan: TransactionPlan): Transaction {
    if (this.room < 1) throw new Error('no room for another transaction')
    return this.#pipeline.submit(plan)
  }

  /** Content octets, unstuffed; dots are stuffed and bare line ends become CRLF here, unless nothing has to change. Ignored after a fault. */
  writeContent(slice: Uint8Array, sendsAsIs = false): void {
    if (!this.#isOver) this.#pipeline.writeContent(slice, sendsAsIs)
  }

  /** The final dot; the envelope that waits goes out in the same write. Ignored after a fault. */
  endContent(): void {
    if (!this.#isOver) this.#pipeline.endContent()
  }

  /** RSET, as a probe of an idle session; a refusal is a fault. */
  reset(): void {
    this.#requireIdle('reset')
    this.#sendReset()
  }

  /** Only when `idle`. */
  quit(): void {
    this.#requireIdle('quit')
    this.#state = nextSessionState(this.#state, 'quit')
    this.#send('QUIT\r\n')
  }

  /** The connection is gone or was given up: what is open ends as broken. Harmless after a fault. */
  lost(reason: string): void {
    this.#fail('lost', reason, null, this.phase)
  }

  /** How many plans `submit` takes now. */
  get room(): number {
    // LMTP: behind a dot with several answers one too many would be taken for the next transaction's.
    return this.usable ? (this.#lmtp ? 1 : TRANSACTIONS_MAX) - this.#pipeline.length : 0
  }
  /** Set up, nothing is outstanding and nothing waits. */
  get idle(): boolean {
    return this.#state === 'ready' && this.#pipeline.length === 0
  }
  /** May carry another transaction, now or when what is under way is answered. */
  get usable(): boolean {
    return this.#state === 'ready' || this.#state === 'rset'
  }
  /** The oldest unanswered step; `content` while content is being sent; null: idle. Its timeout is the transport's to keep. */
  get phase(): ClientPhase | null {
    return OUTSTANDING[this.#state] ?? this.#pipeline.phase
  }
  /** Changes with every send, reply and slice of content: one timer can watch it. */
  get phaseSerial(): number {
    return this.#phaseSerial
  }
  get capabilities(): Capabilities | null {
    return this.#capabilities
  }
  /** The peer greets as our own server does. */
  get meetsItself(): boolean {
    return this.#greeting !== null && greetsAs(this.#greeting, this.#heloName)
  }
  get authenticated(): boolean {
    return this.#authenticated
  }

  get #isOver(): boolean {
    return this.#state === 'broken' || this.#state === 'closed'
  }

  #takeReply(reply: SmtpReply): void {
    this.#events.tap()?.('<', formatReply(reply))
    this.#phaseSerial++
    const phase = OUTSTANDING[this.#state]
    const transaction = this.#pipeline.answering
    if (phase !== null) this.#takeSessionReply(phase, reply)
    else if (transaction !== null) this.#pipeline.takeReply(transaction, reply)
    else this.#takeUnasked(reply)
  }

  #takeUnasked(reply: SmtpReply): void {
    const phase = this.phase
    if (reply.code === 421) this.#fail('closing', 'the server closes the session', reply, phase)
    else if (this.#pipeline.inContent && reply.code >= 400) this.#fail('early-reply', 'the server answered before the content had ended', reply, phase)
    else this.#fail('desynchronised', 'the server sent a reply though nothing was asked', reply, phase)
  }

  #takeSessionReply(phase: ClientPhase, reply: SmtpReply): void {
    if (phase === 'quit') {
      this.#state = 'closed'
      this.#events.onQuit()
    } else if (!isAnswer(phase, reply)) this.#fail('desynchronised', 'the reply cannot answer this command', reply, phase)
    else if (phase === 'auth' && reply.code < 400) this.#takeAuthReply(reply)
    else if (isAccepted(reply)) this.#stepAccepted(phase, reply)
    else this.#stepRefused(phase, reply)
  }

  #stepAccepted(phase: ClientPhase, reply: SmtpReply): void {
    const before = this.#state
    if (phase === 'starttls' && !this.#reader.empty) {
      // C03: somebody between us and the server wants text of his to be read inside TLS.
      this.#fail('desynchronised', 'plain bytes behind the reply to STARTTLS', reply, phase)
      return
    }
    this.#state = nextSessionState(before, 'accepted')
    if (phase === 'greeting') {
      this.#greeting = reply
      this.#sendHello()
    } else if (phase === 'ehlo') {
      this.#capabilities = before === 'ehlo' ? parseCapabilities(reply.lines) : NO_CAPABILITIES
      this.#events.onReady(this.#capabilities)
    } else if (phase === 'starttls') this.#events.onTlsGo()
    else this.#pipeline.advance()
  }

  #stepRefused(phase: ClientPhase, reply: SmtpReply): void {
    if (this.#state === 'ehlo' && reply.code >= 500 && !this.#lmtp) {
      this.#state = nextSessionState(this.#state, 'refused')
      this.#send(formatWords('HELO', this.#heloName))
      return
    }
    const ends = reply.code === 421 || phase === 'greeting' || phase === 'ehlo' || phase === 'rset'
    if (!ends) this.#state = nextSessionState(this.#state, 'refused')
    if (phase !== 'rset') this.#events.onRefused(phase as 'greeting' | 'ehlo' | 'starttls' | 'auth', reply)
    if (ends) this.#fail(reply.code === 421 ? 'closing' : 'refused', `the server refused while ${PHASES[phase].text}`, reply, phase)
  }

  #takeAuthReply(reply: SmtpReply): void {
    const exchange = this.#exchange
    if (isAccepted(reply) || exchange === null) {
      this.#exchange = null
      this.#authenticated = true
      this.#state = nextSessionState(this.#state, 'accepted')
      this.#events.onAuthenticated()
      return
    }
    const { line, shown } = answerChallenge(exchange, reply.lines[0], ++this.#challenges)
    this.#send(line, shown)
  }

  #requireIdle(caller: string): void {
    if (!this.idle) throw new Error(`${caller}: the session is not idle`)
  }

  #asPipelineSession(): PipelineSession {
    return {
      lmtp: this.#lmtp,
      capabilities: () => this.#capabilities,
      ready: () => this.#state === 'ready',
      over: () => this.#isOver,
      inStep: () => this.#inStep(),
      sendLines: (head, lines) => this.#sendLines(head, lines),
      writeContent: (bytes) => {
        this.#phaseSerial++
        this.#events.write(bytes)
      },
      sendReset: () => this.#sendReset(),
      fail: (kind, reason, reply, phase) => this.#fail(kind, reason, reply, phase),
    }
  }

  #sendHello(): void {
    this.#send(formatWords(this.#lmtp ? 'LHLO' : 'EHLO', this.#heloName))
  }

  #sendReset(): void {
    this.#state = nextSessionState(this.#state, 'reset')
    this.#send('RSET\r\n')
  }

  /** A command of the session's own: nothing is outstanding before it. `shown` is for people, without secrets. */
  #send(line: string, shown = line.trimEnd()): void {
    if (!this.#inStep()) return
    this.#events.tap()?.('>', shown)
    this.#phaseSerial++
    this.#events.write(Buffer.from(line, 'utf8'))
  }

  #sendLines(head: string, lines: readonly string[]): void {
    const tap = this.#events.tap()
    if (tap !== null) {
      if (head !== '') tap('>', '.')
      for (const line of lines) tap('>', line.trimEnd())
    }
    this.#phaseSerial++
    this.#events.write(Buffer.from(head + lines.join(''), 'utf8'))
  }

  /** O08: octets that came before we asked would be taken for the answer. */
  #inStep(): boolean {
    if (this.#reader.empty) return true
    this.#fail('desynchronised', 'the server talked before it was asked', null, this.phase)
    return false
  }

  #fail(kind: ClientFaultKind, reason: string, reply: SmtpReply | null, phase: ClientPhase | null): void {
    if (this.#isOver) return
    if (this.#state === 'quitting') {
      this.#state = 'closed'
      this.#events.onQuit()
      return
    }
    this.#state = 'broken'
    const fault = { kind, phase, reason, reply }
    this.#pipeline.breakAll(fault)
    this.#events.onFault(fault)
  }
}
