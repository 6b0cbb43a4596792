/**
 * Addresses of relays by `getaddrinfo`, so that /etc/hosts and the machine's own ways count.
 *
 * Cached for seconds, one look-up in flight per name, with a deadline of ours: getaddrinfo holds a
 * thread of Node's pool and cannot be cancelled (D08). MX and other records are not its affair.
 */
import dns from 'node:dns'
import { isIP } from 'node:net'
import type { Clock } from '../core/clock.ts'
import type { HostResolver, NetworkAddress, NetworkFault } from '../ports/network.ts'

export interface HostResolverOptions {
  readonly clock: Clock
  /** How long an answer is good; `getaddrinfo` tells no TTL. */
  readonly ttlMs?: number
  /** How long a "no" is good, so that a dead resolver is not asked for every message. */
  readonly negativeTtlMs?: number
  readonly timeoutMs?: number
  /** For tests. */
  readonly lookup?: (host: string) => Promise<readonly NetworkAddress[]>
}
interface Entry {
  readonly answer: Promise<readonly NetworkAddress[]>
  /** Monotonic; infinite while the look-up is in flight. */
  goodUntil: number
}

const TTL_MS = 30_000
const NEGATIVE_TTL_MS = 5_000
const TIMEOUT_MS = 10_000
/** Names come from the configuration; the cap is for what comes after. */
const NAMES_MAX = 1_000
const ADDRESSES_MAX = 32

export function createHostResolver(options: HostResolverOptions): HostResolver {
  const { clock, ttlMs = TTL_MS, negativeTtlMs = NEGATIVE_TTL_MS, timeoutMs = TIMEOUT_MS, lookup = systemLookup } = options
  const known = new Map<string, Entry>()

  const ask = (host: string): Promise<readonly NetworkAddress[]> => {
    if (known.size >= NAMES_MAX) known.clear()
    const answer = withDeadline(lookup(host), host, clock, timeoutMs)
    const entry: Entry = { answer, goodUntil: Number.POSITIVE_INFINITY }
    known.set(host, entry)
    answer.then(
      () => {
        entry.goodUntil = clock.monotonicMs() + ttlMs
      },
      // The rejection itself reaches everybody who waits for `answer`.
      () => {
        entry.goodUntil = clock.monotonicMs() + negativeTtlMs
      },
    )
    return answer
  }

  return {
    addresses(host) {
      const literal = parseLiteral(host)
      if (literal !== null) return Promise.resolve([literal])
      const entry = known.get(host)
      return entry !== undefined && clock.monotonicMs() < entry.goodUntil ? entry.answer : ask(host)
    },
  }
}

/** `192.0.2.1`, `[192.0.2.1]`, `2001:db8::1`, `[IPv6:2001:db8::1]`, `[2001:db8::1]` (RFC 5321 §4.1.3); null: a name. */
export function parseLiteral(host: string): NetworkAddress | null {
  const inner = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  const address = inner.slice(0, 5).toLowerCase() === 'ipv6:' ? inner.slice(5) : inner
  const family = isIP(address)
  return family === 4 || family === 6 ? { address, family } : null
}

async function systemLookup(host: string): Promise<readonly NetworkAddress[]> {
  // `localhost` and names with a dot at the end are names like others; an empty one is the operator's mistake.
  const found = await dns.promises.lookup(host, { all: true, order: 'verbatim' })
  return found.slice(0, ADDRESSES_MAX).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))
}

function withDeadline(answer: Promise<readonly NetworkAddress[]>, host: string, clock: Clock, timeoutMs: number): Promise<readonly NetworkAddress[]> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, message: string) => {
      const fault: NetworkFault = { code, message }
      reject(new Error(message, { cause: fault }))
    }
    const cancel = clock.after(timeoutMs, () => fail('ETIMEDOUT', `no answer to the look-up of ${host} within ${timeoutMs} ms`))
    answer.then(
      (addresses) => {
        cancel()
        if (addresses.length === 0) fail('ENOTFOUND', `${host} has no address`)
        else resolve(addresses)
      },
      (error: NodeJS.ErrnoException) => {
        cancel()
        fail(error.code ?? 'UNKNOWN', `look-up of ${host} failed: ${error.message}`)
      },
    )
  })
}
