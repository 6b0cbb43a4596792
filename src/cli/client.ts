/**
 * Asks the running server: HTTP over its Unix socket, typed by `admin/api-types`.
 *
 * Turns every way in which that can go wrong into one `CliError` with what to do about it. Knows
 * no command. Light on purpose: `postern status` loads this and little else.
 */
import { type IncomingMessage, request } from 'node:http'
import type { ErrorAnswer } from '../admin/api-types.ts'
import { type CliContext, CliError, EXIT, type ExitCode } from './context.ts'
import { escapeText } from './escape.ts'
import { type GlobalOptions, locateSocket } from './socket-path.ts'

export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

export interface AdminClient {
  readonly socketPath: string
  /** Rejects with `CliError`. The answer's type is what the route promises in `admin/api-types`. */
  get<Answer>(path: string, query?: Query): Promise<Answer>
  post<Answer>(path: string, body: unknown): Promise<Answer>
  /** The answer as it comes, for content and live lines. */
  stream(path: string, query?: Query, signal?: AbortSignal): Promise<IncomingMessage>
}

/** An answer in memory: a page of 1,000 rows has about 1 MB, a story of 1,000 recipients a few. */
const ANSWER_MAX_OCTETS = 256 * 1024 * 1024
/** Nothing came for so long: a backup of a large store is the slowest thing asked for. */
const SILENCE_MS = 10 * 60_000

export async function connectClient(context: CliContext, globals: GlobalOptions): Promise<AdminClient> {
  const socketPath = await locateSocket(context, globals)
  return {
    socketPath,
    get: async (path, query) => parseAnswer(await send(socketPath, { method: 'GET', path: withQuery(path, query) })),
    post: async (path, body) => parseAnswer(await send(socketPath, { method: 'POST', path, body: JSON.stringify(body) })),
    stream: (path, query, signal) => send(socketPath, { method: 'GET', path: withQuery(path, query), ...(signal === undefined ? {} : { signal }) }),
  }
}

/** Octets of a streamed answer; a cut-off stream is an error, never a short message. */
export async function* readChunks(answer: IncomingMessage): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of answer) yield chunk as Buffer
  } catch (error) {
    throw new CliError(EXIT.failed, 'the server broke off its answer', { hint: 'The log of the server says why.', cause: error })
  }
}

interface Sending {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
  readonly signal?: AbortSignal
}

/** Resolves with an answer below 400. */
function send(socketPath: string, { method, path, body, signal }: Sending): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const asked = request({ socketPath, method, path, headers, ...(signal === undefined ? {} : { signal }) }, (answer) => {
      if ((answer.statusCode ?? 500) < 400) resolve(answer)
      else readErrorAnswer(answer).then(reject, reject)
    })
    asked.setTimeout(SILENCE_MS, () => asked.destroy(new CliError(EXIT.notRunning, `the server at ${socketPath} does not answer`)))
    asked.once('error', (error) => reject(connectFault(error, socketPath)))
    asked.end(body)
  })
}

async function parseAnswer<Answer>(answer: IncomingMessage): Promise<Answer> {
  const text = await readText(answer)
  try {
    return JSON.parse(text) as Answer
  } catch (error) {
    throw new CliError(EXIT.failed, 'the server gave an answer that is no JSON', { cause: error })
  }
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let octets = 0
  for await (const chunk of readChunks(answer)) {
    octets += chunk.length
    if (octets > ANSWER_MAX_OCTETS) throw new CliError(EXIT.failed, 'the answer of the server is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function readErrorAnswer(answer: IncomingMessage): Promise<CliError> {
  const { error } = await parseAnswer<Partial<ErrorAnswer>>(answer)
  if (error === undefined) return new CliError(EXIT.failed, `the server answered with status ${answer.statusCode}`)
  const { code, hint } = error
  const message = error.message.split('\n').map(escapeText).join('\n')
  return new CliError(exitCodeFor(answer.statusCode ?? 500), message, { code, ...(hint === null ? {} : { hint }) })
}

/** What was refused or is not there: 4; what the server could not do: 1. */
function exitCodeFor(status: number): ExitCode {
  return status < 500 ? EXIT.refused : EXIT.failed
}

function connectFault(error: NodeJS.ErrnoException, socketPath: string): Error {
  if (error instanceof CliError || error.name === 'AbortError') return error
  const path = escapeText(socketPath)
  switch (error.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new CliError(EXIT.notRunning, `no Postern server is running: nothing answers on ${path}`, {
        code: 'not-running',
        hint: 'Start it with `postern serve`. If it runs elsewhere, name its socket with --socket PATH or its configuration with --config PATH.',
      })
    case 'EACCES':
    case 'EPERM':
      return new CliError(EXIT.refused, `you may not open ${path}`, { code: 'not-allowed', hint: 'Run this as the user the server runs as, or as root.' })
    case 'ECONNRESET':
    case 'EPIPE':
      return new CliError(EXIT.notRunning, 'the server went away while it was asked', {
        code: 'not-running',
        hint: 'It may be restarting: ask again in a moment.',
      })
    default:
      return new CliError(EXIT.failed, `the server at ${path} could not be asked: ${escapeText(error.message)}`, { cause: error })
  }
}

function withQuery(path: string, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) parameters.append(name, String(one))
  }
  const text = parameters.toString()
  return text === '' ? path : `${path}?${text}`
}
