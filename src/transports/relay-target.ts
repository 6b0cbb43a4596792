/**
 * Where a route dials, with the key under which its sessions may be shared.
 *
 * A session serves another message only under the same host, port, TLS policy, login and source
 * address (C12, O30, A07), so the key names all of them. Senders do not matter.
 */
import type { Credential, RelayHost, RelaySettings, Route } from '../core/route.ts'
import type { NetworkAddress } from '../ports/network.ts'

export interface HostTarget {
  readonly relay: RelaySettings
  readonly credential: Credential | null
  readonly host: RelayHost
  readonly key: string
}

/** What may fail on its own: one address and port. */
export function placeKey(address: NetworkAddress, target: HostTarget): string {
  return `${address.address} ${target.host.port}`
}

/** Made once for each pair of settings: building the key costs more than sending the envelope. */
export class RelayTargets {
  readonly #known = new WeakMap<RelaySettings, Map<Credential | null, readonly HostTarget[]>>()

  /** The hosts of a relay route, in the configured order. */
  of(route: Route & { readonly kind: 'relay' }): readonly HostTarget[] {
    const { relay, credential } = route
    let byCredential = this.#known.get(relay)
    if (byCredential === undefined) {
      byCredential = new Map()
      this.#known.set(relay, byCredential)
    }
    let targets = byCredential.get(credential)
    if (targets === undefined) {
      targets = relay.hosts.map((host) => ({ relay, credential, host, key: sessionKey(relay, credential, host) }))
      byCredential.set(credential, targets)
    }
    return targets
  }
}

function sessionKey(relay: RelaySettings, credential: Credential | null, host: RelayHost): string {
  const { level, serverName, minVersion, ca } = relay.tls
  const login = credential === null ? null : [relay.name, credential.name, credential.username, credential.mechanisms, credential.allowPlaintext]
  return JSON.stringify([host.host, host.port, host.implicitTls, level, serverName, minVersion, relay.sourceAddress, relay.heloName, login, ca])
}
