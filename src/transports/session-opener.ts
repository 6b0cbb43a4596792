/**
 * Opens one session to a host: its addresses in turn, each once more in plain where the policy allows.
 *
 * Tries at most `ADDRESSES_MAX` addresses, those that failed lately last, none that the ride has
 * failed at already. Ends with a session or with the last failure.
 */
import { classifyFault, reasonWith, triesNextHost } from '../core/classify.ts'
import { announceNoSession } from '../core/tls-words.ts'
import type { HostResolver, NetworkAddress } from '../ports/network.ts'
import { describeEnd, remark } from './dialogue.ts'
import type { HostMemory } from './host-memory.ts'
import { type HostTarget, isSocketFile, placeKey, sideFor } from './relay-target.ts'
import type { SetupFailure } from './ride.ts'
import type { SessionParts } from './session-setup.ts'
import { type SessionOwner, SmtpSession } from './smtp-session.ts'

/** Of one host in one attempt; Postfix's `smtp_mx_address_limit`. */
const ADDRESSES_MAX = 5

type Tried = { readonly kind: 'session'; readonly session: SmtpSession } | { readonly kind: 'failed'; readonly failure: SetupFailure }
/** `earlier`: what failed before it ended so, in order. */
export type Opened = (Tried & { readonly earlier: readonly SetupFailure[] }) | { readonly kind: 'exhausted' }

export interface OpenerParts extends Omit<SessionParts, 'name' | 'plainOnly' | 'connectMs'> {
  readonly resolver: HostResolver
  readonly memory: HostMemory
}
export interface OpenRequest {
  readonly target: HostTarget
  readonly avoid: readonly string[]
  /** Other hosts are left to try. */
  readonly furtherHosts?: boolean
  readonly owner: SessionOwner
  /** The session that is being set up just now, so that its owner can keep its time. */
  readonly began: (session: SmtpSession) => void
  /** True: stop, nobody wants it any more. */
  readonly unwanted: () => boolean
}

export class SessionOpener {
  readonly #parts: OpenerParts
  #serial = 0

  constructor(parts: OpenerParts) {
    this.#parts = parts
  }

  async open(request: OpenRequest): Promise<Opened> {
    const { clock } = this.#parts
    const fromMs = clock.monotonicMs()
    const opened = await this.#open(request)
    if (opened.kind !== 'failed') return opened
    return { ...opened, failure: { ...opened.failure, tookMs: Math.round(clock.monotonicMs() - fromMs) } }
  }

  async #open(request: OpenRequest): Promise<Opened> {
    const { clock, memory } = this.#parts
    const { target, avoid } = request
    if (target.refusal !== undefined)
      return { kind: 'failed', failure: { deferral: target.refusal, phase: 'tls-policy', reply: null, remote: null, goPlain: false }, earlier: [] }
    let addresses: readonly NetworkAddress[]
    try {
      addresses = target.addresses ?? (await this.#parts.resolver.addresses(target.host.host))
    } catch (error) {
      const failure = lookupFailure(error)
      remark(this.#parts.tap, { session: `${target.relay.name}#-`, target }, () => `no session: ${failure.deferral.reason}`)
      return { kind: 'failed', failure, earlier: [] }
    }
    const usable = addresses.filter((place) => !avoid.includes(placeKey(place, target)) && sideFor(target, place.family) !== null)
    const keyOf = (place: NetworkAddress) => placeKey(place, target)
    const failures: SetupFailure[] = []
    const places = memory.orderPlaces(usable, keyOf, clock.monotonicMs()).slice(0, ADDRESSES_MAX)
    for (const [index, place] of places.entries()) {
      if (request.unwanted()) break
      const isLast = index + 1 === places.length && request.furtherHosts !== true
      const end = await this.#tryAddress(place, request, { failures, connectMs: isLast ? target.relay.timeouts.connectMs : target.fallOverMs })
      if (end.kind === 'session') {
        memory.worked(keyOf(place), place.family)
        return { ...end, earlier: failures }
      }
      const last = end.failure
      failures.push(last)
      if (request.unwanted()) break
      this.#tell(target, last)
      if (last.phase === 'connect' && !isSocketFile(target.host)) memory.unreachable(place.family, clock.monotonicMs())
      if (!triesNextHost(last.deferral)) break
      memory.failed(keyOf(place), clock.monotonicMs())
    }
    const failure = failures.pop()
    return failure === undefined ? { kind: 'exhausted' } : { kind: 'failed', failure, earlier: failures }
  }

  #tell({ host }: HostTarget, { deferral, remote, reply }: SetupFailure): void {
    if (remote === null) return
    this.#parts.journal.note('transport', 'info', announceNoSession({ ...remote, port: host.port }, reasonWith(deferral.reason, reply)))
  }

  async #tryAddress(
    place: NetworkAddress,
    request: OpenRequest,
    { connectMs, failures }: { readonly connectMs: number; readonly failures: SetupFailure[] },
  ): Promise<Tried> {
    const { memory, clock } = this.#parts
    const key = placeKey(place, request.target)
    const plainOnly = memory.isPlain(key, clock.monotonicMs())
    const end = await this.#openOne(place, request, { plainOnly, connectMs })
    if (end.kind === 'session' || plainOnly || !end.failure.goPlain || request.unwanted()) return end
    failures.push(end.failure)
    memory.goPlain(key, clock.monotonicMs())
    return this.#openOne(place, request, { plainOnly: true, connectMs })
  }

  #openOne(place: NetworkAddress, request: OpenRequest, how: Pick<SessionParts, 'plainOnly' | 'connectMs'>): Promise<Tried> {
    return new Promise((resolve) => {
      const name = `${request.target.relay.name}#${++this.#serial}`
      const owner: SessionOwner = {
        onReady: (ready) => resolve({ kind: 'session', session: ready }),
        onSetupFailed: (_, failure) => resolve({ kind: 'failed', failure }),
        onRideEnd: (session, ride, facts) => request.owner.onRideEnd(session, ride, facts),
        onContentLost: (session, ride, error) => request.owner.onContentLost(session, ride, error),
        onClosed: (session) => {
          if (!session.quitDone) remark(this.#parts.tap, { session: name, target: request.target }, () => describeEnd(session.endedBy))
          request.owner.onClosed(session)
        },
      }
      const session = new SmtpSession({ ...this.#parts, ...how, name }, request.target, place, owner)
      request.began(session)
      session.open()
    })
  }
}

function lookupFailure(error: unknown): SetupFailure {
  const cause: unknown = error instanceof Error ? error.cause : null
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'UNKNOWN'
  const message = error instanceof Error ? error.message : String(error)
  return { deferral: classifyFault('mx-lookup', { kind: 'network', code, message }), phase: 'mx-lookup', reply: null, remote: null, goPlain: false }
}
