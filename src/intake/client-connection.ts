/**
 * The socket of one client: plain at first, TLS after an upgrade, with a bounded write queue.
 *
 * Knows bytes and nothing of SMTP. A client that goes away, resets or half-closes at any octet is
 * an event, never an exception: every socket has its error listener from the first moment.
 */
import type { Socket } from 'node:net'
import type { SecureContext, TLSSocket } from 'node:tls'
import { readDirectly, takeChunks } from './direct-reads.ts'
import { upgradeSocket } from './tls-upgrade.ts'

export interface ClientEvents {
  /** The octets are valid only during the call: copy what is kept. */
  onReceived(bytes: Uint8Array): void
  /** The client will send no more. */
  onFinished(): void
  /** What was backlogged has been read. */
  onDrained(): void
  /** Once, last. `fault` is Node's or OpenSSL's code, or null. */
  onGone(fault: string | null): void
}

/** Octets of replies that may wait for a client that does not read them. */
const WRITE_QUEUE_OCTETS_MAX = 64 * 1024

/** Nothing happens to a connection that is gone. */
const NOBODY: ClientEvents = { onReceived: () => undefined, onFinished: () => undefined, onDrained: () => undefined, onGone: () => undefined }

export class ClientConnection {
  #events: ClientEvents
  readonly #plain: Socket
  #socket: Socket
  #fault: string | null = null
  #backlogged = false
  #paused = false
  #ending = false

  /** Takes over `accepted`, which is paused; reads begin at once. */
  constructor(accepted: Socket, readBuffer: Buffer, events: ClientEvents) {
    this.#events = events
    const socket = readDirectly(accepted, readBuffer, (bytes) => this.#received(socket, bytes))
    this.#plain = socket
    this.#socket = socket
    socket.on('close', () => this.#gone())
    this.#listen(socket)
  }

  /** Replies wait unread: write no more than has to be, read nothing. */
  get backlogged(): boolean {
    return this.#backlogged
  }

  write(bytes: Uint8Array): void {
    const socket = this.#socket
    if (socket.destroyed || this.#ending) return
    socket.write(bytes)
    if (this.#backlogged || socket.writableLength <= WRITE_QUEUE_OCTETS_MAX) return
    this.#backlogged = true
    socket.once('drain', () => {
      this.#backlogged = false
      this.#events.onDrained()
    })
  }

  pauseReading(pause: boolean): void {
    if (pause === this.#paused) return
    this.#paused = pause
    if (pause) this.#socket.pause()
    else this.#socket.resume()
  }

  /** Nothing that came in plain is given out from here on. */
  upgrade(context: SecureContext, onSecure: (socket: TLSSocket) => void): void {
    const plain = this.#plain
    plain.removeAllListeners('data')
    plain.removeAllListeners('end')
    const secure = upgradeSocket(plain, context)
    this.#socket = secure
    secure.once('secure', () => onSecure(secure))
    // The plain socket may stay open when TLS ends in order.
    secure.on('close', () => plain.destroy())
    takeChunks(secure, (bytes) => this.#received(secure, bytes))
    this.#listen(secure)
  }

  /** Sends what is queued, then FIN; what still comes is thrown away. `atOnce`: nothing will come, the client said so. */
  end(atOnce: boolean): void {
    if (this.#ending) return
    this.#ending = true
    // Waiting for a FIN costs a shutdown, a timer and, with clients that hang up at once, an error with its stack.
    if (atOnce && this.#socket === this.#plain && this.#plain.writableLength === 0) this.#plain.destroy()
    else {
      this.pauseReading(false)
      this.#socket.end()
    }
  }

  destroy(): void {
    this.#socket.destroy()
    this.#plain.destroy()
  }

  /** Node.js keeps closed sockets until the next full collection: not the session, too, and what it did. */
  #gone(): void {
    const events = this.#events
    this.#events = NOBODY
    events.onGone(this.#fault)
  }

  #received(from: Socket, bytes: Uint8Array): void {
    if (!this.#ending && from === this.#socket) this.#events.onReceived(bytes)
  }

  #listen(socket: Socket): void {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#fault ??= error.code ?? error.name
    })
    socket.on('end', () => {
      // Both sides are done: nothing is left to wait for.
      if (this.#ending) this.#socket.destroySoon()
      else this.#events.onFinished()
    })
  }
}
