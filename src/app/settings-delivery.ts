/**
 * Validated configuration -> what delivery is told: routes, relays with credentials, retry, reports.
 */
import { compileAddressPattern, compileGlob } from '../core/pattern.ts'
import type { RelayHost, RelaySettings } from '../core/route.ts'
import type { ConfiguredCredential, ConfiguredRelay, DeliverySettings, RouteRule, RouteTarget } from '../delivery/settings.ts'
import type { LoadedConfig } from './config.ts'
import { readPem } from './config-certificates.ts'
import { addressesOf, checkedValue, hostnameOf, isFallback, sendersOf, tlsOf } from './config-implied.ts'
import { type PlacedRoute, routesInForce } from './config-local.ts'
import { durationMs, listOf, sizeOctets } from './config-scalars.ts'
import type { Config, RouteConfig } from './config-schema.ts'
import { type CredentialConfig, type RelayConfig, relaySchema } from './config-schema-relay.ts'
import { secretReader } from './config-secrets.ts'
import { parseLmtpServer, parseRelayHost, parseVia } from './config-values.ts'
import { buildDirectSettings } from './settings-direct.ts'
import { SettingsError } from './settings-error.ts'
import { sessionLimitsOf, timeoutsOf } from './settings-sessions.ts'
import { buildTlsDemands } from './settings-tls.ts'

/** `previous`: what was read when root could still read it. Throws `SettingsError`. */
export function buildDeliverySettings(loaded: LoadedConfig, previous: DeliverySettings | null): DeliverySettings {
  const { config } = loaded
  const { retry, queue, dsn } = config
  const hostname = hostnameOf(config)
  return {
    hostname,
    routes: buildRoutes(config),
    relays: new Map(Object.entries(config.relays).map(([name, relay]) => [name, buildRelay(name, relay, loaded, previous?.relays.get(name) ?? null)])),
    direct: buildDirectSettings(config),
    localLmtp: buildLocalLmtp(loaded),
    tlsDemands: buildTlsDemands(config.tlsPolicy),
    retry: {
      greylistMs: durationMs(retry.greylist),
      minDelayMs: durationMs(retry.min),
      maxDelayMs: durationMs(retry.max),
      factor: retry.factor,
      lifetimeMs: durationMs(retry.lifetime),
      jitter: retry.jitter,
    },
    delayNoticeAfterMs: config.delayNoticeAfter === 'never' ? null : durationMs(config.delayNoticeAfter),
    readySetMax: queue.readySet,
    readyPerFlowMax: Math.min(queue.perFlow, queue.readySet),
    lane: {
      failedCohortsMax: queue.failedCohorts,
      suspendMs: { initial: durationMs(queue.suspend.min), max: durationMs(queue.suspend.max) },
      credentialPauseMs: { initial: durationMs(queue.credentialPause.min), max: durationMs(queue.credentialPause.max) },
    },
    leaseMs: durationMs(queue.lease),
    reclaimDelayMs: durationMs(queue.reclaimDelay),
    quarantineAfter: queue.quarantineAfter,
    dsn: {
      from: dsn.from ?? `MAILER-DAEMON@${hostname}`,
      returnFullMaxOctets: sizeOctets(dsn.returnFullUpTo),
      perSenderPerHourMax: dsn.perSenderPerHour,
      postmaster: dsn.postmaster ?? null,
    },
    holdAll: null,
  }
}

/** The last rule catches what no other did: nothing is sent without a decision. */
function buildRoutes(config: Config): readonly RouteRule[] {
  const rules = routesInForce(config).map((placed): RouteRule => ({ label: labelOf(placed), match: matchOf(placed.route), target: targetOf(placed.route) }))
  const none = { from: null, to: null, submitter: null, header: [] }
  return [...rules, { label: 'no route matches', match: none, target: { kind: 'hold', reason: 'no route matches this mail' } }]
}

/** `routes[2]: from jira@example.com`, as `route explain` shows it. */
function labelOf({ route, index }: PlacedRoute): string {
  if (index === null) return route.via === 'local' ? 'local domains' : 'default route'
  const parts = [
    ...(route.from === undefined ? [] : [`from ${listOf(route.from).join(', ')}`]),
    ...(route.to === undefined ? [] : [`to ${listOf(route.to).join(', ')}`]),
    ...(route.submitter === undefined ? [] : [`submitter ${route.submitter}`]),
    ...Object.entries(route.header ?? {}).map(([name, pattern]) => `header ${name}: ${pattern}`),
  ]
  return `routes[${index}]: ${parts.length === 0 ? 'all mail' : parts.join(', ')}`
}

function matchOf(route: RouteConfig): RouteRule['match'] {
  return {
    from: addressesOf(route.from),
    to: addressesOf(route.to),
    submitter: route.submitter === undefined ? null : compileGlob(route.submitter),
    header: Object.entries(route.header ?? {}).map(([name, pattern]) => [name.toLowerCase(), compileGlob(pattern)] as const),
  }
}

function targetOf(route: RouteConfig): RouteTarget {
  const via = checkedValue(parseVia(route.via))
  if (via.kind === 'hold') return { kind: 'hold', reason: route.reason ?? 'held by a route' }
  return via.kind === 'relay' || via.kind === 'local' ? via : { kind: via.kind }
}

function buildRelay(name: string, relay: RelayConfig, loaded: LoadedConfig, previous: ConfiguredRelay | null): ConfiguredRelay {
  const tls = tlsOf(relay)
  const parse = (host: string) => (relay.protocol === 'lmtp' ? parseLmtpServer(host) : parseRelayHost(host, tls.implicit))
  const [first, ...more] = listOf(relay.host).map((host): RelayHost => checkedValue(parse(host)))
  if (first === undefined) throw new SettingsError(`relay ${name} has no host`)
  const settings: RelaySettings = {
    name,
    protocol: relay.protocol,
    hosts: [first, ...more],
    tls: { level: tls.level, ca: tls.ca === null ? null : authorities(tls.ca, name, loaded, previous), serverName: tls.serverName, minVersion: tls.minVersion },
    heloName: relay.heloName ?? hostnameOf(loaded.config),
    sourceAddress: relay.source ?? null,
    limits: sessionLimitsOf(relay.limits),
    timeouts: timeoutsOf(relay.timeouts),
  }
  const credentials = Object.entries(relay.credentials).map(([key, written]) => buildCredential(key, written, relay, { loaded, previous }))
  return { settings, credentials }
}

/** The server that takes the mail of local users, as a relay; null: there is none. */
function buildLocalLmtp(loaded: LoadedConfig): RelaySettings | null {
  const host = loaded.config.local?.mailbox.lmtp
  return host === undefined ? null : buildRelay('local', relaySchema.parse({ host, protocol: 'lmtp', tls: 'none' }), loaded, null).settings
}

function authorities(path: string, relay: string, loaded: LoadedConfig, previous: ConfiguredRelay | null): string {
  const pem = readPem(path, loaded.folder)
  if ('value' in pem) return pem.value
  const before = previous?.settings.tls.ca ?? null
  if (before === null || pem.fault.code !== 'tls-unreadable') throw new SettingsError(`relay ${relay}: ${pem.fault.message}`)
  return before
}

function buildCredential(
  name: string,
  written: CredentialConfig,
  relay: RelayConfig,
  from: { readonly loaded: LoadedConfig; readonly previous: ConfiguredRelay | null },
): ConfiguredCredential {
  const before = from.previous?.credentials.find(({ credential }) => credential.name === name)?.credential.password ?? null
  return {
    credential: {
      name,
      username: written.username,
      password: secretReader(written.password, from.loaded, before),
      mechanisms: written.mechanisms,
      allowPlaintext: relay.auth.allowPlaintext,
    },
    senders: sendersOf(written).map((pattern) => ({
      pattern,
      matches: compileAddressPattern(pattern),
      kind: pattern.includes('@') && !pattern.startsWith('*@') ? ('address' as const) : ('domain' as const),
    })),
    fallback: isFallback(name, written, relay),
  }
}
