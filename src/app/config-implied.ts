/**
 * What a configuration means where it says nothing: routes, TLS level, fallback, listener details.
 *
 * Shared by the checks, by `config get --resolved` and by `settings`, so that what is shown is what
 * is done.
 */
import { hostname } from 'node:os'
import { compileAddressPatterns, type Pattern } from '../core/pattern.ts'
import type { TlsLevel } from '../core/route.ts'
import { listOf } from './config-scalars.ts'
import type { Config, ListenerConfig, RouteConfig } from './config-schema.ts'
import type { CredentialConfig, RelayConfig } from './config-schema-relay.ts'
import { isLoopback, type ListenerAddress, type Parsed, parseListener } from './config-values.ts'

/** What a parser answers for a value that the schema let through. */
export function checkedValue<Value>(result: Parsed<Value>): Value {
  if ('fault' in result) throw new Error(`not checked by the schema: ${result.fault.message}`)
  return result.value
}

/** All through the only relay; captured where there is none. Several relays need routes. */
export function routesOf(config: Config): readonly RouteConfig[] {
  if (config.routes !== undefined) return config.routes
  const [first, ...more] = Object.keys(config.relays)
  if (first === undefined) return [{ via: 'capture' }]
  return more.length === 0 ? [{ via: first }] : [{ via: 'hold', reason: 'several relays, but no routes' }]
}

/** Of `from` and `to` in routes and rules; null: any address. */
export function addressesOf(written: string | readonly string[] | undefined): Pattern | null {
  return written === undefined ? null : compileAddressPatterns(listOf(written))
}

export interface RelayTls {
  readonly level: TlsLevel
  readonly ca: string | null
  readonly serverName: string | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Null: by the port. */
  readonly implicit: boolean | null
}
export function tlsOf(relay: RelayConfig): RelayTls {
  const written = typeof relay.tls === 'object' ? relay.tls : null
  const level = typeof relay.tls === 'string' ? relay.tls : written?.level
  return {
    level: level ?? impliedLevel(relay),
    ca: written?.ca ?? null,
    serverName: written?.serverName ?? null,
    minVersion: written?.minVersion ?? 'TLSv1.2',
    implicit: written?.implicit ?? null,
  }
}

/** A socket file has no wire that anybody could listen to. */
function impliedLevel(relay: RelayConfig): TlsLevel {
  if (listOf(relay.host).every((host) => host.startsWith('unix:'))) return 'none'
  return Object.keys(relay.credentials).length > 0 ? 'verify' : 'may'
}

export function isFallback(name: string, credential: CredentialConfig, relay: RelayConfig): boolean {
  const only = Object.keys(relay.credentials).length === 1 && credential.for === undefined
  return credential.fallback ?? (name === 'fallback' || only)
}

/** Sender patterns a credential is for; a username that is an address stands for itself. */
export function sendersOf(credential: CredentialConfig): readonly string[] {
  if (credential.for !== undefined) return listOf(credential.for)
  return /^[^\s<>,;@]+@[^\s<>,;@]+$/.test(credential.username) ? [credential.username] : []
}

export interface ImpliedListener extends ListenerAddress {
  readonly url: string
  readonly tls: { readonly cert: string; readonly key: string } | null
  readonly requireTls: boolean
  readonly requireAuth: boolean
  readonly authWithoutTls: boolean
  readonly pipelining: boolean
  readonly bareLineEnds: 'refuse' | 'normalize'
  readonly loopback: boolean
}
export function listenersOf(config: Config): readonly ImpliedListener[] {
  return config.listen.map((written) => {
    const entry: Partial<ListenerConfig> & { readonly url: string } = typeof written === 'string' ? { url: written } : written
    const address = checkedValue(parseListener(entry.url))
    const loopback = isLoopback(address.host)
    return {
      ...address,
      url: entry.url,
      tls: entry.tls === false ? null : (entry.tls ?? config.tls ?? null),
      requireTls: entry.requireTls ?? false,
      requireAuth: entry.requireAuth ?? false,
      authWithoutTls: entry.authWithoutTls ?? loopback,
      pipelining: entry.pipelining ?? !loopback,
      bareLineEnds: entry.bareLineEnds ?? 'refuse',
      loopback,
    }
  })
}

/** The configured name, else the system's where it is a host name at all. */
export function hostnameOf(config: Config): string {
  if (config.hostname !== undefined) return config.hostname
  const own = hostname()
  return /^[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(own) ? own : 'localhost'
}
