/**
 * Everything delivery holds leases on: lanes, their load, and how much room is left.
 *
 * Bounded by `readySetMax` recipients, so that memory follows what is under way and never the
 * backlog. Says for which lanes a claim makes sense; claiming is `scheduler.ts`.
 */
import type { LaneKey } from '../core/brand.ts'
import type { Route } from '../core/route.ts'
import { laneOf } from '../core/route.ts'
import { TurnoverSet } from '../core/turnover.ts'
import type { Transport } from '../ports/transport.ts'
import type { Flow } from './flows.ts'
import type { LeasedBatch } from './lane.ts'
import { Lane, PROBE_RECIPIENTS_MAX } from './lane.ts'
import type { DeliverySettings } from './settings.ts'

/** A submitter with fewer recipients waiting is admitted although the set is full: one mail behind a flood. */
const FLOW_RESERVE = 8
/** How far beyond `readySetMax` the reserve of all flows together may go. */
const RESERVE_SHARE = 0.25
/** A lane with less than this share of a flow's limit waiting is worth a claim. */
const LOW_WATER_SHARE = 0.5
/** New mail of a flow with a backlog is admitted below this share only, so that claims go first. */
const OVERTAKING_SHARE = 0.25
/** Lanes of sites kept although nobody uses them, for the next mail of theirs; and at most, if they are being probed. */
const IDLE_LANES_MAX = 1_000
const PROBED_LANES_MAX = 10_000

export interface ReadySetParts {
  readonly settings: DeliverySettings
  /** Without `mailbox` nothing goes into mailboxes of this machine: such mail waits. */
  readonly transports: { readonly smtp: Transport; readonly capture: Transport; readonly mailbox?: Transport }
}

export class ReadySet {
  /** Every batch with a lease of ours that is not settled. */
  readonly held = new TurnoverSet<LeasedBatch>()
  readonly lanes = new Map<LaneKey, Lane>()
  readonly #transports: ReadySetParts['transports']
  readonly #byRoute = new Map<Route, Lane>()
  #settings: DeliverySettings
  #leased = 0
  #dropAt = IDLE_LANES_MAX
  #emptied: (() => void) | null = null

  constructor(parts: ReadySetParts) {
    this.#settings = parts.settings
    this.#transports = parts.transports
  }

  /** Recipients leased by us, from placement to settlement. */
  get leased(): number {
    return this.#leased
  }

  /** Free places for claims. */
  get room(): number {
    return Math.max(0, this.#settings.readySetMax - this.#leased)
  }

  laneFor(route: Route): Lane {
    return this.#byRoute.get(route) ?? this.#findLane(route)
  }

  /** New routes after a reload; suspensions end with a probe, lanes nobody uses are forgotten. */
  reconfigure(settings: DeliverySettings): void {
    this.#settings = settings
    this.#byRoute.clear()
    for (const [key, lane] of this.lanes) {
      lane.reopen()
      // Nothing is leased for a suspended lane: forgotten, it would come back in full, and a refused login with it.
      if (lane.leased === 0 && !(lane.probing && isConfigured(lane.route, settings))) this.lanes.delete(key)
    }
  }

  /** A recipient of that flow may be accepted and leased in one commit. */
  admits(lane: Lane, flow: Flow<LeasedBatch>): boolean {
    if (!lane.takesNew) return false
    if (this.#leased >= this.#settings.readySetMax) {
      return flow.waiting < FLOW_RESERVE && this.#leased < this.#settings.readySetMax * (1 + RESERVE_SHARE)
    }
    const flowMax = this.#settings.readyPerFlowMax
    return flow.waiting < (flow.backlogged ? Math.max(1, flowMax * OVERTAKING_SHARE) : flowMax)
  }

  /** Takes a place before the commit. */
  reserve(lane: Lane, flow: Flow<LeasedBatch>): void {
    this.#leased++
    lane.leased++
    flow.users++
    flow.waiting++
  }

  /** Gives the place back: the message is committed and its batch counts now, or it was abandoned. */
  unreserve(lane: Lane, flow: Flow<LeasedBatch>): void {
    this.#leased--
    lane.leased--
    flow.users--
    flow.waiting--
  }

  hold(batch: LeasedBatch): void {
    const count = batch.recipients.length
    this.held.add(batch)
    this.#leased += count
    batch.lane.leased += count
    batch.flow.users++
  }

  /** So many recipients of the batch are settled, or are in another batch now. */
  letGo(batch: LeasedBatch, recipients: number): void {
    const count = Math.min(recipients, batch.unsettled)
    if (count === 0) return
    batch.unsettled -= count
    this.#leased -= count
    batch.lane.leased -= count
    if (batch.unsettled > 0) return
    batch.flow.users--
    this.held.delete(batch)
    if (this.held.size === 0) this.#emptied?.()
  }

  /** Lanes for which a claim would only bring what has to wait: suspended, probed, or full enough. */
  closedForClaims(): LaneKey[] {
    const closed: LaneKey[] = []
    for (const lane of this.lanes.values()) {
      if (lane.suspension !== null || lane.probing) closed.push(lane.key)
      else if (!this.#isLow(lane)) {
        lane.more = true
        closed.push(lane.key)
      }
    }
    return closed
  }

  /** Lanes whose due mail is no reason to wake: they say themselves when they open or have drained. */
  closedForSleep(): LaneKey[] {
    const closed: LaneKey[] = []
    for (const lane of this.lanes.values()) {
      const full = lane.probing ? lane.leased >= PROBE_RECIPIENTS_MAX : !this.#isLow(lane)
      if (full) lane.more = true
      if (full || lane.suspension !== null) closed.push(lane.key)
    }
    return closed
  }

  /** A claim has brought all there was for lanes that are not closed. */
  noBacklog(closedLanes: readonly LaneKey[]): void {
    const closed = new Set(closedLanes)
    for (const lane of this.lanes.values()) {
      if (closed.has(lane.key)) continue
      lane.more = false
      lane.flows.clearBacklogs()
    }
  }

  /** Lanes that wait for a probe, and all others; null if there is none. */
  forProbes(): { readonly probed: readonly Lane[]; readonly closed: readonly LaneKey[] } | null {
    const probed: Lane[] = []
    const closed: LaneKey[] = []
    for (const lane of this.lanes.values()) {
      if (lane.probing && lane.leased < PROBE_RECIPIENTS_MAX) probed.push(lane)
      else closed.push(lane.key)
    }
    return probed.length === 0 ? null : { probed, closed }
  }

  /** The lane has drained and the store may have more for it. */
  wantsMore(lane: Lane): boolean {
    if (!lane.more || lane.suspension !== null) return false
    return lane.probing ? lane.leased === 0 : this.#isLow(lane)
  }

  /** Most recipients of one flow in one claim, so that the flow stays within its limit. */
  get claimPerFlow(): number {
    return Math.max(1, Math.ceil(this.#settings.readyPerFlowMax * (1 - LOW_WATER_SHARE)))
  }

  /** Resolves when nothing is held any more. */
  whenEmpty(): Promise<void> {
    if (this.held.size === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#emptied = resolve
    })
  }

  #isLow(lane: Lane): boolean {
    return lane.flows.waiting < Math.max(1, this.#settings.readyPerFlowMax * LOW_WATER_SHARE)
  }

  #findLane(route: Route): Lane {
    const key = laneOf(route)
    let lane = this.lanes.get(key)
    if (lane === undefined) {
      if (this.lanes.size >= this.#dropAt) this.#dropIdleSites()
      lane = new Lane(route, this.#transportOf(route), this.#settings)
      this.lanes.set(key, lane)
    } else if (!isSameWay(lane.route, route)) lane.configure(route, this.#settings)
    // Hold routes carry their reason, direct ones their destination: made anew at any time, and not worth remembering.
    if (route.kind !== 'hold' && route.kind !== 'mx') this.#byRoute.set(route, lane)
    return lane
  }

  /** Sites come and go by the thousand. What a suspended one has taught is kept, and what a probed one has as long as there is room. */
  #dropIdleSites(): void {
    const isIdle = ({ route, leased, suspension }: Lane): boolean => route.kind === 'mx' && route.destination !== null && leased === 0 && suspension === null
    for (const [key, lane] of this.lanes) if (isIdle(lane) && !lane.probing) this.lanes.delete(key)
    for (const [key, lane] of this.lanes) {
      if (this.lanes.size < PROBED_LANES_MAX) break
      if (isIdle(lane)) this.lanes.delete(key)
    }
    // Looks again only when the map has doubled: many lanes at work are not searched at every new one.
    this.#dropAt = Math.max(IDLE_LANES_MAX, this.lanes.size * 2)
  }

  #transportOf(route: Route): Transport | null {
    if (route.kind === 'relay' || (route.kind === 'mx' && route.destination !== null)) return this.#transports.smtp
    if (route.kind === 'mailbox') return this.#transports.mailbox ?? null
    return route.kind === 'capture' ? this.#transports.capture : null
  }
}

/** The lane's limits come from the same settings. Domains of one site differ in their destinations only. */
function isSameWay(one: Route, other: Route): boolean {
  return one === other || (one.kind === 'mx' && other.kind === 'mx' && one.direct === other.direct)
}

function isConfigured(route: Route, { relays, localLmtp }: DeliverySettings): boolean {
  if (route.kind !== 'relay') return true
  const { relay, credential } = route
  const known = relays.get(relay.name)
  if (known === undefined) return localLmtp?.name === relay.name
  return credential === null || known.credentials.some((one) => one.credential.name === credential.name)
}
