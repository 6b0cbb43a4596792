/**
 * Brings a session to where it can carry mail: dial, TLS, EHLO, login; and says why it could not.
 *
 * Everything that fails here is about the host or the login, never about a message: it defers. No
 * credential and no content leaves before the TLS level is satisfied. The password is asked for at
 * each login and kept nowhere.
 */
import { type AttemptFault, classifyFault, classifyReply, type Deferral, reasonWith, triesNextHost } from '../core/classify.ts'
import type { Clock } from '../core/clock.ts'
import type { AttemptPhase, RemoteMta, TlsFacts } from '../core/outcome.ts'
import type { SmtpReply } from '../core/reply.ts'
import { describeTls } from '../core/tls-words.ts'
import type { DialogueTap, Journal } from '../ports/journal.ts'
import { type Connection, type ConnectionEvents, DialError, type Dialer, type NetworkAddress, type NetworkFault } from '../ports/network.ts'
import type { TlsReports } from '../ports/tls-reports.ts'
import type { Capabilities } from '../smtp/capabilities.ts'
import type { ClientEngine, ClientFault } from '../smtp/client-engine.ts'
import { createExchange, type HmacMd5 } from '../smtp/sasl.ts'
import { remark } from './dialogue.ts'
import { chooseMechanism } from './login-choice.ts'
import { type HostTarget, isSocketFile, remoteOf, sideFor } from './relay-target.ts'
import type { SetupFailure } from './ride.ts'
import { blamesHost, decideTlsStep, isVerified, mayGoPlain, tlsOptionsOf } from './tls-policy.ts'
import { reportFailed, reportReady } from './tls-report.ts'

export interface SessionParts {
  readonly dialer: Dialer
  readonly clock: Clock
  readonly journal: Journal
  readonly tap: DialogueTap
  readonly hmacMd5: HmacMd5
  /** Left out: sessions are not counted. */
  readonly reports?: TlsReports
  /** Names the session in the dialogue. */
  readonly name: string
  /** TLS failed at this address minutes ago and the level is `may`. */
  readonly plainOnly: boolean
  /** Deadline of the connection. */
  readonly connectMs: number
}
/** What the session does when a step is over. */
export interface SetupSteps {
  connected(connection: Connection): void
  ready(): void
  failed(failure: SetupFailure): void
  /** Runs calls to the engine as one turn. */
  turn(act: () => void): void
}

export class SessionSetup {
  readonly #parts: SessionParts
  readonly #target: HostTarget
  readonly #address: NetworkAddress
  readonly #remote: RemoteMta
  readonly #startedMs: number
  readonly #dialing = new AbortController()
  #connection: Connection | null = null
  #serial = 0
  /** What the present deadline is for. */
  step: 'dial' | 'handshake' | 'dialogue' = 'dial'
  tls: TlsFacts | null = null
  durationMs = 0

  constructor(parts: SessionParts, target: HostTarget, address: NetworkAddress) {
    this.#parts = parts
    this.#target = target
    this.#address = address
    this.#remote = remoteOf(address, target)
    this.#startedMs = parts.clock.monotonicMs()
  }

  dial(events: ConnectionEvents, steps: SetupSteps): void {
    const { host } = this.#target
    const { signal } = this.#dialing
    const sourceAddress = sideFor(this.#target, this.#address.family)?.sourceAddress ?? null
    const where = isSocketFile(host) ? `the socket ${host.host}` : `${host.host} [${this.#address.address}] port ${host.port}`
    this.#remark(() => `connecting to ${where}${host.implicitTls ? ', TLS from the first byte' : ''}`)
    // Plain even for implicit TLS: so the handshake has a deadline and a phase of its own.
    this.#parts.dialer.dial({ address: this.#address, port: host.port, sourceAddress, tls: null }, events, signal).then(
      ({ connection }) => {
        if (signal.aborted) {
          connection.destroy()
          return
        }
        this.#connection = connection
        steps.connected(connection)
        if (host.implicitTls) this.#handshake(steps, () => this.#enter('dialogue'))
        else this.#enter('dialogue')
      },
      (error: unknown) => this.fail('connect', { kind: 'network', ...faultIn(error) }, steps),
    )
  }

  /** EHLO was answered: TLS, login or nothing more comes next. */
  afterEhlo(engine: ClientEngine, capabilities: Capabilities, steps: SetupSteps): void {
    const { relay } = this.#target
    if (engine.meetsItself) {
      this.fail('greeting', { kind: 'loop' }, steps)
      return
    }
    const step = decideTlsStep(relay.tls.level, { active: this.tls !== null, offered: capabilities.startTls, plainOnly: this.#parts.plainOnly })
    if (step === 'refuse') this.fail('starttls', { kind: 'tls-missing' }, steps)
    else if (step === 'starttls') engine.startTls()
    else if (this.#target.credential === null) steps.ready()
    else this.#login(engine, capabilities, steps)
  }

  /** The peer said 220 to STARTTLS. */
  upgrade(engine: ClientEngine, steps: SetupSteps): void {
    this.#handshake(steps, () => {
      this.#enter('dialogue')
      steps.turn(() => engine.tlsStarted())
    })
  }

  refused(phase: 'greeting' | 'ehlo' | 'starttls' | 'auth', reply: SmtpReply, steps: SetupSteps): void {
    const judgement = classifyReply(phase, reply)
    if (judgement.kind !== 'deferred') throw new Error(`a refusal that refuses nothing: ${judgement.kind}`)
    this.#end({ deferral: judgement, phase, reply }, steps)
  }

  /** The engine gave up before the session was ready. */
  broken(fault: ClientFault, steps: SetupSteps): void {
    const phase = setupPhase(fault.phase)
    if (fault.reply !== null && (fault.kind === 'closing' || fault.kind === 'refused')) this.refused(phase, fault.reply, steps)
    else if (fault.kind === 'desynchronised' && phase === 'starttls' && fault.reply?.code === 220) {
      // The 220 itself was right: what came behind it was to be read inside TLS (C03).
      this.#parts.journal.note('transport', 'warn', 'bytes behind the reply to STARTTLS: somebody injects replies, session abandoned', { ...this.#remote })
      this.fail(phase, { kind: 'tls-injection' }, steps)
    } else this.fail(phase, fault.kind === 'lost' ? { kind: 'closed' } : { kind: 'protocol', detail: fault.reason }, steps)
  }

  /** Ends a dial under way, too. */
  fail(phase: AttemptPhase, fault: AttemptFault, steps: SetupSteps): void {
    if (this.step === 'dial') this.#dialing.abort()
    this.#end({ deferral: classifyFault(phase, fault), phase, reply: null }, steps, fault)
  }

  /** Set-up is over: how long it took. */
  finished(): void {
    this.durationMs = this.#parts.clock.monotonicMs() - this.#startedMs
    // Without TLS because it failed before: that was counted then.
    if (!this.#parts.plainOnly || this.tls !== null) reportReady(this.#parts.reports ?? null, this.#target.relay.tls, this.#remote, this.tls)
  }

  /** The host is verified as REQUIRETLS wants it. */
  get verified(): boolean {
    return isVerified(this.tls, this.#target.relay.tls.level)
  }

  phaseOf(engine: ClientEngine): AttemptPhase {
    if (this.step === 'dial') return 'connect'
    return this.step === 'handshake' ? 'starttls' : setupPhase(engine.phase)
  }

  /** Changes whenever a step begins. */
  serialOf(engine: ClientEngine): number {
    return this.#serial * 1_000_000 + engine.phaseSerial
  }

  #enter(step: 'handshake' | 'dialogue'): void {
    this.step = step
    this.#serial++
  }

  #handshake(steps: SetupSteps, started: () => void): void {
    const connection = this.#connection
    if (connection === null) throw new Error('a handshake without a connection')
    const { relay, host, key } = this.#target
    this.#enter('handshake')
    connection.startTls(tlsOptionsOf(host, relay.tls, key)).then(
      (facts) => {
        this.tls = facts
        this.#remark(() => `TLS is on: ${describeTls(facts)}`)
        started()
      },
      (error: unknown) => this.fail('starttls', { kind: 'tls-failed', ...faultIn(error) }, steps),
    )
  }

  #login(engine: ClientEngine, capabilities: Capabilities, steps: SetupSteps): void {
    const { credential } = this.#target
    if (credential === null) return
    const choice = chooseMechanism(credential, capabilities.authMechanisms, this.tls !== null)
    if (choice.kind === 'none') {
      this.fail('auth', { kind: 'no-login', detail: choice.reason }, steps)
      return
    }
    let exchange: ReturnType<typeof createExchange>
    try {
      exchange = createExchange(choice.mechanism, credential.username, credential.password(), this.#parts.hmacMd5)
    } catch (error) {
      // Shown to the operator: a credential that cannot be had pauses its lane and bounces nothing.
      this.fail('auth', { kind: 'no-login', detail: `login ${credential.name}: ${error instanceof Error ? error.message : 'no password'}` }, steps)
      return
    }
    engine.authenticate(exchange)
  }

  #end(failed: Pick<SetupFailure, 'deferral' | 'phase' | 'reply'>, steps: SetupSteps, fault: AttemptFault | null = null): void {
    const { host, relay } = this.#target
    const hopeless = fault?.kind === 'tls-injection' || fault?.kind === 'tls-missing'
    if (failed.phase === 'starttls') reportFailed(this.#parts.reports ?? null, relay.tls, this.#remote, fault)
    const goPlain = failed.phase === 'starttls' && !hopeless && mayGoPlain(relay.tls.level, host) && triesNextHost(failed.deferral)
    const reason = reasonWith(failed.deferral.reason, failed.reply)
    if (goPlain) this.#parts.journal.note('transport', 'info', 'TLS failed, going on without it as the policy allows', { ...this.#remote, reason })
    this.#remark(() => `no session: ${reason}${goPlain ? '; once more without TLS' : ''}`)
    const deferral: Deferral = failed.phase === 'starttls' && !blamesHost(this.#target) ? { ...failed.deferral, hop: 'none' } : failed.deferral
    steps.failed({ ...failed, deferral, remote: this.#remote, goPlain })
  }

  #remark(text: () => string): void {
    remark(this.#parts.tap, { session: this.#parts.name, target: this.#target }, text)
  }
}

function setupPhase(phase: ClientEngine['phase']): 'greeting' | 'ehlo' | 'starttls' | 'auth' {
  return phase === 'ehlo' || phase === 'starttls' || phase === 'auth' ? phase : 'greeting'
}

/** `DialError` carries its fault; other rejections have it in `cause`. */
function faultIn(error: unknown): NetworkFault {
  if (error instanceof DialError) return error.fault
  const cause: unknown = error instanceof Error ? error.cause : null
  if (typeof cause === 'object' && cause !== null && 'code' in cause && 'message' in cause) return { code: String(cause.code), message: String(cause.message) }
  return { code: 'UNKNOWN', message: error instanceof Error ? error.message : String(error) }
}
