/**
 * Connections over `node:net` and `node:tls`, as the `Dialer` port wants them.
 *
 * Dials addresses, never names, so that one dial is one address (who falls over to the next one is
 * the transport). Deadlines are the caller's. Plain reads go through one buffer per connection, which
 * saves a fifth of the CPU of an exchange; its bytes are valid only during `onData`.
 */
import net, { type OnReadOpts } from 'node:net'
import tls from 'node:tls'
import type { Clock } from '../core/clock.ts'
import type { TlsFacts } from '../core/outcome.ts'
import { type Connection, type ConnectionEvents, DialError, type Dialer, type DialTarget, type NetworkFault, type TlsOptions } from '../ports/network.ts'
import { type CertificateSeen, createTlsClient, faultOf, type TlsClient } from './tls-client.ts'

/** Replies are short; a large reply comes in several reads. */
const READ_OCTETS = 16 * 1024
const ABORTED: NetworkFault = { code: 'ABORT_ERR', message: 'given up' }

export function createDialer({ clock, certificateSeen }: { readonly clock: Pick<Clock, 'now'>; readonly certificateSeen?: CertificateSeen }): Dialer {
  const tlsClient = createTlsClient(() => clock.now(), certificateSeen ?? null)
  return {
    async dial(target, events, signal) {
      const connection = new NodeConnection(events, tlsClient)
      await connection.connect(target, signal)
      if (target.tls === null) return { connection, tls: null }
      const giveUp = () => connection.destroy()
      signal.addEventListener('abort', giveUp, { once: true })
      try {
        return { connection, tls: await connection.startTls(target.tls) }
      } catch (error) {
        throw new DialError('tls', signal.aborted ? ABORTED : faultOf((error as Error).cause))
      } finally {
        signal.removeEventListener('abort', giveUp)
      }
    },
  }
}

class NodeConnection implements Connection {
  readonly #events: ConnectionEvents
  readonly #tlsClient: TlsClient
  #socket: net.Socket = new net.Socket()
  #remote: Connection['remote'] | null = null
  #fault: NetworkFault | null = null
  /** The port says: no event before `dial` has resolved, none after `onClose`. */
  #open = false
  /** Ends a handshake under way. */
  #onLoss: ((fault: NetworkFault) => void) | null = null

  constructor(events: ConnectionEvents, tlsClient: TlsClient) {
    this.#events = events
    this.#tlsClient = tlsClient
  }

  get remote(): Connection['remote'] {
    if (this.#remote === null) throw new Error('not connected')
    return this.#remote
  }

  connect(target: DialTarget, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(new DialError('connect', ABORTED))
        return
      }
      const { address, family } = target.address
      const place = address.startsWith('/') ? { path: address } : { host: address, port: target.port, family }
      const socket = net.connect({
        ...place,
        autoSelectFamily: false,
        noDelay: true,
        ...(target.sourceAddress === null ? {} : { localAddress: target.sourceAddress }),
        onread: this.#reader(),
      })
      this.#socket = socket
      const giveUp = () => fail(ABORTED)
      const fail = (fault: NetworkFault) => {
        signal.removeEventListener('abort', giveUp)
        this.#open = false
        socket.destroy()
        reject(new DialError('connect', fault))
      }
      signal.addEventListener('abort', giveUp, { once: true })
      const onConnectError = (error: Error) => fail(faultOf(error))
      socket.once('error', onConnectError)
      socket.once('connect', () => {
        signal.removeEventListener('abort', giveUp)
        socket.off('error', onConnectError)
        this.#remote = { ...target.address, port: target.port }
        this.#open = true
        this.#watch(socket)
        resolve()
      })
    })
  }

  write(bytes: Uint8Array): boolean {
    return this.#open ? this.#socket.write(bytes) : true
  }

  get idle(): boolean {
    return this.#open && this.#socket.writableLength === 0
  }

  batch(write: () => void): void {
    const socket = this.#socket
    socket.cork()
    try {
      write()
    } finally {
      socket.uncork()
    }
  }

  startTls(options: TlsOptions): Promise<TlsFacts> {
    return new Promise((resolve, reject) => {
      if (!this.#open) {
        reject(new Error('the connection is closed', { cause: this.#fault ?? { code: 'ECONNRESET', message: 'the connection is closed' } }))
        return
      }
      const plain = this.#socket
      plain.removeAllListeners('drain')
      // From here on bytes of the plain socket are TLS records; the reader sees none of them.
      const secure = tls.connect(this.#tlsClient.optionsFor(options, plain))
      this.#socket = secure
      this.#tlsClient.keepSessions(options, secure)
      const onLoss = (fault: NetworkFault): void => reject(new Error(fault.message, { cause: fault }))
      this.#onLoss = onLoss
      secure.once('secureConnect', () => {
        const verdict = this.#tlsClient.judge(options, secure)
        if (verdict.kind === 'refused') {
          this.#fault = verdict.fault
          this.destroy()
          return
        }
        this.#onLoss = null
        secure.on('data', (chunk: Uint8Array) => {
          if (this.#open) this.#events.onData(chunk)
        })
        resolve(verdict.facts)
      })
      this.#watch(secure)
    })
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
    this.#close()
  }

  #reader(): OnReadOpts {
    const buffer = Buffer.allocUnsafeSlow(READ_OCTETS)
    return {
      buffer,
      callback: (count: number) => {
        if (this.#open) this.#events.onData(buffer.subarray(0, count))
        return true
      },
    }
  }

  #watch(socket: net.Socket): void {
    socket.on('drain', () => {
      if (this.#open) this.#events.onDrain()
    })
    socket.on('error', (error) => {
      this.#fault ??= faultOf(error)
    })
    // A peer that sends FIN will answer nothing more: no reason to wait for our own side to drain.
    socket.on('end', () => {
      if (socket !== this.#socket) return
      socket.destroy()
      this.#close()
    })
    socket.on('close', () => {
      if (socket === this.#socket) this.#close()
    })
  }

  /** Once. During a handshake the loss is the handshake's failure and nobody else's. */
  #close(): void {
    if (!this.#open) return
    this.#open = false
    const fault = this.#fault
    if (this.#onLoss !== null) this.#onLoss(fault ?? { code: 'ECONNRESET', message: 'the connection was closed in the TLS handshake' })
    this.#onLoss = null
    this.#events.onClose(fault)
  }
}
