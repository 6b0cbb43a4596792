/**
 * A name server that answers as a script says, over datagrams and connections, on one loopback port.
 *
 * Records are made octet by octet, without the package that the resolver uses, so that a test can
 * send what no server should. Knows nothing of vitest: bars use it, too.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Server, type Socket } from 'node:net'

export interface SeenQuery {
  readonly via: 'udp' | 'tcp'
  readonly id: number
  readonly flags: number
  /** Letters as they came. */
  readonly name: string
  readonly type: number
  /** Null: no EDNS. */
  readonly edns: { readonly octets: number; readonly dnssecOk: boolean } | null
  readonly sourcePort: number
  readonly bytes: Buffer
}
/** What is sent, one datagram or chunk each; `close` ends the connection, over UDP it is silence. */
export type Script = (query: SeenQuery) => readonly Buffer[] | 'close'
export interface TestDnsServer {
  readonly address: string
  readonly port: number
  readonly seen: readonly SeenQuery[]
  script: Script
  /** Resolves when so many questions have come. */
  untilSeen(count: number): Promise<void>
  /** Stops; the port answers with errors from then on. */
  close(): Promise<void>
}
export interface TestRecord {
  readonly name: string
  readonly type: number
  readonly ttl?: number
  readonly rdata: Buffer
  readonly class?: number
}
export interface TestAnswer {
  /** Lowest four bits are the response code. Default: QR, RD, RA. */
  readonly flags?: number
  readonly id?: number
  readonly question?: { readonly name: string; readonly type: number } | null
  readonly answers?: readonly TestRecord[]
  readonly authorities?: readonly TestRecord[]
  readonly additionals?: readonly TestRecord[]
}

export const TYPE = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, OPT: 41, TLSA: 52 } as const
/** QR, RD, RA. */
export const ANSWER = 0x8180
export const AD = 0x0020
export const AA = 0x0400
export const TC = 0x0200
export const RA = 0x0080
export const NXDOMAIN = 3

/** `port`: null, any free one. */
export async function openDnsServer(script: Script, wanted: number | null = null): Promise<TestDnsServer> {
  const seen: SeenQuery[] = []
  const waiting = new Set<() => void>()
  const sockets = new Set<Socket>()
  const take = (query: SeenQuery): readonly Buffer[] | 'close' => {
    seen.push(query)
    for (const check of waiting) check()
    return server.script(query)
  }
  const { udp, tcp, port } = await listenOnOnePort(wanted)
  udp.on('message', (bytes, from) => {
    const sent = take(parseQuery(bytes, 'udp', from.port))
    if (sent !== 'close') for (const one of sent) udp.send(one, from.port, from.address)
  })
  tcp.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const sent = take(parseQuery(chunk.subarray(2), 'tcp', socket.remotePort ?? 0))
      if (sent === 'close') socket.destroy()
      else for (const one of sent) socket.write(one)
    })
  })
  let closed: Promise<void> | null = null
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    await Promise.all([new Promise<void>((resolve) => udp.close(resolve)), new Promise((resolve) => tcp.close(resolve))])
  }
  const server: TestDnsServer = {
    address: '127.0.0.1',
    port,
    seen,
    script,
    untilSeen: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (seen.length < count) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    close: () => {
      closed ??= close()
      return closed
    },
  }
  return server
}

/** What is free for datagrams may be taken for connections. */
async function listenOnOnePort(wanted: number | null): Promise<{ readonly udp: UdpSocket; readonly tcp: Server; readonly port: number }> {
  for (;;) {
    const udp = createSocket('udp4')
    await new Promise<void>((resolve) => udp.bind(wanted ?? 0, '127.0.0.1', resolve))
    const { port } = udp.address()
    const tcp = createServer()
    const free = await new Promise<boolean>((resolve) => tcp.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)))
    if (free) return { udp, tcp, port }
    await new Promise<void>((resolve) => udp.close(resolve))
  }
}

/** An answer to the query; over TCP with its length before it. */
export function answerTo(query: SeenQuery, answer: TestAnswer = {}): Buffer {
  const question = answer.question === undefined ? { name: query.name, type: query.type } : answer.question
  const { answers = [], authorities = [], additionals = [] } = answer
  const header = Buffer.alloc(12)
  const numbers = [answer.id ?? query.id, answer.flags ?? ANSWER, question === null ? 0 : 1, answers.length, authorities.length, additionals.length]
  for (const [index, number] of numbers.entries()) header.writeUInt16BE(number, index * 2)
  const asked = question === null ? [] : [nameOctets(question.name), octets16(question.type, 1)]
  return framed(query, Buffer.concat([header, ...asked, ...[...answers, ...authorities, ...additionals].map(recordOctets)]))
}

export function framed(query: SeenQuery, bytes: Buffer): Buffer {
  return query.via === 'udp' ? bytes : Buffer.concat([octets16(bytes.length), bytes])
}

export const mx = (name: string, preference: number, exchange: string, ttl = 300): TestRecord => ({
  name,
  type: TYPE.MX,
  ttl,
  rdata: Buffer.concat([octets16(preference), nameOctets(exchange)]),
})
export const a = (name: string, address: string, ttl = 300): TestRecord => ({ name, type: TYPE.A, ttl, rdata: Buffer.from(address.split('.').map(Number)) })
export const cname = (name: string, target: string, ttl = 300): TestRecord => ({ name, type: TYPE.CNAME, ttl, rdata: nameOctets(target) })
export const ptr = (name: string, target: string): TestRecord => ({ name, type: TYPE.PTR, rdata: nameOctets(target) })
export const ns = (name: string): TestRecord => ({ name, type: TYPE.NS, rdata: nameOctets(`ns.${name}`) })
export const txt = (name: string, ...strings: readonly string[]): TestRecord => ({
  name,
  type: TYPE.TXT,
  rdata: Buffer.concat(strings.map((one) => Buffer.concat([Buffer.from([one.length]), Buffer.from(one, 'latin1')]))),
})
export const soa = (name: string, minimum: number, ttl = 300): TestRecord => ({
  name,
  type: TYPE.SOA,
  ttl,
  rdata: Buffer.concat([nameOctets('ns.example'), nameOctets('hostmaster.example'), octets32(1, 2, 3, 4, minimum)]),
})
export const raw = (name: string, type: number, rdata: readonly number[], ttl = 300): TestRecord => ({ name, type, ttl, rdata: Buffer.from(rdata) })

/** Labels in Latin-1; empty: the root. */
export function nameOctets(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.')
  return Buffer.concat([...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])), Buffer.from([0])])
}

export function octets16(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(numbers.length * 2)
  for (const [index, number] of numbers.entries()) bytes.writeUInt16BE(number, index * 2)
  return bytes
}
function octets32(...numbers: readonly number[]): Buffer {
  return Buffer.concat(numbers.map((number) => octets16(number >>> 16, number & 0xffff)))
}

function recordOctets({ name, type, ttl = 300, rdata, class: klass = 1 }: TestRecord): Buffer {
  return Buffer.concat([nameOctets(name), octets16(type, klass), octets32(ttl), octets16(rdata.length), rdata])
}

function parseQuery(bytes: Buffer, via: SeenQuery['via'], sourcePort: number): SeenQuery {
  const labels: string[] = []
  let at = 12
  for (let length = bytes.readUInt8(at); length !== 0; length = bytes.readUInt8(at)) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  const opt = bytes.readUInt16BE(10) === 0 ? null : at + 5
  return {
    via,
    id: bytes.readUInt16BE(0),
    flags: bytes.readUInt16BE(2),
    name: labels.join('.'),
    type: bytes.readUInt16BE(at + 1),
    edns: opt === null ? null : { octets: bytes.readUInt16BE(opt + 3), dnssecOk: (bytes.readUInt16BE(opt + 7) & 0x8000) !== 0 },
    sourcePort,
    bytes,
  }
}
