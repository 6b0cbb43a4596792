/**
 * Where a route dials, with the key under which its sessions may be shared.
 *
 * A session serves another message only under the same host, port, TLS policy, login and source
 * address (C12, O30, A07), so the key names all of them. Senders do not matter, nor do the domains of
 * one receiver.
 */
import type { Deferral } from '../core/classify.ts'
import type { RemoteMta } from '../core/outcome.ts'
import type { Credential, DirectSettings, EgressSide, HostAddress, MxHost, RelayHost, RelaySettings, Route } from '../core/route.ts'
import type { NetworkAddress } from '../ports/network.ts'
import { type RaisedBy, raiseTls } from './tls-raise.ts'

export interface HostTarget {
  /** What holds for every host of the relay, or for this host of a domain. */
  readonly relay: Pick<RelaySettings, 'name' | 'protocol' | 'tls' | 'limits' | 'timeouts'>
  readonly credential: Credential | null
  readonly host: RelayHost
  /** Our side by address family; null: that family cannot be used. */
  readonly sides: { readonly ipv4: EgressSide | null; readonly ipv6: EgressSide | null }
  /** Null: the host's name has to be looked up. */
  readonly addresses: readonly HostAddress[] | null
  /** Longest wait for a connection while another address is left. */
  readonly fallOverMs: number
  readonly key: string
  /** Keys of hosts that are as good: of equal preference. Null: none. */
  readonly alike: ReadonlySet<string> | null
  /** Its TLS level is raised for chosen mail: what fails of that says nothing of the host. */
  readonly raised?: boolean
  /** It cannot be used for this mail at all. */
  readonly refusal?: Deferral
}

/** What may fail on its own: one address and port. */
export function placeKey({ address }: Pick<NetworkAddress, 'address'>, target: HostTarget): string {
  return `${address} ${target.host.port}`
}

/** A Unix socket: its path stands for the address, whose family means nothing then. */
export function isSocketFile({ host }: Pick<RelayHost, 'host'>): boolean {
  return host.startsWith('/')
}

export function remoteOf({ address }: Pick<NetworkAddress, 'address'>, { host }: HostTarget): RemoteMta {
  return { host: isSocketFile(host) ? 'localhost' : host.host, address }
}

/** Our side for that address; null: no connection there is possible from us. */
export function sideFor(target: HostTarget, family: 4 | 6): EgressSide | null {
  return family === 4 ? target.sides.ipv4 : target.sides.ipv6
}

/** How we introduce ourselves there. */
export function helloFor(target: HostTarget, family: 4 | 6): { readonly heloName: string; readonly lmtp: boolean } {
  return { heloName: sideFor(target, family)?.heloName ?? 'localhost', lmtp: target.relay.protocol === 'lmtp' }
}

type Ways = Extract<Route, { readonly kind: 'relay' | 'mx' }>

/** Made once for each route: building the key costs more than sending the envelope. */
export class RelayTargets {
  readonly #relays = new WeakMap<RelaySettings, Map<Credential | null, readonly HostTarget[]>>()
  readonly #direct = new WeakMap<Route, readonly HostTarget[]>()
  readonly #raised = new WeakMap<Route, readonly HostTarget[]>()

  /** The hosts of a route in the order to try: as configured, or by preference. None if they were not looked up. */
  of(route: Ways, requireTls = false): readonly HostTarget[] {
    // Every rule demands at least what REQUIRETLS does, and it loses to nobody's header.
    const demand = route.tlsDemand ?? (requireTls ? 'requiretls' : null)
    if (demand === null) return this.#plain(route)
    let targets = this.#raised.get(route)
    if (targets === undefined) {
      targets = raiseTargets(this.#plain(route), demand)
      this.#raised.set(route, targets)
    }
    return targets
  }

  #plain(route: Ways): readonly HostTarget[] {
    return route.kind === 'relay' ? this.#ofRelay(route.relay, route.credential) : this.#ofDomain(route)
  }

  #ofRelay(relay: RelaySettings, credential: Credential | null): readonly HostTarget[] {
    let byCredential = this.#relays.get(relay)
    if (byCredential === undefined) {
      byCredential = new Map()
      this.#relays.set(relay, byCredential)
    }
    let targets = byCredential.get(credential)
    if (targets === undefined) {
      targets = relay.hosts.map((host) => relayTarget(relay, credential, host))
      byCredential.set(credential, targets)
    }
    return targets
  }

  #ofDomain(route: Extract<Route, { readonly kind: 'mx' }>): readonly HostTarget[] {
    const known = this.#direct.get(route)
    if (known !== undefined) return known
    const hosts = route.destination?.hosts ?? []
    const targets = hosts.map((host) => ({ host, target: mxTarget(route.direct, host) }))
    const made = targets.map(({ host: { preference }, target }) => {
      const equal = targets.filter((other) => other.host.preference === preference)
      return equal.length < 2 ? target : { ...target, alike: new Set(equal.map((other) => other.target.key)) }
    })
    this.#direct.set(route, made)
    return made
  }
}

function relayTarget(relay: RelaySettings, credential: Credential | null, host: RelayHost): HostTarget {
  const { sourceAddress, heloName } = relay
  const side: EgressSide = { sourceAddress, heloName }
  // An address of the other family cannot be reached from our source address.
  const sides = { ipv4: sourceAddress?.includes(':') === true ? null : side, ipv6: sourceAddress?.includes(':') === false ? null : side }
  const login = credential === null ? null : [relay.name, credential.name, credential.username, credential.mechanisms, credential.allowPlaintext]
  const key = sessionKey(host, relay.tls, [relay.protocol ?? 'smtp', sourceAddress, heloName, login])
  return {
    relay,
    credential,
    host,
    sides,
    addresses: isSocketFile(host) ? [{ address: host.host, family: 4 }] : null,
    fallOverMs: relay.timeouts.connectMs,
    key,
    alike: null,
  }
}

function mxTarget(direct: DirectSettings, { name, addresses, tls }: MxHost): HostTarget {
  const host: RelayHost = { host: name, port: direct.port, implicitTls: false }
  const { ipv4, ipv6 } = direct
  return {
    relay: { name: 'mx', tls, limits: direct.limits, timeouts: direct.timeouts },
    credential: null,
    host,
    sides: { ipv4, ipv6 },
    addresses,
    fallOverMs: Math.min(direct.fallOverMs, direct.timeouts.connectMs),
    key: sessionKey(host, tls, ['mx', ipv4, ipv6]),
    alike: null,
  }
}

/** The same hosts, in the same order. Sessions are not shared with those of other demands, but where nothing is raised. */
function raiseTargets(targets: readonly HostTarget[], demand: RaisedBy): readonly HostTarget[] {
  const raised = targets.map((target) => ({ target, now: raiseTarget(target, demand) }))
  return raised.map(({ target, now }) => {
    const { alike } = target
    if (alike === null) return now
    return { ...now, alike: new Set(raised.filter((one) => alike.has(one.target.key)).map((one) => one.now.key)) }
  })
}

function raiseTarget(target: HostTarget, demand: RaisedBy): HostTarget {
  const raised = raiseTls(target.relay.tls, demand)
  if (raised.kind === 'same') return target
  const key = `${target.key} ${demand}`
  if (raised.kind === 'refused') return { ...target, key, refusal: { ...raised.deferral, hop: 'none' } }
  return { ...target, relay: { ...target.relay, tls: raised.tls }, key, raised: true }
}

/** All that TLS has to be counts, but not under which domain it is reported. */
function sessionKey(host: RelayHost, { reported: _, ...tls }: RelaySettings['tls'], ours: readonly unknown[]): string {
  return JSON.stringify([host.host, host.port, host.implicitTls, tls, ours])
}
