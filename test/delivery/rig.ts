/**
 * Delivery with a store in memory, a clock that stands still and transports that answer what the test says.
 */
import { afterEach, expect } from 'vitest'
import { makeQueueDue } from '../../src/app/control.ts'
import type { EpochMs, LeaseToken, QueueId } from '../../src/core/brand.ts'
import type { EventKind } from '../../src/core/event.ts'
import { compileAddressPattern, compileGlob } from '../../src/core/pattern.ts'
import type { RelaySettings } from '../../src/core/route.ts'
import { createDelivery, type Delivery } from '../../src/delivery/delivery.ts'
import type { ConfiguredCredential, DeliverySettings, RouteRule } from '../../src/delivery/settings.ts'
import type { Destinations } from '../../src/ports/destinations.ts'
import type { AttemptRecord, Journal } from '../../src/ports/journal.ts'
import type { Acceptance, QueueStore } from '../../src/ports/queue-store.ts'
import { directLike, NO_DESTINATIONS } from '../support/direct.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { createFakeTransport, deliverAll, type FakeTransport } from '../support/fake-transport.ts'
import { type MessageOptions, makeMessage, makeQueueId } from '../support/make-message.ts'
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

export interface Note {
  readonly level: string
  readonly text: string
}
export interface Rig {
  readonly delivery: Delivery
  readonly store: MemoryStore
  readonly clock: FakeClock
  readonly smtp: FakeTransport
  readonly capture: FakeTransport
  readonly attempts: AttemptRecord[]
  readonly notes: Note[]
  /** Messages in the order in which the relay got them. */
  readonly sentTo: () => string[]
  /** Hands a message in as intake does. */
  submit(options?: MessageOptions): Promise<Acceptance>
  /** State of the first recipient, or of that one. */
  state(acceptance: Acceptance, index?: number): string
  history(acceptance: Acceptance): EventKind[]
  /** Notices in the queue. */
  notices(): { readonly to: string; readonly text: string; readonly queueId: QueueId }[]
}
export interface RigOptions {
  readonly settings?: Partial<DeliverySettings>
  readonly smtp?: FakeTransport
  readonly store?: MemoryStore
  readonly clock?: FakeClock
  readonly destinations?: Destinations
  readonly queue?: (queue: QueueStore) => QueueStore
}

export function makeRelay(name = 'relay', limits: Partial<RelaySettings['limits']> = {}): RelaySettings {
  return {
    name,
    hosts: [{ host: `${name}.test`, port: 25, implicitTls: false }],
    tls: { level: 'may', ca: null, serverName: null, minVersion: 'TLSv1.2' },
    heloName: 'postern.test',
    sourceAddress: null,
    limits: { sessionsMax: 4, sessionsInitial: 2, messagesPerSession: 100, sessionAgeMs: HOUR, sessionIdleMs: MINUTE, recipientsPerTransaction: 50, ...limits },
    timeouts: {
      connectMs: 1,
      greetingMs: 1,
      ehloMs: 1,
      starttlsMs: 1,
      authMs: 1,
      mailMs: 1,
      rcptMs: 1,
      dataMs: 1,
      contentMs: 1,
      finalDotMs: 1,
      rsetMs: 1,
      quitMs: 1,
    },
  }
}

export function makeCredential(name: string, senders: readonly string[] = [], fallback = false): ConfiguredCredential {
  return {
    credential: { name, username: `${name}@login.test`, password: () => 'secret', mechanisms: ['PLAIN'], allowPlaintext: false },
    senders: senders.map((pattern) => ({ pattern, matches: compileAddressPattern(pattern), kind: pattern.includes('@') ? 'address' : 'domain' })),
    fallback,
  }
}

export function makeRule(target: RouteRule['target'], match: { from?: string; to?: string; submitter?: string } = {}, label = 'routes[0]'): RouteRule {
  const pattern = (text: string | undefined) => (text === undefined ? null : compileAddressPattern(text))
  return {
    label,
    target,
    match: { from: pattern(match.from), to: pattern(match.to), submitter: match.submitter === undefined ? null : compileGlob(match.submitter), header: [] },
  }
}

export function makeSettings(changes: Partial<DeliverySettings> = {}): DeliverySettings {
  return {
    hostname: 'postern.test',
    routes: [makeRule({ kind: 'relay', relay: 'relay', credential: null })],
    relays: new Map([['relay', { settings: makeRelay(), credentials: [] }]]),
    direct: directLike(makeRelay()),
    retry: { greylistMs: 120_000, minDelayMs: 5 * MINUTE, maxDelayMs: HOUR, factor: 2, lifetimeMs: 5 * DAY, jitter: 0 },
    delayNoticeAfterMs: 4 * HOUR,
    readySetMax: 1_000,
    readyPerFlowMax: 100,
    lane: { failedCohortsMax: 1, suspendMs: { initial: MINUTE, max: 10 * MINUTE }, credentialPauseMs: { initial: 5 * MINUTE, max: HOUR } },
    leaseMs: 10 * MINUTE,
    reclaimDelayMs: MINUTE,
    quarantineAfter: 3,
    dsn: { from: 'MAILER-DAEMON@postern.test', returnFullMaxOctets: 50_000, perSenderPerHourMax: 100, postmaster: null },
    holdAll: null,
    ...changes,
  }
}

export function createRig(options: RigOptions = {}): Rig {
  const clock = options.clock ?? createFakeClock()
  let tokens = 0
  const store = options.store ?? createMemoryStore({ now: clock.now, randomToken: () => `claim-${++tokens}` })
  const smtp = options.smtp ?? createFakeTransport(deliverAll)
  const capture = createFakeTransport(deliverAll, { name: 'capture' })
  const attempts: AttemptRecord[] = []
  const notes: Note[] = []
  const journal: Journal = {
    accepted: () => undefined,
    attempt: (record) => attempts.push(record),
    note: (_, level, text) => notes.push({ level, text }),
  }
  const queue = options.queue?.(store.queue) ?? store.queue
  const delivery = createDelivery({
    settings: makeSettings(options.settings),
    store: queue,
    bodies: store.bodies,
    destinations: options.destinations ?? NO_DESTINATIONS,
    transports: { smtp, capture },
    clock,
    journal,
    random: () => 0.5,
    newToken: () => `born-${++tokens}` as LeaseToken,
    newQueueId: () => makeQueueId(clock.now()),
    clockWentBack: () => void makeQueueDue(store.admin, clock.now()).then(delivery.wake),
  })
  return {
    delivery,
    store,
    clock,
    smtp,
    capture,
    attempts,
    notes,
    sentTo: () =>
      smtp.attempts.flatMap(({ batch }) =>
        batch.recipients.map(({ recipient }) => `${recipient.forwardPath.localPart}@${String(recipient.forwardPath.domain)}`),
      ),
    async submit(messageOptions = {}) {
      const content = Buffer.from('From: app@sender.example\r\nSubject: A test\r\n\r\nHello.\r\n')
      const message = makeMessage({ acceptedAt: clock.now(), sizeOctets: content.length, ...messageOptions })
      const acceptance: Acceptance = { message, content, placements: delivery.admission.place(message) }
      await queue.enqueue(acceptance)
      delivery.admission.committed(acceptance)
      return acceptance
    },
    state(acceptance, index = 0) {
      const id = acceptance.message.envelope.recipients[index]?.id
      return (id === undefined ? undefined : store.state.rows.get(id)?.state) ?? 'unknown'
    },
    history: (acceptance) => store.state.history.filter((event) => event.queueId === acceptance.message.envelope.queueId).map((event) => event.kind),
    notices: () =>
      [...store.state.messages.values()]
        .filter((message) => message.origin.kind === 'dsn')
        .map((message) => {
          const [{ forwardPath }] = message.envelope.recipients
          const chunks = store.state.contents.get(message.bodyRef)?.chunks ?? []
          return { to: `${forwardPath.localPart}@${String(forwardPath.domain)}`, text: Buffer.concat(chunks).toString(), queueId: message.envelope.queueId }
        }),
  }
}

/** Starts it and lets it come to rest. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const rig = createRig(options)
  await rig.delivery.start()
  await rig.clock.settle()
  return rig
}

export function at(clock: FakeClock, ms: number): EpochMs {
  return (clock.now() + ms) as EpochMs
}

/**
 * For one test file: `start` makes a rig, and after each test it is stopped and must leave nothing
 * behind: no timer, nothing held.
 */
export function useRigs(): { readonly start: (options?: RigOptions) => Promise<Rig> } {
  let rig: Rig | null = null
  afterEach(async () => {
    if (rig === null) return
    rig.store.mend()
    const stopped = rig.delivery.stop(1_000)
    await rig.clock.advance(2_000)
    await stopped
    expect(rig.clock.pending, 'timers left behind').toBe(0)
    rig = null
  })
  return {
    start: async (options = {}) => {
      rig = await startRig(options)
      return rig
    },
  }
}
