/**
 * The sending side of a bar: sessions that hand in numbered messages and note each id only after
 * the 250 was read. Lives outside the fault domain.
 */
import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'

export interface Acknowledged {
  readonly id: string
  readonly queueId: string
  readonly sha256: string
}
export interface Load {
  readonly acknowledged: Map<string, Acknowledged>
  readonly attempted: Set<string>
  /** Replies other than 250 to the final dot or a command, by text. */
  readonly refusals: Map<string, number>
  /** Sessions that ended before their QUIT, by what ended them. */
  readonly lost: string[]
  /** Milliseconds from the final dot to its reply. */
  readonly dotMs: number[]
  /** Resolves when all messages are handed in. */
  readonly done: Promise<void>
  /** No new message; resolves when the sessions have ended. */
  stop(): Promise<void>
}
type Counts = Omit<Load, 'stop' | 'done'>
export interface LoadOptions {
  readonly port: number
  readonly host?: string
  readonly sessions: number
  /** Of each message, or of the n-th. */
  readonly octets: number | ((n: number) => number)
  /** Stops by itself after so many messages are attempted. */
  readonly messages?: number
  readonly from?: string
  readonly to?: (n: number) => string
  /** Names this load's ids. */
  readonly prefix?: string
  /** Pause after a lost or refused connection. */
  readonly retryMs?: number
}

/** Mostly small; some long enough for the content file, some for several pieces in it. */
export function mixedOctets(n: number): number {
  return n % 16 === 1 ? 600_000 : n % 4 === 0 ? 40_000 : 4_096
}

export function makeContent(id: string, octets: number): Buffer {
  const line = `${randomBytes(28).toString('hex')} abcdefghijklmnop\r\n`
  const head = `From: app@app.test\r\nTo: user@rcpt.test\r\nSubject: test ${id}\r\nX-Test-Id: ${id}\r\n\r\n`
  return Buffer.from(head + line.repeat(Math.max(1, Math.ceil((octets - head.length) / line.length))))
}

export function startLoad(options: LoadOptions): Load {
  const load = {
    acknowledged: new Map<string, Acknowledged>(),
    attempted: new Set<string>(),
    refusals: new Map<string, number>(),
    lost: [] as string[],
    dotMs: [] as number[],
  }
  let running = true
  let n = 0
  const next = (): string | null => (running && n < (options.messages ?? Number.POSITIVE_INFINITY) ? `${options.prefix ?? 'm'}-${n++}` : null)
  const sessions = Array.from({ length: options.sessions }, async () => {
    let pending: string | null = null
    while (running) {
      pending ??= next()
      if (pending === null) return
      const outcome = await session(options, load, pending, next).catch((fault: unknown) => {
        load.lost.push(String(fault))
        return 'lost' as const
      })
      if (outcome === 'ended') return
      pending = null
      await new Promise((resolve) => setTimeout(resolve, options.retryMs ?? 50))
    }
  })
  const done = Promise.all(sessions).then(() => {})
  return {
    ...load,
    done,
    stop: () => {
      running = false
      return done
    },
  }
}

async function session(options: LoadOptions, load: Counts, first: string, next: () => string | null): Promise<'ended' | 'lost'> {
  const socket = net.connect(options.port, options.host ?? '127.0.0.1')
  socket.setNoDelay(true)
  const replies = lines(socket)
  try {
    await expect(replies, '220', load)
    socket.write('EHLO load.test\r\n')
    await expect(replies, '250', load)
    for (let id: string | null = first; id !== null; id = next()) {
      load.attempted.add(id)
      const number = Number(id.slice(id.lastIndexOf('-') + 1))
      socket.write(`MAIL FROM:<${options.from ?? 'app@app.test'}>\r\n`)
      await expect(replies, '250', load)
      socket.write(`RCPT TO:<${options.to?.(number) ?? 'user@rcpt.test'}>\r\n`)
      await expect(replies, '250', load)
      socket.write('DATA\r\n')
      await expect(replies, '354', load)
      const content = makeContent(id, typeof options.octets === 'number' ? options.octets : options.octets(number))
      socket.write(Buffer.concat([content, Buffer.from('.\r\n')]))
      const from = performance.now()
      const reply = await expect(replies, '250', load)
      load.dotMs.push(performance.now() - from)
      const body = content.subarray(content.indexOf('\r\n\r\n') + 4)
      load.acknowledged.set(id, { id, queueId: reply.match(/queued as (\S+)/)?.[1] ?? '', sha256: createHash('sha256').update(body).digest('hex') })
    }
    socket.end('QUIT\r\n')
    return 'ended'
  } finally {
    socket.destroy()
  }
}

async function expect(replies: AsyncGenerator<string>, code: string, load: Counts): Promise<string> {
  for (;;) {
    const { value, done } = await replies.next()
    if (done === true) throw new Error('connection lost')
    if (value[3] === '-') continue
    if (!value.startsWith(code)) {
      load.refusals.set(value, (load.refusals.get(value) ?? 0) + 1)
      throw new Error(value)
    }
    return value
  }
}

async function* lines(socket: net.Socket): AsyncGenerator<string> {
  let rest = ''
  socket.on('error', () => {})
  for await (const chunk of socket) {
    rest += (chunk as Buffer).toString('latin1')
    for (let at = rest.indexOf('\r\n'); at !== -1; at = rest.indexOf('\r\n')) {
      const line = rest.slice(0, at)
      rest = rest.slice(at + 2)
      yield line
    }
  }
}
