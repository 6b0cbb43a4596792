/**
 * The whole server in one process: intake, the SQLite store on disk, delivery and the SMTP transport
 * over loopback, with a clock that stands still until the story moves it.
 *
 * Put together as `app/compose.ts` does it. Stories wait for what the server says and stores; time
 * passes only in `passUntil`, and hardly while an attempt or a commit is under way, so that a slow
 * machine times nothing out.
 */

import { createHmac } from 'node:crypto'
import { cpSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openOrPause } from '../../src/app/compose.ts'
import type { DomainName, LeaseToken, QueueId } from '../../src/core/brand.ts'
import type { HistoryEvent } from '../../src/core/event.ts'
import { createQueueIds } from '../../src/core/queue-id.ts'
import { createDelivery, type Delivery } from '../../src/delivery/delivery.ts'
import type { DeliverySettings } from '../../src/delivery/settings.ts'
import { createIntake, type Intake } from '../../src/intake/intake.ts'
import { createHostResolver } from '../../src/net/host-resolver.ts'
import { createDialer } from '../../src/net/node-dialer.ts'
import type { Destinations } from '../../src/ports/destinations.ts'
import type { AttemptRecord, Journal } from '../../src/ports/journal.ts'
import type { MessageStory } from '../../src/ports/queue-admin.ts'
import type { QueueStore } from '../../src/ports/queue-store.ts'
import type { Rewriter } from '../../src/ports/rewriter.ts'
import type { Signer } from '../../src/ports/signer.ts'
import { type OpenStore, openStore } from '../../src/store/open-store.ts'
import type { FaultPlan } from '../../src/store/sqlite/faults.ts'
import { createCaptureTransport } from '../../src/transports/capture-transport.ts'
import { createSmtpTransport } from '../../src/transports/smtp-transport.ts'
import { makeSettings as makeIntakeSettings, Talker } from '../intake/harness.ts'
import { NO_DESTINATIONS } from './direct.ts'
import { createFakeClock, type FakeClock, turnEventLoop } from './fake-clock.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface WholeServerOptions {
  readonly delivery: DeliverySettings
  /** The data folder; one of its own unless it is named. */
  readonly folder?: string
  readonly clock?: FakeClock
  readonly faults?: FaultPlan
  readonly signer?: Signer
  /** For routes of kind `mx`. */
  readonly destinations?: (clock: FakeClock, journal: Journal) => Destinations
  readonly rewriter?: () => Rewriter | null
  /** What names without domain get. */
  readonly bareDomain?: string
  /** Stands between the server and its queue. */
  readonly queue?: (queue: QueueStore) => QueueStore
}
export interface Mail {
  readonly from?: string
  readonly to?: readonly string[]
  /** Behind `MAIL FROM:<...>`: ` SMTPUTF8`. */
  readonly parameters?: string
  readonly content?: string | Uint8Array
}
export interface WholeServer {
  readonly clock: FakeClock
  readonly intake: Intake
  readonly delivery: Delivery
  readonly store: OpenStore
  readonly folder: string
  readonly attempts: readonly AttemptRecord[]
  readonly notes: readonly string[]
  client(): Promise<Talker>
  /** Hands mail in over SMTP; the reply to its end, or the first that refuses it. */
  offer(mail?: Mail): Promise<string>
  /** The same; it must be taken. */
  send(mail?: Mail): Promise<QueueId>
  story(queueId: QueueId): Promise<MessageStory>
  states(queueId: QueueId): Promise<readonly string[]>
  history(queueId: QueueId): Promise<readonly HistoryEvent[]>
  /** Waits until it holds, without time passing. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>
  /** The same, moving the clock by steps. */
  passUntil(what: string, condition: () => boolean | Promise<boolean>, stepMs?: number): Promise<void>
  passFor(ms: number): Promise<void>
  untilStates(queueId: QueueId, ...states: readonly string[]): Promise<void>
  passUntilStates(queueId: QueueId, ...states: readonly string[]): Promise<void>
  /** What a process that dies now leaves on the disk. */
  copyFolder(): string
  stop(): Promise<void>
}

export const CONTENT = 'From: app@sender.example\r\nSubject: A story\r\n\r\nHello.\r\n'
const LIMIT_MS = 10_000
const STEPS_MAX = 2_000
const STEP_MS = 10_000

/** Started; stopped when the test has finished. */
export async function startServer(options: WholeServerOptions): Promise<WholeServer> {
  const server = new Server(options)
  await server.start()
  onTestFinished(() => server.stop())
  return server
}

interface Started {
  readonly store: OpenStore
  readonly delivery: Delivery
  readonly closeTransport: () => Promise<void>
}

/** Puts the parts together; each opening of a folder has tokens of its own. */
class Server implements WholeServer {
  readonly clock: FakeClock
  readonly intake: Intake
  readonly folder: string
  readonly attempts: AttemptRecord[] = []
  readonly notes: string[] = []
  readonly #options: WholeServerOptions
  readonly #talkers: Talker[] = []
  #parts: Started | null = null
  #stopped: Promise<void> | null = null

  constructor(options: WholeServerOptions) {
    this.#options = options
    this.clock = options.clock ?? createFakeClock()
    this.folder = options.folder ?? makeTempFolder()
    this.intake = createIntake({
      settings: makeIntakeSettings({ bareDomain: (options.bareDomain ?? null) as DomainName | null }),
      clock: this.clock,
      journal: this.#journal,
      tap: SILENT_TAP,
    })
  }

  get #journal(): Journal {
    return {
      accepted: () => undefined,
      attempt: (record) => void this.attempts.push(record),
      note: (_subsystem, _level, text) => void this.notes.push(text),
    }
  }

  get store(): OpenStore {
    return this.#started.store
  }

  get delivery(): Delivery {
    return this.#started.delivery
  }

  get #started(): Started {
    if (this.#parts === null) throw new Error('the server has not been started')
    return this.#parts
  }

  async start(): Promise<void> {
    const { clock, intake, folder } = this
    const journal = this.#journal
    const signing = this.#options.signer === undefined ? {} : { signer: this.#options.signer }
    const boot = process.hrtime.bigint().toString(36)
    let tokens = 0
    const newToken = () => `${boot}.${++tokens}`
    const store = await openStore({
      path: folder,
      clock,
      journal,
      randomToken: newToken,
      onCondition: (change) => openOrPause(intake, change),
      ...(this.#options.faults === undefined ? {} : { faults: this.#options.faults }),
    })
    const smtp = createSmtpTransport({
      dialer: createDialer({ clock }),
      resolver: createHostResolver({ clock }),
      clock,
      journal,
      tap: SILENT_TAP,
      hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
      random: () => 0.5,
      ...signing,
    })
    const queue = this.#options.queue?.(store.queue) ?? store.queue
    const newQueueId = createQueueIds(clock.now, await queue.lastQueueId())
    const rewriting = this.#options.rewriter === undefined ? {} : { rewriter: this.#options.rewriter }
    const delivery = createDelivery({
      settings: this.#options.delivery,
      store: queue,
      bodies: store.bodies,
      destinations: this.#options.destinations?.(clock, journal) ?? NO_DESTINATIONS,
      transports: { smtp, capture: createCaptureTransport() },
      clock,
      journal,
      random: () => 0.5,
      newToken: () => newToken() as LeaseToken,
      newQueueId,
      ...rewriting,
      ...signing,
    })
    this.#parts = { store, delivery, closeTransport: () => smtp.close(0) }
    await intake.bind()
    await delivery.start()
    intake.serve({ store: queue, bodies: store.bodies, admission: delivery.admission, newQueueId, ...signing, ...rewriting })
  }

  async client(): Promise<Talker> {
    const port = Number(/:(\d+)$/.exec(this.intake.status()[0]?.url ?? '')?.[1])
    const talker = new Talker(connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }))
    this.#talkers.push(talker)
    await talker.open(false)
    await talker.hello()
    return talker
  }

  async offer(mail: Mail = {}): Promise<string> {
    const { from = 'app@sender.example', to = ['one@rcpt.example'], parameters = '', content = CONTENT } = mail
    const client = await this.client()
    for (const line of [`MAIL FROM:<${from}>${parameters}`, ...to.map((address) => `RCPT TO:<${address}>`), 'DATA']) {
      client.send(Buffer.from(`${line}\r\n`))
      const reply = await client.reply()
      if (!/^[23]/.test(reply)) return reply
    }
    client.send(Buffer.concat([Buffer.from(content), Buffer.from('.\r\n')]))
    const reply = await client.reply()
    client.destroy()
    return reply
  }

  async send(mail: Mail = {}): Promise<QueueId> {
    const reply = await this.offer(mail)
    const [, queueId] = /^250 2\.0\.0 queued as (\S+)$/.exec(reply) ?? []
    if (queueId === undefined) throw new Error(`the mail was not taken: ${reply}`)
    return queueId as QueueId
  }

  async story(queueId: QueueId): Promise<MessageStory> {
    const story = await this.store.admin.story(queueId)
    if (story === null) throw new Error(`there is no message ${queueId}`)
    return story
  }

  async states(queueId: QueueId): Promise<readonly string[]> {
    return (await this.story(queueId)).recipients.map((row) => row.state)
  }

  async history(queueId: QueueId): Promise<readonly HistoryEvent[]> {
    return (await this.story(queueId)).history
  }

  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const end = performance.now() + LIMIT_MS
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`waited ${LIMIT_MS} ms for ${what}; ${this.#lately}`)
      await turnEventLoop(1)
    }
  }

  async passUntil(what: string, condition: () => boolean | Promise<boolean>, stepMs = STEP_MS): Promise<void> {
    for (let steps = 0; !(await condition()); steps++) {
      if (steps === STEPS_MAX) throw new Error(`${steps} times ${stepMs} ms have passed without ${what}; ${this.#lately}`)
      await this.#atRest()
      await this.clock.advance(stepMs)
    }
  }

  passFor(ms: number): Promise<void> {
    const end = this.clock.now() + ms
    return this.passUntil('the end of the wait', () => this.clock.now() >= end)
  }

  untilStates(queueId: QueueId, ...states: readonly string[]): Promise<void> {
    return this.until(`${queueId} to be ${states.join()}`, async () => (await this.states(queueId)).join() === states.join())
  }

  passUntilStates(queueId: QueueId, ...states: readonly string[]): Promise<void> {
    return this.passUntil(`${queueId} to be ${states.join()}`, async () => (await this.states(queueId)).join() === states.join())
  }

  /** For whoever waited in vain. */
  get #lately(): string {
    const outcomes = this.attempts.slice(-5).map(({ queueId, outcome, text }) => `${queueId} ${outcome}: ${text}`)
    return `lately: ${[...this.notes.slice(-5), ...outcomes].join('; ')}`
  }

  copyFolder(): string {
    const copy = makeTempFolder()
    for (const name of ['queue.db', 'queue.db-wal', 'queue.content']) cpSync(join(this.folder, name), join(copy, name))
    return copy
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    for (const talker of this.#talkers) talker.destroy()
    const { store, delivery, closeTransport } = this.#started
    const stopped = this.intake
      .stop(0)
      .then(() => delivery.stop(0))
      .then(closeTransport)
      .then(() => store.close())
    let over = false
    void stopped.finally(() => {
      over = true
    })
    // Deadlines are the clock's.
    while (!over) await this.clock.advance(100)
    await stopped
    if (this.clock.pending > 0) throw new Error(`timers were left behind, due in ${this.clock.dueTimes.map((at) => at - this.clock.monotonicMs()).join()} ms`)
  }

  /** No attempt is under way, and every commit that was asked for is done. */
  async #atRest(): Promise<void> {
    await this.until('the attempts to end', async () => {
      if (this.delivery.lanes().every((lane) => lane.active === 0)) return true
      // Sessions pause for milliseconds; their deadlines are minutes.
      await this.clock.advance(1)
      return false
    })
    await this.store.queue.nextDueAt([]).catch(() => null)
  }
}

const SILENT_TAP = { active: false, line: () => undefined }
