/**
 * One question to several servers: in their order, again while there is time, over TCP where a
 * datagram does not do.
 *
 * Remembers servers that did not answer: they come last for a while, and while all are dead each
 * question makes one round only, so that a dead resolver is not stormed (N11). A server that gave a
 * fault is not asked the same question again. Never rejects.
 */
import type { Clock } from '../../core/clock.ts'
import type { DnsFaultCode } from '../../ports/dns-resolver.ts'
import { type Answer, parseAnswer } from './answer.ts'
import { type Conclusion, conclude } from './conclusion.ts'
import { askByDatagram, askByStream, type DnsServer, type Exchange, formatServer } from './exchange.ts'
import { MalformedAnswer } from './malformed-answer.ts'
import { makeQuery, type Question } from './query.ts'

export interface Request {
  readonly question: Question
  /** CNAMEs that led to it. */
  readonly aliases: number
  readonly servers: readonly DnsServer[]
  readonly dnssec: boolean
  /** Monotonic. */
  readonly deadlineMs: number
}
export type Fault = Extract<Conclusion, { kind: 'fault' }>
export type Verdict = Fault | (Exclude<Conclusion, Fault> & { readonly authentic: boolean; readonly octets: number })

/** Then the next server has its turn. */
const TRY_MS = 1_500
const DEAD_MS = 10_000
/** One name that takes long, or one lost packet, makes no server dead. */
const SILENT_NAMES_MAX = 3
/** Not worth a packet. */
const LEFT_MS_MIN = 20
const FORMAT_ERROR = 1
/** Which fault to tell, if each server has another one: the one that says most of the name. */
const TELLING: readonly DnsFaultCode[] = ['SERVFAIL', 'REFUSED', 'BADRESPONSE', 'TIMEOUT', 'UNREACHABLE']

export class ServerAsker {
  readonly #clock: Clock
  /** By its text: names in a row without an answer, the last of them, and the monotonic time until which it counts as dead. */
  readonly #silence = new Map<string, { readonly names: number; readonly last: string; readonly deadUntilMs: number }>()
  readonly #underWay = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  async ask(request: Request): Promise<Verdict> {
    const faults: Fault[] = []
    const alive = request.servers.filter((server) => !this.#isDead(server))
    let turn = [...alive, ...request.servers.filter((server) => !alive.includes(server))]
    while (turn.length > 0) {
      const again: DnsServer[] = []
      for (const server of turn) {
        if (request.deadlineMs - this.#clock.monotonicMs() < LEFT_MS_MIN) return mostTelling(faults)
        const verdict = await this.#askOne(server, request)
        this.#remember(server, verdict, request.question.name)
        if (verdict.kind !== 'fault') return verdict
        faults.push(verdict)
        if (verdict.code === 'TIMEOUT') again.push(server)
      }
      turn = alive.length > 0 ? again : []
    }
    return mostTelling(faults)
  }

  /** Servers have changed: what was known of the old ones is void. */
  forget(): void {
    this.#silence.clear()
  }

  close(): void {
    for (const giveUp of [...this.#underWay]) giveUp()
  }

  async #askOne(server: DnsServer, request: Request): Promise<Verdict> {
    const first = await this.#exchange(server, request, { edns: true, stream: false })
    if (first.kind === 'fault') return first
    // Servers from before 1999 refuse EDNS as an error of format (RFC 6891 §7). A validating one is none of them.
    if (first.answer.responseCode !== FORMAT_ERROR || request.dnssec) return verdictOf(server, first.answer, request)
    const plain = await this.#exchange(server, request, { edns: false, stream: false })
    return plain.kind === 'fault' ? plain : verdictOf(server, plain.answer, request)
  }

  /** A datagram first; a connection for what is too long or doubtful. */
  async #exchange(
    server: DnsServer,
    request: Request,
    how: { readonly edns: boolean; readonly stream: boolean },
  ): Promise<{ kind: 'whole'; answer: Answer } | Fault> {
    const { question, dnssec, deadlineMs } = request
    const timeoutMs = Math.max(1, Math.min(TRY_MS, deadlineMs - this.#clock.monotonicMs()))
    const query = makeQuery(question, { edns: how.edns, dnssec })
    const limits = { clock: this.#clock, timeoutMs, underWay: this.#underWay }
    const exchange = await (how.stream ? askByStream(server, query, limits) : askByDatagram(server, query, limits))
    if (exchange.kind === 'fault') return exchange
    const read = readExchange(server, exchange)
    if (read.kind === 'whole' && !read.answer.truncated) return read
    if (how.stream) return read.kind === 'whole' ? badAnswer(server, 'it is cut short, even over TCP') : badAnswer(server, read.why)
    const whole = await this.#exchange(server, request, { ...how, stream: true })
    // Over UDP there was something: that nothing takes connections is not the whole story.
    if (whole.kind !== 'fault' || (whole.code !== 'UNREACHABLE' && whole.code !== 'TIMEOUT')) return whole
    return badAnswer(server, `${read.kind === 'whole' ? 'it is cut short' : read.why}; over TCP ${whole.message}`)
  }

  #isDead(server: DnsServer): boolean {
    return this.#clock.monotonicMs() < (this.#silence.get(formatServer(server))?.deadUntilMs ?? 0)
  }

  #remember(server: DnsServer, verdict: Verdict, asked: string): void {
    const key = formatServer(server)
    const code = verdict.kind === 'fault' ? verdict.code : null
    if (code !== 'TIMEOUT' && code !== 'UNREACHABLE') {
      this.#silence.delete(key)
      return
    }
    const before = this.#silence.get(key)
    const names = (before?.names ?? 0) + (before?.last === asked ? 0 : 1)
    const isDead = code === 'UNREACHABLE' || names >= SILENT_NAMES_MAX
    this.#silence.set(key, { names, last: asked, deadUntilMs: isDead ? this.#clock.monotonicMs() + DEAD_MS : 0 })
  }
}

type Read = { readonly kind: 'whole'; readonly answer: Answer } | { readonly kind: 'doubtful'; readonly why: string }

function readExchange(server: DnsServer, exchange: Exclude<Exchange, { kind: 'fault' }>): Read {
  if (exchange.kind === 'doubtful') return exchange
  try {
    return { kind: 'whole', answer: parseAnswer(exchange.bytes) }
  } catch (fault) {
    if (!(fault instanceof MalformedAnswer)) throw fault
    return { kind: 'doubtful', why: `${formatServer(server)}: ${fault.message}` }
  }
}

function verdictOf(server: DnsServer, answer: Answer, { question, aliases }: Request): Verdict {
  const conclusion = conclude(answer, question, aliases)
  if (conclusion.kind === 'fault') return { ...conclusion, message: `${conclusion.message}, says ${formatServer(server)}` }
  return { ...conclusion, authentic: answer.authentic, octets: answer.bytes.length }
}

function badAnswer(server: DnsServer, why: string): Fault {
  return { kind: 'fault', code: 'BADRESPONSE', message: `the answer of ${formatServer(server)} cannot be used: ${why}` }
}

function mostTelling(faults: readonly Fault[]): Fault {
  const [first = { kind: 'fault', code: 'TIMEOUT', message: 'there was no time left to ask' } as const, ...more] = faults
  return more.reduce((best: Fault, one) => (TELLING.indexOf(one.code) < TELLING.indexOf(best.code) ? one : best), first)
}
