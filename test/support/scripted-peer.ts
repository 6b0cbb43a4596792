/**
 * An SMTP peer on a real loopback socket that does what a script says, right or wrong.
 *
 * One script per connection, in the order in which they come in; the last one serves all further
 * ones. Everything received is kept, octet for octet, so that a test can say what never went out.
 */
import net from 'node:net'
import tls from 'node:tls'
import { resetSocket } from './reset-socket.ts'
import { waitUntil } from './wait-for-signal.ts'

export type Step =
  /** The next line begins so (any case), or matches. */
  | { readonly kind: 'expect'; readonly line: string | RegExp }
  /** As it is; text without a line end gets CRLF. */
  | { readonly kind: 'send'; readonly text: string | Uint8Array }
  /** Reads content up to the final dot. */
  | { readonly kind: 'content' }
  /** Reads that many octets of whatever comes. */
  | { readonly kind: 'octets'; readonly count: number }
  | { readonly kind: 'tls'; readonly context: tls.SecureContextOptions }
  | { readonly kind: 'until'; readonly signal: Promise<unknown> }
  | { readonly kind: 'serve'; readonly options: ServeOptions }
  | { readonly kind: 'close' }
  | { readonly kind: 'reset' }
  /** Takes no more octets from the socket. */
  | { readonly kind: 'stop-reading' }
  /** Keeps the connection and says nothing. */
  | { readonly kind: 'stay' }

export type Answer = string | ((line: string, served: Served) => string | null)
export interface ServeOptions {
  readonly capabilities?: readonly string[]
  /** By verb, or `DOT` for the reply to the final dot; null from a function: no reply, close. */
  readonly answers?: Readonly<Record<string, Answer>>
  /** Certificate for STARTTLS. */
  readonly tls?: tls.SecureContextOptions
  /** Said after the TLS handshake instead of `capabilities`. */
  readonly capabilitiesInTls?: readonly string[]
  /** Waits for it before each reply to a final dot. */
  readonly beforeDot?: (served: Served) => Promise<unknown>
}
export interface Served {
  /** Whole transactions so far, the present one not counted. */
  readonly messages: number
  readonly connection: PeerConnection
}
export interface PeerConnection {
  readonly lines: string[]
  readonly contents: Buffer[]
  /** Everything, TLS removed. */
  readonly received: Buffer[]
  /** Raw octets of the socket before TLS began, or all of them. */
  readonly plain: Buffer[]
  closed: boolean
  tls: { readonly resumed: boolean; readonly servername: string | false } | null
  /** The script did not go as it was written. */
  fault: Error | null
  destroy(): void
}
export interface ScriptedPeer {
  readonly port: number
  readonly connections: readonly PeerConnection[]
  /** Connections open now, and the most that ever were. */
  readonly open: number
  readonly openMax: number
  /** All contents of all connections. */
  readonly contents: readonly Buffer[]
  /** All lines of all connections. */
  readonly lines: readonly string[]
  /** Rejects if a script did not go as written. */
  check(): void
  close(): Promise<void>
}
export interface PeerOptions {
  readonly host?: string
  readonly port?: number
  /** TLS from the first octet. */
  readonly implicitTls?: tls.SecureContextOptions
}

export const expectLine = (line: string | RegExp): Step => ({ kind: 'expect', line })
export const send = (text: string | Uint8Array): Step => ({ kind: 'send', text })
export const content: Step = { kind: 'content' }
export const close: Step = { kind: 'close' }
export const reset: Step = { kind: 'reset' }
export const stay: Step = { kind: 'stay' }
export const stopReading: Step = { kind: 'stop-reading' }
export const octets = (count: number): Step => ({ kind: 'octets', count })
export const until = (signal: Promise<unknown>): Step => ({ kind: 'until', signal })
export const startTls = (context: tls.SecureContextOptions): Step => ({ kind: 'tls', context })
export const serve = (options: ServeOptions = {}): Step => ({ kind: 'serve', options })

export const CAPABILITIES = ['PIPELINING', 'SIZE 52428800', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES'] as const

/** Greeting and EHLO, then the steps. */
export function greeted(capabilities: readonly string[], ...steps: readonly Step[]): readonly Step[] {
  return [send('220 peer.test ESMTP'), expectLine('EHLO '), send(ehloReply(capabilities)), ...steps]
}

export function ehloReply(capabilities: readonly string[]): string {
  const lines = ['peer.test', ...capabilities]
  return `${lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')}\r\n`
}

export async function startPeer(scripts: readonly (readonly Step[])[], options: PeerOptions = {}): Promise<ScriptedPeer> {
  const runs: Run[] = []
  let open = 0
  let openMax = 0
  let served = 0
  const server = net.createServer({ noDelay: true }, (socket) => {
    open++
    openMax = Math.max(openMax, open)
    socket.on('close', () => {
      open--
    })
    const script = scripts[Math.min(served++, scripts.length - 1)] ?? []
    const run = new Run(socket)
    runs.push(run)
    void run.follow(options.implicitTls === undefined ? script : [startTls(options.implicitTls), ...script])
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return runs.map((run) => run.connection)
    },
    get open() {
      return open
    },
    get openMax() {
      return openMax
    },
    get contents() {
      return runs.flatMap((run) => run.connection.contents)
    },
    get lines() {
      return runs.flatMap((run) => run.connection.lines)
    },
    check() {
      for (const { connection } of runs) if (connection.fault !== null) throw connection.fault
    },
    async close() {
      for (const run of runs) run.connection.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await waitUntil(() => open === 0, 'the peer to be closed')
    },
  }
}

/** One connection following its script. */
class Run {
  readonly connection: PeerConnection
  #socket: net.Socket
  #buffer: Buffer = Buffer.alloc(0)
  #wake: (() => void) | null = null
  #ended = false

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.connection = {
      lines: [],
      contents: [],
      received: [],
      plain: [],
      closed: false,
      tls: null,
      fault: null,
      destroy: () => this.#socket.destroy(),
    }
    socket.on('close', () => {
      this.connection.closed = true
    })
    this.#listen(socket)
  }

  async follow(script: readonly Step[]): Promise<void> {
    try {
      for (const step of script) await this.#step(step)
      // Whatever comes after the script is kept, too.
    } catch (error) {
      if (!(error instanceof PeerGone)) this.connection.fault = error as Error
      this.#socket.destroy()
    }
  }

  readonly #onChunk = (chunk: Buffer): void => {
    this.connection.received.push(chunk)
    if (this.connection.tls === null) this.connection.plain.push(chunk)
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
    this.#wake?.()
  }

  #listen(socket: net.Socket): void {
    socket.on('data', this.#onChunk)
    socket.on('error', () => undefined)
    const over = () => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', over)
    socket.on('close', over)
  }

  async #step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'expect': {
        const line = await this.#line()
        const fits = typeof step.line === 'string' ? line.toUpperCase().startsWith(step.line.toUpperCase()) : step.line.test(line)
        if (!fits) throw new Error(`the peer expected ${String(step.line)} and got ${line}`)
        return
      }
      case 'send':
        await this.#send(step.text)
        return
      case 'content':
        this.connection.contents.push(await this.#content())
        return
      case 'octets':
        while (this.#buffer.length < step.count) await this.#more()
        this.#buffer = this.#buffer.subarray(step.count)
        return
      case 'tls':
        await this.#upgrade(step.context)
        return
      case 'until':
        await step.signal
        return
      case 'serve':
        await this.#serve(step.options)
        return
      case 'close':
        this.#socket.end()
        this.#socket.destroySoon()
        return
      case 'reset':
        resetSocket(this.#socket)
        return
      case 'stop-reading':
        this.#socket.pause()
        return
      case 'stay':
        await new Promise<void>((resolve) => this.#socket.once('close', () => resolve()))
    }
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new PeerGone('the client has gone')
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = null
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf('\r\n')
      if (end !== -1) {
        const line = this.#buffer.toString('utf8', 0, end)
        this.#buffer = this.#buffer.subarray(end + 2)
        this.connection.lines.push(line)
        return line
      }
      await this.#more()
    }
  }

  /** Content with dots unstuffed and without the final dot. */
  async #content(): Promise<Buffer> {
    let from = 0
    for (;;) {
      const lead = this.#buffer.subarray(0, 3).toString('latin1') === '.\r\n'
      const end = lead ? -2 : this.#buffer.indexOf('\r\n.\r\n', Math.max(0, from - 4))
      if (end !== -1) {
        const raw = this.#buffer.subarray(0, end + 2).toString('latin1')
        this.#buffer = this.#buffer.subarray(end + 5)
        return Buffer.from(raw.replace(/(^|\r\n)\./g, '$1'), 'latin1')
      }
      from = this.#buffer.length
      await this.#more()
    }
  }

  async #send(text: string | Uint8Array): Promise<void> {
    if (this.#socket.destroyed) throw new PeerGone('the client has gone')
    this.#socket.write(typeof text === 'string' && !text.endsWith('\n') ? `${text}\r\n` : text)
    await Promise.resolve()
  }

  async #upgrade(context: tls.SecureContextOptions): Promise<void> {
    const plain = this.#socket
    plain.removeAllListeners('data')
    const secure = new tls.TLSSocket(plain, { isServer: true, secureContext: tls.createSecureContext(context) })
    this.#socket = secure
    this.#buffer = Buffer.alloc(0)
    secure.on('error', () => undefined)
    await new Promise<void>((resolve, reject) => {
      secure.once('secure', resolve)
      secure.once('close', () => reject(new PeerGone('no handshake')))
    })
    this.connection.tls = { resumed: secure.isSessionReused(), servername: (secure as { servername?: string | false }).servername ?? false }
    this.#listen(secure)
  }

  /** A server as it should be, but for the answers given. */
  async #serve(options: ServeOptions): Promise<void> {
    let messages = 0
    let accepted = 0
    const { capabilities = CAPABILITIES } = options
    for (;;) {
      const line = await this.#line()
      const verb = line.split(' ')[0]?.toUpperCase() ?? ''
      const served: Served = { messages, connection: this.connection }
      const offered = this.connection.tls === null ? capabilities : (options.capabilitiesInTls ?? capabilities.filter((one) => one !== 'STARTTLS'))
      const own = options.answers?.[verb]
      const answer = own === undefined ? usual(verb, offered, accepted) : typeof own === 'string' ? own : own(line, served)
      if (answer === null) throw new PeerGone('the script closes')
      await this.#send(answer)
      if (verb === 'MAIL') accepted = 0
      if (verb === 'RCPT' && answer.startsWith('2')) accepted++
      if (verb === 'QUIT') {
        this.#socket.end()
        return
      }
      if (verb === 'STARTTLS' && answer.startsWith('220') && options.tls !== undefined) await this.#upgrade(options.tls)
      if (verb !== 'DATA' || !answer.startsWith('354')) continue
      this.connection.contents.push(await this.#content())
      if (options.beforeDot !== undefined) await options.beforeDot(served)
      const dot = options.answers?.DOT ?? '250 2.0.0 Ok: queued'
      const reply = typeof dot === 'string' ? dot : dot('.', served)
      if (reply === null) throw new PeerGone('the script closes')
      messages++
      await this.#send(reply)
    }
  }
}

/** The connection ended: no fault of the script. */
class PeerGone extends Error {}

function usual(verb: string, capabilities: readonly string[], accepted: number): string {
  if (verb === 'EHLO') return ehloReply(capabilities)
  if (verb === 'DATA') return accepted > 0 ? '354 End data with <CR><LF>.<CR><LF>' : '554 5.5.1 No valid recipients'
  if (verb === 'STARTTLS') return '220 2.0.0 Ready to start TLS'
  if (verb === 'QUIT') return '221 2.0.0 Bye'
  return '250 2.0.0 Ok'
}
