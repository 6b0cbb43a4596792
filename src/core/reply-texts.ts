/**
 * Replies that mean something else than their code says, as data: which, where, and why.
 *
 * Three uses: 5yz that are temporary or are about our account and not about the message must not
 * bounce the queue; 4yz whose text says that more than this message is hit; and 4yz that ask for an early retry. Texts are matched
 * in lower case as plain substrings, so that no reply can make matching slow. A 4yz never becomes
 * a failure by this table. Figures and texts: the providers' own pages and users' logs, autumn 2026.
 */
import type { AttemptPhase, FaultScope } from './outcome.ts'
import { formatStatus, type SmtpReply } from './reply.ts'

export interface ReplyMeaning {
  /** Codes it applies to; empty: any 4yz or 5yz. */
  readonly codes: readonly number[]
  /** All of them stand in the reply's text, lower case; empty: the code alone. */
  readonly texts: readonly string[]
  /** Detail of an enhanced code, `7.57`; null: any. */
  readonly detail: string | null
  readonly scope: FaultScope
  /** For people: what is meant and what helps. */
  readonly reason: string
}

const any = { codes: [], detail: null } as const
const DAILY = 'the account has used up its sending limit; the server takes more when the window is over'

/** 5yz that must defer. */
export const SOFT_DESPITE_5YZ: readonly ReplyMeaning[] = [
  {
    codes: [530],
    texts: [],
    detail: null,
    scope: 'credential',
    reason: 'the relay wants a login or TLS first (RFC 4954 §6, RFC 3207 §4); check credentials and tls of this relay',
  },
  { codes: [503], texts: ['auth'], detail: null, scope: 'credential', reason: 'the relay wants a login first; check the credentials of this relay' },
  { codes: [550, 552, 554], texts: ['user sending quota exceeded'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [550, 552, 554], texts: ['user sending limit exceeded'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [550], texts: ['relay limit exceeded for customer'], detail: null, scope: 'hop', reason: 'the organisation has used up its relay limit' },
  { codes: [550], texts: ['sending limit exceeded for customer'], detail: null, scope: 'hop', reason: 'the organisation has used up its relay limit' },
  { codes: [550], texts: ['relay limit exceeded for user'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [550], texts: ['exceeded your daily sending limit'], detail: null, scope: 'credential', reason: DAILY },
  { ...any, texts: ['has exceeded its 24-hour sending limit'], scope: 'credential', reason: DAILY },
  { codes: [550], texts: ['daily limit for message recipients'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [550, 554], texts: ['submissionquotaexceeded'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [550, 554], texts: ['submission quota exceeded'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [552], texts: ['over your relay quota'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [550], texts: ['too many messages. try again in'], detail: null, scope: 'credential', reason: DAILY },
  { ...any, texts: ['is not allowed to send', 'limit exceeded', 'try again'], scope: 'credential', reason: 'the domain has used up its sending limit' },
  { codes: [550], texts: [], detail: '7.233', scope: 'hop', reason: 'the tenant has used up its limit of external recipients' },
  { codes: [550, 554], texts: ['tenant has exceeded threshold'], detail: null, scope: 'hop', reason: 'the provider has blocked the tenant; ask its support' },
  {
    codes: [554],
    texts: ['storedrv', 'quotaexceeded'],
    detail: null,
    scope: 'credential',
    reason: 'the sending mailbox is full, often its Sent Items; empty it',
  },
  {
    codes: [550],
    texts: ['basic authentication is not supported'],
    detail: null,
    scope: 'credential',
    reason: 'the provider no longer takes password logins for this account',
  },
  { codes: [550], texts: ['receiving mail at a rate'], detail: '2.1', scope: 'recipient', reason: 'the recipient gets mail too fast' },
  {
    codes: [550],
    texts: ['mail relay denied'],
    detail: '7.0',
    scope: 'hop',
    reason: 'the server does not know our address, EHLO name or domain; register it there',
  },
  {
    codes: [550],
    texts: ['invalid credentials for relay'],
    detail: null,
    scope: 'hop',
    reason: 'the server does not know our address, EHLO name or domain; register it there',
  },
  {
    codes: [550, 554],
    texts: ['sendasdenied'],
    detail: null,
    scope: 'message',
    reason: 'this login may not send as this sender; rewrite the sender or grant the right',
  },
  {
    codes: [550],
    texts: ['permissions to send as this sender'],
    detail: null,
    scope: 'message',
    reason: 'this login may not send as this sender; rewrite the sender or grant the right',
  },
  { codes: [553], texts: ['relaying disallowed as'], detail: null, scope: 'message', reason: 'this login may not send as this sender' },
  {
    codes: [554],
    texts: ['email address is not verified'],
    detail: null,
    scope: 'message',
    reason: 'the provider has not verified this sender address or domain yet',
  },
  {
    codes: [554],
    texts: ['not authorized to perform'],
    detail: null,
    scope: 'credential',
    reason: 'this login lacks the right to send; grant it at the provider',
  },
  {
    codes: [554],
    texts: ['recipient count exceeds'],
    detail: null,
    scope: 'message',
    reason: 'more recipients than the server takes; lower limits.recipientsPerTransaction',
  },
  {
    codes: [550],
    texts: ['unusual sending activity detected'],
    detail: null,
    scope: 'credential',
    reason: 'the provider has blocked the account; unblock it there',
  },
  { codes: [554], texts: ['sender address blocked'], detail: '1.8', scope: 'credential', reason: 'the provider has blocked the account; unblock it there' },
]

/** 4yz that hit more than the message or recipient they were said of. */
export const WIDER_THAN_SAID: readonly ReplyMeaning[] = [
  { codes: [450], texts: ['relay limit exceeded for customer'], detail: null, scope: 'hop', reason: 'the organisation sends too fast for the server' },
  { codes: [454], texts: ['daily message quota exceeded'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [454], texts: ['maximum sending rate exceeded'], detail: null, scope: 'hop', reason: 'more messages a second than the server takes' },
  {
    codes: [432],
    texts: ['limit exceeded'],
    detail: '3.2',
    scope: 'hop',
    reason: 'more sessions at once than the server takes; lower limits.sessions',
  },
  { codes: [450, 451, 452], texts: ['email quota limit'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [451], texts: ['maximum credits exceeded'], detail: null, scope: 'credential', reason: DAILY },
  { codes: [452], texts: ['messages per second limit exceeded'], detail: null, scope: 'hop', reason: 'more messages a second than the server takes' },
  { codes: [452], texts: ['daily message limit exceeded'], detail: null, scope: 'credential', reason: DAILY },
  {
    codes: [450, 451, 452],
    texts: ['per session limit'],
    detail: null,
    scope: 'session',
    reason: 'the server takes no more messages in this session; lower limits.messagesPerSession',
  },
  {
    codes: [451, 452],
    texts: ['too many messages', 'session'],
    detail: null,
    scope: 'session',
    reason: 'the server takes no more messages in this session; lower limits.messagesPerSession',
  },
  // RFC 3463 §3.4 X.3.1: the disk is full for everybody; the next host may have room.
  { codes: [452], texts: [], detail: '3.1', scope: 'hop', reason: 'the server is out of space' },
]

/** The special meaning of a 4yz or 5yz reply, or null: its code means what it says. */
export function findMeaning(phase: AttemptPhase, reply: SmtpReply): ReplyMeaning | null {
  // A refused login is always about the credential; its text changes nothing but a 421's, and that is no special meaning.
  if (phase === 'auth') return null
  const table = reply.code >= 500 ? SOFT_DESPITE_5YZ : WIDER_THAN_SAID
  const detail = reply.enhanced === null ? null : formatStatus(reply.enhanced).slice(2)
  let text: string | null = null
  for (const meaning of table) {
    if (meaning.codes.length > 0 && !meaning.codes.includes(reply.code)) continue
    if (meaning.detail !== null && meaning.detail !== detail) continue
    if (meaning.texts.length === 0) return meaning
    text ??= reply.lines.join(' ').toLowerCase()
    const whole = text
    if (meaning.texts.every((part) => whole.includes(part))) return meaning
  }
  return null
}

/** What greylisting servers say (postgrey, milter-greylist, rspamd, SQLgrey, Exchange and their admins' own words). */
const GREYLIST_WORDS = ['greylist', 'graylist', 'grey list', 'gray list', 'grey-list', 'gray-list', 'try again in']

/** A server that wants to see us again before it takes the mail of a stranger (RFC 6647 §2): an early retry is worth it. */
export function saysGreylisted(phase: AttemptPhase, reply: SmtpReply): boolean {
  if (reply.code !== 450 && reply.code !== 451) return false
  if (phase !== 'rcpt' && phase !== 'data' && phase !== 'final-dot') return false
  if (phase === 'rcpt' && reply.enhanced?.subject === 7) return true
  const text = reply.lines.join(' ').toLowerCase()
  return GREYLIST_WORDS.some((words) => text.includes(words))
}
