/**
 * Stories of direct delivery: peers on one port of 127.0.0.2 and further, zones in memory, and a whole server.
 */
import { onTestFinished } from 'vitest'
import { parseIpNetwork } from '../../src/core/ip-address.ts'
import type { DirectSettings } from '../../src/core/route.ts'
import type { DeliverySettings } from '../../src/delivery/settings.ts'
import type { TlsPolicies } from '../../src/ports/tls-policies.ts'
import { createMxDestinations } from '../../src/transports/mx-destinations.ts'
import type { MxPolicy } from '../../src/transports/mx-policy.ts'
import { makeRule, makeSettings } from '../delivery/rig.ts'
import { directLike } from './direct.ts'
import { createFakeResolver, type FakeName, type FakeResolver } from './fake-resolver.ts'
import { createPlainPolicies } from './plain-policies.ts'
import { type ScriptedPeer, type Step, startPeer } from './scripted-peer.ts'
import { relayAt } from './story-settings.ts'
import { startServer, type WholeServer, type WholeServerOptions } from './whole-server.ts'

export interface MxStoryOptions extends Omit<WholeServerOptions, 'delivery' | 'destinations'> {
  readonly zones: Readonly<Record<string, FakeName>>
  readonly port: number
  readonly direct?: Partial<DirectSettings>
  readonly policy?: Partial<MxPolicy>
  readonly tls?: TlsPolicies
  readonly settings?: Partial<DeliverySettings>
}
export interface MxStory {
  readonly server: WholeServer
  readonly dns: FakeResolver
}

/** Loopback is allowed, for that is where the peers are; nothing of it is ours. */
export function makePolicy(changes: Partial<MxPolicy> = {}): MxPolicy {
  return {
    ownNames: new Set(['postern.test']),
    isOurs: () => false,
    allowed: [parseIpNetwork('127.0.0.0/8'), parseIpNetwork('::1')],
    families: 'auto',
    ...changes,
  }
}

/** One peer on each of these addresses, all on one port. */
export async function peersAt(
  scripts: Readonly<Record<string, readonly (readonly Step[])[]>>,
): Promise<{ readonly port: number; readonly at: (host: string) => ScriptedPeer }> {
  const peers = new Map<string, ScriptedPeer>()
  let port = 0
  for (const [host, script] of Object.entries(scripts)) {
    const peer = await startPeer(script, { host, ...(port === 0 ? {} : { port }) })
    onTestFinished(() => peer.close())
    peers.set(host, peer)
    port = peer.port
  }
  const at = (host: string): ScriptedPeer => {
    const peer = peers.get(host)
    if (peer === undefined) throw new Error(`there is no peer at ${host}`)
    return peer
  }
  return { port, at }
}

/** All mail goes straight to the servers of its domain. */
export async function startMxStory(options: MxStoryOptions): Promise<MxStory> {
  const { zones, port, direct, policy, tls = createPlainPolicies(), settings, ...rest } = options
  const dns = createFakeResolver(zones)
  const like = directLike(relayAt('mx', port), { port, ...direct })
  const delivery = makeSettings({ routes: [makeRule({ kind: 'mx' })], direct: like, ...settings })
  const destinations: WholeServerOptions['destinations'] = (clock, journal) =>
    createMxDestinations({ resolver: dns, tls, clock, journal, random: () => 0.5, policy: makePolicy(policy) })
  return { server: await startServer({ ...rest, delivery, destinations }), dns }
}
