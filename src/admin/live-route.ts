/**
 * `GET /v1/live`: SMTP dialogue as it happens, one JSON document a line, until the client goes.
 *
 * Mail never waits for a reader: what a slow one has not taken is bounded, further lines are
 * dropped and counted, and the count is told once the reader has caught up.
 */
import type { ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import type { Clock } from '../core/clock.ts'
import type { DialogueLine } from '../ports/journal.ts'
import type { LiveLine } from './api-types.ts'
import { AdminError } from './errors.ts'
import type { AdminParts } from './parts.ts'
import { LINE_SCHEMA, requireQueueId } from './queue-filter.ts'

const WATCHERS_MAX = 16
/** What waits for one slow reader, beside the socket's own buffer. */
const WAITING_MAX_OCTETS = 256 * 1024

interface LiveQuery {
  readonly relay?: string
  readonly from?: string
  readonly to?: string
  readonly queueId?: string
}

export function registerLiveRoute(server: FastifyInstance, { control, clock }: AdminParts): void {
  let watchers = 0
  const querystring = {
    type: 'object',
    additionalProperties: false,
    properties: { relay: LINE_SCHEMA, from: LINE_SCHEMA, to: LINE_SCHEMA, queueId: LINE_SCHEMA },
  }
  server.get<{ Querystring: LiveQuery }>('/v1/live', { schema: { querystring } }, (request, reply) => {
    const { relay = null, from = null, to = null, queueId } = request.query
    const filter = { relay, from, to, queueId: queueId === undefined ? null : requireQueueId(queueId) }
    if (watchers >= WATCHERS_MAX) throw new AdminError('too-many-watchers', `at most ${WATCHERS_MAX} can watch at once`)
    watchers++
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    const feed = createFeed(raw, clock)
    const stop = control.watchDialogue(filter, feed)
    raw.once('close', () => {
      watchers--
      stop()
    })
    raw.on('error', () => {
      // A reader that resets its connection is one that goes; `close` follows.
    })
  })
}

/** Writes lines to one reader, or counts them as lost. */
function createFeed(raw: ServerResponse, clock: Clock): (line: DialogueLine) => void {
  let lost = 0
  const write = (line: LiveLine): void => {
    raw.write(`${JSON.stringify(line)}\n`)
  }
  const tellLost = (): void => {
    if (lost === 0) return
    write({ kind: 'lost', at: clock.now(), lines: lost })
    lost = 0
  }
  raw.on('drain', tellLost)
  write({ kind: 'open', at: clock.now() })
  return (line) => {
    if (raw.destroyed) return
    if (raw.writableLength > WAITING_MAX_OCTETS) {
      lost++
      return
    }
    tellLost()
    write({ kind: 'line', at: clock.now(), ...line })
  }
}
