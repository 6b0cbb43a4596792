/**
 * Messages for tests: every field has a default, the test names only what it is about.
 */
import type { BodyRef, DomainName, EpochMs, LaneKey, LeaseToken, QueueId } from '../../src/core/brand.ts'
import type { EnvelopeRecipient, HeaderFacts, Mailbox, Notify, Origin, ReversePath } from '../../src/core/envelope.ts'
import { firstQueueIdAt, queueIdFromNumber, queueIdToNumber, recipientId } from '../../src/core/queue-id.ts'
import { submitterOf } from '../../src/core/submitter.ts'
import type { Acceptance, AcceptedMessage, Placement } from '../../src/ports/queue-store.ts'

/** 2026-03-01 12:00 UTC: the time of everything that does not say otherwise. */
export const NOON = Date.UTC(2026, 2, 1, 12) as EpochMs
export const LANE = 'smtp:relay/-' as LaneKey

export interface MessageOptions {
  readonly queueId?: QueueId
  /** `''` or `<>`: the null reverse-path. */
  readonly from?: string
  readonly to?: readonly string[]
  readonly acceptedAt?: EpochMs
  readonly subject?: string | null
  readonly submitter?: string
  readonly login?: string | null
  readonly notify?: Notify
  readonly originalRecipient?: string | null
  readonly unrewritten?: string
  readonly envelopeId?: string | null
  readonly returnContent?: 'full' | 'headers' | null
  readonly body?: '7bit' | '8bitmime'
  readonly smtputf8?: boolean
  readonly requireTls?: boolean
  readonly prefix?: string
  readonly sizeOctets?: number
  readonly header?: Partial<HeaderFacts>
  readonly origin?: Partial<Origin>
}
export interface AcceptanceOptions extends MessageOptions {
  /** Text, or bytes; null: it was put through the body store. */
  readonly content?: string | Uint8Array | null
  /** One for all recipients, or one each. Default: queued, due at `acceptedAt`, in `LANE`. */
  readonly place?: Placement | readonly Placement[]
}

let made = 0

/** An id that sorts by `at` and was not given out before in this run of tests. */
export function makeQueueId(at: EpochMs = NOON): QueueId {
  made += 1
  return queueIdFromNumber(queueIdToNumber(firstQueueIdAt(at)) + made)
}

export function makeMailbox(address: string): Mailbox {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  return { localPart: address.slice(0, at), domain: domain.startsWith('[') ? { addressLiteral: domain.slice(1, -1) } : (domain as DomainName) }
}

export function makeReversePath(address: string): ReversePath {
  return address === '' || address === '<>' ? { kind: 'null' } : { kind: 'mailbox', mailbox: makeMailbox(address) }
}

export function makeMessage(options: MessageOptions = {}): AcceptedMessage {
  const acceptedAt = options.acceptedAt ?? NOON
  const queueId = options.queueId ?? makeQueueId(acceptedAt)
  const reversePath = makeReversePath(options.from ?? 'app@sender.example')
  const login = options.login ?? null
  const recipients = (options.to ?? ['ann@receiver.example']).map(
    (address, index): EnvelopeRecipient => ({
      id: recipientId(queueId, index),
      forwardPath: makeMailbox(address),
      notify: options.notify ?? null,
      originalRecipient: options.originalRecipient ?? null,
      ...(options.unrewritten === undefined ? {} : { unrewritten: options.unrewritten }),
    }),
  )
  const [first, ...rest] = recipients
  if (first === undefined) throw new Error('a message needs a recipient')
  return {
    envelope: {
      queueId,
      reversePath,
      recipients: [first, ...rest],
      body: options.body ?? '7bit',
      smtputf8: options.smtputf8 ?? false,
      requireTls: options.requireTls ?? false,
      envelopeId: options.envelopeId ?? null,
      returnContent: options.returnContent ?? null,
    },
    origin: {
      kind: 'smtp',
      submitter: options.submitter ?? submitterOf(login, reversePath),
      login,
      clientAddress: '127.0.0.1',
      heloName: 'app.example',
      protocol: 'ESMTP',
      ...options.origin,
    },
    header: {
      from: 'App <app@sender.example>',
      subject: options.subject === undefined ? 'A test' : options.subject,
      messageId: `<${queueId}@sender.example>`,
      fields: [['to', 'ann@receiver.example']],
      ...options.header,
    },
    prefix: Buffer.from(options.prefix ?? 'Received: from app.example by postern.example; Sun, 1 Mar 2026 12:00:00 +0000\r\n'),
    bodyRef: queueId as string as BodyRef,
    sizeOctets: options.sizeOctets ?? Buffer.byteLength(DEFAULT_CONTENT),
    acceptedAt,
  }
}

export const DEFAULT_CONTENT = 'From: App <app@sender.example>\r\nTo: ann@receiver.example\r\nSubject: A test\r\n\r\nHello.\r\n'

export function makeAcceptance(options: AcceptanceOptions = {}): Acceptance {
  const given = options.content === undefined ? DEFAULT_CONTENT : options.content
  const content = typeof given === 'string' ? Buffer.from(given) : given
  const message = makeMessage({ ...options, sizeOctets: options.sizeOctets ?? content?.byteLength ?? 0 })
  const place = options.place ?? queuedPlace(message.acceptedAt)
  const placements = message.envelope.recipients.map((_, index) => (Array.isArray(place) ? (place as readonly Placement[])[index] : place) as Placement)
  return { message, content, placements }
}

export function queuedPlace(dueAt: EpochMs = NOON, lane: LaneKey = LANE): Placement {
  return { kind: 'queued', lane, dueAt }
}

export function leasedPlace(token: string, leaseUntil: EpochMs = (NOON + 60_000) as EpochMs, lane: LaneKey = LANE): Placement {
  return { kind: 'leased', lane, token: token as LeaseToken, leaseUntil }
}

export function heldPlace(reason: string, lane: LaneKey = LANE): Placement {
  return { kind: 'held', lane, reason }
}
