/**
 * Intake as the rest of the server sees it: bind, serve, reload, pause, stop.
 *
 * Ports are bound while there are still rights to do so; the store comes later, and connections
 * that come in between wait. Puts listeners, sessions and the road of the CLI together; what a
 * session does is `session.ts`, what becomes of a message `accept-message.ts`.
 */
import type { Socket } from 'node:net'
import type { QueueId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import { formatReply, type SmtpReply } from '../core/reply.ts'
import { createDateFormatter } from '../message/received-field.ts'
import type { DialogueTap, Journal } from '../ports/journal.ts'
import type { ListenerStatus, SubmitRequest } from '../ports/server-control.ts'
import { StoreFault } from '../ports/store-fault.ts'
import { makeScannedBuffer } from '../smtp/plain-scan.ts'
import type { AcceptParts, Backend } from './accept-message.ts'
import { normalizeAddress } from './client-address.ts'
import { type CompiledSettings, compileSettings } from './compiled-settings.ts'
import { createGuessCounter, createHashGate } from './credentials.ts'
import { READ_OCTETS } from './direct-reads.ts'
import { createScratchPool } from './gathered-content.ts'
import { ListenerSet } from './listener-set.ts'
import { createQuietNotes } from './quiet-notes.ts'
import { Session } from './session.ts'
import { SessionCensus } from './session-census.ts'
import type { SharedParts } from './session-parts.ts'
import type { IntakeSettings } from './settings.ts'
import { replyWhilePaused, SHUTTING_DOWN, STORE_FULL } from './store-replies.ts'
import { createStoreWatch, type StoreWatch } from './store-watch.ts'
import { submitMessage } from './submit-message.ts'

export type { Backend } from './accept-message.ts'

export interface IntakeParts {
  readonly settings: IntakeSettings
  readonly clock: Clock
  readonly journal: Journal
  readonly tap: DialogueTap
}
export interface Intake {
  /** Opens the listeners; rejects, with none open, if one cannot be. */
  bind(): Promise<void>
  /** Sessions begin, those of connections that came before too. */
  serve(backend: Backend): void
  /** All or nothing: rejects and changes nothing if a listener cannot be opened or a certificate read. */
  reload(settings: IntakeSettings): Promise<void>
  /** New transactions get 451, or 452 if the store is full, with the reason. */
  pause(reason: string, kind?: 'full' | 'io'): void
  resume(): void
  /** Why intake is paused; null: it is not. */
  paused(): string | null
  /** 421 for idle sessions; others until their content is answered or the deadline is over. Twice is harmless. */
  stop(deadlineMs: number): Promise<void>
  status(): readonly ListenerStatus[]
  /** The harsher limits hold. */
  underPressure(): boolean
  /** Rejects with `SubmissionRefused` or `StoreFault`. */
  submit(request: SubmitRequest, kind?: 'cli' | 'api' | 'report'): Promise<QueueId>
}

export function createIntake(parts: IntakeParts): Intake {
  return new IntakeService(parts)
}

/** Refused connections that may wait for their client to go. */
const LINGERING_MAX = 1_000
const LINGER_MS = 5_000
/** Content in memory over all sessions: above it new transactions are put off. */
const CONTENT_OCTETS_MAX = 64 * 1024 * 1024

class IntakeService implements Intake {
  readonly #parts: IntakeParts
  readonly #gate = createHashGate()
  readonly #census = new SessionCensus()
  readonly #listeners: ListenerSet
  readonly #watch: StoreWatch
  readonly #shared: SharedParts
  #compiled: CompiledSettings
  #accept: AcceptParts | null = null
  /** Accepted before `serve`. */
  #early: { readonly socket: Socket; readonly url: string }[] = []
  #lingering = 0
  #paused: { readonly reason: string; readonly reply: SmtpReply } | null = null
  #stopping = false
  #pressed = false
  #made = 0
  #onEmpty: (() => void) | null = null

  constructor(parts: IntakeParts) {
    this.#parts = parts
    const { clock, journal } = parts
    this.#watch = createStoreWatch(clock)
    this.#compiled = this.#compile(parts.settings)
    const note = createQuietNotes(journal, clock)
    this.#shared = {
      clock,
      tap: parts.tap,
      note,
      guesses: createGuessCounter(clock),
      budget: { octets: 0 },
      scratch: createScratchPool(),
      readBuffer: makeScannedBuffer(READ_OCTETS),
      accept: () => this.#accept,
      trouble: () => this.#trouble(),
    }
    this.#listeners = new ListenerSet({
      onConnection: (socket, url) => this.#connected(socket, url),
      onFault: (url, error) => note('error', 'connections cannot be accepted', { listener: url, reason: error.message }),
    })
  }

  bind(): Promise<void> {
    return this.#listeners.change(this.#compiled.settings.listeners)
  }

  serve(backend: Backend): void {
    const { clock, journal } = this.#parts
    this.#accept = { backend, clock, journal, watch: this.#watch, formatDate: createDateFormatter() }
    const early = this.#early
    this.#early = []
    for (const { socket, url } of early) this.#connected(socket, url)
  }

  async reload(settings: IntakeSettings): Promise<void> {
    const compiled = this.#compile(settings)
    await this.#listeners.change(settings.listeners)
    this.#compiled = compiled
    this.#review()
  }

  pause(reason: string, kind: 'full' | 'io' = 'io'): void {
    this.#paused = { reason, reply: replyWhilePaused(kind, reason) }
    this.#shared.note('warn', 'intake is paused', { reason })
    this.#review()
  }

  resume(): void {
    if (this.#paused !== null) this.#shared.note('info', 'intake goes on', {})
    this.#paused = null
    this.#review()
  }

  paused(): string | null {
    return this.#paused?.reason ?? null
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopping = true
    this.#listeners.close()
    for (const { socket } of this.#early.splice(0)) socket.destroy()
    for (const session of this.#census.all()) session.stop()
    if (this.#census.size === 0) return
    await new Promise<void>((resolve) => {
      const others = this.#onEmpty
      const cancel = this.#parts.clock.after(deadlineMs, () => {
        for (const session of this.#census.all()) session.destroy()
      })
      const onEmpty = (): void => {
        cancel()
        others?.()
        resolve()
      }
      this.#onEmpty = onEmpty
    })
  }

  status(): readonly ListenerStatus[] {
    return this.#listeners.all().map(({ key, url }) => ({ url, sessions: this.#census.on(key) }))
  }

  underPressure(): boolean {
    return this.#paused !== null || this.#census.crowded || this.#watch.slow
  }

  submit(request: SubmitRequest, kind: 'cli' | 'api' | 'report' = 'cli'): Promise<QueueId> {
    if (this.#accept === null || this.#stopping) return Promise.reject(new StoreFault('closed', 'the server is not taking mail now'))
    return submitMessage({ ...this.#accept, settings: this.#compiled.settings, budget: this.#shared.budget, scratch: this.#shared.scratch }, request, kind)
  }

  #compile(settings: IntakeSettings): CompiledSettings {
    return compileSettings(settings, { gate: this.#gate, underPressure: () => this.underPressure() })
  }

  #trouble(): SmtpReply | null {
    if (this.#stopping) return SHUTTING_DOWN
    if (this.#paused !== null) return this.#paused.reply
    return this.#shared.budget.octets > CONTENT_OCTETS_MAX ? STORE_FULL : null
  }

  #connected(socket: Socket, url: string): void {
    const { settings, limits } = this.#compiled
    if (this.#accept === null) {
      this.#keepEarly(socket, url)
      return
    }
    const listener = this.#compiled.listeners.get(url)
    // It went away while it waited, or its listener was removed meanwhile.
    if (socket.destroyed || socket.remoteAddress === undefined || listener === undefined || this.#stopping) {
      socket.destroy()
      return
    }
    const refusal = this.#census.refusal(normalizeAddress(socket.remoteAddress), limits())
    if (refusal !== null) {
      this.#turnAway(socket, refusal, listener.settings.implicitTls)
      return
    }
    const session = new Session(
      { shared: this.#shared, compiled: this.#compiled, listener },
      { socket, name: `in-${++this.#made}`, onEnd: (ended) => this.#ended(ended) },
    )
    this.#census.add(session, url, settings.limits)
    if (this.#pressed !== this.underPressure()) this.#review()
    session.start()
  }

  #keepEarly(socket: Socket, url: string): void {
    socket.on('error', () => socket.destroy())
    if (this.#early.length >= this.#compiled.settings.limits.connections) socket.destroy()
    else this.#early.push({ socket, url })
  }

  /** No session is made for it: this has to stay cheap when thousands come. */
  #turnAway(socket: Socket, refusal: SmtpReply, implicitTls: boolean): void {
    this.#shared.note('warn', 'connection refused', { client: socket.remoteAddress, reason: formatReply(refusal) })
    if (implicitTls || this.#lingering >= LINGERING_MAX) {
      socket.destroy()
      return
    }
    this.#lingering++
    const cancel = this.#parts.clock.after(LINGER_MS, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#lingering--
      cancel()
    })
    socket.resume()
    socket.on('end', () => socket.destroySoon())
    socket.end(`${formatReply(refusal)}\r\n`)
  }

  #ended(session: Session): void {
    this.#census.remove(session, this.#compiled.settings.limits)
    if (this.#pressed !== this.underPressure()) this.#review()
    if (this.#census.size > 0) return
    this.#onEmpty?.()
    this.#onEmpty = null
  }

  /** Pressure or settings have changed: deadlines of open sessions follow. */
  #review(): void {
    const pressed = this.underPressure()
    if (pressed === this.#pressed) return
    this.#pressed = pressed
    this.#shared.note(pressed ? 'warn' : 'info', pressed ? 'under pressure: harsher limits hold' : 'pressure is over', { sessions: this.#census.size })
    for (const session of this.#census.all()) session.review()
  }
}
