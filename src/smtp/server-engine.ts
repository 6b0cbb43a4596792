/**
 * The server's side of SMTP without I/O: bytes in, calls and bytes out, all synchronous.
 *
 * Decides what RFC 5321, 2920, 3207, 4954 and 1870 decide: order of commands, syntax, limits, end of
 * content. Who may send what is the caller's policy, asked through `ServerEvents`. Owns no socket,
 * no timer, no log. This file keeps input in step and cuts it into lines; `server-dialogue.ts` runs them.
 */
import { reply, type SmtpReply } from '../core/reply.ts'
import { asBuffer, decodeLine } from './bytes.ts'
import { parseCommandLine, type Verb } from './command.ts'
import type { DotDecoder } from './dot-codec.ts'
import { greetingText } from './greeting.ts'
import { LineReader } from './line-reader.ts'
import { type Answer, ServerDialogue } from './server-dialogue.ts'
import type { ServerEvents, ServerSettings } from './server-events.ts'
import { CONTENT_REFUSALS, redactLine } from './server-lines.ts'
import { ENDS_GROUP, type ServerState } from './server-machine.ts'
import { REPLIES } from './server-replies.ts'

export type { CloseReason, ContentEnd, ContentFault, ContentFaultKind, Decision, ServerEvents, ServerLimits, ServerSettings } from './server-events.ts'
export type { ServerState } from './server-machine.ts'

export interface ServerEngineOptions {
  readonly settings: ServerSettings
  readonly events: ServerEvents
  /** TLS from the first byte. */
  readonly implicitTls: boolean
}

/** RFC 4954 §4: lines of a login may be longer than commands. */
export const AUTH_LINE_OCTETS_MAX = 12_288
/** Input that waits for an owed answer; the caller should stop reading long before: `wantsInput`. */
export const HELD_OCTETS_MAX = 262_144
const NO_OCTETS = Buffer.alloc(0)
/** What is refused to other commands bothers nobody. */
const KEEPS_MAIL_OUT: ReadonlySet<Verb> = new Set<Verb>(['AUTH', 'MAIL', 'RCPT', 'DATA'])
const CONTROL = /[\0-\x1f\x7f]/

export class ServerEngine {
  readonly #settings: ServerSettings
  readonly #events: ServerEvents
  readonly #dialogue: ServerDialogue
  readonly #reader = new LineReader(AUTH_LINE_OCTETS_MAX)
  #started = false
  /** Input came where none may: closed once the owed answer is said. */
  #outOfStep = false
  #held: Buffer | null = null
  #progress = 0

  constructor(options: ServerEngineOptions) {
    this.#settings = options.settings
    this.#events = options.events
    this.#dialogue = new ServerDialogue(options.settings, options.events, options.implicitTls)
  }

  /** Sends the banner, or a refusal (`421`, `554`) and closes. Input before it is an early talker: 554 and close. */
  start(refusal?: SmtpReply): void {
    if (this.#dialogue.state === 'closing') return
    this.#started = true
    if (refusal === undefined) this.#dialogue.output.add(reply(220, null, greetingText(this.#settings.hostname)))
    else this.#dialogue.closeWith(refusal, 'refused')
    this.#dialogue.output.flush()
  }

  /** Any number of octets, cut anywhere; they are the caller's again when it returns. */
  receive(bytes: Uint8Array): void {
    const dialogue = this.#dialogue
    if (dialogue.state === 'closing' || bytes.length === 0) return
    if (!this.#started) dialogue.closeWith(REPLIES.earlyTalker, 'synchronization')
    // Plain octets between 220 and the handshake are an injection: never answered, never run (T01, T02).
    else if (dialogue.awaitsHandshake) dialogue.closeWith(null, 'synchronization')
    else this.#pump(asBuffer(bytes), 0)
    dialogue.output.flush()
  }

  /** The reply owed since an event returned `later`. Throws if none is owed; ignored after a close. */
  answer(decision: Answer): void {
    const dialogue = this.#dialogue
    if (dialogue.state === 'closing') return
    const step = dialogue.owed
    if (step === null) throw new Error('no answer is owed')
    dialogue.owed = null
    dialogue.settle(step, decision)
    const held = this.#held
    this.#held = null
    if (this.#outOfStep) dialogue.closeWith(REPLIES.synchronization, 'synchronization')
    else if (held !== null) this.#pump(held, 0)
    dialogue.output.flush()
  }

  /** Reads the rest of the content, drops it, and answers with this at its end (452, 552, 554 ...). First one wins. */
  refuseContent(refusal: SmtpReply): void {
    if (this.#dialogue.decoder !== null) this.#dialogue.refuseContent({ kind: 'refused', reply: refusal })
  }

  /** The handshake is done: everything known before is forgotten (RFC 3207 §4.2). */
  tlsStarted(): void {
    this.#dialogue.forgetBeforeTls()
  }

  /** Sends a last reply (421 at shutdown or timeout; null: none) and closes. Harmless if closed. */
  close(last: SmtpReply | null): void {
    this.#dialogue.closeWith(last, 'asked')
  }

  /** False: an answer is owed and what came is held back; stop reading until `answer` has returned. */
  get wantsInput(): boolean {
    return this.#held === null
  }
  get state(): ServerState {
    return this.#dialogue.state
  }
  /** `answer` is awaited. */
  get answerOwed(): boolean {
    return this.#dialogue.owed !== null
  }
  /** Grows with every whole command and with every receipt that ends a line of content: for whole-command deadlines. */
  get progress(): number {
    return this.#progress
  }
  get tls(): boolean {
    return this.#dialogue.tls
  }
  /** The user that `onAuth` accepted. */
  get login(): string | null {
    return this.#dialogue.login
  }
  get ehloName(): string | null {
    return this.#dialogue.ehloName
  }
  get esmtp(): boolean {
    return this.#dialogue.esmtp
  }

  #pump(chunk: Buffer, from: number): void {
    let at = from
    while (at < chunk.length && this.#dialogue.state !== 'closing' && this.#dialogue.owed === null) {
      const decoder = this.#dialogue.decoder
      at = decoder === null ? this.#readLine(chunk, at) : this.#readContent(decoder, chunk, at)
    }
    if (at < chunk.length && this.#dialogue.owed !== null) this.#hold(chunk, at)
  }

  /** Input while an answer is owed: out of step, or pipelined and kept for later. */
  #hold(chunk: Buffer, at: number): void {
    const owed = this.#dialogue.owed
    const mayWait = this.#settings.pipelining && (owed === 'content' || owed === 'MAIL' || owed === 'RCPT')
    const octets = (this.#held?.length ?? 0) + chunk.length - at
    if (!mayWait || octets > HELD_OCTETS_MAX) this.#outOfStep = true
    else this.#held = Buffer.concat([this.#held ?? NO_OCTETS, chunk.subarray(at)])
  }

  #readLine(chunk: Buffer, at: number): number {
    const event = this.#reader.read(chunk, at)
    const next = this.#reader.next
    switch (event) {
      case 'partial':
        break
      case 'line':
        this.#takeLine(this.#reader.line, chunk.length > next)
        break
      case 'too-long':
        // A login whose line was lost cannot go on.
        this.#dialogue.exchange = null
        if (chunk.length > next && !this.#settings.pipelining) this.#dialogue.closeWith(REPLIES.synchronization, 'synchronization')
        else this.#dialogue.say(REPLIES.lineTooLong)
        break
      case 'endless':
        this.#dialogue.closeWith(REPLIES.endlessLine, 'bad-line')
        break
      case 'bare-lf':
        // Whoever ends lines so may be a program into which somebody put a line break: nothing behind it is read.
        this.#dialogue.closeWith(REPLIES.bareLineEnd, 'bad-line')
        break
    }
    return next
  }

  #takeLine(line: Buffer, more: boolean): void {
    this.#progress++
    const dialogue = this.#dialogue
    const exchange = dialogue.exchange
    const text = decodeLine(line)
    const command = parseCommandLine(text ?? '')
    const show = (): string => (exchange === null ? redactLine(command, text) : '[login]')
    this.#events.tap()?.('<', show())
    const mayBeFollowed = command.verb === 'QUIT' || (this.#settings.pipelining && exchange === null && !ENDS_GROUP.has(command.verb))
    const isLong = line.length + 2 > this.#settings.limits().commandLineOctets && command.verb !== 'AUTH'
    let own: SmtpReply | null = null
    if (more && !mayBeFollowed) dialogue.closeWith(REPLIES.synchronization, 'synchronization')
    else if (exchange !== null) own = dialogue.takeAuthLine(exchange, text)
    else if (isLong) own = dialogue.say(REPLIES.lineTooLong)
    else if (text === null || CONTROL.test(text)) own = dialogue.say(REPLIES.badCharacters)
    else own = dialogue.takeCommand(command.verb, command.argument)
    if (own !== null && own.code >= 400 && (exchange !== null || KEEPS_MAIL_OUT.has(command.verb))) this.#events.onRefused(show(), own)
  }

  #readContent(decoder: DotDecoder, chunk: Buffer, at: number): number {
    const next = decoder.decode(chunk, at)
    if (decoder.lineEnded) this.#progress++
    decoder.lineEnded = false
    if (decoder.fault !== null) this.#dialogue.refuseContent({ kind: decoder.fault, reply: CONTENT_REFUSALS[decoder.fault] })
    // A caller may close from inside `onContent`.
    if (!decoder.ended || this.#dialogue.decoder === null) return next
    // Not offered, so what follows the dot is nothing that an honest client sends (S16). The content is not asked about.
    if (chunk.length > next && !this.#settings.pipelining) this.#dialogue.closeWith(REPLIES.synchronization, 'synchronization')
    else this.#dialogue.endContent(decoder)
    return next
  }
}
