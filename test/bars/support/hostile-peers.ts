/**
 * Receiving servers that are hostile, broken or odd (O01-O36), and what must become of a mail for each.
 *
 * One table: a row of the fault catalogue, what the server does, and the outcome of the first attempt. Each
 * server has an address of its own.
 */
import type net from 'node:net'
import { resetSocket } from '../../support/reset-socket.ts'

/** What is said to a command; a function does more than talk. */
export type Say = string | ((talk: Talk) => void)
export interface Behaviour {
  readonly banner?: Say
  /** By verb in lower case; `dot` for the reply to the final dot. */
  readonly say?: Readonly<Record<string, Say>>
  /** Instead of a dialogue. */
  readonly raw?: (talk: Talk) => void
}
export interface HostilePeer {
  readonly row: string
  readonly what: string
  /** Null: nobody listens. `stopped`: a listener that never answers its SYNs. */
  readonly behaviour: Behaviour | null | 'stopped'
  /** Of the first attempt: `deferred 4.4.1`; several where the network decides. */
  readonly expected: readonly string[]
}
export interface Talk {
  readonly socket: net.Socket
  write(text: string): void
  /** Until the connection ends. */
  every(ms: number, act: () => void): void
  drop(): void
  /** Answers nothing more, whatever comes: a server works off its commands in order. */
  stop(): void
}

const FULL_EHLO = '250-peer.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES'
const USUAL: Readonly<Record<string, Say>> = {
  ehlo: FULL_EHLO,
  helo: '250 peer.test',
  mail: '250 2.1.0 ok',
  rcpt: '250 2.1.5 ok',
  data: '354 go',
  dot: '250 2.0.0 stored',
  rset: '250 2.0.0 ok',
  quit: '221 2.0.0 bye',
}

const banner = (text: Say): Behaviour => ({ banner: text })
const says = (say: Readonly<Record<string, Say>>): Behaviour => ({ say })
const ehlo = (...lines: readonly string[]): Behaviour => says({ ehlo: lines.map((line, i) => `250${i + 1 === lines.length ? ' ' : '-'}${line}`).join('\r\n') })
const ends = ({ socket }: Talk): void => void socket.end()
const silent = (talk: Talk): void => talk.stop()
const endless = (text: string) => (talk: Talk) => {
  talk.stop()
  talk.every(1, () => void (talk.socket.writableNeedDrain || talk.socket.write(text)))
}
const drip = (text: string, ms: number) => (talk: Talk) => {
  let at = 0
  talk.stop()
  talk.every(ms, () => void (at < text.length && talk.socket.write(text[at++] as string)))
}

const TIMED_OUT = ['deferred 4.4.2']
const PROTOCOL = ['deferred 4.5.0']
const DELIVERED = ['delivered']
/** The bound of a reply is met before or after the time is up. */
const GIVEN_UP = ['deferred 4.5.0', 'deferred 4.4.2']

export const HOSTILE_PEERS: readonly HostilePeer[] = [
  { row: 'O01', what: 'refuses', behaviour: null, expected: ['deferred 4.4.1'] },
  { row: 'O01', what: 'does not answer the SYN', behaviour: 'stopped', expected: ['deferred 4.4.1'] },
  { row: 'O01', what: 'resets at once', behaviour: { raw: (talk) => talk.drop() }, expected: ['deferred 4.4.2', 'deferred 4.4.1'] },
  { row: 'O01', what: 'accepts and says nothing', behaviour: { raw: () => {} }, expected: TIMED_OUT },
  { row: 'O01', what: 'closes at once', behaviour: { raw: ends }, expected: ['deferred 4.4.2'] },
  { row: 'O02', what: 'a banner of an octet a second', behaviour: { raw: drip('220-'.repeat(1_000), 1_000) }, expected: TIMED_OUT },
  { row: 'O02', what: 'a banner of 1 MB', behaviour: banner(`220 ${'x'.repeat(1_000_000)}`), expected: PROTOCOL },
  { row: 'O02', what: 'a banner of 10,000 lines', behaviour: banner('220-more\r\n'.repeat(10_000)), expected: PROTOCOL },
  { row: 'O02', what: 'banner 421', behaviour: banner('421 4.3.2 busy'), expected: ['deferred 4.3.2'] },
  { row: 'O02', what: 'banner 450', behaviour: banner('450 4.3.2 busy'), expected: ['deferred 4.3.2'] },
  { row: 'O02', what: 'banner 521', behaviour: banner('521 no mail here'), expected: ['deferred 4.0.0'] },
  { row: 'O02', what: 'banner 554', behaviour: banner('554 5.7.1 go away'), expected: ['deferred 4.7.1'] },
  { row: 'O02', what: 'banner without text', behaviour: banner('220'), expected: DELIVERED },
  { row: 'O02', what: 'banner 2200', behaviour: banner('2200 x'), expected: PROTOCOL },
  { row: 'O02', what: 'banner 22', behaviour: banner('22'), expected: PROTOCOL },
  { row: 'O02', what: 'POP3', behaviour: banner('+OK ready'), expected: PROTOCOL },
  { row: 'O02', what: 'SSH', behaviour: banner('SSH-2.0-OpenSSH_9.2'), expected: PROTOCOL },
  { row: 'O02', what: 'HTTP', behaviour: banner('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n'), expected: PROTOCOL },
  { row: 'O02', what: 'a TLS alert', behaviour: { raw: ({ socket }) => void socket.write(Buffer.from([21, 3, 1, 0, 2, 2, 40])) }, expected: GIVEN_UP },
  { row: 'O02', what: 'binary', behaviour: { raw: ({ socket }) => void socket.write(Buffer.alloc(4_096, 0xfe)) }, expected: GIVEN_UP },
  { row: 'O03', what: 'EHLO 500, HELO served', behaviour: says({ ehlo: '500 what?' }), expected: DELIVERED },
  { row: 'O03', what: 'EHLO 502, HELO served', behaviour: says({ ehlo: '502 5.5.1 no' }), expected: DELIVERED },
  { row: 'O03', what: 'EHLO 421', behaviour: says({ ehlo: '421 4.3.2 busy' }), expected: ['deferred 4.3.2'] },
  { row: 'O03', what: 'EHLO closes', behaviour: says({ ehlo: ends }), expected: ['deferred 4.4.2'] },
  { row: 'O03', what: 'EHLO with differing codes', behaviour: says({ ehlo: '250-peer.test\r\n550 no' }), expected: PROTOCOL },
  { row: 'O03', what: 'EHLO without its last line', behaviour: says({ ehlo: '250-peer.test\r\n250-PIPELINING' }), expected: TIMED_OUT },
  { row: 'O03', what: 'EHLO with 10,000 keywords', behaviour: ehlo(...Array.from({ length: 10_000 }, (_, i) => `X${i}`)), expected: PROTOCOL },
  { row: 'O03', what: 'SIZE without number', behaviour: ehlo('peer.test', 'SIZE', '8BITMIME'), expected: DELIVERED },
  { row: 'O03', what: 'SIZE 1e30', behaviour: ehlo('peer.test', 'SIZE 1000000000000000000000000000000', '8BITMIME'), expected: DELIVERED },
  { row: 'O03', what: 'keywords in lower case, twice', behaviour: ehlo('peer.test', 'pipelining', 'size 0', 'pipelining', '8bitmime'), expected: DELIVERED },
  { row: 'O04', what: 'MAIL 451', behaviour: says({ mail: '451 4.3.0 later' }), expected: ['deferred 4.3.0'] },
  { row: 'O04', what: 'MAIL 550', behaviour: says({ mail: '550 5.7.1 not you' }), expected: ['failed 5.7.1'] },
  { row: 'O04', what: 'RCPT 450', behaviour: says({ rcpt: '450 4.2.2 full' }), expected: ['deferred 4.2.2'] },
  { row: 'O04', what: 'RCPT 550', behaviour: says({ rcpt: '550 5.1.1 nobody' }), expected: ['failed 5.1.1'] },
  { row: 'O04', what: 'RCPT 550 4.7.1: the code counts', behaviour: says({ rcpt: '550 4.7.1 contradictory' }), expected: ['failed 5.0.0'] },
  { row: 'O04', what: 'DATA 451', behaviour: says({ data: '451 4.3.0 later' }), expected: ['deferred 4.3.0'] },
  { row: 'O04', what: 'DATA 554', behaviour: says({ data: '554 5.6.0 no' }), expected: ['failed 5.6.0'] },
  { row: 'O04', what: 'final dot 451', behaviour: says({ dot: '451 4.3.0 later' }), expected: ['deferred 4.3.0'] },
  { row: 'O04', what: 'final dot 554', behaviour: says({ dot: '554 5.7.1 spam' }), expected: ['failed 5.7.1'] },
  { row: 'O04', what: 'final dot 250 5.1.1: the code counts', behaviour: says({ dot: '250 5.1.1 contradictory' }), expected: DELIVERED },
  { row: 'O05', what: 'drips a reply', behaviour: says({ mail: drip('250 2.1.0 ok, and so on, and so on', 1_500) }), expected: TIMED_OUT },
  { row: 'O05', what: 'never answers the final dot', behaviour: says({ dot: silent }), expected: TIMED_OUT },
  { row: 'O06', what: 'an endless reply', behaviour: says({ mail: endless('250-more\r\n'.repeat(100)) }), expected: PROTOCOL },
  { row: 'O06', what: 'an endless line', behaviour: says({ mail: endless('2'.repeat(10_000)) }), expected: PROTOCOL },
  { row: 'O07', what: 'closes after MAIL', behaviour: says({ mail: ends }), expected: ['deferred 4.4.2'] },
  { row: 'O07', what: 'resets after RCPT', behaviour: says({ rcpt: (talk) => talk.drop() }), expected: ['deferred 4.4.2'] },
  { row: 'O07', what: 'closes after DATA', behaviour: says({ data: ends }), expected: ['deferred 4.4.2'] },
  { row: 'O07', what: 'resets after the final dot', behaviour: says({ dot: (talk) => talk.drop() }), expected: ['deferred 4.4.2'] },
  {
    row: 'O07',
    what: 'resets after the 250',
    behaviour: says({
      dot: (talk) => {
        talk.write('250 2.0.0 stored')
        setTimeout(talk.drop, 5)
      },
    }),
    expected: DELIVERED,
  },
  {
    row: 'O08',
    what: 'answers before it is asked',
    behaviour: banner('220 peer.test\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n250 stored'),
    expected: PROTOCOL,
  },
  { row: 'O08', what: 'one reply too many', behaviour: says({ mail: '250 ok\r\n250 ok\r\n250 ok' }), expected: PROTOCOL },
  {
    row: 'O10',
    what: 'refuses every recipient and asks for content',
    behaviour: says({ rcpt: '550 5.1.1 nobody', data: '354 go' }),
    expected: ['failed 5.1.1'],
  },
  { row: 'O11', what: 'DATA 250', behaviour: says({ data: '250 ok' }), expected: PROTOCOL },
  { row: 'O11', what: 'DATA 503', behaviour: says({ data: '503 5.5.1 no' }), expected: ['failed 5.5.1'] },
  { row: 'O12', what: 'final dot 354', behaviour: says({ dot: '354 more' }), expected: PROTOCOL },
  { row: 'O12', what: 'final dot 999', behaviour: says({ dot: '999 what' }), expected: PROTOCOL },
  {
    row: 'O12',
    what: 'final dot 250- and close',
    behaviour: says({
      dot: (talk) => {
        talk.write('250-')
        talk.socket.end()
      },
    }),
    expected: ['deferred 4.4.2', 'deferred 4.5.0'],
  },
  { row: 'O13', what: 'SIZE smaller than the mail', behaviour: ehlo('peer.test', 'SIZE 100'), expected: ['failed 5.3.4'] },
  { row: 'O14', what: 'greylists', behaviour: says({ rcpt: '451 4.7.1 greylisted' }), expected: ['deferred 4.7.1'] },
  { row: 'O14', what: '5yz that is a quota', behaviour: says({ rcpt: '550 5.4.5 Daily user sending limit exceeded' }), expected: ['deferred 4.4.5'] },
  { row: 'O15', what: '421 in the middle', behaviour: says({ rcpt: '421 4.3.2 going down' }), expected: ['deferred 4.3.2'] },
  {
    row: 'O16',
    what: 'STARTTLS 454: goes on without',
    behaviour: { say: { ehlo: '250-peer.test\r\n250 STARTTLS', starttls: '454 4.7.0 no' } },
    expected: DELIVERED,
  },
  { row: 'O20', what: 'stays after QUIT and talks', behaviour: says({ quit: endless('221 bye\r\n'.repeat(1_000)) }), expected: DELIVERED },
  { row: 'O36', what: 'a proxy that masks EHLO', behaviour: ehlo('peer.test', 'XXXXXXXXXA', 'XXXXXXXB'), expected: DELIVERED },
]

/** Serves one connection of a peer. */
export function serveHostile(socket: net.Socket, { banner: greeting = '220 peer.test ESMTP', say = {}, raw }: Behaviour): void {
  const timers = new Set<NodeJS.Timeout>()
  let stopped = false
  socket.on('error', () => {})
  socket.on('close', () => {
    for (const timer of timers) clearInterval(timer)
  })
  const talk: Talk = {
    socket,
    write: (text) => void (socket.destroyed || socket.write(`${text}\r\n`)),
    every: (ms, act) => void timers.add(setInterval(act, ms)),
    drop: () => resetSocket(socket),
    stop() {
      stopped = true
    },
  }
  const answer = (what: Say): void => (typeof what === 'string' ? talk.write(what) : what(talk))
  if (raw !== undefined) {
    raw(talk)
    socket.resume()
    return
  }
  answer(greeting)
  let text = ''
  let inContent = false
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1')
    for (;;) {
      const end = inContent ? /(?:^|\r\n)\.\r\n/ : /\r\n/
      const match = end.exec(text)
      if (match === null || stopped || socket.destroyed) return
      const line = text.slice(0, match.index)
      text = text.slice(match.index + match[0].length)
      const verb = inContent ? 'dot' : line.slice(0, line.toLowerCase().startsWith('starttls') ? 8 : 4).toLowerCase()
      const reply = say[verb] ?? USUAL[verb] ?? '250 2.0.0 ok'
      inContent = verb === 'data' && typeof reply === 'string' && reply.startsWith('354')
      answer(reply)
      if (verb === 'quit' && typeof reply === 'string') socket.end()
    }
  })
}
