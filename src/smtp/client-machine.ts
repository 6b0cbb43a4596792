/**
 * The client's dialogue as data: what each step is called, how long it may take, what may answer it.
 *
 * Two tables. `PHASES`: timeout, text and scope of each step (RFC 5321 §4.5.3.2). `SESSION`: set-up and end of a
 * session; transactions live in `ready` and are walked by the two cursors of `client-transaction.ts`.
 */
import type { AttemptPhase, FaultScope } from '../core/outcome.ts'
import type { SmtpReply } from '../core/reply.ts'
import type { PhaseTimeouts } from '../core/route.ts'

export type ClientPhase = 'greeting' | 'ehlo' | 'starttls' | 'auth' | 'mail' | 'rcpt' | 'data' | 'content' | 'final-dot' | 'rset' | 'quit'
export interface PhaseFacts {
  readonly timeout: keyof PhaseTimeouts
  /** For people: `while ...`. */
  readonly text: string
  /** Who is hit when no reply comes. */
  readonly scope: FaultScope
  /** Name in reports; null: no recipient's affair any more. */
  readonly attempt: AttemptPhase | null
  /** First digits that may answer; another one means that we and the peer are out of step. */
  readonly answers: readonly (2 | 3 | 4 | 5)[]
}

export const PHASES: Readonly<Record<ClientPhase, PhaseFacts>> = {
  greeting: { timeout: 'greetingMs', text: 'waiting for the greeting', scope: 'hop', attempt: 'greeting', answers: [2, 4, 5] },
  ehlo: { timeout: 'ehloMs', text: 'saying EHLO', scope: 'hop', attempt: 'ehlo', answers: [2, 4, 5] },
  starttls: { timeout: 'starttlsMs', text: 'asking for STARTTLS', scope: 'hop', attempt: 'starttls', answers: [2, 4, 5] },
  auth: { timeout: 'authMs', text: 'logging in', scope: 'credential', attempt: 'auth', answers: [2, 3, 4, 5] },
  mail: { timeout: 'mailMs', text: 'sending MAIL FROM', scope: 'session', attempt: 'mail', answers: [2, 4, 5] },
  rcpt: { timeout: 'rcptMs', text: 'sending RCPT TO', scope: 'session', attempt: 'rcpt', answers: [2, 4, 5] },
  data: { timeout: 'dataMs', text: 'sending DATA', scope: 'session', attempt: 'data', answers: [3, 4, 5] },
  content: { timeout: 'contentMs', text: 'sending the content', scope: 'session', attempt: 'content', answers: [] },
  'final-dot': {
    timeout: 'finalDotMs',
    text: 'waiting for the reply to the final dot (the message may be sent more than once)',
    scope: 'session',
    attempt: 'final-dot',
    answers: [2, 4, 5],
  },
  rset: { timeout: 'rsetMs', text: 'sending RSET', scope: 'session', attempt: null, answers: [2, 4, 5] },
  quit: { timeout: 'quitMs', text: 'sending QUIT', scope: 'session', attempt: null, answers: [2, 4, 5] },
}

/** handshake: 220 to STARTTLS came, TLS is under way outside; broken: `onFault` was called; closed: QUIT was answered. */
export type SessionState = 'greeting' | 'ehlo' | 'helo' | 'ready' | 'starttls' | 'handshake' | 'auth' | 'rset' | 'quitting' | 'closed' | 'broken'
export type SessionEvent = 'accepted' | 'refused' | 'startTls' | 'tlsStarted' | 'authenticate' | 'reset' | 'quit' | 'fault'

/** 5yz to EHLO leads to HELO; 4yz is a fault (RFC 5321 §3.2). */
export const SESSION = {
  greeting: { accepted: 'ehlo', fault: 'broken' },
  ehlo: { accepted: 'ready', refused: 'helo', fault: 'broken' },
  helo: { accepted: 'ready', fault: 'broken' },
  ready: { startTls: 'starttls', authenticate: 'auth', reset: 'rset', quit: 'quitting', fault: 'broken' },
  starttls: { accepted: 'handshake', refused: 'ready', fault: 'broken' },
  handshake: { tlsStarted: 'ehlo', fault: 'broken' },
  auth: { accepted: 'ready', refused: 'ready', fault: 'broken' },
  rset: { accepted: 'ready', fault: 'broken' },
  quitting: { accepted: 'closed', refused: 'closed', fault: 'closed' },
  closed: {},
  broken: {},
} as const satisfies Record<SessionState, Partial<Record<SessionEvent, SessionState>>>

/** The step that is outstanding in a session state; null: none, or a transaction's. */
export const OUTSTANDING: Readonly<Record<SessionState, ClientPhase | null>> = {
  greeting: 'greeting',
  ehlo: 'ehlo',
  helo: 'ehlo',
  ready: null,
  starttls: 'starttls',
  handshake: null,
  auth: 'auth',
  rset: 'rset',
  quitting: 'quit',
  closed: null,
  broken: null,
}

/** The state after the event; throws where the event is out of order, which is a bug of the caller. */
export function nextSessionState(state: SessionState, event: SessionEvent): SessionState {
  const next = (SESSION[state] as Partial<Record<SessionEvent, SessionState>>)[event]
  if (next === undefined) throw new Error(`SMTP client: ${event} in state ${state}`)
  return next
}

/** False: a reply of that class cannot belong to this step, so that we and the peer are out of step. */
export function isAnswer(phase: ClientPhase, reply: SmtpReply): boolean {
  const digit = Math.floor(reply.code / 100)
  return PHASES[phase].answers.some((allowed) => allowed === digit)
}
