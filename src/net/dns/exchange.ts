/**
 * One question to one server: a datagram from a port of its own, or a connection.
 *
 * Every question gets a fresh socket, so that its port is as random as the system makes it, and is
 * bound to the server's address, so that nobody else's datagrams arrive. Never rejects.
 */
import { createSocket, type Socket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Clock } from '../../core/clock.ts'
import type { DnsFaultCode } from '../../ports/dns-resolver.ts'
import { matchAnswer, type Query } from './query.ts'

export interface DnsServer {
  readonly address: string
  readonly port: number
}
export type Exchange =
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  /** Cannot be told from a forgery: ask over TCP, where nobody can write who does not see the question. */
  | { readonly kind: 'doubtful'; readonly why: string }
  | { readonly kind: 'fault'; readonly code: DnsFaultCode; readonly message: string }
export interface ExchangeLimits {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Ends each exchange that is under way; the resolver calls them when it closes. */
  readonly underWay: Set<() => void>
}

/** Datagrams with a wrong number, after which somebody is taken to be guessing (N13). */
const STRAYS_MAX = 20
const LENGTH_OCTETS = 2
/** What the length can say. */
const ANSWER_OCTETS_MAX = 65_535
const CLOSING: Exchange = { kind: 'fault', code: 'UNREACHABLE', message: 'given up, the resolver is closing' }

export function askByDatagram(server: DnsServer, query: Query, limits: ExchangeLimits): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: isIPv6(server.address) ? 'udp6' : 'udp4', lookup: literally })
    const end = once(limits, server, resolve, () => closeQuietly(socket))
    let strays = 0
    socket.on('error', (error) => end(unreachable(server, error)))
    socket.on('message', (bytes) => {
      const match = matchAnswer(bytes, query, true)
      if (match === 'answer') end({ kind: 'answer', bytes })
      else if (match === 'doubtful') end({ kind: 'doubtful', why: 'the answer repeats the question in other words or letters' })
      else if (++strays >= STRAYS_MAX) end({ kind: 'doubtful', why: 'many answers with a wrong number: somebody may be guessing it' })
    })
    // Node hands an error of `connect` to its callback, too.
    socket.connect(server.port, server.address, (refused?: Error) => {
      if (refused !== undefined && refused !== null) return end(unreachable(server, refused))
      socket.send(query.bytes, (error) => {
        if (error !== null) end(unreachable(server, error))
      })
    })
  })
}

/** RFC 7766 §8: each message behind its length. */
export function askByStream(server: DnsServer, query: Query, limits: ExchangeLimits): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect({ host: server.address, port: server.port, noDelay: true })
    const end = once(limits, server, resolve, () => socket.destroy())
    let room: Buffer | null = null
    let octets = 0
    socket.on('error', (error) => end(unreachable(server, error)))
    socket.on('close', () => end({ kind: 'fault', code: 'BADRESPONSE', message: `${formatServer(server)} closed the connection before its answer` }))
    socket.on('data', (chunk) => {
      room ??= Buffer.allocUnsafe(LENGTH_OCTETS + ANSWER_OCTETS_MAX)
      octets += chunk.copy(room, octets)
      if (octets < LENGTH_OCTETS) return
      const whole = LENGTH_OCTETS + room.readUInt16BE(0)
      if (octets < whole) return
      const bytes = room.subarray(LENGTH_OCTETS, whole)
      if (matchAnswer(bytes, query, false) === 'answer') end({ kind: 'answer', bytes })
      else end({ kind: 'fault', code: 'BADRESPONSE', message: `the answer of ${formatServer(server)} is to another question` })
    })
    const length = Buffer.alloc(LENGTH_OCTETS)
    length.writeUInt16BE(query.bytes.length)
    socket.write(Buffer.concat([length, query.bytes]))
  })
}

export function formatServer(server: DnsServer): string {
  return isIPv6(server.address) ? `[${server.address}]:${server.port}` : `${server.address}:${server.port}`
}

/** The first end counts: an answer, a fault, the time limit, or the resolver's close. */
function once(limits: ExchangeLimits, server: DnsServer, resolve: (exchange: Exchange) => void, close: () => void): (exchange: Exchange) => void {
  const { clock, underWay, timeoutMs } = limits
  const end = (exchange: Exchange): void => {
    if (!underWay.delete(giveUp)) return
    cancel()
    close()
    resolve(exchange)
  }
  const giveUp = (): void => end(CLOSING)
  const late = `no answer from ${formatServer(server)} within ${Math.round(timeoutMs)} ms`
  const cancel = clock.after(timeoutMs, () => end({ kind: 'fault', code: 'TIMEOUT', message: late }))
  underWay.add(giveUp)
  return end
}

function unreachable(server: DnsServer, error: Error): Exchange {
  const { code } = error as NodeJS.ErrnoException
  return { kind: 'fault', code: 'UNREACHABLE', message: `${formatServer(server)} cannot be reached: ${code ?? error.message}` }
}

/** Servers are addresses: nothing is to be looked up, least of all by the system. */
function literally(address: string, _options: unknown, found: (error: null, address: string, family: number) => void): void {
  found(null, address, isIPv6(address) ? 6 : 4)
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close()
  } catch {
    // It was never opened: there is nothing to close.
  }
}
