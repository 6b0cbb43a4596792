/**
 * One SMTP session: a client's connection on one side, the sans-I/O engine on the other.
 *
 * Holds no protocol and no policy of its own. Reads no further while an answer is owed, while content waits for the store, or while
 * the client does not read its replies. Ends under the settings it began with; the client's going away stops nothing that was handed over already.
 */
import type { Socket } from 'node:net'
import { formatReversePath } from '../core/address.ts'
import { enhanced, formatReply, reply, type SmtpReply } from '../core/reply.ts'
import type { MailCommand, RcptCommand } from '../smtp/command.ts'
import type { Credentials } from '../smtp/sasl.ts'
import { type CloseReason, type ContentEnd, type Decision, ServerEngine, type ServerEvents } from '../smtp/server-engine.ts'
import { acceptMessage } from './accept-message.ts'
import { normalizeAddress } from './client-address.ts'
import { ClientConnection, type ClientEvents } from './client-connection.ts'
import { ContentIntake, type ContentIntakeParts, type ContentResult } from './content-intake.ts'
import { checkLogin } from './login.ts'
import { type ClientStanding, decideRelay, decideSender } from './policy.ts'
import { type LineWriter, SessionDialogue } from './session-dialogue.ts'
import { type PaceFault, SessionPace } from './session-pace.ts'
import type { SessionParts } from './session-parts.ts'
import { CLOSE_NOTES, COMMAND_SHOWN_MAX, composeOrigin, PACE_NOTES, PACE_REPLIES } from './session-texts.ts'
import type { UserSettings } from './settings.ts'
import { replyToFault, SHUTTING_DOWN } from './store-replies.ts'
import { describeTls } from './tls-upgrade.ts'
import { nameOf, Transaction } from './transaction.ts'

export class Session implements ServerEvents, ClientEvents {
  readonly #parts: SessionParts
  readonly #onEnd: (session: Session) => void
  readonly #connection: ClientConnection
  readonly #engine: ServerEngine
  readonly #pace: SessionPace
  /** Normalized. */
  readonly address: string
  readonly #trusted: boolean
  #user: UserSettings | null = null
  #wrongGuesses = 0
  #tls: string | null = null
  #handshaking = false
  #transaction: Transaction | null = null
  #contentParts: ContentIntakeParts | null = null
  #progress = 0
  /** Octets came while an answer was owed: the engine holds them back. */
  #heldBack = false
  #finished = false
  #stopping = false
  #closed = false
  readonly #dialogue: SessionDialogue

  constructor(parts: SessionParts, options: { readonly socket: Socket; readonly name: string; readonly onEnd: (session: Session) => void }) {
    this.#parts = parts
    this.#onEnd = options.onEnd
    this.#dialogue = new SessionDialogue(parts.shared.tap, { session: options.name, url: parts.listener.settings.url, transaction: () => this.#transaction })
    this.address = normalizeAddress(options.socket.remoteAddress ?? '')
    this.#trusted = parts.compiled.isTrusted(this.address)
    this.#pace = new SessionPace(parts.shared.clock, parts.compiled.limits, (fault) => this.#tooSlow(fault))
    this.#engine = new ServerEngine({ settings: parts.listener.engine, events: this, implicitTls: parts.listener.settings.implicitTls })
    this.#connection = new ClientConnection(options.socket, parts.shared.readBuffer, this)
  }

  /** Greets, inside TLS if the listener wants it so. */
  start(): void {
    if (this.#parts.listener.settings.implicitTls) this.#upgrade(() => this.#engine.start())
    else this.#engine.start()
    this.#turn()
  }

  /** Idle sessions end now with a 421, others when their content has been answered. */
  stop(): void {
    this.#stopping = true
    if (this.#handshaking) this.#connection.destroy()
    if (this.#engine.answerOwed || this.#engine.state === 'content') return
    this.#engine.close(SHUTTING_DOWN)
  }

  destroy(): void {
    this.#connection.destroy()
  }

  /** The limits have changed: pressure began or ended. */
  review(): void {
    this.#pace.review()
  }

  // The client's side.

  onReceived(bytes: Uint8Array): void {
    if (this.#engine.answerOwed) this.#heldBack = true
    this.#engine.receive(bytes)
    this.#turn()
  }

  onFinished(): void {
    this.#finished = true
    if (!this.#engine.answerOwed) this.#engine.close(null)
  }

  onDrained(): void {
    this.#turn()
  }

  onGone(fault: string | null): void {
    if (this.#handshaking) this.#note('TLS handshake failed', { fault })
    this.#closed = true
    this.#pace.stop()
    this.onReset()
    this.#onEnd(this)
  }

  // The engine's side.

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes)
    if (this.#connection.backlogged && !this.#closed) this.#pace.enter('unread-replies')
  }

  onEhlo(): Decision {
    return 'accept'
  }

  onMail(mail: MailCommand): Decision {
    const trouble = this.#parts.shared.trouble()
    if (trouble !== null) return trouble
    const refusal = decideSender(this.#standing(), mail.reversePath)
    if (refusal !== null) return this.#refused('sender refused', refusal, { from: formatReversePath(mail.reversePath) })
    this.#transaction = new Transaction(mail)
    return 'accept'
  }

  onRcpt(rcpt: RcptCommand): Decision {
    const refusal = decideRelay(this.#standing())
    if (refusal !== null) return this.#refused('relay refused', refusal)
    const unwanted = this.#transaction?.addRecipient(rcpt, this.#parts.compiled.settings.hostname, this.#parts.shared.accept()?.backend.rewriter?.()) ?? null
    return unwanted === null ? 'accept' : this.#refused('recipient refused', unwanted, { ...this.#transaction?.facts, to: nameOf(rcpt) })
  }

  onData(): Decision {
    const { shared, compiled } = this.#parts
    const accept = shared.accept()
    // Asked again: no way through the dialogue may lead to content without it.
    const refusal = decideRelay(this.#standing()) ?? shared.trouble()
    if (refusal !== null || accept === null || this.#transaction === null) return refusal ?? SHUTTING_DOWN
    this.#contentParts ??= {
      ...accept.backend,
      budget: shared.budget,
      scratch: shared.scratch,
      events: { onRelief: () => this.#turn(), onRefused: (refused) => this.#engine.refuseContent(refused) },
    }
    this.#transaction.content = new ContentIntake(this.#contentParts, compiled.limits())
    this.#pace.contentBegins()
    return 'accept'
  }

  onContent(slice: Uint8Array): void {
    this.#pace.contentCame(slice.length)
    this.#transaction?.content?.write(slice)
  }

  onContentEnd(end: ContentEnd): Decision {
    this.#pace.contentEnds()
    const transaction = this.#transaction
    const content = transaction?.content ?? null
    this.#transaction = null
    if (transaction === null || content === null) throw new Error('content ended that never began')
    if (end.fault !== null) {
      content.abort()
      this.#refused('message refused', end.fault.reply, transaction.facts)
      return 'accept'
    }
    const result = content.finish(end.dotless)
    if (!(result instanceof Promise) && result.kind === 'refused') return this.#refused('message refused', result.reply, transaction.facts)
    void this.#accept(transaction, result)
    return 'later'
  }

  onAuth(credentials: Credentials): Decision {
    void this.#login(credentials)
    return 'later'
  }

  onStartTls(): void {
    this.#upgrade(() => this.#engine.tlsStarted())
  }

  onRefused(line: string, refusal: SmtpReply): void {
    this.#refused('command refused', refusal, { command: line.slice(0, COMMAND_SHOWN_MAX) })
  }

  onReset(): void {
    this.#pace.contentEnds()
    this.#transaction?.content?.abort()
    this.#transaction = null
  }

  onClose(reason: CloseReason): void {
    this.#note(CLOSE_NOTES[reason])
    this.onReset()
    this.#closed = true
    this.#pace.enter('linger')
    this.#connection.end(reason === 'quit')
  }

  tap(): LineWriter | null {
    return this.#dialogue.writer
  }

  /** After every event: who is waited for now, and may more be read. */
  #turn(): void {
    if (this.#closed || this.#handshaking) return
    const { answerOwed, wantsInput, progress } = this.#engine
    if (wantsInput) this.#heldBack = false
    const waitsForStore = this.#transaction?.content?.wantsPause === true
    // Of a backlogged client the time for reading replies runs already.
    if (this.#connection.backlogged) this.#pace.review()
    else if (answerOwed || waitsForStore) this.#pace.enter('ours')
    else if (progress !== this.#progress || !this.#pace.waitsForClient) this.#pace.enter('client')
    else this.#pace.review()
    this.#progress = progress
    this.#connection.pauseReading(waitsForStore || this.#heldBack || this.#connection.backlogged)
  }

  #answer(decision: SmtpReply | 'accept'): void {
    if (this.#closed || !this.#engine.answerOwed) return
    this.#engine.answer(decision)
    if (this.#closed) return
    if ((this.#stopping || this.#finished) && !this.#engine.answerOwed) {
      this.#engine.close(this.#stopping ? SHUTTING_DOWN : null)
      return
    }
    this.#turn()
  }

  async #accept(transaction: Transaction, finished: ContentResult | Promise<ContentResult>): Promise<void> {
    const { shared, compiled } = this.#parts
    try {
      const accept = shared.accept()
      const result = finished instanceof Promise ? await finished : finished
      if (result.kind === 'refused') {
        const refusal = this.#refused('message refused', result.reply, transaction.facts)
        return this.#dialogue.answering(transaction, null, () => this.#answer(refusal))
      }
      if (accept === null) return this.#answer(SHUTTING_DOWN)
      const envelope = transaction.envelope()
      const origin = composeOrigin({ engine: this.#engine, user: this.#user, clientAddress: this.address, envelope })
      const submission = { envelope, origin, tls: this.#tls, hostname: compiled.settings.hostname, content: result.content }
      await acceptMessage(accept, submission, (queueId) =>
        this.#dialogue.answering(transaction, queueId, () => this.#answer(reply(250, enhanced(2, 0, 0), `queued as ${queueId}`))),
      )
    } catch (fault) {
      shared.note('error', 'a message was not accepted', { reason: fault instanceof Error ? fault.message : String(fault) })
      // The engine must have heard 'later' before it can be answered.
      queueMicrotask(() => this.#answer(replyToFault(fault)))
    }
  }

  async #login(credentials: Credentials): Promise<void> {
    const verdict = await checkLogin({ ...this.#parts, address: this.address, wrongGuesses: this.#wrongGuesses }, credentials)
    if (verdict.kind === 'accepted') this.#user = verdict.user
    else if (verdict.wrong) this.#wrongGuesses++
    this.#answer(verdict.kind === 'accepted' ? 'accept' : verdict.reply)
  }

  #upgrade(onSecure: () => void): void {
    const { tls } = this.#parts.listener
    if (tls === null) throw new Error('TLS was begun on a listener without a certificate')
    this.#handshaking = true
    this.#pace.enter('handshake')
    this.#connection.upgrade(tls, (socket) => {
      this.#handshaking = false
      if (this.#closed) return
      // RFC 3207 §4.2: whatever was known before is forgotten.
      this.#user = null
      this.#tls = describeTls(socket)
      onSecure()
      this.#pace.enter('client')
      this.#turn()
    })
  }

  #tooSlow(fault: PaceFault): void {
    this.#note(PACE_NOTES[fault])
    const last = PACE_REPLIES[fault]
    if (last === null || this.#closed) this.#connection.destroy()
    else this.#engine.close(last)
  }

  #standing(): ClientStanding {
    return { trusted: this.#trusted, user: this.#user, requireAuth: this.#parts.listener.settings.requireAuth }
  }

  #refused(text: string, refusal: SmtpReply, facts: Readonly<Record<string, unknown>> = {}): SmtpReply {
    this.#note(text, { user: this.#user?.name ?? null, ...facts, reply: formatReply(refusal) })
    return refusal
  }

  #note(text: string | null, facts: Readonly<Record<string, unknown>> = {}): void {
    if (text !== null) this.#parts.shared.note('info', text, { client: this.address, listener: this.#parts.listener.settings.url, ...facts })
  }
}
