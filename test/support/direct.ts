/**
 * Settings for direct delivery, and answers of look-ups, as tests want them.
 */
import type { DirectSettings, RelaySettings } from '../../src/core/route.ts'
import type { Destinations } from '../../src/ports/destinations.ts'

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
