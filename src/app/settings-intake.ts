/**
 * Validated configuration -> what intake is told: listeners with their certificates, users, limits.
 */
import { randomBytes, scryptSync } from 'node:crypto'
import { compileAddressPattern } from '../core/pattern.ts'
import type { IntakeLimits, IntakeSettings, ListenerSettings, UserSettings } from '../intake/settings.ts'
import type { LoadedConfig } from './config.ts'
import { readCertificatePair } from './config-certificates.ts'
import { numberOf } from './config-checks.ts'
import { checkedValue, hostnameOf, type ImpliedListener, listenersOf } from './config-implied.ts'
import type { Config } from './config-schema.ts'
import type { LimitsConfig, LimitsUnderPressureConfig } from './config-schema-limits.ts'
import { readSecret } from './config-secrets.ts'
import { parseNetwork } from './config-values.ts'
import { bareDomainOf } from './local-domains.ts'
import { SettingsError } from './settings-error.ts'

/** For the command line, which knows nothing of intake. */
export { hashPassword } from '../intake/password-hash.ts'

/** `previous`: what was read when root could still read it. Throws `SettingsError`. */
export function buildIntakeSettings(loaded: LoadedConfig, previous: IntakeSettings | null): IntakeSettings {
  const { config } = loaded
  return {
    hostname: hostnameOf(config),
    offerRequireTls: config.tlsPolicy.requireTls,
    bareDomain: bareDomainOf(config),
    listeners: listenersOf(config).map((listener) => buildListener(listener, loaded, previous)),
    networks: config.networks.map((network) => checkedValue(parseNetwork(network))),
    users: config.users.map((user) => buildUser(user, loaded, previous)),
    limits: buildLimits(config.limits, {}),
    limitsUnderPressure: buildLimits(config.limits, config.limitsUnderPressure),
  }
}

function buildListener(listener: ImpliedListener, loaded: LoadedConfig, previous: IntakeSettings | null): ListenerSettings {
  const { loopback: _, tls, ...rest } = listener
  if (tls === null) return { ...rest, tls: null }
  // Whether it is out of date was said when the file was checked.
  const { pair, faults } = readCertificatePair(tls, loaded.folder, 0)
  if (pair !== null) return { ...rest, tls: pair }
  const before = previous?.listeners.find(({ url }) => url === listener.url)?.tls ?? null
  const unreadable = faults.some(({ fault }) => fault.code === 'tls-unreadable')
  if (before === null || !unreadable) throw new SettingsError(`listen ${listener.url}: ${faults.map(({ fault }) => fault.message).join(', ')}`)
  return { ...rest, tls: before }
}

function buildUser(user: Config['users'][number], loaded: LoadedConfig, previous: IntakeSettings | null): UserSettings {
  const senders = user.senders.map(compileAddressPattern)
  if (user.passwordHash !== undefined) return { name: user.name, passwordHash: user.passwordHash, senders }
  const secret = user.password === undefined ? null : readSecret(user.password, loaded)
  if (secret !== null && 'value' in secret) return { name: user.name, passwordHash: hashNow(secret.value), senders }
  const before = previous?.users.find(({ name }) => name === user.name)
  if (before === undefined || secret?.fault.code !== 'secret-unreadable')
    throw new SettingsError(`user ${user.name}: ${secret?.fault.message ?? 'no password'}`)
  return { name: user.name, passwordHash: before.passwordHash, senders }
}

/** The same cost as any other hash, or the time of an answer would tell these users from others. */
function hashNow(password: string): string {
  const salt = randomBytes(16)
  const hash = scryptSync(password.normalize('NFC'), salt, 32, { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 })
  return `$scrypt$ln=15,r=8,p=1$${salt.toString('base64').replace(/=+$/, '')}$${hash.toString('base64').replace(/=+$/, '')}`
}

/** The harsher of the two numbers, so that pressure can never loosen a limit. */
function buildLimits(normal: LimitsConfig, harsh: LimitsUnderPressureConfig | Record<string, never>): IntakeLimits {
  const limit = (key: keyof LimitsConfig): number => {
    const usual = numberOf(key, normal[key])
    const pressed = harsh[key] === undefined ? usual : numberOf(key, harsh[key])
    return key === 'minRate' ? Math.max(usual, pressed) : Math.min(usual, pressed)
  }
  return {
    messageOctets: limit('messageSize'),
    commandLineOctets: limit('commandLine'),
    textLineOctets: limit('textLine'),
    headerOctets: limit('header'),
    recipients: limit('recipients'),
    hops: limit('hops'),
    connections: limit('connections'),
    connectionsPerClient: limit('connectionsPerClient'),
    errorsPerSession: limit('errorsPerSession'),
    junkPerSession: limit('junkPerSession'),
    commandMs: limit('commandTime'),
    authGuessesPerSession: limit('authGuessesPerSession'),
    authGuessesPerClient: limit('authGuessesPerClient'),
    minOctetsPerSecond: limit('minRate'),
    sessionMs: limit('sessionTime'),
  }
}
