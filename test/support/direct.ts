/**
 * Settings for direct delivery, and answers of look-ups, as tests want them.
 */
import type { Clock } from '../../src/core/clock.ts'
import type { EnhancedStatus } from '../../src/core/reply.ts'
import type { Destination, DirectSettings, RelaySettings } from '../../src/core/route.ts'
import type { DestinationAnswer, Destinations } from '../../src/ports/destinations.ts'

/** Direct delivery as that relay is asked: the same limits and timeouts. */
export function directLike({ limits, timeouts }: Pick<RelaySettings, 'limits' | 'timeouts'>, changes: Partial<DirectSettings> = {}): DirectSettings {
  const side = { sourceAddress: null, heloName: 'postern.test' }
  return { port: 25, ipv4: side, ipv6: side, limits, timeouts, fallOverMs: Math.min(5_000, timeouts.connectMs), ...changes }
}

/** For tests whose routes never lead to a domain's own servers. */
export const NO_DESTINATIONS: Destinations = {
  known: () => null,
  find: (domain) => Promise.reject(new Error(`nobody looks up ${domain} here`)),
}

export interface FakeDestinations extends Destinations {
  /** Domains that were looked up, in order. */
  readonly asked: string[]
  /** What a look-up answers; a promise holds it up. */
  answer: (domain: string) => DestinationAnswer | Promise<DestinationAnswer>
}

/** Remembers what it found, as the real ones do; by default every domain is a site of its own, good for an hour. */
export function createFakeDestinations(clock: Pick<Clock, 'monotonicMs'>, answer?: FakeDestinations['answer']): FakeDestinations {
  const known = new Map<string, Destination>()
  const asked: string[] = []
  const destinations: FakeDestinations = {
    asked,
    answer: answer ?? ((domain) => foundAt(`mx.${domain}`, clock.monotonicMs() + 3_600_000)),
    known: (domain) => known.get(domain) ?? null,
    async find(domain) {
      const before = known.get(domain)
      if (before !== undefined && before.goodUntilMs > clock.monotonicMs()) return { kind: 'found', destination: before }
      asked.push(domain)
      const found = await destinations.answer(domain)
      if (found.kind === 'found') known.set(domain, found.destination)
      return found
    },
  }
  return destinations
}

/** One host, the site named after it. */
export function foundAt(host: string, goodUntilMs: number): DestinationAnswer {
  const tls = { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' } as const
  const hosts = [{ name: host, preference: 10, addresses: [{ address: '192.0.2.1', family: 4 }], tls }] as const
  return { kind: 'found', destination: { domain: host, site: host, hosts, goodUntilMs } }
}

export function refusedWith(status: EnhancedStatus<4> | EnhancedStatus<5>, reason: string): DestinationAnswer {
  const common = { scope: 'hop', hop: 'none', reason } as const
  if (status.class === 4)
    return { kind: 'refused', phase: 'mx-lookup', judgement: { kind: 'deferred', status: { ...status, class: 4 }, duplicatePossible: false, ...common } }
  return { kind: 'refused', phase: 'mx-lookup', judgement: { kind: 'failed', status: { ...status, class: 5 }, ...common } }
}
