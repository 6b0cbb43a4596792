/**
 * Command lines into commands: verb, argument, and the ESMTP parameters of MAIL and RCPT.
 *
 * Syntax only (RFC 5321 §4.1.1, RFC 1870, 3461, 4954, 6152, 6531, 8689). Whether a command is in order now is
 * `server-machine.ts`. An unknown parameter is 555 (RFC 5321 §4.1.1.11), a bad value 501.
 * DSN parameters are checked and kept byte for byte.
 */
import { isNonAscii, type PathParse, parsePath } from '../core/address.ts'
import type { DomainName } from '../core/brand.ts'
import type { Mailbox, Notify, NotifyEvent, ReversePath } from '../core/envelope.ts'
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import { ENVID_OCTETS_MAX, isOriginalRecipient, isXtext } from './xtext.ts'

export type Verb =
  | 'EHLO'
  | 'HELO'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'RSET'
  | 'NOOP'
  | 'VRFY'
  | 'EXPN'
  | 'HELP'
  | 'QUIT'
  | 'STARTTLS'
  | 'AUTH'
  /** Known, and not offered by us: BDAT, ETRN, TURN ... */
  | 'unsupported'
  /** A browser or a probe talks HTTP to us. */
  | 'http'
  | 'unknown'

export interface CommandLine {
  readonly verb: Verb
  /** Behind the verb, without surrounding spaces. */
  readonly argument: string
}

/** MAIL as it came, checked. */
export interface MailCommand {
  readonly reversePath: ReversePath
  /** SIZE=, what the client claims. */
  readonly sizeOctets: number | null
  readonly body: '7bit' | '8bitmime'
  readonly smtputf8: boolean
  /** REQUIRETLS (RFC 8689); the engine refuses it where it was not offered. */
  readonly requireTls: boolean
  /** ENVID=, xtext not decoded. */
  readonly envelopeId: string | null
  readonly returnContent: 'full' | 'headers' | null
  /** AUTH=, xtext not decoded; nothing of ours trusts it. */
  readonly auth: string | null
}
export interface RcptCommand {
  /** `postmaster`: without a domain; the caller gives it its own (RFC 5321 §4.5.1). */
  readonly forwardPath: Mailbox | 'postmaster'
  readonly notify: Notify
  readonly originalRecipient: string | null
}
export type CommandParse<Command> = { readonly kind: 'command'; readonly command: Command } | { readonly kind: 'refused'; readonly reply: SmtpReply }

const VERBS: ReadonlyMap<string, Verb> = new Map<string, Verb>([
  ...(['EHLO', 'HELO', 'MAIL', 'RCPT', 'DATA', 'RSET', 'NOOP', 'VRFY', 'EXPN', 'HELP', 'QUIT', 'STARTTLS', 'AUTH'] as const).map(
    (verb) => [verb, verb] as const,
  ),
  ...['BDAT', 'BURL', 'ETRN', 'ATRN', 'TURN', 'SEND', 'SOML', 'SAML', 'XCLIENT', 'XFORWARD', 'LHLO'].map((verb) => [verb, 'unsupported'] as const),
  ...['GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'CONNECT', 'PATCH', 'TRACE', 'PRI'].map((verb) => [verb, 'http'] as const),
])
const REFUSALS = {
  mailSyntax: reply(501, enhanced(5, 5, 4), 'Syntax: MAIL FROM:<address> [parameters]'),
  rcptSyntax: reply(501, enhanced(5, 5, 4), 'Syntax: RCPT TO:<address> [parameters]'),
  badSender: reply(501, enhanced(5, 1, 7), 'Bad sender address syntax'),
  badRecipient: reply(501, enhanced(5, 1, 3), 'Bad recipient address syntax'),
  needsSmtputf8: reply(553, enhanced(5, 6, 7), 'Address is not ASCII: MAIL with SMTPUTF8 is needed'),
  twice: reply(501, enhanced(5, 5, 4), 'Parameter given twice'),
  badValue: reply(501, enhanced(5, 5, 4), 'Bad parameter value'),
  unknownParameter: reply(555, enhanced(5, 5, 4), 'Parameter not recognized or not offered'),
} as const satisfies Record<string, SmtpReply>
/** More is no honest client. */
const PARAMETERS_MAX = 32

/** Cuts a line at its first space. Verbs are case-insensitive; trailing spaces are tolerated (RFC 5321 §4.1.1). */
export function parseCommandLine(line: string): CommandLine {
  const space = line.indexOf(' ')
  const word = space === -1 ? line : line.slice(0, space)
  const verb = VERBS.get(word) ?? VERBS.get(word.toUpperCase()) ?? 'unknown'
  return { verb, argument: space === -1 ? '' : line.slice(space + 1).trim() }
}

/** `FROM:<path> parameters`: one space behind the colon is forgiven to old clients. `bareDomain`: what `<root>` gets; null: a refusal. */
export function parseMail(argument: string, bareDomain: DomainName | null = null): CommandParse<MailCommand> {
  const parsed = parsePathAndParameters(argument, MAIL_WORDS, bareDomain)
  if ('code' in parsed) return { kind: 'refused', reply: parsed }
  const { path, parameters } = parsed
  const mailbox = path.kind === 'null' ? null : mailboxOf(path, bareDomain)
  if (mailbox === 'postmaster') return { kind: 'refused', reply: REFUSALS.badSender }
  const reversePath: ReversePath = mailbox === null ? { kind: 'null' } : { kind: 'mailbox', mailbox }
  const mail = { sizeOctets: null, body: '7bit', smtputf8: false, requireTls: false, envelopeId: null, returnContent: null, auth: null } as const
  const command: Mutable<MailCommand> = { reversePath, ...mail }
  for (const [keyword, value] of parameters) {
    const fault = applyMailParameter(command, keyword, value)
    if (fault !== null) return { kind: 'refused', reply: fault }
  }
  if (!command.smtputf8 && isNonAscii(argument)) return { kind: 'refused', reply: REFUSALS.needsSmtputf8 }
  return { kind: 'command', command }
}

/** `TO:<path> parameters`; `smtputf8` as it was given with MAIL, `bareDomain` as for it. */
export function parseRcpt(argument: string, smtputf8: boolean, bareDomain: DomainName | null = null): CommandParse<RcptCommand> {
  const parsed = parsePathAndParameters(argument, RCPT_WORDS, bareDomain)
  if ('code' in parsed) return { kind: 'refused', reply: parsed }
  const { path, parameters } = parsed
  if (path.kind === 'null') return { kind: 'refused', reply: REFUSALS.badRecipient }
  const forwardPath = mailboxOf(path, bareDomain)
  const command: Mutable<RcptCommand> = { forwardPath, notify: null, originalRecipient: null }
  for (const [keyword, value] of parameters) {
    const fault = applyRcptParameter(command, keyword, value, smtputf8)
    if (fault !== null) return { kind: 'refused', reply: fault }
  }
  if (!smtputf8 && isNonAscii(argument)) return { kind: 'refused', reply: REFUSALS.needsSmtputf8 }
  return { kind: 'command', command }
}

type Mutable<Command> = { -readonly [Key in keyof Command]: Command[Key] }
type Parameters = ReadonlyMap<string, string | null>
const NO_PARAMETERS: Parameters = new Map()

interface PathAndParameters {
  readonly path: PathParse
  readonly parameters: Parameters
}
interface PathWords {
  readonly keyword: string
  readonly syntax: SmtpReply
  readonly badPath: SmtpReply
}
const MAIL_WORDS: PathWords = { keyword: 'FROM:', syntax: REFUSALS.mailSyntax, badPath: REFUSALS.badSender }
const RCPT_WORDS: PathWords = { keyword: 'TO:', syntax: REFUSALS.rcptSyntax, badPath: REFUSALS.badRecipient }

/** A path without a domain gets the one there is for it. */
function mailboxOf(path: Exclude<PathParse, { readonly kind: 'null' }>, bareDomain: DomainName | null): Mailbox | 'postmaster' {
  if (path.kind === 'mailbox') return path.mailbox
  if (bareDomain === null) return 'postmaster'
  return { localPart: path.kind === 'name' ? path.localPart : 'postmaster', domain: bareDomain }
}

function parsePathAndParameters(argument: string, words: PathWords, bareDomain: DomainName | null): PathAndParameters | SmtpReply {
  const { keyword, syntax, badPath } = words
  if (argument.slice(0, keyword.length).toUpperCase() !== keyword) return syntax
  const start = argument.charCodeAt(keyword.length) === 0x20 ? keyword.length + 1 : keyword.length
  if (argument.charCodeAt(start) !== 0x3c) return syntax
  const path = parsePath(argument, start, { smtputf8: true, bareNames: bareDomain !== null })
  if (path === null) return badPath
  if (path.end === argument.length) return { path, parameters: NO_PARAMETERS }
  if (argument.charCodeAt(path.end) !== 0x20) return badPath
  const parameters = parseParameters(argument.slice(path.end + 1))
  return 'code' in parameters ? parameters : { path, parameters }
}

/** `esmtp-keyword ["=" esmtp-value]`, separated by spaces. */
function parseParameters(text: string): Parameters | SmtpReply {
  const parameters = new Map<string, string | null>()
  for (const word of text.split(' ', PARAMETERS_MAX * 2)) {
    if (word === '') continue
    const equals = word.indexOf('=')
    const keyword = (equals === -1 ? word : word.slice(0, equals)).toUpperCase()
    if (parameters.has(keyword)) return REFUSALS.twice
    parameters.set(keyword, equals === -1 ? null : word.slice(equals + 1))
    if (parameters.size > PARAMETERS_MAX) return REFUSALS.badValue
  }
  return parameters
}

/** Null if it was understood, else the refusal. */
function applyMailParameter(mail: Mutable<MailCommand>, keyword: string, value: string | null): SmtpReply | null {
  switch (keyword) {
    case 'SIZE':
      // RFC 1870 §4: up to 20 digits. What no number holds exactly is over every limit of ours anyway.
      if (value === null || !/^\d{1,20}$/.test(value)) return REFUSALS.badValue
      mail.sizeOctets = Number(value)
      return null
    case 'BODY':
      return applyBody(mail, value)
    case 'SMTPUTF8':
      mail.smtputf8 = true
      return value === null ? null : REFUSALS.badValue
    case 'REQUIRETLS':
      mail.requireTls = true
      return value === null ? null : REFUSALS.badValue
    case 'RET':
      return applyReturn(mail, value)
    case 'ENVID':
      if (value === null || value === '' || value.length > ENVID_OCTETS_MAX || !isXtext(value)) return REFUSALS.badValue
      mail.envelopeId = value
      return null
    case 'AUTH':
      if (value === null || value === '' || value.length > 500 || !(value === '<>' || isXtext(value))) return REFUSALS.badValue
      mail.auth = value
      return null
    default:
      return REFUSALS.unknownParameter
  }
}

function applyBody(mail: Mutable<MailCommand>, value: string | null): SmtpReply | null {
  const body = value?.toUpperCase()
  if (body === 'BINARYMIME') return REFUSALS.unknownParameter
  if (body !== '7BIT' && body !== '8BITMIME') return REFUSALS.badValue
  mail.body = body === '7BIT' ? '7bit' : '8bitmime'
  return null
}

function applyReturn(mail: Mutable<MailCommand>, value: string | null): SmtpReply | null {
  const part = value?.toUpperCase()
  if (part !== 'FULL' && part !== 'HDRS') return REFUSALS.badValue
  mail.returnContent = part === 'FULL' ? 'full' : 'headers'
  return null
}

function applyRcptParameter(rcpt: Mutable<RcptCommand>, keyword: string, value: string | null, smtputf8: boolean): SmtpReply | null {
  switch (keyword) {
    case 'NOTIFY': {
      const notify = parseNotify(value ?? '')
      if (notify === null) return REFUSALS.badValue
      rcpt.notify = notify
      return null
    }
    case 'ORCPT':
      if (value === null || !isOriginalRecipient(value, smtputf8)) return REFUSALS.badValue
      rcpt.originalRecipient = value
      return null
    default:
      return REFUSALS.unknownParameter
  }
}

/** NEVER stands alone (RFC 3461 §4.1). */
function parseNotify(value: string): Notify {
  const words = value.toLowerCase().split(',')
  if (words.length === 1 && words[0] === 'never') return 'never'
  const events = words.filter((word): word is NotifyEvent => word === 'success' || word === 'failure' || word === 'delay')
  return events.length === words.length && new Set(events).size === events.length ? events : null
}
