/**
 * Relays and batches made to order, and outcomes in one line each. For tests and bars: knows no test runner.
 */
import type { LaneKey, LeaseToken } from '../../src/core/brand.ts'
import type { AttemptReport, RecipientOutcome } from '../../src/core/outcome.ts'
import { formatStatus } from '../../src/core/reply.ts'
import { type Credential, laneOf, type RelayHost, type RelaySettings, type Route } from '../../src/core/route.ts'
import type { StoredContent } from '../../src/ports/body-store.ts'
import type { LeasedRecipient } from '../../src/ports/queue-store.ts'
import type { DeliveryBatch } from '../../src/ports/transport.ts'
import { type MessageOptions, makeMessage } from './make-message.ts'
import type { ScriptedPeer } from './scripted-peer.ts'

export interface RelayOptions extends Partial<Omit<RelaySettings, 'hosts' | 'limits' | 'tls'>> {
  readonly hosts?: readonly Partial<RelayHost>[]
  readonly limits?: Partial<RelaySettings['limits']>
  readonly tls?: Partial<RelaySettings['tls']>
}

/** RFC 5321's timeouts; TLS `none` unless said otherwise. */
export function makeRelay(peer: Pick<ScriptedPeer, 'port'> | number, options: RelayOptions = {}): RelaySettings {
  const port = typeof peer === 'number' ? peer : peer.port
  const [first = {}, ...rest] = options.hosts ?? [{}]
  const host = (given: Partial<RelayHost>): RelayHost => ({ host: '127.0.0.1', port, implicitTls: false, ...given })
  return {
    name: options.name ?? 'relay',
    hosts: [host(first), ...rest.map(host)],
    tls: { level: 'none', ca: null, serverName: null, minVersion: 'TLSv1.2', ...options.tls },
    heloName: options.heloName ?? 'postern.test',
    sourceAddress: options.sourceAddress ?? null,
    limits: {
      sessionsMax: 20,
      sessionsInitial: 5,
      messagesPerSession: 100,
      sessionAgeMs: 300_000,
      sessionIdleMs: 5_000,
      recipientsPerTransaction: 50,
      ...options.limits,
    },
    timeouts: options.timeouts ?? {
      connectMs: 30_000,
      greetingMs: 300_000,
      ehloMs: 300_000,
      starttlsMs: 120_000,
      authMs: 300_000,
      mailMs: 300_000,
      rcptMs: 300_000,
      dataMs: 120_000,
      contentMs: 180_000,
      finalDotMs: 600_000,
      rsetMs: 20_000,
      quitMs: 20_000,
    },
  }
}

export function makeCredential(options: Partial<Credential> = {}): Credential {
  return {
    name: 'jira',
    username: 'jira@example.com',
    password: () => 'secret-canary',
    mechanisms: ['PLAIN', 'LOGIN', 'CRAM-MD5'],
    allowPlaintext: false,
    ...options,
  }
}

export interface BatchOptions extends MessageOptions {
  readonly content?: string | Uint8Array
  readonly stored?: Partial<StoredContent>
  readonly credential?: Credential | null
  readonly lane?: LaneKey
  readonly sessionsMax?: number
  readonly openContent?: () => Promise<StoredContent>
}

export function makeBatch(relay: RelaySettings, options: BatchOptions = {}): DeliveryBatch {
  const content = Buffer.from(options.content ?? 'Subject: A test\r\n\r\nHello.\r\n')
  const message = makeMessage({ sizeOctets: content.byteLength, ...options })
  const route: Route = { kind: 'relay', relay, credential: options.credential ?? null }
  const recipients = message.envelope.recipients.map(
    (recipient): LeasedRecipient => ({
      message,
      recipient,
      token: 'token' as LeaseToken,
      leaseUntil: message.acceptedAt,
      attempts: 1,
      dueAt: message.acceptedAt,
      delayNoticeSent: false,
    }),
  )
  const [first, ...rest] = recipients
  if (first === undefined) throw new Error('a batch needs a recipient')
  const stored: StoredContent = {
    sizeOctets: content.byteLength,
    whole: content,
    chunks: () => chunksOf([content]),
    ...options.stored,
  }
  return {
    message,
    lane: options.lane ?? laneOf(route),
    route,
    recipients: [first, ...rest],
    sessionsMax: options.sessionsMax ?? 20,
    openContent: options.openContent ?? (() => Promise.resolve(stored)),
  }
}

export async function* chunksOf(chunks: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}

/** Each recipient's outcome on one line: `deferred 4.4.2 session at mail: reason`, `delivered 2.0.0`. */
export function outcomesOf(report: AttemptReport): readonly string[] {
  return [...report.outcomes.values()].map(outcomeText)
}

function outcomeText(outcome: RecipientOutcome): string {
  if (outcome.kind === 'untried') return `untried: ${outcome.reason}`
  if (outcome.kind === 'delivered') return `delivered ${formatStatus(outcome.status)}`
  const { phase, scope, duplicatePossible } = outcome.diagnosis
  return `${outcome.kind} ${formatStatus(outcome.status)} ${scope} at ${phase}${duplicatePossible ? ' (duplicate possible)' : ''}`
}

/** Why, for the first recipient. */
export function reasonOf(report: AttemptReport): string {
  const [outcome] = [...report.outcomes.values()]
  return outcome === undefined || outcome.kind === 'untried' || outcome.kind === 'delivered' ? '' : outcome.diagnosis.reason
}
