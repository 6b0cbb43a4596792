/**
 * The server's dialogue as data: which command is in order in which state, and what it leads to.
 *
 * One table for the transaction, two one-bit machines beside it (TLS, AUTH) with the gates that couple
 * them. Out-of-order and unknown commands are cells with their replies, not branches (RFC 5321 §4.1.4,
 * RFC 3207 §4, RFC 4954 §4). Tests and diagrams are generated from here.
 */
import type { SmtpReply } from '../core/reply.ts'
import type { Verb } from './command.ts'
import { REPLIES } from './server-replies.ts'

/** connected: no EHLO yet; content: between 354 and the final dot; closing: the last reply was said. */
export type ServerState = 'connected' | 'greeted' | 'mail' | 'rcpt' | 'content' | 'closing'
export type CommandState = Exclude<ServerState, 'content' | 'closing'>

/** run: in order; the state after it was accepted, and after it was refused. refuse: out of order, the state stays. */
export type Cell =
  | { readonly kind: 'run'; readonly accepted: ServerState; readonly refused: CommandState }
  | { readonly kind: 'refuse'; readonly reply: SmtpReply }

function run(accepted: ServerState, refused: CommandState): Cell {
  return { kind: 'run', accepted, refused }
}
function refuse(reply: SmtpReply): Cell {
  return { kind: 'refuse', reply }
}
/** What changes nothing, and is the same in every state. */
function anywhere(state: CommandState): Pick<Record<Verb, Cell>, 'NOOP' | 'VRFY' | 'HELP' | 'QUIT' | 'EXPN' | 'unsupported' | 'unknown' | 'http'> {
  return {
    NOOP: run(state, state),
    VRFY: run(state, state),
    HELP: run(state, state),
    QUIT: run('closing', state),
    EXPN: refuse(REPLIES.notImplemented),
    unsupported: refuse(REPLIES.notImplemented),
    unknown: refuse(REPLIES.notRecognized),
    http: run('closing', state),
  }
}

export const DIALOGUE: Readonly<Record<CommandState, Readonly<Record<Verb, Cell>>>> = {
  connected: {
    ...anywhere('connected'),
    EHLO: run('greeted', 'connected'),
    HELO: run('greeted', 'connected'),
    RSET: run('connected', 'connected'),
    MAIL: refuse(REPLIES.helloFirst),
    RCPT: refuse(REPLIES.helloFirst),
    DATA: refuse(REPLIES.helloFirst),
    STARTTLS: refuse(REPLIES.helloFirst),
    AUTH: refuse(REPLIES.helloFirst),
  },
  greeted: {
    ...anywhere('greeted'),
    EHLO: run('greeted', 'greeted'),
    HELO: run('greeted', 'greeted'),
    RSET: run('greeted', 'greeted'),
    MAIL: run('mail', 'greeted'),
    RCPT: refuse(REPLIES.mailFirst),
    DATA: refuse(REPLIES.mailFirst),
    STARTTLS: run('connected', 'greeted'),
    AUTH: run('greeted', 'greeted'),
  },
  mail: {
    ...anywhere('mail'),
    EHLO: run('greeted', 'mail'),
    HELO: run('greeted', 'mail'),
    RSET: run('greeted', 'mail'),
    MAIL: refuse(REPLIES.nestedMail),
    RCPT: run('rcpt', 'mail'),
    DATA: refuse(REPLIES.rcptFirst),
    STARTTLS: refuse(REPLIES.inTransaction),
    AUTH: refuse(REPLIES.inTransaction),
  },
  rcpt: {
    ...anywhere('rcpt'),
    EHLO: run('greeted', 'rcpt'),
    HELO: run('greeted', 'rcpt'),
    RSET: run('greeted', 'rcpt'),
    MAIL: refuse(REPLIES.nestedMail),
    RCPT: run('rcpt', 'rcpt'),
    // A refused DATA ends the transaction: nothing of it may be left for a second try.
    DATA: run('content', 'greeted'),
    STARTTLS: refuse(REPLIES.inTransaction),
    AUTH: refuse(REPLIES.inTransaction),
  },
}
/** Content leads back here, accepted or not: no envelope survives its content. */
export const AFTER_CONTENT: CommandState = 'greeted'

/** States in which an accepted MAIL waits for its end: leaving them otherwise is a reset. */
export const IN_TRANSACTION: ReadonlySet<ServerState> = new Set<ServerState>(['mail', 'rcpt', 'content'])

/** Nothing may follow these in one segment, PIPELINING or not (RFC 2920 §3.1, RFC 3207 §4). */
export const ENDS_GROUP: ReadonlySet<Verb> = new Set<Verb>(['EHLO', 'HELO', 'DATA', 'STARTTLS', 'AUTH'])
/** Deliver nothing: counted apart, forgiven when a message is accepted. */
export const JUNK: ReadonlySet<Verb> = new Set<Verb>(['NOOP', 'RSET', 'VRFY', 'EXPN', 'HELP'])
/** Refused when they come with an argument (RFC 5321 §4.3.2, RFC 3207 §4). */
export const WITHOUT_ARGUMENT: ReadonlySet<Verb> = new Set<Verb>(['DATA', 'RSET', 'QUIT', 'STARTTLS'])

/** The two one-bit machines, and what the settings make of them. */
export interface Gates {
  readonly tls: boolean
  readonly authenticated: boolean
  readonly esmtp: boolean
  readonly startTls: boolean
  readonly requireTls: boolean
  readonly auth: 'off' | 'with-tls' | 'always'
  readonly requireAuth: boolean
  readonly offerRequireTls: boolean
}
/** RFC 3207 §4; HTTP gets its own answer whatever stands before. */
const BEFORE_TLS: ReadonlySet<Verb> = new Set<Verb>(['EHLO', 'NOOP', 'STARTTLS', 'QUIT', 'http'])

/** What happens to a command: TLS first, then the dialogue's order, then what the two bits allow. */
export function findCell(state: CommandState, verb: Verb, gates: Gates): Cell {
  if (gates.requireTls && !gates.tls && !BEFORE_TLS.has(verb)) return refuse(REPLIES.tlsFirst)
  const cell = DIALOGUE[state][verb]
  if (cell.kind === 'refuse') return cell
  const refusal = gateRefusal(verb, gates)
  return refusal === null ? cell : refuse(refusal)
}

function gateRefusal(verb: Verb, gates: Gates): SmtpReply | null {
  if (verb === 'STARTTLS') return startTlsRefusal(gates)
  if (verb === 'AUTH') return authRefusal(gates)
  return verb === 'MAIL' && gates.requireAuth && !gates.authenticated ? REPLIES.authFirst : null
}

function startTlsRefusal(gates: Gates): SmtpReply | null {
  if (gates.tls) return REPLIES.alreadyTls
  if (gates.authenticated) return REPLIES.alreadyAuthenticated
  return gates.startTls ? null : REPLIES.notOffered
}

function authRefusal(gates: Gates): SmtpReply | null {
  if (gates.auth === 'off') return REPLIES.notOffered
  if (!gates.esmtp) return REPLIES.authAfterHelo
  if (gates.authenticated) return REPLIES.alreadyAuthenticated
  return gates.auth === 'with-tls' && !gates.tls ? REPLIES.authNeedsTls : null
}

/** EHLO keywords: a function of settings and the two bits. No CHUNKING (BDAT) on purpose: it brought three of 2026's worst faults. */
export function announce(gates: Gates, pipelining: boolean, messageOctets: number): readonly string[] {
  const keywords = [`SIZE ${messageOctets}`, '8BITMIME', 'SMTPUTF8', 'ENHANCEDSTATUSCODES', 'DSN']
  if (pipelining) keywords.push('PIPELINING')
  if (gates.startTls && !gates.tls) keywords.push('STARTTLS')
  if (gates.offerRequireTls && gates.tls) keywords.push('REQUIRETLS')
  const mayLogIn = gates.auth === 'always' || (gates.auth === 'with-tls' && gates.tls)
  if (mayLogIn) keywords.push('AUTH PLAIN LOGIN')
  return keywords
}
