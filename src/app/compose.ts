/**
 * Puts the parts together. The only file that knows which concrete store, transport and network
 * there are; it holds no rules.
 *
 * Ports are bound and root is given up before this runs: see `app/serve.ts`.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { LeaseToken, QueueId } from '../core/brand.ts'
import type { Clock } from '../core/clock.ts'
import { createQueueIds } from '../core/queue-id.ts'
import { createDelivery, type Delivery } from '../delivery/delivery.ts'
import type { Intake } from '../intake/intake.ts'
import { createMailboxes } from '../mailbox/mailboxes.ts'
import { createNoOpener } from '../mailbox/no-worker.ts'
import type { WorkerOpener } from '../mailbox/worker-link.ts'
import { createDnsResolver, type DnsClient } from '../net/dns/dns-resolver.ts'
import { createHostResolver } from '../net/host-resolver.ts'
import { createDialer } from '../net/node-dialer.ts'
import type { TlsReports } from '../ports/tls-reports.ts'
import { type OpenStore, openStore, type StoreCondition, type StoreOptions } from '../store/open-store.ts'
import type { FaultPlan } from '../store/sqlite/faults.ts'
import { createCaptureTransport } from '../transports/capture-transport.ts'
import { createMailboxTransport } from '../transports/mailbox-transport.ts'
import { createMxDestinations, type MxDestinations } from '../transports/mx-destinations.ts'
import { createSmtpTransport } from '../transports/smtp-transport.ts'
import { afterStepBack, heedStepBack } from './clock-step.ts'
import type { DialogueHub } from './dialogue-hub.ts'
import type { ServerJournal } from './journal.ts'
import { createRetention, type Retention } from './retention.ts'
import { createRewriting, type Rewriting } from './rewriting.ts'
import type { ServerSettings } from './settings.ts'
import { createSigner, type ServerSigner } from './signer.ts'
import { SpareTime } from './spare-time.ts'
import { createSystemServers } from './system-servers.ts'
import { createTlsParts, type TlsParts } from './tls-parts.ts'

export interface Composed {
  readonly store: OpenStore
  readonly delivery: Delivery
  readonly retention: Retention
  readonly dns: DnsClient
  readonly signer: ServerSigner
  readonly rewriting: Rewriting
  readonly destinations: MxDestinations
  readonly tls: TlsParts
  readonly spareTime: SpareTime
  /** Starts everything in the order in which it is needed. */
  start(): Promise<void>
  /** Drains until the deadline, gives back what is left, closes. */
  stop(deadlineMs: number): Promise<void>
}

export interface ComposeParts {
  readonly settings: ServerSettings
  readonly intake: Intake
  readonly clock: Clock
  readonly journal: ServerJournal
  readonly dialogue: DialogueHub
  /** Who writes to mailboxes of this machine; left out: nobody does. */
  readonly mailboxes?: WorkerOpener
  /** For crash tests only: the named point at which the store kills the process. */
  readonly crashAt: string | null
  /** For tests only: a disk that fails on request. */
  readonly faults?: FaultPlan
}

/** Content kept in memory between acceptance and delivery: 8,000 messages of 4 KB. */
const CACHE_OCTETS_MAX = 32 * 1024 * 1024

export async function compose(parts: ComposeParts): Promise<Composed> {
  const { settings, intake, clock, journal } = parts
  const newToken = createTokens()
  const spareTime = new SpareTime({ clock, journal })
  const store = await openStore({ ...storeOptions(parts), randomToken: newToken, onCommitting: () => spareTime.use() })
  const lastId = await lastQueueId(store)
  const newQueueId = createQueueIds(() => clock.now(), lastId)
  const dns = createDnsResolver({ settings: settings.dns, clock, systemServers: createSystemServers(clock) })
  const signer = createSigner(settings.dkim, { clock, journal })
  const rewriting = createRewriting(settings.rewrite, { clock, journal })
  const tls = createTlsParts({ settings, resolver: dns, clock, journal, random: Math.random, submit: (request) => intake.submit(request, 'report') })
  const destinations = createMxDestinations({ resolver: dns, tls: tls.policies, clock, journal, random: Math.random, policy: settings.mxPolicy })
  const transports = createTransports(parts, signer, tls.reports)
  const delivery = createDelivery({
    settings: settings.delivery,
    store: store.queue,
    bodies: store.bodies,
    destinations,
    transports,
    clock,
    journal,
    random: Math.random,
    newToken: () => newToken() as LeaseToken,
    newQueueId,
    signer,
    rewriter: rewriting.rewriter,
    localMail: rewriting.localMail,
    clockWentBack: () => void afterStepBack(clockStep),
  })
  const clockStep = { admin: store.admin, clock, journal, wake: delivery.wake }
  const retention = createRetention({ settings: settings.retention, bodies: store.bodies, clock, journal })
  return {
    store,
    delivery,
    retention,
    dns,
    signer,
    rewriting,
    destinations,
    tls,
    spareTime,
    async start() {
      await tls.start()
      await delivery.start()
      await heedStepBack(clockStep, lastId)
      const { queue, bodies } = store
      const afterwards = (work: () => void): void => spareTime.add(work)
      intake.serve({ store: queue, bodies, admission: delivery.admission, newQueueId, signer, rewriter: rewriting.rewriter, afterwards })
      retention.start()
    },
    async stop(deadlineMs) {
      const from = clock.monotonicMs()
      const left = (): number => Math.max(0, deadlineMs - (clock.monotonicMs() - from))
      retention.stop()
      await intake.stop(left())
      spareTime.end()
      await delivery.stop(left())
      await Promise.all([transports.smtp.close(Math.min(left(), 1_000)), transports.mailbox.close(left())])
      await tls.stop()
      dns.close()
      rewriting.close()
      await store.close()
    },
  }
}

function storeOptions({ settings, intake, clock, journal, crashAt, faults }: ComposeParts): Omit<StoreOptions, 'randomToken'> {
  return {
    path: settings.dataFolder,
    clock,
    journal,
    cacheOctetsMax: CACHE_OCTETS_MAX,
    onCondition: (change) => openOrPause(intake, change),
    ...(crashAt === null ? {} : { crashAt }),
    ...(faults === undefined ? {} : { faults }),
  }
}

function createTransports({ settings, clock, journal, dialogue, mailboxes }: ComposeParts, signer: ServerSigner, reports: TlsReports) {
  const deliveryMs = settings.mailboxes?.deliveryMs ?? 0
  return {
    smtp: createSmtpTransport({
      dialer: createDialer({ clock }),
      resolver: createHostResolver({ clock }),
      clock,
      journal,
      tap: dialogue,
      hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
      random: Math.random,
      signer,
      reports,
    }),
    capture: createCaptureTransport(),
    mailbox: createMailboxTransport({ mailboxes: createMailboxes({ opener: mailboxes ?? NO_MAILBOXES, clock, deliveryMs }), clock }),
  }
}
const NO_MAILBOXES = createNoOpener('nobody writes to mailboxes here')

/** Whoever cannot start leaves no lock and no thread behind. */
async function lastQueueId(store: OpenStore): Promise<QueueId | null> {
  try {
    return await store.queue.lastQueueId()
  } catch (fault) {
    await store.close()
    throw fault
  }
}

/** Clients hear at MAIL that the store takes nothing, not only after they have sent their content. */
export function openOrPause(intake: Pick<Intake, 'pause' | 'resume'>, change: StoreCondition): void {
  if (change.kind === 'sound') intake.resume()
  else if (change.kind === 'full') intake.pause('the disk is full', 'full')
  else intake.pause('the queue cannot be written', 'io')
}

/** Lease tokens: unguessable is not needed, unique across restarts is. */
function createTokens(): () => string {
  const boot = randomBytes(6).toString('base64url')
  let count = 0
  return () => `${boot}.${(count++).toString(36)}`
}
