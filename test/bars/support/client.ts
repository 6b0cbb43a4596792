/**
 * A client that says exactly the octets it is told, in the pieces it is told, and hears whole replies.
 */
import net from 'node:net'
import tls from 'node:tls'
import type { QueueId } from '../../../src/core/brand.ts'

export type Security = 'plain' | 'starttls' | 'implicit'
export interface ClientOptions {
  readonly port: number
  readonly host?: string
  /** The address it comes from. */
  readonly localAddress?: string
  readonly security?: Security
  /** Default: greeting and EHLO are said and answered. */
  readonly silent?: boolean
}

/** Nothing of ours takes so long to answer; a missing reply must not hang a bar. */
const REPLY_MS_MAX = 30_000
const sessions = new Map<number, Buffer>()

export class BarClient {
  readonly #raw: net.Socket
  #socket: net.Socket
  #text = ''
  #replies: string[] = []
  #waiting: ((reply: string) => void)[] = []
  #closed = false
  /** Everything that was heard, for the story of a failure. */
  heard = ''

  static async open(options: ClientOptions): Promise<BarClient> {
    const { port, host = '127.0.0.1', localAddress, security = 'plain' } = options
    const raw = net.connect({ port, host, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) })
    const client = new BarClient(raw)
    if (security === 'implicit') client.#secure(port)
    if (options.silent === true) return client
    await client.reply()
    if (security === 'starttls') {
      await client.say('EHLO bar.test')
      await client.say('STARTTLS')
      client.#secure(port)
    }
    await client.say('EHLO bar.test')
    return client
  }

  private constructor(raw: net.Socket) {
    this.#raw = raw
    this.#socket = raw
    raw
      .on('error', () => {})
      .on('close', this.#end)
      .on('data', this.#take)
  }

  get closed(): boolean {
    return this.#closed
  }

  #secure(port: number): void {
    this.#raw.off('data', this.#take).off('close', this.#end)
    const session = sessions.get(port)
    const socket = tls.connect({ socket: this.#raw, rejectUnauthorized: false, ...(session === undefined ? {} : { session }) })
    socket.on('session', (fresh: Buffer) => sessions.set(port, fresh))
    socket.on('error', () => {}).on('data', this.#take)
    socket.on('close', this.#end)
    this.#socket = socket
  }

  /** In latin1; each call is a segment of its own if the peer reads in between, and a TLS record of its own. */
  write(octets: string | Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(typeof octets === 'string' ? Buffer.from(octets, 'latin1') : octets)
  }

  /** Pieces with a pause between them, so that they arrive one by one. */
  async writePieces(pieces: readonly string[], pauseMs: number): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
      if (this.#closed) return
      this.write(piece)
    }
  }

  say(line: string): Promise<string> {
    this.write(`${line}\r\n`)
    return this.reply()
  }

  /** The next whole reply, lines joined by LF; `closed` when the server hung up. */
  reply(): Promise<string> {
    const ready = this.#replies.shift()
    if (ready !== undefined) return Promise.resolve(ready)
    if (this.#closed) return Promise.resolve('closed')
    return new Promise((resolve) => {
      const late = setTimeout(() => resolve('silence'), REPLY_MS_MAX)
      this.#waiting.push((reply) => {
        clearTimeout(late)
        resolve(reply)
      })
    })
  }

  /** QUIT, and every reply until the server hangs up. */
  async quit(): Promise<readonly string[]> {
    this.write('QUIT\r\n')
    const replies: string[] = []
    for (let reply = await this.reply(); reply !== 'closed' && reply !== 'silence'; reply = await this.reply()) replies.push(reply)
    this.destroy()
    return replies
  }

  /** FIN without QUIT. */
  halfClose(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
    this.#raw.destroy()
  }

  #take = (chunk: Buffer): void => {
    const text = chunk.toString('latin1')
    this.heard += text
    this.#text += text
    for (let match = REPLY.exec(this.#text); match !== null; match = REPLY.exec(this.#text)) {
      this.#text = this.#text.slice(match[0].length)
      this.#give(match[0].trimEnd().replaceAll('\r\n', '\n'))
    }
  }

  #give(reply: string): void {
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#replies.push(reply)
    else waiting(reply)
  }

  #end = (): void => {
    this.#closed = true
    for (const waiting of this.#waiting.splice(0)) waiting('closed')
  }
}

const REPLY = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/

/** MAIL, RCPT and DATA; null: content may follow, else what was refused. */
export async function beginContent(client: BarClient, from: string, to: string): Promise<string | null> {
  for (const line of [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA']) {
    const reply = await client.say(line)
    if (!/^[23]/.test(reply)) return reply
  }
  return null
}

/** One mail in a session of its own; `content` ends with its last line. */
export async function handIn(port: number, from: string, to: string, content: Buffer): Promise<{ readonly queueId: QueueId } | { readonly refused: string }> {
  const client = await BarClient.open({ port })
  try {
    const refused = await beginContent(client, from, to)
    if (refused !== null) return { refused }
    client.write(Buffer.concat([content, Buffer.from('.\r\n')]))
    const reply = await client.reply()
    const queueId = /^250 .*queued as (\S+)/.exec(reply)?.[1]
    return queueId === undefined ? { refused: reply } : { queueId: queueId as QueueId }
  } finally {
    client.destroy()
  }
}

/** Runs the work with so many under way at once; the first fault ends it. */
export async function inParallel<Item>(items: Iterable<Item>, width: number, work: (item: Item) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) await work(next.value)
    }),
  )
}
