/**
 * Settings made ready for sessions: networks as numbers, users by name, TLS contexts, what the
 * engine is told. Made whole or not at all: whatever is wrong throws before anything is changed.
 *
 * One lives as long as the sessions that began under it.
 */
import type { SecureContext } from 'node:tls'
import type { ServerSettings } from '../smtp/server-engine.ts'
import { compileNetworks } from './client-address.ts'
import { type Credentials, createCredentials, type HashGate } from './credentials.ts'
import { isPasswordHash } from './password-hash.ts'
import type { IntakeLimits, IntakeSettings, ListenerSettings } from './settings.ts'
import { createTlsContext } from './tls-upgrade.ts'

export interface CompiledListener {
  readonly settings: ListenerSettings
  readonly engine: ServerSettings
  readonly tls: SecureContext | null
}
export interface CompiledSettings {
  readonly settings: IntakeSettings
  readonly isTrusted: (address: string) => boolean
  readonly credentials: Credentials
  /** The limits that hold now, under pressure or not. */
  readonly limits: () => IntakeLimits
  /** By url. */
  readonly listeners: ReadonlyMap<string, CompiledListener>
}

export interface CompileParts {
  readonly gate: HashGate
  readonly underPressure: () => boolean
}

/** Throws an Error that says which network, user or certificate cannot be used. */
export function compileSettings(settings: IntakeSettings, parts: CompileParts): CompiledSettings {
  for (const user of settings.users) {
    if (!isPasswordHash(user.passwordHash)) throw new RangeError(`the password hash of user ${JSON.stringify(user.name)} cannot be read`)
  }
  const limits = (): IntakeLimits => (parts.underPressure() ? settings.limitsUnderPressure : settings.limits)
  return {
    settings,
    isTrusted: compileNetworks(settings.networks),
    credentials: createCredentials(settings.users, parts.gate),
    limits,
    listeners: new Map(settings.listeners.map((listener) => [listener.url, compileListener(listener, settings, limits)])),
  }
}

function compileListener(listener: ListenerSettings, settings: IntakeSettings, limits: () => IntakeLimits): CompiledListener {
  if (listener.implicitTls && listener.tls === null) throw new Error(`${listener.url} needs a certificate`)
  return {
    settings: listener,
    tls: listener.tls === null ? null : tlsContext(listener.url, listener.tls),
    engine: {
      hostname: settings.hostname,
      pipelining: listener.pipelining,
      startTls: listener.tls !== null && !listener.implicitTls,
      requireTls: listener.requireTls,
      offerRequireTls: settings.offerRequireTls === true,
      auth: authMode(listener, settings),
      requireAuth: listener.requireAuth,
      bareLineEnds: listener.bareLineEnds,
      bareDomain: settings.bareDomain ?? null,
      limits,
    },
  }
}

function authMode(listener: ListenerSettings, settings: IntakeSettings): ServerSettings['auth'] {
  if (settings.users.length === 0) return 'off'
  return listener.authWithoutTls ? 'always' : 'with-tls'
}

function tlsContext(url: string, pair: { readonly cert: string; readonly key: string }): SecureContext {
  try {
    return createTlsContext(pair)
  } catch (fault) {
    throw new Error(`the certificate or key of ${url} cannot be used: ${(fault as Error).message}`, { cause: fault })
  }
}
