/**
 * The receiving side of a bar: a small SMTP server that records what it accepted.
 *
 * Strict where Postern must be strict: every raw octet after the banner can be kept, a bare CR or
 * LF or a NUL is counted. Its behaviour can be changed while it runs.
 */
import { createHash } from 'node:crypto'
import net from 'node:net'
import { resetSocket } from '../../support/reset-socket.ts'

export interface Received {
  readonly id: string
  readonly from: string
  readonly to: readonly string[]
  readonly sha256: string
  readonly octets: number
  readonly at: number
}
export interface SinkBehaviour {
  /** Called at the final dot; what it answers is done. Default: store and 250. */
  onFinalDot?: (message: Received, socket: net.Socket) => 'accept' | 'store-and-drop' | 'drop' | { readonly reply: string }
  /** Null: as usual. An empty text: no reply. */
  onCommand?: (verb: string, line: string, socket: net.Socket) => string | 'drop' | null
  /** Keeps whole contents, for comparing bytes. */
  readonly keepContent?: boolean
  readonly pipelining?: boolean
  /** Each message that is kept, dots unstuffed. */
  onContent?: (message: Received, content: Buffer) => void
}
export interface Sink {
  readonly port: number
  readonly received: Received[]
  readonly contents: Map<string, Buffer>
  readonly counts: {
    sessions: number
    messages: number
    bareLineEnds: number
    nuls: number
    unstuffed: number
    open: number
    mostOpen: number
    commands: number
  }
  behaviour: SinkBehaviour
  /** Stops listening and drops all sessions; `listen` opens it again on the same port. */
  down(): Promise<void>
  up(): Promise<void>
  close(): Promise<void>
}

const END = Buffer.from('\r\n.\r\n')

export async function startSink(behaviour: SinkBehaviour = {}, port = 0, host = '127.0.0.1'): Promise<Sink> {
  const sockets = new Set<net.Socket>()
  const sink: { -readonly [K in keyof Sink]: Sink[K] } = {
    port,
    received: [],
    contents: new Map(),
    counts: { sessions: 0, messages: 0, bareLineEnds: 0, nuls: 0, unstuffed: 0, open: 0, mostOpen: 0, commands: 0 },
    behaviour,
    down: async () => {},
    up: async () => {},
    close: async () => {},
  }
  let server = net.createServer()
  const open = async (): Promise<void> => {
    server = net.createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      serve(socket, sink)
    })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(sink.port, host, 1000, resolve))
    sink.port = (server.address() as net.AddressInfo).port
  }
  sink.up = open
  sink.down = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const socket of sockets) resetSocket(socket)
    await closed
  }
  sink.close = sink.down
  await open()
  return sink
}

function serve(socket: net.Socket, sink: Sink): void {
  const { counts } = sink
  counts.sessions++
  counts.open++
  counts.mostOpen = Math.max(counts.mostOpen, counts.open)
  socket.on('error', () => {})
  socket.on('close', () => counts.open--)
  let buffer = Buffer.alloc(0)
  let inData = false
  let from = ''
  let to: string[] = []
  const say = (text: string): void => {
    if (!socket.destroyed) socket.write(`${text}\r\n`)
  }
  say('220 sink.test ESMTP')
  socket.on('data', (chunk) => {
    buffer = buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk])
    for (;;) {
      if (socket.destroyed) return
      if (inData) {
        const empty = buffer.subarray(0, 3).equals(END.subarray(2))
        const at = empty ? 0 : buffer.indexOf(END)
        if (at === -1) return
        const content = empty ? Buffer.alloc(0) : buffer.subarray(0, at + 2)
        buffer = buffer.subarray(empty ? 3 : at + 5)
        inData = false
        finish(socket, sink, { from, to, content })
        continue
      }
      const at = buffer.indexOf('\n')
      if (at === -1) return
      const raw = buffer.subarray(0, at + 1)
      buffer = buffer.subarray(at + 1)
      checkBytes(raw, counts)
      const line = raw.toString('latin1').trimEnd()
      const verb = line.slice(0, 4).toUpperCase()
      counts.commands++
      const special = sink.behaviour.onCommand?.(verb, line, socket) ?? null
      if (special === 'drop') return void resetSocket(socket)
      if (special !== null) {
        if (special !== '') say(special)
        continue
      }
      if (verb === 'EHLO')
        say(
          `250-sink.test\r\n${sink.behaviour.pipelining === false ? '' : '250-PIPELINING\r\n'}250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250-SIZE 0\r\n250 ENHANCEDSTATUSCODES`,
        )
      else if (verb === 'MAIL') {
        from = line.match(/<(.*?)>/)?.[1] ?? ''
        to = []
        say('250 2.1.0 ok')
      } else if (verb === 'RCPT') {
        to.push(line.match(/<(.*?)>/)?.[1] ?? '')
        say('250 2.1.5 ok')
      } else if (verb === 'DATA' && to.length === 0) {
        say('554 5.5.1 no valid recipients')
      } else if (verb === 'DATA') {
        inData = true
        say('354 go')
      } else if (verb === 'QUIT') {
        say('221 bye')
        socket.end()
        return
      } else say('250 2.0.0 ok')
    }
  })
}

function finish(socket: net.Socket, sink: Sink, message: { from: string; to: string[]; content: Buffer }): void {
  checkBytes(message.content, sink.counts)
  checkDots(message.content, sink.counts)
  const content = Buffer.from(message.content.toString('latin1').replace(/^\.\./gm, '.'), 'latin1')
  const id =
    content
      .subarray(0, 16384)
      .toString('latin1')
      .match(/^X-Test-Id: (\S+)/m)?.[1] ?? ''
  const body = bodyOf(content)
  const received: Received = {
    id,
    from: message.from,
    to: message.to,
    sha256: createHash('sha256').update(body).digest('hex'),
    octets: content.length,
    at: Date.now(),
  }
  const verdict = sink.behaviour.onFinalDot?.(received, socket) ?? 'accept'
  if (verdict === 'drop') return void resetSocket(socket)
  if (typeof verdict === 'object') return void socket.write(`${verdict.reply}\r\n`)
  sink.received.push(received)
  sink.counts.messages++
  if (sink.behaviour.keepContent === true) sink.contents.set(id, content)
  sink.behaviour.onContent?.(received, content)
  if (verdict === 'store-and-drop') return void resetSocket(socket)
  if (!socket.destroyed) socket.write('250 2.0.0 stored\r\n')
}

/** What follows the header block: Postern may add header fields, never touch the rest. */
export function bodyOf(content: Buffer): Buffer {
  const at = content.indexOf('\r\n\r\n')
  return at === -1 ? Buffer.alloc(0) : content.subarray(at + 4)
}

function checkBytes(bytes: Buffer, counts: Sink['counts']): void {
  if (bytes.includes(0)) counts.nuls++
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) if (bytes[at - 1] !== 13) counts.bareLineEnds++
  for (let at = bytes.indexOf(13); at !== -1; at = bytes.indexOf(13, at + 1)) if (bytes[at + 1] !== 10) counts.bareLineEnds++
}

/** A line of content that begins with a dot must begin with two (RFC 5321 §4.5.2). */
function checkDots(bytes: Buffer, counts: Sink['counts']): void {
  const text = bytes.toString('latin1')
  counts.unstuffed += (text.match(/(?:^|(?<=[\r\n]))\.(?!\.)/g) ?? []).length
}
