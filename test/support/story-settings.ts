/**
 * Relays on loopback and settings of delivery for stories: patient timeouts, no jitter, one session at first.
 */
import { onTestFinished } from 'vitest'
import type { RelaySettings } from '../../src/core/route.ts'
import type { ConfiguredCredential, DeliverySettings } from '../../src/delivery/settings.ts'
import { MINUTE, makeCredential, makeRelay, makeRule, makeSettings } from '../delivery/rig.ts'
import { type ScriptedPeer, type ServeOptions, type Step, send, serve, startPeer } from './scripted-peer.ts'

export { MINUTE, makeRule }

/** Greets, then serves. */
export function serving(options: ServeOptions = {}): readonly Step[] {
  return [send('220 peer.test ESMTP'), serve(options)]
}

/** Closed when the test has finished. */
export async function peerWith(...scripts: readonly (readonly Step[])[]): Promise<ScriptedPeer> {
  const peer = await startPeer(scripts)
  onTestFinished(() => peer.close())
  return peer
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const peer = await startPeer([[]])
  await peer.close()
  return peer.port
}

/** A relay whose hosts are at these ports. */
export function relayAt(name: string, ...ports: readonly number[]): RelaySettings {
  const [first, ...more] = ports.map((port) => ({ host: '127.0.0.1', port, implicitTls: false }))
  if (first === undefined) throw new Error('a relay needs a port')
  const relay = makeRelay(name, { sessionsInitial: 1 })
  const timeouts = Object.fromEntries(Object.keys(relay.timeouts).map((phase) => [phase, 5 * MINUTE])) as unknown as RelaySettings['timeouts']
  return { ...relay, hosts: [first, ...more], tls: { ...relay.tls, level: 'none' }, timeouts }
}

/** Everything to one relay. */
export function settingsFor(
  relay: RelaySettings,
  changes: Partial<DeliverySettings> = {},
  credentials: readonly ConfiguredCredential[] = [],
): DeliverySettings {
  return makeSettings({
    routes: [makeRule({ kind: 'relay', relay: relay.name, credential: credentials.length === 0 ? null : 'by-sender' })],
    relays: new Map([[relay.name, { settings: relay, credentials }]]),
    ...changes,
  })
}

/** One that is chosen for these senders and sent without TLS. */
export function credentialFor(name: string, sender: string): ConfiguredCredential {
  const made = makeCredential(name, [sender])
  return { ...made, credential: { ...made.credential, allowPlaintext: true } }
}
