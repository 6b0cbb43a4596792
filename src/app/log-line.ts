/**
 * How log records read on a terminal. JSON is for programs; this is for people.
 *
 * Remote text is escaped, so that no reply or address can forge a line or drive the terminal (I07).
 */
import type { AcceptedRecord, AttemptRecord } from '../ports/journal.ts'

/** Controls, separators of lines, and marks that are not seen or turn text around. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g
/** JSON escapes the first of them by itself, and the line end must stay. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g

/** Shows what should not be sent to a terminal as escapes. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** A line of JSON that is one line for every reader, and harmless where it is shown. Its value stays the same. */
export function escapeJsonLine(line: string): string {
  return line.replace(UNSAFE_IN_JSON, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Characters of one reply in a line of the log; the history has all of it. */
const TEXT_MAX = 2_000

export function cutText(text: string): string {
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)}...`
}

export function acceptedText(record: AcceptedRecord): string {
  const client = record.client === null ? '' : ` client=${record.client}`
  return escapeText(
    `${record.queueId} accepted from=<${withoutBrackets(record.from)}> nrcpt=${record.recipients} size=${record.sizeOctets} submitter=${record.submitter} proto=${record.protocol}${client}`,
  )
}

/** `ID from= to= LANE OUTCOME dsn= attempt= delay= delays=a/b/c/d conn_use= host[address] "reply"`. */
export function attemptText(record: AttemptRecord): string {
  const relay = record.relay === null ? 'none' : `${record.relay.host}[${record.relay.address}]`
  const tls = record.tls === null ? (record.timings.sessionUse === 0 ? '' : ' tls=plain') : ` tls=${record.tls.trust}:${record.tls.protocol}`
  const twice = record.duplicatePossible ? ' duplicate=possible' : ''
  const original = record.originalTo === null ? '' : ` orig_to=<${record.originalTo}>`
  return escapeText(
    `${record.queueId} from=<${withoutBrackets(record.from)}> to=<${record.to}>${original} ${record.lane} ${record.outcome} dsn=${record.status} attempt=${record.attempt}` +
      ` delay=${seconds(record.delayMs)}s delays=${record.delays.map(seconds).join('/')} conn_use=${record.timings.sessionUse}${tls} ${relay}${twice} "${cutText(record.text)}"`,
  )
}

/** The null reverse-path comes as `<>`. */
function withoutBrackets(from: string): string {
  return from === '<>' ? '' : from
}

/** Postfix's way: two digits that count. */
function seconds(durationMs: number): string {
  const value = durationMs / 1000
  if (value >= 100) return value.toFixed(0)
  return value >= 1 ? value.toFixed(1) : value.toFixed(2)
}
