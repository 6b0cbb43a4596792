/**
 * Every reply that the server engine says of itself, with its registered code (RFC 5321 §4.2.3, RFC 3463, RFC 5248).
 *
 * Banner, EHLO and HELO carry no enhanced code (RFC 2034 §4), 3yz replies neither. Texts are for the people
 * who read an application's log: they say what was wrong.
 */
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'

export const REPLIES = {
  mailAccepted: reply(250, enhanced(2, 1, 0), 'Sender ok'),
  rcptAccepted: reply(250, enhanced(2, 1, 5), 'Recipient ok'),
  dataAccepted: reply(354, null, 'End data with <CR><LF>.<CR><LF>'),
  contentAccepted: reply(250, enhanced(2, 0, 0), 'Ok'),
  ok: reply(250, enhanced(2, 0, 0), 'Ok'),
  help: reply(214, enhanced(2, 0, 0), 'EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT STARTTLS AUTH: see RFC 5321'),
  cannotVerify: reply(252, enhanced(2, 5, 2), 'Cannot verify, but will take mail for it'),
  startTls: reply(220, enhanced(2, 0, 0), 'Ready to start TLS'),
  authenticated: reply(235, enhanced(2, 7, 0), 'Authentication successful'),

  notRecognized: reply(500, enhanced(5, 5, 2), 'Command not recognized'),
  lineTooLong: reply(500, enhanced(5, 5, 2), 'Line too long'),
  badCharacters: reply(500, enhanced(5, 5, 2), 'Control character or invalid UTF-8 in command'),
  bareLineEnd: reply(500, enhanced(5, 5, 2), 'Bare <LF>: lines must end in <CR><LF>'),
  notImplemented: reply(502, enhanced(5, 5, 1), 'Command not implemented'),
  http: reply(554, enhanced(5, 5, 1), 'This is a mail server, not a web server'),
  noArgument: reply(501, enhanced(5, 5, 4), 'No parameters allowed'),
  badName: reply(501, enhanced(5, 5, 4), 'Needs the name of your host'),
  needsArgument: reply(501, enhanced(5, 5, 4), 'Parameter missing'),
  helloFirst: reply(503, enhanced(5, 5, 1), 'Send EHLO first'),
  mailFirst: reply(503, enhanced(5, 5, 1), 'Send MAIL first'),
  rcptFirst: reply(554, enhanced(5, 5, 1), 'No valid recipients'),
  nestedMail: reply(503, enhanced(5, 5, 1), 'A transaction is open: nested MAIL'),
  inTransaction: reply(503, enhanced(5, 5, 1), 'Not in a transaction'),
  notOffered: reply(502, enhanced(5, 5, 1), 'Not offered here'),
  alreadyTls: reply(503, enhanced(5, 5, 1), 'TLS is already active'),
  alreadyAuthenticated: reply(503, enhanced(5, 5, 1), 'Already authenticated'),
  authAfterHelo: reply(503, enhanced(5, 5, 1), 'Send EHLO first: AUTH is an extension'),
  tlsFirst: reply(530, enhanced(5, 7, 0), 'Must issue a STARTTLS command first'),
  authFirst: reply(530, enhanced(5, 7, 0), 'Authentication required'),
  authNeedsTls: reply(538, enhanced(5, 7, 11), 'Encryption required for authentication'),
  authMechanism: reply(504, enhanced(5, 5, 4), 'Authentication mechanism not offered'),
  authMalformed: reply(501, enhanced(5, 5, 2), 'Cannot decode authentication response'),
  authCancelled: reply(501, enhanced(5, 7, 0), 'Authentication cancelled'),
  authRefused: reply(535, enhanced(5, 7, 8), 'Authentication credentials invalid'),
  requireTlsNotOffered: reply(555, enhanced(5, 5, 4), 'REQUIRETLS is not offered'),
  declaredTooLarge: reply(552, enhanced(5, 3, 4), 'Message size exceeds the limit'),
  tooManyRecipients: reply(452, enhanced(4, 5, 3), 'Too many recipients: send the rest in another transaction'),

  contentBareLineEnd: reply(550, enhanced(5, 5, 2), 'Bare <CR> or <LF> in content: lines must end in <CR><LF>'),
  contentNul: reply(550, enhanced(5, 6, 0), 'NUL in content'),
  contentLineTooLong: reply(550, enhanced(5, 6, 0), 'Line of content too long'),
  contentTooLarge: reply(552, enhanced(5, 3, 4), 'Message size exceeds the limit'),

  synchronization: reply(554, enhanced(5, 5, 0), 'Input before our reply: synchronization error'),
  earlyTalker: reply(554, enhanced(5, 5, 0), 'Input before our greeting: synchronization error'),
  endlessLine: reply(500, enhanced(5, 5, 2), 'Line too long, closing'),
  tooManyErrors: reply(421, enhanced(4, 7, 0), 'Too many errors'),
  tooMuchJunk: reply(421, enhanced(4, 7, 0), 'Too many commands that deliver nothing'),
} as const satisfies Record<string, SmtpReply>

/** What is asked of the caller. */
export type Step = 'EHLO' | 'HELO' | 'MAIL' | 'RCPT' | 'DATA' | 'AUTH' | 'content'

/** What `accept` says; EHLO and HELO have a text of their own. */
export const ACCEPTANCE: Readonly<Record<Step, SmtpReply>> = {
  EHLO: REPLIES.ok,
  HELO: REPLIES.ok,
  MAIL: REPLIES.mailAccepted,
  RCPT: REPLIES.rcptAccepted,
  DATA: REPLIES.dataAccepted,
  AUTH: REPLIES.authenticated,
  content: REPLIES.contentAccepted,
}
