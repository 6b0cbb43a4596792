/**
 * Routes for the running server itself: status, flush, reload, routes, submission, backup, log level.
 *
 * Everything is done behind `ServerControl` and `QueueAdmin`; changes are noted in the log.
 */
import { lstat } from 'node:fs/promises'
import { dirname, isAbsolute } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { describeFileFault } from '../core/file-words.ts'
import type { Subsystem } from '../ports/journal.ts'
import type { BackupAnswer, BackupRequest, Done, FlushAnswer, FlushRequest, LogLevelRequest, SubmitAnswer, SubmitBody } from './api-types.ts'
import { AdminError } from './errors.ts'
import type { AdminParts } from './parts.ts'
import { LINE_SCHEMA } from './queue-filter.ts'

/** For test mails and small tools; applications hand in by SMTP, which streams. */
export const SUBMIT_CONTENT_MAX_OCTETS = 4 * 1024 * 1024
const SUBMIT_RECIPIENTS_MAX = 100
/** RFC 5321 §4.5.3.1: 64 octets, `@`, 255 octets. */
const ADDRESS_MAX = 320
const PATH_MAX = 4096
const HEADERS_MAX = 64
const SUBSYSTEMS: readonly (Subsystem | 'all')[] = ['all', 'intake', 'delivery', 'transport', 'store', 'admin', 'config', 'server']

/** No control characters of any alphabet, no line or paragraph separators: such an address is nobody's. */
const ADDRESS_SCHEMA = { type: 'string', maxLength: ADDRESS_MAX, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$' } as const

export function registerControlRoutes(server: FastifyInstance, parts: AdminParts): void {
  server.get('/v1/status', () => parts.control.status())
  registerSteering(server, parts)
  registerRoute(server, parts)
  registerRewrite(server, parts)
  registerSubmit(server, parts)
  registerBackup(server, parts)
}

function registerSteering(server: FastifyInstance, { control, journal }: AdminParts): void {
  const flushBody = bodySchema({ lane: { type: ['string', 'null'], minLength: 1, maxLength: 200 } }, ['lane'])
  server.post<{ Body: FlushRequest }>('/v1/flush', { schema: { body: flushBody } }, async ({ body }): Promise<FlushAnswer> => {
    const answer = await control.flush(body.lane)
    journal.note('admin', 'info', 'an operator flushed the queue', { lane: body.lane, ...answer })
    return answer
  })
  server.post('/v1/reload', () => control.reload())

  const levelBody = bodySchema({ subsystem: { type: 'string', enum: SUBSYSTEMS }, level: { type: 'string', enum: ['debug', 'info', 'warn', 'error'] } }, [
    'subsystem',
    'level',
  ])
  server.post<{ Body: LogLevelRequest }>('/v1/log-level', { schema: { body: levelBody } }, ({ body }): Done => {
    control.setLogLevel(body.subsystem, body.level)
    journal.note('admin', 'info', 'an operator set a log level', { ...body })
    return { done: true }
  })
}

interface RouteQuery {
  readonly from: string
  readonly to: string
  readonly submitter?: string
  readonly header?: string | readonly string[]
}

function registerRoute(server: FastifyInstance, { control }: AdminParts): void {
  const querystring = {
    type: 'object',
    additionalProperties: false,
    required: ['from', 'to'],
    properties: {
      from: ADDRESS_SCHEMA,
      to: ADDRESS_SCHEMA,
      submitter: LINE_SCHEMA,
      header: {
        anyOf: [
          { type: 'array', maxItems: HEADERS_MAX, items: { type: 'string', maxLength: 1000 } },
          { type: 'string', maxLength: 1000 },
        ],
      },
    },
  }
  server.get<{ Querystring: RouteQuery }>('/v1/route', { schema: { querystring } }, ({ query }) => {
    const header = [query.header ?? []].flat().map(parseHeaderField)
    return control.explainRoute({ from: withoutBrackets(query.from), to: query.to, submitter: query.submitter ?? null, header })
  })
}

function registerRewrite(server: FastifyInstance, { control }: AdminParts): void {
  const querystring = {
    type: 'object',
    additionalProperties: false,
    required: ['address'],
    properties: { address: { ...ADDRESS_SCHEMA, minLength: 1 }, from: ADDRESS_SCHEMA },
  }
  server.get<{ Querystring: { readonly address: string; readonly from?: string } }>('/v1/rewrite', { schema: { querystring } }, ({ query }) => {
    const answer = control.explainRewriting({ address: query.address, from: query.from === undefined ? null : withoutBrackets(query.from) })
    if (answer === null) throw new AdminError('bad-request', `${JSON.stringify(query.address)} is no address, and there is no domain for names`)
    return answer
  })
}

/** `Name: value` as a pair, the name in lower case. */
function parseHeaderField(text: string): readonly [string, string] {
  const match = /^([\x21-\x39\x3b-\x7e]+):[ \t]*(.*)$/.exec(text)
  if (match === null) throw new AdminError('bad-request', 'a header field is written as `Name: value`')
  return [(match[1] ?? '').toLowerCase(), match[2] ?? '']
}

function registerSubmit(server: FastifyInstance, { control }: AdminParts): void {
  const body = bodySchema(
    {
      from: ADDRESS_SCHEMA,
      to: { type: 'array', minItems: 1, maxItems: SUBMIT_RECIPIENTS_MAX, items: { ...ADDRESS_SCHEMA, minLength: 1 } },
      content: { type: 'string', pattern: '^[A-Za-z0-9+/]*={0,2}$' },
    },
    ['from', 'to', 'content'],
  )
  // Base64 is a third longer than what it holds; the rest of the request is small.
  const bodyLimit = Math.ceil((SUBMIT_CONTENT_MAX_OCTETS * 4) / 3) + 64 * 1024
  server.post<{ Body: SubmitBody }>('/v1/submit', { schema: { body }, bodyLimit }, async ({ body: { from, to, content } }): Promise<SubmitAnswer> => {
    const octets = Buffer.from(content, 'base64')
    if (octets.length > SUBMIT_CONTENT_MAX_OCTETS) throw new AdminError('too-large', `at most ${SUBMIT_CONTENT_MAX_OCTETS} octets of content by this road`)
    return { queueId: await control.submit({ from: withoutBrackets(from), to, content: octets }) }
  })
}

function registerBackup(server: FastifyInstance, { queue, journal }: AdminParts): void {
  const body = bodySchema({ path: { type: 'string', minLength: 1, maxLength: PATH_MAX, pattern: '^[^\\u0000]+$' } }, ['path'])
  server.post<{ Body: BackupRequest }>('/v1/backup', { schema: { body } }, async ({ body: { path } }): Promise<BackupAnswer> => {
    if (!isAbsolute(path)) throw new AdminError('bad-request', 'the path of the backup must be absolute')
    await requireFree(path)
    const result = await queue.backup(path).catch((error: unknown) => {
      throw fileFault(error)
    })
    journal.note('admin', 'info', 'an operator made a backup', { ...result })
    return { path, ...result }
  })
}

/** A first look only: the store itself must refuse to write over a file. */
async function requireFree(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null
    throw fileFault(error)
  })
  if (found !== null) throw new AdminError('file-exists', 'there is a file of that name already')
  const folder = await lstat(dirname(path)).catch(() => null)
  if (folder === null) throw new AdminError('file-refused', 'the folder of the backup does not exist')
}

function fileFault(error: unknown): unknown {
  const code = codeOf(error)
  if (code === 'EEXIST') return new AdminError('file-exists', 'there is a file of that name already')
  if (code === 'ENOSPC' || code === 'EDQUOT') return new AdminError('store-full', 'there is no space left for the backup')
  if (code !== null && /^E(ACCES|PERM|ROFS|NOENT|NOTDIR|ISDIR|NAMETOOLONG|LOOP)$/.test(code))
    return new AdminError('file-refused', `the file cannot be written: ${describeFileFault(error) ?? code}`)
  return error
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

/** The null reverse-path is the empty address inside, `<>` outside. */
function withoutBrackets(address: string): string {
  return address === '<>' ? '' : address
}

function bodySchema(properties: Readonly<Record<string, unknown>>, required: readonly string[]) {
  return { type: 'object', additionalProperties: false, properties, required }
}
