/**
 * History in words: one event as lines for people, and why an unfinished recipient waits.
 *
 * Pure: takes what the server answered, gives lines. Replies are told word for word, escaped.
 */
import type { LaneStatus, QueueRow } from '../admin/api-types.ts'
import type { EventDetail, EventKind, HistoryEvent } from '../core/event.ts'
import type { RemoteMta } from '../core/outcome.ts'
import { describeTls } from '../core/tls-words.ts'
import type { CliContext } from './context.ts'
import { escapeText } from './escape.ts'
import { about, age, type Paint, paint, shortTime, until } from './format.ts'

const KIND_PLACES = 13
const LOOKS: Readonly<Partial<Record<EventKind, Paint>>> = {
  delivered: 'green',
  captured: 'green',
  deferred: 'yellow',
  held: 'yellow',
  quarantined: 'yellow',
  failed: 'red',
  expired: 'red',
  cancelled: 'red',
}

export interface EventView {
  readonly event: HistoryEvent
  /** Left out where the message has only one recipient. */
  readonly recipient: string | null
  readonly now: number
}

/** Whom an event is about, where the message has several recipients. */
export function recipientToTell(event: HistoryEvent, recipients: readonly Pick<QueueRow, 'recipient'>[]): string | null {
  return recipients.length > 1 && event.recipient !== null ? (recipients[event.recipient]?.recipient ?? null) : null
}

/** The first line says what happened, when and to whom; further ones, indented, all that is known of it. */
export function describeEvent(context: Pick<CliContext, 'colour'>, { event, recipient, now }: EventView): readonly string[] {
  const { at, kind, detail } = event
  const look = LOOKS[kind]
  const name = kind.padEnd(KIND_PLACES)
  const time = shortTime(at, now)
  const words = [detail.status ?? null, recipient === null ? null : escapeText(recipient), headline(kind, detail)].filter(
    (word) => word !== null && word !== '',
  )
  const indent = ' '.repeat(time.length + 2)
  return [
    `${paint(context, 'dim', time)}  ${look === undefined ? name : paint(context, look, name)}${words.join('  ')}`.trimEnd(),
    ...detailLines(kind, detail, now).map((line) => indent + line),
  ]
}

/** The same in one line, for logs. */
export function eventSentence(detail: EventDetail, kind: EventKind): string {
  if (kind === 'captured' || kind === 'discarded') return headline(kind, detail)
  const reply = detail.reply === undefined ? null : `"${escapeText(detail.reply)}"`
  return [
    headline(kind, detail),
    remoteText(detail.remoteMta),
    reply,
    detail.reply === undefined || detail.reply !== detail.reason ? reasonText(detail, kind) : null,
  ]
    .filter((part) => part !== null && part !== '')
    .join(', ')
}

function headline(kind: EventKind, detail: EventDetail): string {
  const by = detail.by === undefined ? '' : escapeText(whoIs(detail.by))
  switch (kind) {
    case 'captured':
      return 'kept here, not sent'
    case 'discarded':
      return 'thrown away, not sent'
    case 'accepted':
      return by === '' ? '' : `handed in by ${by}`
    case 'held':
    case 'resumed':
    case 'cancelled':
    case 'retried':
      return by === '' ? '' : `by ${by}`
    case 'reclaimed':
      return 'the server had stopped during the attempt'
    case 'lease-lost':
      return 'the outcome came too late to be recorded'
    case 'delay-notice':
      return 'the sender is told of the delay'
    case 'dsn-queued':
      return `the sender is told${detail.noticeId === undefined ? '' : ` by message ${detail.noticeId}`}`
    case 'dsn-suppressed':
      return 'the sender is not told'
    case 'quarantined':
      return 'held, because the server died of it more than once'
    default:
      return detail.attempt === undefined ? '' : `attempt ${detail.attempt}`
  }
}

function detailLines(kind: EventKind, detail: EventDetail, now: number): readonly string[] {
  // Nobody was asked: there is neither a peer nor a reply of one.
  if (kind === 'captured' || kind === 'discarded') return []
  const { reply, reason, phase, scope, dueAt, duplicatePossible } = detail
  const where = phase === undefined ? '' : ` (at ${phase}${scope === undefined ? '' : `, about this ${scope}`})`
  const lines: string[] = []
  if (reply !== undefined) lines.push(`reply: ${escapeText(reply)}`)
  if (reason !== undefined && reason !== reply) lines.push(`${escapeText(reason)}${where}`)
  else if (where !== '') lines.push(where.trim())
  if (duplicatePossible === true) lines.push('the relay may hold this message already: a duplicate is possible')
  const session = sessionText(detail)
  if (session !== '') lines.push(session)
  for (const tried of detail.earlier ?? []) {
    const who = remoteText(tried.remoteMta ?? undefined)
    lines.push(`before that: ${who === null ? '' : `${who}: `}${escapeText(tried.reason)}`)
  }
  if (dueAt !== undefined) lines.push(`next attempt: ${shortTime(dueAt, now)}${dueAt > now ? ` (${until(dueAt, now)})` : ''}`)
  return lines
}

/** Lane, peer, delays and TLS facts of the attempt. */
function sessionText({ lane, remoteMta, timings, tls }: EventDetail): string {
  const parts = [lane === undefined ? null : escapeText(lane), remoteText(remoteMta)]
  if (timings !== undefined && timings.sessionUse > 0) {
    parts.push(
      timings.setupMs === 0 ? 'kept session' : `set-up ${about(timings.setupMs)}`,
      `transfer ${about(timings.transferMs)}`,
      `message ${timings.sessionUse} of its session`,
    )
  }
  if (timings !== undefined && timings.sessionUse === 0 && timings.setupMs > 0) parts.push(`no session after ${about(timings.setupMs)}`)
  if (tls !== undefined) parts.push(`TLS ${escapeText(describeTls(tls))}`)
  else if (remoteMta !== undefined && timings !== undefined && timings.sessionUse > 0) parts.push('plain, no TLS')
  return parts.filter((part) => part !== null && part !== '').join(', ')
}

function remoteText(remote: RemoteMta | undefined): string | null {
  return remote === undefined ? null : `${escapeText(remote.host)} [${escapeText(remote.address)}]`
}

function reasonText({ reason }: EventDetail, kind: EventKind): string | null {
  return reason === undefined || kind === 'accepted' ? null : escapeText(reason)
}

/** What a server said, word for word; the rest is our own account of what went wrong. */
export function isReply(text: string | null): boolean {
  return text !== null && /^[2-5]\d\d(?:[ -]|$)/.test(text)
}

/** Why it is not delivered yet, and when something happens next; empty for a finished recipient. `command`: how it is called here. */
export function explainWait(row: QueueRow, lanes: readonly LaneStatus[], now: number, command = 'postern'): readonly string[] {
  switch (row.state) {
    case 'held':
      return [heldSentence(row.holdReason), `Let it go with: ${command} queue release ${row.queueId}`]
    case 'leased':
      return ['An attempt is under way just now, or is about to begin.']
    case 'queued': {
      const lane = lanes.find((one) => one.lane === row.lane) ?? null
      return [...explainQueued(row, lane, now, command), ...explainLane(lane, now, command)]
    }
    default:
      return []
  }
}

function heldSentence(reason: string | null): string {
  const words = escapeText(reason === null ? 'no reason is known' : heldReason(reason))
  return words.startsWith('held by ') ? `It is ${words}.` : `It is held: ${words}.`
}

/** Why a recipient is held; who held it by command is named as the history names him. */
export function heldReason(reason: string): string {
  const by = 'held by '
  return reason.startsWith(by) ? by + whoIs(reason.slice(by.length)) : reason
}

/** `cli:root` is root at the command line. */
function whoIs(by: string): string {
  return by.replace(/^cli:/, '')
}

function explainQueued(row: QueueRow, lane: LaneStatus | null, now: number, command: string): readonly string[] {
  const tried =
    row.attempts === 0
      ? 'It was not tried yet'
      : `It was tried ${row.attempts === 1 ? 'once' : `${row.attempts} times`}; ${isReply(row.lastText) ? 'the last reply was' : 'the last time'}: ${escapeText(row.lastText ?? 'none')}`
  if (row.dueAt === null) return [`${tried}.`]
  const turn = lane === null || lane.state === 'open' ? ' and waits for its turn' : ', but its lane is closed'
  if (row.dueAt <= now) return [`${tried}.`, `It is due since ${shortTime(row.dueAt, now)} (${age(now - row.dueAt)})${turn}.`]
  return [`${tried}.`, `Next attempt: ${shortTime(row.dueAt, now)} (${until(row.dueAt, now)}). Sooner: ${command} queue retry ${row.queueId}`]
}

function explainLane(lane: LaneStatus | null, now: number, command: string): readonly string[] {
  if (lane === null) return []
  const name = escapeText(lane.lane)
  if (lane.state === 'open')
    return lane.ready > 0 ? [`Lane ${name} is open: ${lane.active} under way of ${Math.floor(lane.width)} at once, ${lane.ready} ready.`] : []
  const end = lane.until === null ? '' : ` until ${shortTime(lane.until, now)} (${until(lane.until, now)})`
  return [
    `Lane ${name} is ${lane.state}${end}: ${escapeText(lane.reason ?? 'no reason is known')}.`,
    `Open it now with: ${command} queue flush --relay ${name}`,
  ]
}
