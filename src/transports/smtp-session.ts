/**
 * One SMTP session from dial to close: set-up, up to two rides at a time, deadlines, QUIT.
 *
 * A shell around `ClientEngine`: moves bytes, keeps time, tells its owner what happened, and decides
 * nothing about messages. Whatever the engine says in one turn leaves in one write. A session that
 * was ever out of step, timed out or was lost carries nothing more.
 */
import type { AttemptFault } from '../core/classify.ts'
import type { RemoteMta, TlsFacts } from '../core/outcome.ts'
import type { Connection, ConnectionEvents, NetworkAddress } from '../ports/network.ts'
import { ClientEngine, type ClientEvents, type ClientFault, type Transaction } from '../smtp/client-engine.ts'
import { CommandFault } from '../smtp/command-format.ts'
import { type Carried, sendContent } from './content-feed.ts'
import { createLineWriter, dialoguePeer } from './dialogue.ts'
import { decideFit, type Fit, unsayable } from './peer-fit.ts'
import { type HostTarget, helloFor, placeKey, remoteOf } from './relay-target.ts'
import type { Ride, SetupFailure } from './ride.ts'
import { SessionOutput } from './session-output.ts'
import { type SessionParts, SessionSetup } from './session-setup.ts'
import { StepWatch, stepLimitMs } from './step-watch.ts'
import type { TransactionFacts } from './transaction-outcome.ts'

/** Calls may come from inside `carry`. */
export interface SessionOwner {
  onReady(session: SmtpSession): void
  /** Instead of `onReady`; the connection is gone. */
  onSetupFailed(session: SmtpSession, failure: SetupFailure): void
  /** The session may take another ride by now. */
  onRideEnd(session: SmtpSession, ride: Ride, facts: TransactionFacts): void
  onContentLost(session: SmtpSession, ride: Ride, error: unknown): void
  /** Once, after every ride has ended; not after `onSetupFailed`. */
  onClosed(session: SmtpSession): void
}

export class SmtpSession {
  readonly target: HostTarget
  readonly remote: RemoteMta
  /** Address and port. */
  readonly place: string
  readonly openedMs: number
  /** It ended with QUIT. */
  quitDone = false
  readonly #parts: SessionParts
  readonly #owner: SessionOwner
  readonly #engine: ClientEngine
  readonly #output: SessionOutput
  readonly #setup: SessionSetup
  #state: 'opening' | 'ready' | 'quitting' | 'closed' = 'opening'
  #carried: Carried[] = []
  /** Its envelope is being handed to the engine. */
  #submitting: Ride | null = null
  #used = 0
  #fault: AttemptFault | null = null
  readonly #watch = new StepWatch()
  #idleSinceMs: number

  constructor(parts: SessionParts, target: HostTarget, address: NetworkAddress, owner: SessionOwner) {
    this.target = target
    this.remote = remoteOf(address, target)
    this.place = placeKey(address, target)
    this.#parts = parts
    this.#owner = owner
    this.openedMs = parts.clock.monotonicMs()
    this.#idleSinceMs = this.openedMs
    this.#output = new SessionOutput()
    this.#setup = new SessionSetup(parts, target, address)
    this.#engine = new ClientEngine({ ...helloFor(target, address.family), events: this.#engineEvents() })
  }

  /** `onReady` or `onSetupFailed` follows. */
  open(): void {
    this.#setup.dial(this.#connectionEvents, this.#setupSteps)
  }

  get tls(): TlsFacts | null {
    return this.#setup.tls
  }
  get setupMs(): number {
    return this.#setup.durationMs
  }
  get state(): 'opening' | 'ready' | 'quitting' | 'closed' {
    return this.#state
  }
  get idle(): boolean {
    return this.#state === 'ready' && this.#carried.length === 0
  }

  /** Can take one more ride now: 2 at most with PIPELINING, within its limits of messages and age. */
  get hasRoom(): boolean {
    return this.#engine.room > 0 && this.lasts
  }
  /** Has room, or will have when what it carries has ended. */
  get lasts(): boolean {
    const { messagesPerSession, sessionAgeMs } = this.target.relay.limits
    if (this.#state !== 'ready' || !this.#engine.usable || this.#used + this.#carried.length >= messagesPerSession) return false
    return this.#parts.clock.monotonicMs() - this.openedMs < sessionAgeMs
  }

  /** Takes the ride, or says why this peer cannot have it so; only while `hasRoom`. */
  carry(ride: Ride): Exclude<Fit, { readonly kind: 'fits' }> | null {
    const capabilities = this.#engine.capabilities
    if (capabilities === null) throw new Error('a ride on a session that is not ready')
    const fit = decideFit(ride.question(this.#setup.verified), capabilities)
    if (fit.kind !== 'fits') return fit
    const [first, ...rest] = fit.rcpts
    if (first === undefined) throw new Error('a ride without recipients')
    ride.convert = fit.convert
    const chained = this.#carried.length > 0
    this.#submitting = ride
    this.#output.enter()
    try {
      const transaction = this.#engine.submit({
        mail: fit.mail,
        recipients: [first, ...rest],
        onSendContent: this.#onSendContent,
        onEnd: this.#onTransactionEnd,
      })
      ride.state = 'riding'
      const carried: Carried = { ride, transaction, startedMs: this.#parts.clock.monotonicMs(), chained }
      if (transaction.end === null) this.#carried.push(carried)
      else this.#ended(carried)
    } catch (error) {
      if (error instanceof CommandFault) return unsayable(error)
      throw error
    } finally {
      this.#submitting = null
      this.#output.leave()
    }
    return null
  }

  /** Stops a ride that was given up, unless its final dot is out: then the reply counts. */
  giveUp(ride: Ride): void {
    const [head] = this.#carried
    // Behind another one: that one must not suffer. `#onTransactionEnd` comes back to it.
    if (head?.ride === ride && head.transaction.sent !== 'final-dot') this.fail({ kind: 'closed' })
  }

  /** Ends politely; only when idle. */
  retire(): void {
    if (!this.idle) return
    if (this.#engine.usable) {
      // A RSET may be on its way: QUIT goes out when it is answered.
      this.#state = 'quitting'
      this.#quitIfFree()
    } else this.fail({ kind: 'closed' })
  }

  #quitIfFree(): void {
    if (this.#state === 'quitting' && this.#engine.idle) this.#engine.quit()
  }

  /** Why it ended, where it ended without QUIT. */
  get endedBy(): AttemptFault {
    return this.#fault ?? { kind: 'closed' }
  }

  /** Ends at once; open rides end as broken by `fault`. */
  fail(fault: AttemptFault): void {
    if (this.#state === 'opening') this.#setup.fail(this.#setup.phaseOf(this.#engine), fault, this.#setupSteps)
    if (this.#state === 'closed') return
    this.#fault ??= fault
    this.#engine.lost(fault.kind)
    this.#close()
  }

  /** Keeps time; to be called every second or so. Times out what takes too long, ends what idles too long. */
  check(nowMs: number): void {
    const opening = this.#state === 'opening'
    this.#watch.see(opening ? this.#setup.serialOf(this.#engine) : this.#engine.phaseSerial + this.#output.drains, nowMs)
    const { limits, timeouts } = this.target.relay
    if (this.idle && this.#engine.phase === null) {
      if (nowMs - this.#idleSinceMs >= limits.sessionIdleMs || nowMs - this.openedMs >= limits.sessionAgeMs) this.retire()
      return
    }
    const setup = opening ? this.#setup.step : null
    const limitMs = stepLimitMs(timeouts, { setup, connectMs: this.#parts.connectMs, quitting: this.#state === 'quitting', phase: this.#engine.phase })
    if (this.#watch.elapsedMs(nowMs) >= limitMs) this.fail({ kind: 'timeout', afterMs: limitMs })
  }

  #engineEvents(): ClientEvents {
    return {
      write: (bytes) => this.#output.add(bytes),
      onReady: (capabilities) => this.#setup.afterEhlo(this.#engine, capabilities, this.#setupSteps),
      onTlsGo: () => this.#setup.upgrade(this.#engine, this.#setupSteps),
      onAuthenticated: () => this.#ready(),
      onRefused: (phase, reply) => this.#setup.refused(phase, reply, this.#setupSteps),
      onFault: (fault) => this.#onFault(fault),
      // The peer closes now (RFC 5321 §4.1.1.10): only then its place is free, so that it never sees one session too many.
      onQuit: () => {
        this.quitDone = true
        this.#output.end()
      },
      tap: createLineWriter(this.#parts.tap, {
        session: this.#parts.name,
        peer: dialoguePeer(this.target),
        oldest: () => this.#carried[0]?.ride ?? this.#submitting,
        newest: () => this.#submitting ?? this.#carried.at(-1)?.ride ?? null,
      }),
    }
  }

  readonly #connectionEvents: ConnectionEvents = {
    onData: (chunk) => {
      if (this.#state === 'closed') return
      this.#output.enter()
      try {
        this.#engine.receive(chunk)
        if (this.#state === 'quitting') this.#quitIfFree()
      } finally {
        this.#output.leave()
      }
    },
    onDrain: () => this.#output.drained(),
    onClose: (fault) => {
      // A handshake that fails rejects, and knows why.
      if (this.#state === 'opening' && this.#setup.step === 'handshake') return
      this.fail(fault === null ? { kind: 'closed' } : { kind: 'network', ...fault })
    },
  }

  readonly #setupSteps = {
    connected: (connection: Connection): void => this.#output.attach(connection),
    ready: (): void => this.#ready(),
    failed: (failure: SetupFailure): void => {
      if (this.#state !== 'opening') return
      this.#state = 'closed'
      if (this.#engine.usable && this.#engine.idle) this.#engine.quit()
      else this.#engine.lost(failure.phase)
      this.#output.close()
      this.#owner.onSetupFailed(this, failure)
    },
    turn: (act: () => void): void => this.#output.turn(act),
  }

  #ready(): void {
    if (this.#state !== 'opening') return
    this.#setup.finished()
    this.#state = 'ready'
    this.#idleSinceMs = this.#parts.clock.monotonicMs()
    this.#owner.onReady(this)
  }

  readonly #onSendContent = (): void => {
    const [head] = this.#carried
    if (head === undefined) throw new Error('content is wanted and nothing is carried')
    if (head.ride.signal.aborted) {
      this.fail({ kind: 'closed' })
      return
    }
    sendContent(this.#engine, this.#output, head, (error) => {
      this.#owner.onContentLost(this, head.ride, error)
      this.fail({ kind: 'closed' })
    })
  }

  readonly #onTransactionEnd = (transaction: Transaction): void => {
    const at = this.#carried.findIndex((carried) => carried.transaction === transaction)
    // Not there: it ended while it was being handed to the engine, and `carry` sees to it.
    if (at !== -1) for (const ended of this.#carried.splice(at, 1)) this.#ended(ended)
  }

  #ended(ended: Carried): void {
    const { transaction } = ended
    if (transaction.end !== 'broken') this.#used++
    if (!this.#output.idle) ended.ride.contentInUse = true
    this.#idleSinceMs = this.#parts.clock.monotonicMs()
    this.#owner.onRideEnd(this, ended.ride, {
      transaction,
      recipients: ended.ride.recipients,
      remote: this.remote,
      place: this.place,
      tls: this.tls,
      withoutDsn: this.#engine.capabilities?.dsn !== true,
      fault: this.#fault,
      reused: this.#used > (transaction.end === 'broken' ? 0 : 1),
      chained: ended.chained,
      setupMs: ended.ride.setupMs,
      transferMs: this.#idleSinceMs - ended.startedMs,
      use: this.#used + (transaction.end === 'broken' ? 1 : 0),
    })
    const [next] = this.#carried
    if (next?.ride.signal.aborted === true) this.giveUp(next.ride)
  }

  #onFault(fault: ClientFault): void {
    if (this.#state === 'opening') this.#setup.broken(fault, this.#setupSteps)
    else {
      if (fault.kind === 'desynchronised' || fault.kind === 'malformed') this.#fault ??= { kind: 'protocol', detail: fault.reason }
      this.#close()
    }
  }

  #close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#output.close()
    this.#owner.onClosed(this)
  }
}
