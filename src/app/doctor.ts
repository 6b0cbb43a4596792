/**
 * Gathers what the doctor needs: configuration, addresses, keys, the ways that sender domains use.
 *
 * Runs in a program of its own, beside the server or without one, so that a broken set-up can be
 * examined before it serves. Opens the same sessions that deliveries open, and sends nothing.
 */
import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { Clock } from '../core/clock.ts'
import type { DirectSettings } from '../core/route.ts'
import type { DeliverySettings } from '../delivery/settings.ts'
import { createSpfEvaluation } from '../doctor/evaluate-spf.ts'
import { examine } from '../doctor/examine.ts'
import { CHECKS, type CheckName, type Finding, findings, SERVER_GROUP } from '../doctor/finding.ts'
import type { DoctorFacts, EgressAddress, SentMail } from '../doctor/subject.ts'
import { signingKeys } from '../message/dkim-keyring.ts'
import { dkimRecord } from '../message/dkim-record.ts'
import { createDnsResolver } from '../net/dns/dns-resolver.ts'
import { egressAddress } from '../net/egress.ts'
import { isFamilyOff } from '../transports/mx-policy.ts'
import type { LoadedConfig } from './config.ts'
import { isLoopback } from './config-values.ts'
import { localFacts } from './doctor-local.ts'
import { isClockSynchronised, openFilesLimit, storageFacts } from './doctor-machine.ts'
import { createProbes } from './doctor-probes.ts'
import { senderDomains } from './doctor-senders.ts'
import { isMailStore, isRelayHere } from './relay-place.ts'
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
    const probes = createProbes(settings, dns, clock)
    const subject = { facts, parts: { dns, spf: createSpfEvaluation(dns), ...probes } }
    const stays = facts.delivery.stays && names.length === CHECKS.length
    const found = await examine(subject, { names: stays ? MACHINE_CHECKS : names, clock, done })
    const skipped = stays ? [findings('hostname', SERVER_GROUP).skipped(STAYS, 'Name checks to make them all the same: postern doctor dkim resolver')] : []
    return { hostname: settings.hostname, findings: [...skipped, ...found] }
  } finally {
    dns.close()
  }
}

/** Where nothing leaves the machine, nobody outside is asked, unless a check was asked for by name. */
const MACHINE_CHECKS: readonly CheckName[] = ['store', 'disk', 'open-files', 'listener', 'local', 'configuration']
const STAYS = 'mail is captured, held or kept here: names, DNS records and ways out are not examined'

async function gatherFacts(request: DoctorRequest, settings: ServerSettings): Promise<DoctorFacts> {
  const { loaded, server, clock } = request
  const { delivery, intake } = settings
  const direct = directOf(delivery)
  return {
    hostname: settings.hostname.toLowerCase(),
    now: clock.now(),
    egress: await egressOf(request, settings, direct),
    delivery: { direct: direct !== null, stays: staysHere(delivery) },
    senders: senderDomains({ loaded, asked: request.domains, sent: server?.sent ?? [] }, settings),
    relays: [...delivery.relays.values()].map(({ settings: relay, credentials }) => ({
      name: relay.name,
      hosts: relay.hosts.map(({ host }) => host),
      logins: credentials.map(({ credential }) => credential.name),
      local: isRelayHere(relay),
    })),
    ...keyFacts(settings, clock.now()),
    sent: server?.sent ?? null,
    listeners: intake.listeners.map(({ url, host, requireAuth }) => ({ url, loopback: isLoopback(host), requireAuth })),
    local: localFacts(settings, clock),
    networks: intake.networks,
    openFiles: { limit: openFilesLimit(server?.pid ?? null), wanted: filesWanted(settings) },
    storage: storageFacts({ folder: settings.dataFolder, messageOctetsMax: intake.limits.messageOctets, serverRuns: server !== null, user: settings.user }),
    configWarnings: loaded.warnings
      .filter(({ code }) => !request.names.some((name) => name === CHECK_OF_WARNING.get(code)))
      .map(({ key, message, remedy }) => ({ text: key === '' ? message : `${key}: ${message}`, remedy: remedy ?? '' })),
    port25Host: request.port25Host,
    clockSynchronised: isClockSynchronised(),
    validatingAsked: settings.dns.validating,
  }
}

/** Checks that tell the same better. */
const CHECK_OF_WARNING: ReadonlyMap<string, CheckName> = new Map([
  ['hostname-not-full', 'hostname'],
  ['root-nowhere', 'local'],
])

function keyFacts({ dkim }: ServerSettings, now: number): Pick<DoctorFacts, 'keys' | 'keylessDomains'> {
  const domains = [...dkim.keyring.domains].map(([domain, keys]) => ({ domain, active: keys.some(({ active }) => active), signing: signingKeys(keys, now) }))
  return {
    keys: domains
      .flatMap(({ signing }) => signing)
      .map((key) => ({ domain: key.domain, selector: key.selector, algorithm: key.type, record: dkimRecord(key.key) })),
    keylessDomains: domains.filter(({ active, signing }) => active && signing.length === 0).map(({ domain }) => domain),
  }
}

function staysHere({ routes, relays }: DeliverySettings): boolean {
  return routes.every(({ target }) => target.kind !== 'mx' && (target.kind !== 'relay' || isMailStore(relays.get(target.relay)?.settings)))
}

/** Receivers that are busy at the same time. */
const BUSY_SITES = 50
/** Of the store, logs and threads. */
const OWN_FILES = 100

/** Each client and each session takes one. */
function filesWanted({ intake, delivery }: ServerSettings): number {
  const sessions = [...delivery.relays.values()].reduce(
    (sum, { settings, credentials }) => sum + settings.limits.sessionsMax * Math.max(1, credentials.length),
    0,
  )
  const direct = directOf(delivery) === null ? 0 : BUSY_SITES * delivery.direct.limits.sessionsMax
  return intake.limits.connections + sessions + direct + OWN_FILES
}

function directOf(delivery: DeliverySettings): DirectSettings | null {
  return delivery.routes.some(({ target }) => target.kind === 'mx') ? delivery.direct : null
}

async function egressOf(request: DoctorRequest, settings: ServerSettings, direct: DirectSettings | null): Promise<readonly EgressAddress[]> {
  const named = request.addresses.map((address) => ({ address: plainAddress(address), family: isIPv6(address) ? (6 as const) : (4 as const) }))
  const used = ([4, 6] as const).filter((family) => direct === null || !isFamilyOff(family, settings.mxPolicy))
  const found = await Promise.all(
    used.map(async (family) => {
      const side = direct === null ? null : family === 4 ? direct.ipv4 : direct.ipv6
      const address = side?.sourceAddress ?? (await egressAddress(family))
      return address === null ? [] : [{ address: plainAddress(address), family }]
    }),
  )
  const heloName = (family: 4 | 6): string => (direct === null ? settings.hostname : family === 4 ? direct.ipv4.heloName : direct.ipv6.heloName).toLowerCase()
  // What is named stands for what was found of that family: that is what NAT hides.
  const all = [...named, ...found.flat().filter(({ family }) => !named.some((one) => one.family === family))]
  return all.map(({ address, family }) => ({ address, family, isPublic: isPublic(address, named), heloName: heloName(family) }))
}

/** Narrower than the kinds of `core/ip-address.ts`, which say what may be dialled: nobody sends from addresses for documentation or tunnels. */
function isPublic(address: string, named: readonly { readonly address: string }[]): boolean {
  return named.some((one) => one.address === address) || ipaddr.process(address).range() === 'unicast'
}

/** In its shortest form, without a zone. */
function plainAddress(address: string): string {
  return ipaddr.parse(address.replace(/%.*$/, '')).toString()
}
