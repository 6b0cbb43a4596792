/**
 * A filter of operators as SQL conditions over `recipients`.
 */
import { compileGlob } from '../../../core/pattern.ts'
import { queueIdToNumber } from '../../../core/queue-id.ts'
import type { StateKind } from '../../../core/recipient-state.ts'
import type { QueueFilter } from '../../../ports/queue-admin.ts'
import { STATE_NUMBERS } from '../../rows.ts'
import type { Database } from '../database.ts'

export interface Conditions {
  /** Beginning with ` AND`, or empty. */
  readonly sql: string
  readonly values: readonly (string | number)[]
  readonly states: readonly StateKind[]
}

/** Address or part of one: with `*` a pattern over the whole, else any part. */
export function defineLookalike(db: Database): void {
  let known: { readonly pattern: string; readonly matches: (text: string) => boolean } | null = null
  const compile = (pattern: string): ((text: string) => boolean) => {
    if (pattern.includes('*')) return compileGlob(pattern)
    const lower = pattern.toLowerCase()
    return (text) => text.toLowerCase().includes(lower)
  }
  db.defineTest('looks_like', (pattern, text) => {
    if (text === null) return false
    if (known?.pattern !== pattern) known = { pattern, matches: compile(pattern) }
    return known.matches(text)
  })
}

const ALL_STATES = Object.keys(STATE_NUMBERS) as readonly StateKind[]

export function conditionsOf(filter: QueueFilter): Conditions {
  const sql: string[] = []
  const values: (string | number)[] = []
  const add = (condition: string, ...more: readonly (string | number)[]): void => {
    sql.push(condition)
    values.push(...more)
  }
  if (filter.queueIds !== undefined) add(`message_id IN (${filter.queueIds.map(() => '?').join(', ')})`, ...filter.queueIds.map(queueIdToNumber))
  if (filter.sender === '<>') add("sender = '<>'")
  else if (filter.sender !== undefined) add('looks_like(?, sender)', filter.sender)
  if (filter.recipient !== undefined) add('looks_like(?, address)', filter.recipient)
  if (filter.relay !== undefined) {
    const { relay } = filter
    const mailboxes = relay === 'local' ? " OR substr(lane, 1, 6) = 'local:'" : ''
    add(`(lane IN (?, 'smtp:' || ?) OR substr(lane, 1, ?) = 'smtp:' || ? || '/'${mailboxes})`, relay, relay, relay.length + 'smtp:/'.length, relay)
  }
  if (filter.acceptedBefore !== undefined) add('accepted_at < ?', filter.acceptedBefore)
  if (filter.acceptedAfter !== undefined) add('accepted_at > ?', filter.acceptedAfter)
  if (filter.reply !== undefined) add('(looks_like(?, last_text) OR looks_like(?, hold_reason))', literal(filter.reply), literal(filter.reply))
  if (filter.deferred === true) add('attempts > 0')
  if (filter.deferred === false) add('NOT (state = 0 AND attempts > 0)')
  const asked = filter.states ?? ALL_STATES
  const states = filter.deferred === true ? asked.filter((state) => state === 'queued') : asked
  return { sql: sql.map((condition) => ` AND ${condition}`).join(''), values, states }
}

/** Any part of a reply; a `*` in it stands for anything, too. */
function literal(reply: string): string {
  return reply.includes('*') ? `*${reply}*` : reply
}
