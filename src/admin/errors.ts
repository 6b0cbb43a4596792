/**
 * Every error the admin API can answer with: code, HTTP status, what to do. One catalogue, one shape.
 *
 * Turns whatever a route throws into an answer. Nothing of an unforeseen error goes out: its
 * text may hold paths, SQL or remote bytes; the log has it. `docs/cli.md` lists the codes.
 */
import { StoreFault, type StoreFaultKind } from '../ports/store-fault.ts'
import type { ErrorAnswer } from './api-types.ts'

export const ERROR_CATALOGUE = {
  'bad-request': { status: 400, hint: null },
  'filter-missing': { status: 400, hint: 'Name message ids or a filter, or say that all are meant.' },
  'not-found': { status: 404, hint: 'Finished messages are forgotten after the retention time of the configuration.' },
  'no-such-route': { status: 404, hint: 'The server may be of another version than the program that asked.' },
  'content-gone': { status: 410, hint: 'Content of finished messages is removed after the retention time of the configuration.' },
  'content-damaged': {
    status: 500,
    hint: 'The stored content does not have the size or checksum it was stored with. It is held and not sent; restore a backup.',
  },
  'file-exists': { status: 409, hint: 'Choose a name that does not exist yet: nothing is overwritten.' },
  'file-refused': { status: 400, hint: 'The server writes this file: its user must be allowed to create it there.' },
  'too-large': { status: 413, hint: null },
  'config-invalid': { status: 422, hint: 'Nothing was changed. Correct the file; `postern config check` says when it is right.' },
  'mail-refused': { status: 422, hint: null },
  'mail-unsigned': { status: 503, hint: 'Nothing was accepted. `postern config check` says what is wrong with the DKIM keys.' },
  'too-many-watchers': { status: 429, hint: 'End another `postern trace --live` first.' },
  'store-full': { status: 507, hint: 'Free space on the file system that holds the queue.' },
  'store-failed': { status: 503, hint: 'The store could not be read or written. The log of the server says why.' },
  'store-busy': { status: 503, hint: 'Try again in a moment.' },
  stopping: { status: 503, hint: 'The server is shutting down.' },
  internal: { status: 500, hint: 'The log of the server says more.' },
} as const satisfies Record<string, { readonly status: number; readonly hint: string | null }>

export type ErrorCode = keyof typeof ERROR_CATALOGUE
export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as readonly ErrorCode[]

/** Thrown by routes, and by the parts behind `ServerControl`, for answers meant for an operator. */
export class AdminError extends Error {
  readonly code: ErrorCode
  readonly hint: string | null
  constructor(code: ErrorCode, message: string, hint: string | null = ERROR_CATALOGUE[code].hint) {
    super(message)
    this.name = 'AdminError'
    this.code = code
    this.hint = hint
  }
}

export interface ErrorReply {
  readonly status: number
  readonly body: ErrorAnswer
  /** A bug or a fault of ours, worth a line in the log. */
  readonly unforeseen: boolean
}

const STORE_CODES: Readonly<Record<StoreFaultKind, ErrorCode>> = {
  full: 'store-full',
  io: 'store-failed',
  damaged: 'content-damaged',
  busy: 'store-busy',
  closed: 'stopping',
}
const STORE_TEXTS: Readonly<Record<StoreFaultKind, string>> = {
  full: 'there is no space left to store this',
  io: 'the store failed',
  damaged: 'the stored content is damaged',
  busy: 'the store is overloaded',
  closed: 'the store is closed',
}

/** The answer to an error, whatever it is. */
export function replyForError(error: unknown): ErrorReply {
  if (error instanceof AdminError) return replyWith(error.code, error.message, error.hint)
  if (error instanceof StoreFault) return { ...replyWith(STORE_CODES[error.kind], STORE_TEXTS[error.kind]), unforeseen: error.kind === 'io' }
  if (!(error instanceof Error)) return internal()
  // By name: these classes belong to folders that this one may not import. Their texts are ours and may be shown.
  if (error.name === 'ConfigError' || error.name === 'SettingsError') return replyWith('config-invalid', error.message)
  if (error.name === 'ListenError')
    return replyWith('config-invalid', error.message, 'Nothing was changed. Free that address, or set another one under `listen`.')
  if (error.name === 'SubmissionRefused') return replyWith('mail-refused', error.message)
  if (error.name === 'SigningFault') return replyWith('mail-unsigned', error.message)
  return replyForFramework(error)
}

/** Errors of fastify carry a status; their texts speak of the request alone. */
function replyForFramework(error: Error & { readonly statusCode?: unknown; readonly code?: unknown }): ErrorReply {
  if (error.statusCode === 413) return replyWith('too-large', 'the request is larger than this route takes')
  const isClientFault = typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500
  if (isClientFault && (typeof error.code === 'string' ? error.code.startsWith('FST_') : error instanceof SyntaxError))
    return replyWith('bad-request', plainWords(error.message))
  return internal()
}

/** The framework begins with the part of the request it looked at: `querystring/to must be ...`. */
function plainWords(text: string): string {
  return text.replace(/^(?:querystring|body|params|headers)\//, '').replace(/^(?:querystring|body|params|headers) /, 'the request ')
}

function internal(): ErrorReply {
  return { ...replyWith('internal', 'the server failed to answer this'), unforeseen: true }
}

function replyWith(code: ErrorCode, message: string, hint: string | null = ERROR_CATALOGUE[code].hint): ErrorReply {
  return { status: ERROR_CATALOGUE[code].status, body: { error: { code, message, hint } }, unforeseen: false }
}
