/**
 * A relay that keeps no content: it counts and hashes what comes over the wire, so that mails of any
 * size fit, and answers the final dot as late as it is told.
 */
import { createHash, type Hash } from 'node:crypto'
import net from 'node:net'

export interface WireMail {
  readonly from: string
  readonly octets: number
  /** Of the content as sent: dots still stuffed, without the end mark. */
  readonly sha256: string
  readonly atMs: number
}
export interface WireSink {
  readonly port: number
  readonly mails: WireMail[]
  close(): Promise<void>
}

const MARK = Buffer.from('\r\n.\r\n')

export async function startWireSink(options: { readonly answerAfterMs?: number } = {}): Promise<WireSink> {
  const mails: WireMail[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    serve(socket, mails, options.answerAfterMs ?? 0)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1000, resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    mails,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

interface Content {
  readonly hash: Hash
  octets: number
  /** What may be the beginning of the end mark. */
  tail: Buffer
}

function serve(socket: net.Socket, mails: WireMail[], answerAfterMs: number): void {
  let rest: Buffer = Buffer.alloc(0)
  let content: Content | null = null
  let from = ''
  const say = (text: string): void => void (socket.destroyed || socket.write(`${text}\r\n`))
  const take = (chunk: Buffer): void => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      if (content !== null) {
        const after = takeContent(content, rest)
        rest = after ?? Buffer.alloc(0)
        if (after === null) return
        mails.push({ from, octets: content.octets, sha256: content.hash.digest('hex'), atMs: performance.now() })
        content = null
        setTimeout(say, answerAfterMs, '250 2.0.0 counted')
        continue
      }
      const end = rest.indexOf(10)
      if (end === -1) return
      const line = rest.subarray(0, end).toString('latin1').trimEnd()
      rest = rest.subarray(end + 1)
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'EHLO') say('250-sink.test\r\n250-8BITMIME\r\n250-SIZE 0\r\n250 ENHANCEDSTATUSCODES')
      else if (verb === 'DATA') {
        content = { hash: createHash('sha256'), octets: 0, tail: Buffer.alloc(0) }
        say('354 go')
      } else if (verb === 'QUIT') socket.end('221 2.0.0 bye\r\n')
      else {
        if (verb === 'MAIL') from = /<(.*?)>/.exec(line)?.[1] ?? ''
        say('250 2.0.0 ok')
      }
    }
  }
  socket.on('data', take)
  say('220 sink.test ESMTP')
}

/** What follows the end mark; null: it has not come yet. */
function takeContent(content: Content, chunk: Buffer): Buffer | null {
  const bytes = content.tail.length === 0 ? chunk : Buffer.concat([content.tail, chunk])
  const at = bytes.indexOf(MARK)
  const sure = at === -1 ? Math.max(0, bytes.length - MARK.length + 1) : at + 2
  content.hash.update(bytes.subarray(0, sure))
  content.octets += sure
  content.tail = bytes.subarray(sure)
  return at === -1 ? null : bytes.subarray(at + MARK.length)
}
