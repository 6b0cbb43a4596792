/**
 * Routes for what is queued and what became of it: lists, counts, acts, stories, content, history.
 *
 * Everything comes from `QueueAdmin`; nothing is decided here but what a request may ask.
 */
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { StoredContent } from '../ports/body-store.ts'
import type { MessageStory, QueueAct } from '../ports/queue-admin.ts'
import type { CountAnswer, FindAnswer, StoryAnswer } from './api-types.ts'
import { AdminError } from './errors.ts'
import type { AdminParts } from './parts.ts'
import {
  FILTER_BODY_SCHEMA,
  FILTER_QUERY_PROPERTIES,
  type FilterBody,
  type FilterQuery,
  filterFromBody,
  filterFromQuery,
  LINE_SCHEMA,
  requireQueueId,
} from './queue-filter.ts'

const PAGE_DEFAULT = 100
const PAGE_MAX = 1000
const FIND_MAX = 1000
const CURSOR_SCHEMA = { type: 'string', minLength: 1, maxLength: 200, pattern: '^[\\x21-\\x7e]+$' } as const
/** 1 to 1,000, in a query. */
const LIMIT_SCHEMA = { type: 'string', pattern: '^(1000|[1-9][0-9]{0,2})$' } as const
const ACTS: readonly QueueAct[] = ['hold', 'resume', 'cancel', 'retry']
const WHO = 'admin'

interface PageQuery {
  readonly limit?: string
  readonly after?: string
}
interface ActBody {
  readonly act: QueueAct
  readonly filter: FilterBody
  readonly all?: boolean
  readonly by?: string
}

export function registerMessageRoutes(server: FastifyInstance, parts: AdminParts): void {
  registerQueue(server, parts)
  registerActs(server, parts)
  registerMessages(server, parts)
  registerSearch(server, parts)
}

function registerQueue(server: FastifyInstance, { queue }: AdminParts): void {
  const listSchema = { querystring: querySchema({ ...FILTER_QUERY_PROPERTIES, limit: LIMIT_SCHEMA, after: CURSOR_SCHEMA }) }
  server.get<{ Querystring: FilterQuery & PageQuery }>('/v1/queue', { schema: listSchema }, ({ query }) => queue.list(filterFromQuery(query), pageOf(query)))

  const countSchema = { querystring: querySchema(FILTER_QUERY_PROPERTIES) }
  server.get<{ Querystring: FilterQuery }>(
    '/v1/queue/count',
    { schema: countSchema },
    async ({ query }): Promise<CountAnswer> => ({ count: await queue.count(filterFromQuery(query)) }),
  )
}

function registerActs(server: FastifyInstance, { queue, clock, journal }: AdminParts): void {
  const body = {
    type: 'object',
    additionalProperties: false,
    required: ['act', 'filter'],
    properties: { act: { type: 'string', enum: ACTS }, filter: FILTER_BODY_SCHEMA, all: { type: 'boolean' }, by: { ...LINE_SCHEMA, maxLength: 64 } },
  }
  server.post<{ Body: ActBody }>('/v1/queue/act', { schema: { body } }, async (request) => {
    const { act, all, by = WHO } = request.body
    const filter = filterFromBody(request.body.filter)
    if (Object.keys(filter).length === 0 && all !== true) throw new AdminError('filter-missing', `refused to ${act} everything`)
    const result = await queue.act(act, filter, by, clock.now())
    if (result.changed + result.pending > 0) journal.note('admin', 'info', 'an operator changed the queue', { act, by, ...result })
    return result
  })
}

function registerMessages(server: FastifyInstance, { queue }: AdminParts): void {
  server.get<{ Params: { id: string } }>('/v1/messages/:id', async ({ params }) => {
    const story = await queue.story(requireQueueId(params.id))
    if (story === null) throw noSuchMessage()
    return storyAnswer(story)
  })
  server.get<{ Params: { id: string } }>('/v1/messages/:id/content', async ({ params }, reply) => {
    const queueId = requireQueueId(params.id)
    const content = await queue.content(queueId)
    if (content !== null) return sendContent(reply, content)
    if ((await queue.story(queueId)) === null) throw noSuchMessage()
    throw new AdminError('content-gone', 'the content of this message is no longer stored')
  })
}

function registerSearch(server: FastifyInstance, { queue }: AdminParts): void {
  const findSchema = { querystring: { ...querySchema({ address: { ...LINE_SCHEMA, maxLength: 320 }, limit: LIMIT_SCHEMA }), required: ['address'] } }
  server.get<{ Querystring: { address: string; limit?: string } }>('/v1/find', { schema: findSchema }, async ({ query }): Promise<FindAnswer> => {
    const limit = Math.min(Number(query.limit ?? PAGE_DEFAULT), FIND_MAX)
    return { queueIds: await queue.findByAddress(query.address, limit) }
  })
  const historySchema = { querystring: querySchema({ limit: LIMIT_SCHEMA, after: CURSOR_SCHEMA }) }
  server.get<{ Querystring: PageQuery }>('/v1/history', { schema: historySchema }, ({ query }) => {
    const { limit, after } = pageOf(query)
    return queue.history(after, limit)
  })
}

function querySchema(properties: Readonly<Record<string, unknown>>) {
  return { type: 'object', additionalProperties: false, properties }
}

function pageOf(query: PageQuery): { readonly limit: number; readonly after: string | null } {
  return { limit: Math.min(Number(query.limit ?? PAGE_DEFAULT), PAGE_MAX), after: query.after ?? null }
}

function noSuchMessage(): AdminError {
  return new AdminError('not-found', 'there is no such message')
}

/** The first chunk is asked for before the head goes out, so that damaged content gets a proper answer where it can. */
async function sendContent(reply: FastifyReply, content: StoredContent): Promise<FastifyReply> {
  reply.type('message/rfc822').header('content-disposition', 'attachment')
  if (content.whole !== null) return reply.send(Buffer.from(content.whole.buffer, content.whole.byteOffset, content.whole.byteLength))
  const chunks = content.chunks()[Symbol.asyncIterator]()
  const first = await chunks.next()
  return reply.send(Readable.from(withFirst(first, chunks), { objectMode: false }))
}

async function* withFirst(first: IteratorResult<Uint8Array>, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

function storyAnswer({ message, recipients, history, contentStored }: MessageStory): StoryAnswer {
  const { envelope } = message
  return {
    message: {
      queueId: envelope.queueId,
      sender: recipients[0]?.sender ?? '<>',
      acceptedAt: message.acceptedAt,
      sizeOctets: message.sizeOctets,
      origin: message.origin,
      header: message.header,
      body: envelope.body,
      smtputf8: envelope.smtputf8,
      requireTls: envelope.requireTls,
      envelopeId: envelope.envelopeId,
      returnContent: envelope.returnContent,
      prefix: new TextDecoder().decode(message.prefix),
    },
    recipients: recipients.map((row, index) => {
      const asGiven = envelope.recipients.find((recipient) => recipient.id === row.recipientId) ?? envelope.recipients[index]
      return { ...row, notify: asGiven?.notify ?? null, originalRecipient: asGiven?.originalRecipient ?? null }
    }),
    history,
    contentStored,
  }
}
