/**
 * The admin API: fastify over a Unix socket that only its owner may open.
 *
 * Builds the server, checks every input against a schema without coercing it, gives every error
 * one shape, and owns the socket's lifetime. Routes are in `message-routes`, `control-routes` and
 * `live-route`. Whoever can open the socket may do everything: the file's mode is the login.
 */
import { chmod } from 'node:fs/promises'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { registerControlRoutes } from './control-routes.ts'
import { AdminError, replyForError } from './errors.ts'
import { registerLiveRoute } from './live-route.ts'
import { registerMessageRoutes } from './message-routes.ts'
import type { AdminParts } from './parts.ts'
import { clearSocketPath } from './socket.ts'

export interface AdminServer {
  /** Resolves when the socket answers. Rejects with `SocketError` if the path cannot be used. */
  start(): Promise<void>
  /** Ends open requests and removes the socket. Twice, or without a start, is harmless. */
  stop(): Promise<void>
}

const SOCKET_MODE = 0o600
/** Bodies are small but for `/v1/submit`, which has its own limit. */
const BODY_MAX_OCTETS = 64 * 1024
/** Long enough for a page of queue ids in a filter. */
const HEADERS_MAX_OCTETS = 32 * 1024
const CONNECTIONS_MAX = 64
/** For the whole request to arrive; answers may take longer (a backup, `/v1/live`). */
const REQUEST_MS = 30_000

export function createAdminServer(parts: AdminParts): AdminServer {
  const app = buildApi(parts)
  let started = false
  let stopping: Promise<void> | null = null

  async function start(): Promise<void> {
    await clearSocketPath(parts.socketPath)
    await app.ready()
    await listen(app, parts.socketPath)
    started = true
    // Until here the mode is that of the umask; connecting needs the right to write, which no usual umask gives others.
    await chmod(parts.socketPath, SOCKET_MODE)
  }
  async function stop(): Promise<void> {
    if (started) await closeListener(app)
    await app.close()
  }
  return {
    start,
    stop: () => {
      stopping ??= stop()
      return stopping
    },
  }
}

/** The API without a socket, for tests of its routes. */
export function buildApi(parts: AdminParts): FastifyInstance {
  const app = fastify({
    logger: false,
    bodyLimit: BODY_MAX_OCTETS,
    requestTimeout: REQUEST_MS,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    frameworkErrors: (error, _request, reply: FastifyReply) => {
      const answer = replyForError(error)
      void reply.code(answer.status).send(answer.body)
    },
    http: { maxHeaderSize: HEADERS_MAX_OCTETS },
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false, allowUnionTypes: true } },
  })
  app.server.maxConnections = CONNECTIONS_MAX
  // JSON only: a form or plain text from a browser is never read as a request.
  app.removeContentTypeParser('text/plain')
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
  })
  app.setErrorHandler((error, request, reply) => {
    const answer = replyForError(error)
    if (answer.unforeseen) {
      const fault = error instanceof Error ? (error.stack ?? error.message) : String(error)
      parts.journal.note('admin', 'error', 'a request could not be answered', { route: request.routeOptions.url ?? null, fault })
    }
    return reply.code(answer.status).send(answer.body)
  })
  app.setNotFoundHandler(() => {
    throw new AdminError('no-such-route', 'the server does not know this request')
  })
  registerControlRoutes(app, parts)
  registerMessageRoutes(app, parts)
  registerLiveRoute(app, parts)
  return app
}

function listen(app: FastifyInstance, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const { server } = app
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Closing the listener removes the socket file; live streams would keep it open for ever. */
function closeListener(app: FastifyInstance): Promise<void> {
  return new Promise((resolve) => {
    app.server.close(() => resolve())
    app.server.closeAllConnections()
  })
}
