/**
 * What a session says when it ends, to the client and to the journal; and what it writes down of
 * where a message came from.
 */
import type { Origin } from '../core/envelope.ts'
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import { submitterOf } from '../core/submitter.ts'
import type { CloseReason } from '../smtp/server-engine.ts'
import type { SubmittedEnvelope } from './accept-message.ts'
import type { PaceFault } from './session-pace.ts'
import type { UserSettings } from './settings.ts'

const TIMEOUT = enhanced(4, 4, 2)

/** Null: nothing can be said any more. */
export const PACE_REPLIES: Readonly<Record<PaceFault, SmtpReply | null>> = {
  handshake: null,
  'unread-replies': null,
  linger: null,
  command: reply(421, TIMEOUT, 'Timeout'),
  'slow-content': reply(421, TIMEOUT, 'Content comes too slowly'),
  session: reply(421, TIMEOUT, 'The session has lasted too long'),
}

/** Null: not worth a line. */
export const PACE_NOTES: Readonly<Record<PaceFault, string | null>> = {
  handshake: 'TLS handshake timed out',
  'unread-replies': 'client does not read replies',
  linger: null,
  command: 'session timed out',
  'slow-content': 'content came too slowly',
  session: 'session lasted too long',
}
export const CLOSE_NOTES: Readonly<Record<CloseReason, string | null>> = {
  quit: null,
  asked: null,
  refused: null,
  synchronization: 'client spoke before our reply',
  'too-many-errors': 'too many errors in a session',
  'bad-line': 'a command line was too long',
  http: 'client speaks HTTP',
}

/** Characters of a refused command in the log. */
export const COMMAND_SHOWN_MAX = 500

export interface OriginFacts {
  readonly engine: { readonly esmtp: boolean; readonly tls: boolean; readonly ehloName: string | null }
  readonly user: UserSettings | null
  readonly clientAddress: string
  readonly envelope: SubmittedEnvelope
}

export function composeOrigin(facts: OriginFacts): Origin {
  const { engine, user, envelope } = facts
  const login = user?.name ?? null
  return {
    kind: 'smtp',
    submitter: submitterOf(login, envelope.reversePath),
    login,
    clientAddress: facts.clientAddress,
    heloName: engine.ehloName,
    protocol: protocolName({ utf8: envelope.smtputf8, extended: engine.esmtp, tls: engine.tls, login: login !== null }),
  }
}

/** RFC 3848, RFC 6531 §4.3. HELO inside TLS has no name of its own and counts as ESMTP. */
export function protocolName(session: { readonly utf8: boolean; readonly extended: boolean; readonly tls: boolean; readonly login: boolean }): string {
  const suffix = `${session.tls ? 'S' : ''}${session.login ? 'A' : ''}`
  if (session.utf8) return `UTF8SMTP${suffix}`
  return session.extended || suffix !== '' ? `ESMTP${suffix}` : 'SMTP'
}
