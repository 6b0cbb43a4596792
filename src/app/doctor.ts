/**
 * Gathers what the doctor needs: configuration, addresses, keys, the ways that sender domains use.
 *
 * Runs in a program of its own, beside the server or without one, so that a broken set-up can be
 * examined before it serves. Opens the same sessions that deliveries open, and sends nothing.
 */
import { createHmac } from 'node:crypto'
import ipaddr from 'ipaddr.js'
import { parseMailbox } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import type { TlsFacts } from '../core/outcome.ts'
import type { DirectSettings, RelaySettings, Route } from '../core/route.ts'
import { createRouter, type Router } from '../delivery/router.ts'
import type { DeliverySettings } from '../delivery/settings.ts'
import { createSpfEvaluation } from '../doctor/evaluate-spf.ts'
import { examine } from '../doctor/examine.ts'
import { CHECKS, type CheckName, type Finding } from '../doctor/finding.ts'
import type { Departure, DoctorFacts, DoctorParts, EgressAddress, ProbeResult, SenderDomain, SentMail } from '../doctor/subject.ts'
import { keysFor, signingKeys } from '../message/dkim-keyring.ts'
import { dkimRecord } from '../message/dkim-record.ts'
import { createDnsResolver } from '../net/dns/dns-resolver.ts'
import { egressAddress } from '../net/egress.ts'
import { createHostResolver } from '../net/host-resolver.ts'
import { createDialer } from '../net/node-dialer.ts'
import { type HostProbe, type ProbeParts, probeHost } from '../transports/host-probe.ts'
import { type HostTarget, RelayTargets } from '../transports/relay-target.ts'
import type { LoadedConfig } from './config.ts'
import { sendersOf } from './config-implied.ts'
import { listOf } from './config-scalars.ts'
import { isLoopback } from './config-values.ts'
import { isClockSynchronised, openFilesLimit, storageFacts } from './doctor-machine.ts'
import { buildSettings, type ServerSettings } from './settings.ts'
import { createSystemServers } from './system-servers.ts'

export { CHECKS, type CheckName, countFindings, type Finding, type FindingState, formatDnsLine } from '../doctor/finding.ts'
export type { SentMail } from '../doctor/subject.ts'

export interface DoctorRequest {
  readonly loaded: LoadedConfig
  readonly names: readonly CheckName[]
  /** Further sender domains. */
  readonly domains: readonly string[]
  /** Our addresses as others see them, where that cannot be found out here. */
  readonly addresses: readonly string[]
  readonly port25Host: string | null
  /** Null: no server is running. */
  readonly server: { readonly pid: number; readonly sent: readonly SentMail[] } | null
  readonly clock: Clock
  readonly done: (name: CheckName, left: number) => void
}

/** Throws `ConfigError` if the configuration cannot be read. */
export async function examineSetup(request: DoctorRequest): Promise<{ readonly hostname: string; readonly findings: readonly Finding[] }> {
  const { loaded, names, clock, done } = request
  const settings = buildSettings(loaded)
  const dns = createDnsResolver({ settings: settings.dns, clock, systemServers: createSystemServers(clock) })
  try {
    const facts = await gatherFacts(request, settings)
    const probes = createProbes(settings, clock)
    const subject = { facts, parts: { dns, spf: createSpfEvaluation(dns), ...probes } }
    return { hostname: settings.hostname, findings: await examine(subject, { names: wanted(names, facts), clock, done }) }
  } finally {
    dns.close()
  }
}

/** Where nothing leaves the machine, nobody outside is asked, unless a check was asked for by name. */
function wanted(names: readonly CheckName[], { delivery }: DoctorFacts): readonly CheckName[] {
  return delivery.captureOnly && names.length === CHECKS.length ? MACHINE_CHECKS : names
}
const MACHINE_CHECKS: readonly CheckName[] = ['store', 'disk', 'open-files', 'listener', 'configuration']

async function gatherFacts(request: DoctorRequest, settings: ServerSettings): Promise<DoctorFacts> {
  const { loaded, server, clock } = request
  const { delivery, intake } = settings
  const direct = directOf(delivery)
  return {
    hostname: settings.hostname,
    now: clock.now(),
    egress: await egressOf(request, settings, direct),
    delivery: { direct: direct !== null, captureOnly: delivery.routes.every(({ target }) => target.kind === 'capture' || target.kind === 'hold') },
    senders: senderDomains(request, settings),
    relays: [...delivery.relays.values()].map(({ settings: relay, credentials }) => ({
      name: relay.name,
      hosts: relay.hosts.map(({ host }) => host),
      logins: credentials.map(({ credential }) => credential.name),
      local: relay.hosts.every(({ host }) => host === 'localhost' || isLoopback(host.replace(/^\[|\]$/g, ''))),
    })),
    keys: [...settings.dkim.keyring.domains.values()]
      .flatMap((keys) => signingKeys(keys, clock.now()))
      .map((key) => ({ domain: key.domain, selector: key.selector, algorithm: key.type, record: dkimRecord(key.key) })),
    sent: server?.sent ?? null,
    listeners: intake.listeners.map(({ url, host, requireAuth }) => ({ url, loopback: isLoopback(host), requireAuth })),
    networks: intake.networks,
    openFiles: { limit: openFilesLimit(server?.pid ?? null), wanted: filesWanted(settings) },
    storage: storageFacts({ folder: settings.dataFolder, messageOctetsMax: intake.limits.messageOctets, serverRuns: server !== null }),
    configWarnings: loaded.warnings.map(({ key, message, remedy }) => ({ text: key === '' ? message : `${key}: ${message}`, remedy: remedy ?? '' })),
    port25Host: request.port25Host,
    clockSynchronised: isClockSynchronised(),
    validatingAsked: settings.dns.validating,
  }
}

/** Each client and each session takes one; the store, logs and threads take some. */
function filesWanted({ intake, delivery }: ServerSettings): number {
  const OWN_FILES = 100
  const sessions = [...delivery.relays.values()].reduce(
    (sum, { settings, credentials }) => sum + settings.limits.sessionsMax * Math.max(1, credentials.length),
    0,
  )
  return intake.limits.connections + sessions + OWN_FILES
}

function directOf(delivery: DeliverySettings): DirectSettings | null {
  return delivery.routes.some(({ target }) => target.kind === 'mx') ? delivery.direct : null
}

async function egressOf(request: DoctorRequest, settings: ServerSettings, direct: DirectSettings | null): Promise<readonly EgressAddress[]> {
  const named = request.addresses.map((address) => ({ address, family: address.includes(':') ? (6 as const) : (4 as const) }))
  const found = await Promise.all(
    ([4, 6] as const).map(async (family) => {
      const side = direct === null ? null : family === 4 ? direct.ipv4 : direct.ipv6
      const address = side?.sourceAddress ?? (await egressAddress(family))
      return address === null ? [] : [{ address, family }]
    }),
  )
  const heloName = (family: 4 | 6): string => (direct === null ? settings.hostname : family === 4 ? direct.ipv4.heloName : direct.ipv6.heloName)
  // What is named stands for what was found of that family: that is what NAT hides.
  const all = [...named, ...found.flat().filter(({ family }) => !named.some((one) => one.family === family))]
  return all.map(({ address, family }) => ({ address, family, isPublic: isPublic(address, request.addresses), heloName: heloName(family) }))
}

function isPublic(address: string, named: readonly string[]): boolean {
  return named.includes(address) || ipaddr.process(address).range() === 'unicast'
}

function senderDomains(request: DoctorRequest, settings: ServerSettings): readonly SenderDomain[] {
  const router = createRouter(settings.delivery)
  const domains = new Map<string, { origin: SenderDomain['origin']; readonly departures: Departure[] }>()
  const add = (address: string, origin: SenderDomain['origin'], departure: Departure | null): void => {
    const domain = domainOf(address)
    if (domain === null) return
    const known = domains.get(domain) ?? { origin, departures: [] }
    domains.set(domain, known)
    const way = departure ?? departureOf(router, address.includes('@') ? address : `postmaster@${domain}`)
    if (way !== null && !known.departures.some(({ kind, relay }) => kind === way.kind && relay === way.relay)) known.departures.push(way)
  }
  for (const domain of request.domains) add(domain, 'asked', null)
  for (const address of configuredSenders(request.loaded, settings)) add(address, 'configured', null)
  for (const { from, departure } of request.server?.sent ?? []) if (from !== null) add(from, 'sent', departure)
  const ring = settings.dkim.keyring
  return [...domains].map(([domain, { origin, departures }]) => ({ domain, origin, departures, signed: keysFor(ring, domain).length > 0 }))
}

/** Addresses and domains that the configuration names as senders. */
function configuredSenders({ config }: LoadedConfig, settings: ServerSettings): readonly string[] {
  const logins = Object.values(config.relays).flatMap((relay) => Object.values(relay.credentials).flatMap(sendersOf))
  const routed = (config.routes ?? []).flatMap(({ from }) => (from === undefined ? [] : listOf(from)))
  return [...settings.dkim.keyring.domains.keys(), ...logins, ...routed, settings.delivery.dsn.from]
}

/** Of an address, a domain, or a pattern for all of a domain; null: it names none. */
function domainOf(text: string): string | null {
  const domain = text.slice(text.lastIndexOf('@') + 1).toLowerCase()
  return domain.includes('*') || parseMailbox(`postmaster@${domain}`) === null || !domain.includes('.') ? null : domain
}

function departureOf(router: Router, from: string): Departure | null {
  const { route }: { readonly route: Route } = router.decide({ from, to: 'somebody@example.net', submitter: from, header: [] })
  if (route.kind === 'mx') return { kind: 'direct', relay: '' }
  return route.kind === 'relay' ? { kind: 'relay', relay: route.relay.name } : null
}

function createProbes(settings: ServerSettings, clock: Clock): Pick<DoctorParts, 'probeRelay' | 'probePort25'> {
  const journal = { accepted: () => undefined, attempt: () => undefined, note: () => undefined }
  const parts: ProbeParts = {
    dialer: createDialer({ clock }),
    resolver: createHostResolver({ clock }),
    clock,
    journal,
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
  }
  const targets = new RelayTargets()
  const asked = new Map<string, Promise<ProbeResult>>()
  const once = (key: string, probe: () => Promise<ProbeResult>): Promise<ProbeResult> => {
    const known = asked.get(key) ?? probe()
    asked.set(key, known)
    return known
  }
  return {
    probeRelay: (name, login) =>
      once(`${name} ${login ?? ''}`, async () => {
        const relay = settings.delivery.relays.get(name)
        if (relay === undefined) return { kind: 'failed', phase: 'route', reason: 'there is no such relay', greeting: null }
        const credential = relay.credentials.find((one) => one.credential.name === login)?.credential ?? null
        return probeInTurn(parts, targets.of({ kind: 'relay', relay: relay.settings, credential }), login)
      }),
    probePort25: (host) => once(`port25 ${host}`, () => probeInTurn(parts, targets.of(port25Route(settings, host)), null)),
  }
}

/** The first host that answers counts, as in delivery. */
async function probeInTurn(parts: ProbeParts, targets: readonly HostTarget[], login: string | null): Promise<ProbeResult> {
  let last: ProbeResult = { kind: 'failed', phase: 'route', reason: 'there is no host', greeting: null }
  for (const target of targets) {
    last = probeResult(await probeHost(parts, target), login)
    if (last.kind === 'reached') break
  }
  return last
}

function probeResult(probe: HostProbe, login: string | null): ProbeResult {
  if (probe.kind === 'failed') return probe
  const { host, address, tls, greeting } = probe
  return {
    kind: 'reached',
    host,
    address,
    tls: tls === null ? null : describeTls(tls),
    certificate: tls === null ? 'none' : tls.trust === 'untrusted' ? 'untrusted' : 'verified',
    certificateFault: tls?.trustFault ?? null,
    login,
    greeting,
  }
}

function describeTls({ protocol, cipher, trust }: TlsFacts): string {
  return `${protocol} ${cipher}, certificate ${trust}`
}

/** As a delivery by MX would dial it, whatever the certificate. */
function port25Route({ hostname, delivery }: ServerSettings, host: string): Route & { readonly kind: 'relay' } {
  const { limits, timeouts } = delivery.direct
  const relay: RelaySettings = {
    name: 'port25',
    hosts: [{ host, port: 25, implicitTls: false }],
    tls: { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' },
    heloName: hostname,
    sourceAddress: null,
    limits,
    timeouts,
  }
  return { kind: 'relay', relay, credential: null }
}
