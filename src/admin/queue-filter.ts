/**
 * Filters as they come over the wire: the JSON schemas that check them, and the typed filter they become.
 *
 * In a query every value is one string, lists are joined by commas; in a body they have their
 * JSON types. Nothing is coerced: a number that came as a string in a body is refused.
 */
import type { EpochMs, QueueId } from '../core/brand.ts'
import { parseQueueId } from '../core/queue-id.ts'
import { STATE_KINDS, type StateKind } from '../core/recipient-state.ts'
import type { QueueFilter } from '../ports/queue-admin.ts'
import { AdminError } from './errors.ts'

/** Most ids in one filter: a page of a list. */
const QUEUE_IDS_MAX = 1000
const FILTER_TEXT_MAX = 512

/** Text for a filter or a name: bounded, without control characters. */
export const LINE_SCHEMA = { type: 'string', minLength: 1, maxLength: FILTER_TEXT_MAX, pattern: '^[^\\u0000-\\u001f\\u007f]+$' } as const
/** Milliseconds since 1970 in a query: digits only. */
const TIME_TEXT_SCHEMA = { type: 'string', pattern: '^[0-9]{1,15}$' } as const
const TIME_SCHEMA = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const

const SHARED = { sender: LINE_SCHEMA, recipient: LINE_SCHEMA, relay: LINE_SCHEMA, reply: LINE_SCHEMA } as const

/** Properties of a query string; spread into the schema of a route. */
export const FILTER_QUERY_PROPERTIES = {
  ...SHARED,
  states: { type: 'string', maxLength: 100 },
  queueIds: { type: 'string', maxLength: QUEUE_IDS_MAX * 12 },
  acceptedBefore: TIME_TEXT_SCHEMA,
  acceptedAfter: TIME_TEXT_SCHEMA,
  deferred: { type: 'string', enum: ['true', 'false'] },
} as const

/** A filter in a body. */
export const FILTER_BODY_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  properties: {
    ...SHARED,
    states: { type: 'array', minItems: 1, maxItems: STATE_KINDS.length, items: { type: 'string', enum: STATE_KINDS } },
    queueIds: { type: 'array', minItems: 1, maxItems: QUEUE_IDS_MAX, items: { type: 'string', maxLength: 11 } },
    acceptedBefore: TIME_SCHEMA,
    acceptedAfter: TIME_SCHEMA,
    deferred: { type: 'boolean' },
  },
} as const

/** What `FILTER_BODY_SCHEMA` lets through. */
export interface FilterBody {
  readonly sender?: string
  readonly recipient?: string
  readonly relay?: string
  readonly reply?: string
  readonly states?: readonly string[]
  readonly queueIds?: readonly string[]
  readonly acceptedBefore?: number
  readonly acceptedAfter?: number
  readonly deferred?: boolean
}
/** What `FILTER_QUERY_PROPERTIES` lets through. */
export interface FilterQuery extends Pick<FilterBody, 'sender' | 'recipient' | 'relay' | 'reply'> {
  readonly states?: string
  readonly queueIds?: string
  readonly acceptedBefore?: string
  readonly acceptedAfter?: string
  readonly deferred?: 'true' | 'false'
}

/** Throws `AdminError` for a state or id that is none. */
export function filterFromQuery(query: FilterQuery): QueueFilter {
  return filterFromBody({
    ...pickText(query),
    ...(query.states === undefined ? {} : { states: query.states.split(',') }),
    ...(query.queueIds === undefined ? {} : { queueIds: query.queueIds.split(',') }),
    ...(query.acceptedBefore === undefined ? {} : { acceptedBefore: Number(query.acceptedBefore) }),
    ...(query.acceptedAfter === undefined ? {} : { acceptedAfter: Number(query.acceptedAfter) }),
    ...(query.deferred === undefined ? {} : { deferred: query.deferred === 'true' }),
  })
}

/** Throws `AdminError` for a state or id that is none. */
export function filterFromBody(body: FilterBody): QueueFilter {
  return {
    ...pickText(body),
    ...(body.states === undefined ? {} : { states: body.states.map(requireState) }),
    ...(body.queueIds === undefined ? {} : { queueIds: requireIds(body.queueIds) }),
    ...(body.acceptedBefore === undefined ? {} : { acceptedBefore: body.acceptedBefore as EpochMs }),
    ...(body.acceptedAfter === undefined ? {} : { acceptedAfter: body.acceptedAfter as EpochMs }),
    ...(body.deferred === undefined ? {} : { deferred: body.deferred }),
  }
}

/** What the path names, as an id; a text that cannot be one is a message that is not there. */
export function requireQueueId(text: string): QueueId {
  const id = parseQueueId(text)
  if (id === null) throw new AdminError('not-found', 'there is no such message: this is no queue id')
  return id
}

function pickText(input: FilterBody | FilterQuery): Pick<FilterBody, 'sender' | 'recipient' | 'relay' | 'reply'> {
  return {
    ...(input.sender === undefined ? {} : { sender: input.sender }),
    ...(input.recipient === undefined ? {} : { recipient: input.recipient }),
    ...(input.relay === undefined ? {} : { relay: input.relay }),
    ...(input.reply === undefined ? {} : { reply: input.reply }),
  }
}

function requireState(text: string): StateKind {
  const state = STATE_KINDS.find((known) => known === text)
  if (state === undefined) throw new AdminError('bad-request', `there is no such state; known are ${STATE_KINDS.join(', ')}`)
  return state
}

function requireIds(texts: readonly string[]): readonly QueueId[] {
  if (texts.length > QUEUE_IDS_MAX) throw new AdminError('bad-request', `at most ${QUEUE_IDS_MAX} queue ids in one request`)
  return texts.map((text) => {
    const id = parseQueueId(text)
    if (id === null) throw new AdminError('bad-request', 'one of the queue ids is none: they have eleven letters and digits')
    return id
  })
}
