/**
 * Validated `direct` -> what delivery and its look-ups are told.
 */
import { networkInterfaces } from 'node:os'
import { addressKey, parseIpNetwork } from '../core/ip-address.ts'
import type { DirectSettings } from '../core/route.ts'
import type { MxPolicy } from '../transports/mx-policy.ts'
import { hostnameOf, type ImpliedListener, listenersOf } from './config-implied.ts'
import { durationMs } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import { isLoopback } from './config-values.ts'
import { sessionLimitsOf, timeoutsOf } from './settings-sessions.ts'

export function buildDirectSettings(config: Config): DirectSettings {
  const { direct } = config
  const hostname = hostnameOf(config)
  const sideOf = ({ source, heloName }: Config['direct']['ipv4']) => ({ sourceAddress: source ?? null, heloName: heloName ?? hostname })
  return {
    port: direct.port,
    ipv4: sideOf(direct.ipv4),
    ipv6: sideOf(direct.ipv6),
    limits: sessionLimitsOf(direct.limits),
    timeouts: timeoutsOf(direct.timeouts),
    fallOverMs: durationMs(direct.fallOver),
  }
}

export function buildMxPolicy(config: Config): MxPolicy {
  const { direct } = config
  const names = [hostnameOf(config), direct.ipv4.heloName, direct.ipv6.heloName]
  const elsewhere = new Set(direct.ownAddresses.map(addressKey))
  const listeners = listenersOf(config).filter((listener) => listener.port === direct.port)
  return {
    ownNames: new Set(names.flatMap((name) => (name === undefined || name === 'localhost' ? [] : [name.toLowerCase().replace(/\.$/, '')]))),
    isOurs: (address) => elsewhere.has(addressKey(address)) || listeners.some((listener) => listensAt(listener, address)),
    allowed: direct.allowPrivate.map(parseIpNetwork),
    families: direct.families,
  }
}

/** Asked at each look-up: interfaces come and go. */
function listensAt({ host }: ImpliedListener, address: string): boolean {
  if (addressKey(host) === addressKey(address)) return true
  if (host === 'localhost') return isLoopback(address)
  if (host !== '0.0.0.0' && host !== '::') return false
  const own = Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map((one) => one.address))
  return isLoopback(address) || own.map(addressKey).includes(addressKey(address))
}
