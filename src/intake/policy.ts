/**
 * Who may hand mail in, and under which sender. Pure: decides, answers with a reply or with null.
 *
 * A client may relay if its address is in `networks` or if it logged in; nobody else can make an
 * envelope that reaches content (RFC 5321 §3.3, §7.9; RFC 6409 §4.3, §6.1). Which addresses are
 * legal is the engine's matter, where mail goes is the router's.
 */

import { formatMailbox } from '../core/address.ts'
import type { ReversePath } from '../core/envelope.ts'
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import type { UserSettings } from './settings.ts'

export interface ClientStanding {
  /** Its address is in `networks`. */
  readonly trusted: boolean
  readonly user: UserSettings | null
  /** The listener takes mail from nobody without login, trusted or not. */
  readonly requireAuth: boolean
}

export const RELAY_DENIED = reply(554, enhanced(5, 7, 1), 'Relay access denied')
const AUTH_REQUIRED = reply(530, enhanced(5, 7, 0), 'Authentication required')
const SENDER_REFUSED = reply(553, enhanced(5, 7, 1), 'Sender address not allowed for this user')

/** Null: may use this reverse-path. The null reverse-path is anybody's: it gets no answer (RFC 5321 §4.5.5). */
export function decideSender(standing: ClientStanding, reversePath: ReversePath): SmtpReply | null {
  if (standing.requireAuth && standing.user === null) return AUTH_REQUIRED
  if (standing.user === null || reversePath.kind === 'null' || standing.user.senders.length === 0) return null
  const address = formatMailbox(reversePath.mailbox)
  return standing.user.senders.some((matches) => matches(address)) ? null : SENDER_REFUSED
}

/** Null: may relay to anybody. */
export function decideRelay(standing: ClientStanding): SmtpReply | null {
  if (standing.user !== null) return null
  if (standing.requireAuth) return AUTH_REQUIRED
  return standing.trusted ? null : RELAY_DENIED
}
