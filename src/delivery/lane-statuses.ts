/**
 * The lanes an operator may want to see: those in use, then those of configured relays that no mail
 * has used since the start, so that a relay is never missing from the picture.
 */
import type { LaneKey } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import type { LaneStatus } from '../ports/server-control.ts'
import { Lane } from './lane.ts'
import type { ConfiguredRelay, DeliverySettings } from './settings.ts'

export function laneStatuses(lanes: ReadonlyMap<LaneKey, Lane>, settings: DeliverySettings, clock: Pick<Clock, 'now' | 'monotonicMs'>): LaneStatus[] {
  const used = [...lanes.values()].filter((lane) => lane.works)
  const unused = [...settings.relays.values()].flatMap((relay) => configuredLanes(relay, settings)).filter((lane) => !lanes.has(lane.key))
  return [...used, ...unused].map((lane) => lane.status(clock.now(), clock.monotonicMs()))
}

/** One a login; a relay without any has one. */
function configuredLanes({ settings: relay, credentials }: ConfiguredRelay, settings: DeliverySettings): Lane[] {
  const logins = credentials.length === 0 ? [null] : credentials.map(({ credential }) => credential)
  return logins.map((credential) => new Lane({ kind: 'relay', relay, credential }, null, settings))
}
