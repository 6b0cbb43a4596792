/**
 * Which domains we send for, and by which ways: named in the configuration, seen in the mail of the
 * last day, or asked for.
 */

import { parseMailbox } from '../core/address.ts'
import { asciiDomain } from '../core/ascii-domain.ts'
import type { Route } from '../core/route.ts'
import { createRouter, type Router } from '../delivery/router.ts'
import type { Departure, SenderDomain, SentMail } from '../doctor/subject.ts'
import { keysFor } from '../message/dkim-keyring.ts'
import type { LoadedConfig } from './config.ts'
import { sendersOf } from './config-implied.ts'
import { listOf } from './config-scalars.ts'
import { isMailStore } from './relay-place.ts'
import type { ServerSettings } from './settings.ts'

type Growing = { inReversePath: boolean; inFrom: boolean; readonly departures: Departure[] }
type Place = 'both' | 'from' | 'reverse-path'

export interface SenderSources {
  readonly loaded: LoadedConfig
  readonly asked: readonly string[]
  readonly sent: readonly SentMail[]
}

export function senderDomains({ loaded, asked, sent }: SenderSources, settings: ServerSettings): readonly SenderDomain[] {
  const router = createRouter(settings.delivery)
  const domains = new Map<string, Growing>()
  const add = (address: string, place: Place, departure: Departure | null): void => {
    const domain = domainOf(address)
    if (domain === null) return
    const known = domains.get(domain) ?? { inReversePath: false, inFrom: false, departures: [] }
    domains.set(domain, known)
    known.inReversePath ||= place !== 'from'
    known.inFrom ||= place !== 'reverse-path'
    const way = departure ?? departureOf(router, address.includes('@') ? address : `postmaster@${domain}`)
    if (way !== null && !known.departures.some(({ kind, relay }) => kind === way.kind && relay === way.relay)) known.departures.push(way)
  }
  for (const domain of asked) add(domain, 'both', null)
  for (const address of configuredSenders(loaded, settings)) add(address, 'both', null)
  for (const { from, envelope, departure } of sent) {
    if (from !== null) add(from, 'from', departure)
    if (envelope !== null) add(envelope, 'reverse-path', departure)
  }
  // Reports have the null reverse-path.
  add(settings.delivery.dsn.from, 'from', null)
  const ring = settings.dkim.keyring
  return [...domains].map(([domain, known]) => ({ domain, ...known, signed: keysFor(ring, domain).length > 0 }))
}

/** Addresses and domains that the configuration names as senders. */
function configuredSenders({ config }: LoadedConfig, settings: ServerSettings): readonly string[] {
  const logins = Object.values(config.relays).flatMap((relay) => Object.values(relay.credentials).flatMap(sendersOf))
  const routed = (config.routes ?? []).flatMap(({ from }) => (from === undefined ? [] : listOf(from)))
  const users = config.users.flatMap(({ senders }) => senders)
  const { sendAs, masquerade } = config.rewrite
  return [...settings.dkim.keyring.domains.keys(), ...logins, ...routed, ...users, ...[sendAs].flat().map((one) => one.as), ...masquerade]
}

/** Of an address, a domain, or a pattern for all of a domain; in A-labels. Null: it names none. */
export function domainOf(text: string): string | null {
  const domain = asciiDomain(text.slice(text.lastIndexOf('@') + 1).toLowerCase())
  return domain === null || domain.includes('*') || parseMailbox(`postmaster@${domain}`) === null || !domain.includes('.') ? null : domain
}

/** Null: it does not leave us, or only into the mailboxes of an LMTP server. */
function departureOf(router: Router, from: string): Departure | null {
  const { route }: { readonly route: Route } = router.decide({ from, to: 'somebody@example.net', submitter: from, header: [] })
  if (route.kind === 'mx') return { kind: 'direct', relay: '' }
  return route.kind === 'relay' && !isMailStore(route.relay) ? { kind: 'relay', relay: route.relay.name } : null
}
