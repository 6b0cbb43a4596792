/**
 * The server's commands: each runs as the tables of `server-machine.ts` allow, asks the caller, and is answered.
 *
 * Holds all that a session remembers and forgets (transaction, TLS and AUTH bits, counts of errors). Cutting
 * octets into lines and keeping input in step is `server-engine.ts`.
 */
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import { parseMail, parseRcpt, type Verb } from './command.ts'
import { DotDecoder } from './dot-codec.ts'
import { ReplyWriter } from './reply-writer.ts'
import { createServerExchange, type ServerExchange } from './sasl.ts'
import type { CloseReason, ContentFault, Decision, ServerEvents, ServerSettings } from './server-events.ts'
import { formatEhlo, helloName } from './server-lines.ts'
import {
  AFTER_CONTENT,
  type Cell,
  type CommandState,
  DIALOGUE,
  findCell,
  type Gates,
  IN_TRANSACTION,
  JUNK,
  type ServerState,
  WITHOUT_ARGUMENT,
} from './server-machine.ts'
import { ACCEPTANCE, REPLIES, type Step } from './server-replies.ts'

/** Recipients above the limit that are answered 452 before each counts as an error. */
export const RECIPIENTS_OVERSHOOT_MAX = 1000

export type Answer = Exclude<Decision, 'later'>

export class ServerDialogue {
  readonly #settings: ServerSettings
  readonly #events: ServerEvents
  state: ServerState = 'connected'
  readonly output: ReplyWriter
  tls: boolean
  awaitsHandshake = false
  login: string | null = null
  ehloName: string | null = null
  esmtp = false
  /** The step whose answer the caller said would come later. */
  owed: Step | null = null
  /** A login is under way: the next line belongs to it. */
  exchange: ServerExchange | null = null
  decoder: DotDecoder | null = null
  /** Name or user that is being asked about. */
  #asked = ''
  #smtputf8 = false
  #recipients = 0
  #overshoot = 0
  #contentFault: ContentFault | null = null
  #errors = 0
  #junk = 0

  constructor(settings: ServerSettings, events: ServerEvents, tls: boolean) {
    this.#settings = settings
    this.#events = events
    this.output = new ReplyWriter(events)
    this.tls = tls
  }

  /** Answers what it said of itself, without asking the caller; null: nothing. */
  takeCommand(verb: Verb, argument: string): SmtpReply | null {
    const state = this.state as CommandState
    const isJunk = JUNK.has(verb) || ((verb === 'EHLO' || verb === 'HELO') && state !== 'connected')
    if (!isJunk || ++this.#junk <= this.#settings.limits().junkPerSession) return this.say(this.#answerTo(verb, argument, findCell(state, verb, this.#gates)))
    this.closeWith(REPLIES.tooMuchJunk, 'too-many-errors')
    return null
  }

  /** The next line of a login. Answers as `takeCommand` does. */
  takeAuthLine(exchange: ServerExchange, text: string | null): SmtpReply | null {
    this.exchange = null
    if (text === null) return this.say(REPLIES.authMalformed)
    return this.say(text === '*' ? REPLIES.authCancelled : this.#advanceAuth(exchange, text))
  }

  /** Null: it was said already, or will be. */
  #answerTo(verb: Verb, argument: string, cell: Cell): SmtpReply | null {
    if (cell.kind === 'refuse') return cell.reply
    if (argument !== '' && WITHOUT_ARGUMENT.has(verb)) return REPLIES.noArgument
    switch (verb) {
      case 'EHLO':
      case 'HELO':
        return this.#runHello(verb, argument)
      case 'MAIL':
        return this.#runMail(argument)
      case 'RCPT':
        return this.#runRcpt(argument)
      case 'DATA':
        return this.#decide('DATA', this.#events.onData())
      case 'RSET':
        this.#reset(this.state === 'connected' ? 'connected' : 'greeted')
        return REPLIES.ok
      case 'NOOP':
        return REPLIES.ok
      case 'HELP':
        return REPLIES.help
      case 'VRFY':
        return argument === '' ? REPLIES.needsArgument : REPLIES.cannotVerify
      case 'QUIT':
        this.closeWith(reply(221, enhanced(2, 0, 0), `${this.#settings.hostname} closing connection`), 'quit')
        return null
      case 'http':
        this.closeWith(REPLIES.http, 'http')
        return null
      case 'STARTTLS':
        return this.#runStartTls()
      case 'AUTH':
        return this.#runAuth(argument)
      case 'EXPN':
      case 'unsupported':
      case 'unknown':
        throw new Error(`no such command to run: ${verb}`)
    }
  }

  #runHello(verb: 'EHLO' | 'HELO', argument: string): SmtpReply | null {
    const name = helloName(argument)
    if (name === null) return REPLIES.badName
    this.#asked = name
    return this.#decide(verb, this.#events.onEhlo(name, verb === 'EHLO'))
  }

  #runMail(argument: string): SmtpReply | null {
    const parsed = parseMail(argument, this.#settings.bareDomain ?? null)
    if (parsed.kind === 'refused') return parsed.reply
    const mail = parsed.command
    if (mail.requireTls && !(this.tls && this.#settings.offerRequireTls === true)) return REPLIES.requireTlsNotOffered
    if (mail.sizeOctets !== null && mail.sizeOctets > this.#settings.limits().messageOctets) return REPLIES.declaredTooLarge
    this.#smtputf8 = mail.smtputf8
    return this.#decide('MAIL', this.#events.onMail(mail))
  }

  #runRcpt(argument: string): SmtpReply | null {
    const parsed = parseRcpt(argument, this.#smtputf8, this.#settings.bareDomain ?? null)
    if (parsed.kind === 'refused') return parsed.reply
    if (this.#recipients < this.#settings.limits().recipients) return this.#decide('RCPT', this.#events.onRcpt(parsed.command))
    // RFC 5321 §4.5.3.1.10. Not an error of the session at first: what was accepted is to be delivered.
    if (++this.#overshoot <= RECIPIENTS_OVERSHOOT_MAX) this.#errors--
    return REPLIES.tooManyRecipients
  }

  #runStartTls(): null {
    this.output.add(REPLIES.startTls)
    this.output.flush()
    this.awaitsHandshake = true
    this.#events.onStartTls()
    return null
  }

  /** `AUTH mechanism [initial-response]` (RFC 4954 §4); `=` is an empty initial response. */
  #runAuth(argument: string): SmtpReply | null {
    const [mechanism = '', initial = null, ...more] = argument.split(' ')
    if (mechanism === '') return REPLIES.needsArgument
    if (more.length > 0) return REPLIES.noArgument
    const exchange = createServerExchange(mechanism)
    return exchange === null ? REPLIES.authMechanism : this.#advanceAuth(exchange, initial === '=' ? '' : initial)
  }

  #advanceAuth(exchange: ServerExchange, line: string | null): SmtpReply | null {
    const step = exchange.next(line)
    switch (step.kind) {
      case 'challenge':
        this.exchange = exchange
        return reply(334, null, step.text)
      case 'malformed':
        return REPLIES.authMalformed
      case 'refused':
        return REPLIES.authRefused
      case 'credentials':
        this.#asked = step.credentials.username
        return this.#decide('AUTH', this.#events.onAuth(step.credentials))
    }
  }

  /** The final dot has come. */
  endContent(decoder: DotDecoder): void {
    const fault = this.#contentFault
    this.#events.tap()?.('<', `[content: ${decoder.octets} octets]`)
    const decision = this.#events.onContentEnd({ octets: decoder.octets, fault, dotless: !decoder.dotted })
    this.#decide('content', fault === null ? decision : fault.reply)
  }

  /** Content is read to its true end and refused there; the first refusal wins (S05). */
  refuseContent(fault: ContentFault): void {
    this.#contentFault ??= fault
    this.decoder?.drop()
  }

  forgetBeforeTls(): void {
    this.awaitsHandshake = false
    this.tls = true
    this.state = 'connected'
    this.login = null
    this.ehloName = null
    this.esmtp = false
  }

  #decide(step: Step, decision: Decision): null {
    if (this.state === 'closing') return null
    if (decision === 'later') this.owed = step
    else this.settle(step, decision)
    return null
  }

  /** The caller has answered: the state moves, and the reply is said. */
  settle(step: Step, decision: Answer): void {
    const accepted = decision === 'accept' || Math.floor(decision.code / 100) === 2 || (step === 'DATA' && decision.code === 354)
    const said = decision === 'accept' ? ACCEPTANCE[step] : decision
    if (step === 'content') {
      this.#settleContent(said, accepted)
      return
    }
    const cell = DIALOGUE[this.state as CommandState][step]
    if (cell.kind === 'refuse') throw new Error(`${step} was run where it is out of order`)
    if (accepted) {
      this.#apply(step)
      this.state = cell.accepted
    } else if (step === 'DATA') this.#reset(cell.refused)
    if (accepted && (step === 'EHLO' || step === 'HELO')) this.output.addText(formatEhlo(this.#settings, this.#gates))
    else this.say(accepted && step === 'DATA' && said.code !== 354 ? ACCEPTANCE.DATA : said)
  }

  #apply(step: Exclude<Step, 'content'>): void {
    if (step === 'EHLO' || step === 'HELO') {
      this.#reset('greeted')
      this.ehloName = this.#asked
      this.esmtp = step === 'EHLO'
    } else if (step === 'AUTH') this.login = this.#asked
    else if (step === 'RCPT') this.#recipients++
    else if (step === 'DATA') this.#beginContent()
  }

  #settleContent(said: SmtpReply, accepted: boolean): void {
    const doubtfulEnd = this.decoder?.doubtfulEnd === true
    this.#forgetTransaction()
    this.state = AFTER_CONTENT
    if (accepted) {
      this.#junk = 0
      this.#errors = 0
    }
    this.say(said)
    if (doubtfulEnd) this.closeWith(null, 'bad-line')
  }

  #beginContent(): void {
    const limits = this.#settings.limits()
    this.#contentFault = null
    this.decoder = new DotDecoder({
      bareLineEnds: this.#settings.bareLineEnds,
      lineOctetsMax: limits.textLineOctets,
      contentOctetsMax: limits.messageOctets,
      onContent: (slice) => this.#events.onContent(slice),
    })
  }

  #reset(state: CommandState): void {
    const open = IN_TRANSACTION.has(this.state)
    this.state = state
    this.#forgetTransaction()
    if (open) this.#events.onReset()
  }

  #forgetTransaction(): void {
    this.decoder = null
    this.#smtputf8 = false
    this.#recipients = 0
    this.#overshoot = 0
  }

  get #gates(): Gates {
    const { startTls, requireTls, auth, requireAuth, offerRequireTls = false } = this.#settings
    return { tls: this.tls, authenticated: this.login !== null, esmtp: this.esmtp, startTls, requireTls, auth, requireAuth, offerRequireTls }
  }

  /** A reply that may be a refusal: those are counted, and 421 closes whoever says it. Null: nothing to say. Answers its argument. */
  say(said: SmtpReply | null): SmtpReply | null {
    if (said === null) return null
    if (said.code >= 400 && ++this.#errors > this.#settings.limits().errorsPerSession) this.closeWith(REPLIES.tooManyErrors, 'too-many-errors')
    else if (said.code === 421 || said.code === 521) this.closeWith(said, 'refused')
    else this.output.add(said)
    return said
  }

  closeWith(last: SmtpReply | null, reason: CloseReason): void {
    if (this.state === 'closing') return
    const open = IN_TRANSACTION.has(this.state)
    this.state = 'closing'
    this.#forgetTransaction()
    this.owed = null
    this.exchange = null
    if (open) this.#events.onReset()
    if (last !== null) this.output.add(last)
    this.output.flush()
    this.#events.onClose(reason)
  }
}
