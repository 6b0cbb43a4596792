/**
 * One listening socket. Gives out accepted sockets, not yet read, and knows nothing else of them.
 *
 * A fault of accepting (no more file descriptors) is noted and ends nothing: the next connection is
 * accepted when there is room again.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { ListenerSettings } from './settings.ts'

export interface ListenerParts {
  readonly settings: ListenerSettings
  readonly onConnection: (socket: Socket) => void
  readonly onFault: (url: string, error: Error) => void
}

/** Connections that may wait in the kernel; it cuts this to `net.core.somaxconn`. */
const BACKLOG = 1024

/** An address of `listen` cannot be used now. The message is for operators. */
export class ListenError extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'ListenError'
  }
}

export class Listener {
  readonly #parts: ListenerParts
  readonly #server: Server

  constructor(parts: ListenerParts) {
    this.#parts = parts
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, parts.onConnection)
  }

  /** As configured, with the port that the system chose for 0. */
  get url(): string {
    const { url, port } = this.#parts.settings
    const bound = this.#server.address()
    return port === 0 && bound !== null && typeof bound === 'object' ? url.replace(/:0$/, `:${bound.port}`) : url
  }

  /** Rejects with `ListenError` if it cannot listen. */
  open(): Promise<void> {
    const { url, host, port } = this.#parts.settings
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(new ListenError(`cannot listen on ${url}: ${reasonOf(error)}`, error))
      this.#server.once('error', failed)
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', failed)
        this.#server.on('error', (error) => this.#parts.onFault(url, error))
        resolve()
      })
    })
  }

  /** Accepts no more; sessions go on. Harmless if it never listened. */
  close(): void {
    this.#server.close()
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  if (error.code === 'EADDRINUSE') return 'something else listens there already'
  if (error.code === 'EACCES') return 'no right to use this port'
  if (error.code === 'EADDRNOTAVAIL') return 'this machine does not have that address'
  return error.message
}
