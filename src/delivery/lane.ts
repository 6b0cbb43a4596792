/**
 * One lane: the window that squeezes a path, what waits for it, and how much of that may go now.
 *
 * Holds the state; what a verdict does to the window is `concurrency-window.ts`, who goes first is
 * `flows.ts`, and running attempts is `dispatch.ts`. Lanes that dial nobody (hold, discard) have no
 * transport, and nothing ever waits in them.
 */
import type { EpochMs, LaneKey } from '../core/brand.ts'
import type { HopVerdict } from '../core/outcome.ts'
import type { Route } from '../core/route.ts'
import { LOOKUP_LANE, laneOf } from '../core/route.ts'
import type { AcceptedMessage, LeasedRecipient } from '../ports/queue-store.ts'
import type { LaneStatus } from '../ports/server-control.ts'
import type { Transport } from '../ports/transport.ts'
import {
  afterCredentialRefused,
  afterHealthy,
  afterLimitsChanged,
  afterSuspension,
  afterUnwell,
  isProbing,
  openWindow,
  type SuspendedWindow,
  type WindowLimits,
  type WindowState,
} from './concurrency-window.ts'
import { type Flow, Flows } from './flows.ts'
import type { DeliverySettings } from './settings.ts'

/** Recipients that may be leased for a lane while it is probed; the rest waits in the store. */
export const PROBE_RECIPIENTS_MAX = 4
/** Sessions of a transport that dials nobody: it needs no window, only a bound. */
const LOCAL_SESSIONS = 16
/** Domains looked up at once; those who wait for the same answer count each. */
const LOOKUPS_MAX = 256

/**
 * Recipients of one message that we hold leases on and that travel together: alive from claim (or
 * commit A) until the last settlement of it is in the store. Only delivery sees it; transports get
 * the readonly `DeliveryBatch` made from it.
 */
export interface LeasedBatch {
  readonly message: AcceptedMessage
  readonly recipients: readonly [LeasedRecipient, ...LeasedRecipient[]]
  /** Of an `mx` route the destination is replaced when it has been looked up anew. */
  route: Route
  readonly lane: Lane
  readonly flow: Flow<LeasedBatch>
  /** Monotonic; from then on the leases may be another's, and nothing may be begun or go on under them. */
  trustUntilMs: number
  /** When the leases end in the store. */
  leaseUntil: EpochMs
  /** How often it was put back at once without having been tried. */
  readonly untriedRounds: number
  /** Recipients whose settlement is not in the store yet. */
  unsettled: number
  /** While an attempt is under way. */
  abort: AbortController | null
  /** Monotonic; the attempt is aborted then, whatever its lease. */
  deadlineMs: number
  /** The next batch of its flow. */
  next: LeasedBatch | null
}

export class Lane {
  readonly key: LaneKey
  readonly flows = new Flows<LeasedBatch>()
  readonly transport: Transport | null
  /** 0: nothing ever waits in it. */
  readonly #perSession: number
  /** Batches under way. */
  active = 0
  /** Recipients leased for it: placed, waiting, under way or being settled. */
  leased = 0
  /** The store may hold due mail for this lane: claim again when it has drained. */
  more = false
  /** Ends the suspension. */
  cancelTimer: (() => void) | null = null
  #limits: WindowLimits
  #window: WindowState
  #route: Route

  constructor(route: Route, transport: Transport | null, settings: DeliverySettings) {
    this.key = laneOf(route)
    this.transport = transport
    this.#perSession = this.key === LOOKUP_LANE ? 1 : (transport?.batchesPerSession ?? 0)
    this.#route = route
    this.#limits = limitsOf(route, settings)
    this.#window = openWindow(this.#limits)
  }

  get route(): Route {
    return this.#route
  }

  get suspension(): SuspendedWindow | null {
    return this.#window.kind === 'suspended' ? this.#window : null
  }

  get probing(): boolean {
    return isProbing(this.#window)
  }

  /** It dials, or looks up whom to dial. */
  get works(): boolean {
    return this.#perSession > 0
  }

  /** Sessions allowed now; 0 while suspended. */
  get width(): number {
    return this.#window.kind === 'open' ? this.#window.width : 0
  }

  /** Another batch may be given to the transport. */
  get hasPlace(): boolean {
    if (this.#window.kind === 'suspended' || this.#perSession === 0) return false
    return this.active < (isProbing(this.#window) ? 1 : this.#window.width * this.#perSession)
  }

  /** New mail may be leased for it, as far as the hop goes. */
  get takesNew(): boolean {
    if (this.#window.kind === 'suspended') return false
    return !isProbing(this.#window) || this.leased < PROBE_RECIPIENTS_MAX
  }

  /** What an attempt says of the hop. True if the lane is suspended now and was open before. */
  heed(verdict: HopVerdict, nowMs: number): boolean {
    const before = this.#window
    switch (verdict.kind) {
      case 'healthy':
        this.#window = afterHealthy(before, this.#limits, this.#busySessions())
        break
      case 'unwell':
        this.#window = afterUnwell(before, this.#limits, verdict.reason, nowMs)
        break
      case 'credential-refused':
        this.#window = afterCredentialRefused(before, this.#limits, verdict.reason, nowMs)
        break
      case 'not-reached':
        break
    }
    return this.#window.kind === 'suspended' && this.#window !== before
  }

  /** Suspension over: one probe may go. */
  reopen(): void {
    this.cancelTimer?.()
    this.cancelTimer = null
    this.#window = afterSuspension(this.#window)
  }

  /** After a reload: the same lane, perhaps with other limits. A suspension ends, its cause may be mended. */
  configure(route: Route, settings: DeliverySettings): void {
    this.#route = route
    this.#limits = limitsOf(route, settings)
    this.#window = afterLimitsChanged(this.#window, this.#limits)
  }

  status(now: EpochMs, nowMs: number): LaneStatus {
    const window = this.#window
    const waiting = { lane: this.key, active: this.active, ready: this.flows.waiting }
    if (window.kind === 'open') return { ...waiting, state: 'open', width: window.width, until: null, reason: null }
    const until = (now + Math.max(0, Math.round(window.untilMs - nowMs))) as EpochMs
    return { ...waiting, state: window.cause === 'credential' ? 'paused' : 'suspended', width: 0, until, reason: window.reason }
  }

  #busySessions(): number {
    return Math.ceil(this.active / Math.max(1, this.#perSession))
  }
}

function limitsOf(route: Route, settings: DeliverySettings): WindowLimits {
  const { failedCohortsMax, suspendMs, credentialPauseMs } = settings.lane
  const sessions = sessionsOf(route)
  return { initial: sessions.sessionsInitial, max: sessions.sessionsMax, failedCohortsMax, suspendMs, credentialPauseMs }
}

function sessionsOf(route: Route): { readonly sessionsInitial: number; readonly sessionsMax: number } {
  if (route.kind === 'relay') return route.relay.limits
  // A mailbox is written to by one process: more would wait for its lock.
  if (route.kind === 'mailbox') return { sessionsInitial: 1, sessionsMax: 1 }
  if (route.kind !== 'mx') return { sessionsInitial: LOCAL_SESSIONS, sessionsMax: LOCAL_SESSIONS }
  return route.destination === null ? { sessionsInitial: LOOKUPS_MAX, sessionsMax: LOOKUPS_MAX } : route.direct.limits
}
