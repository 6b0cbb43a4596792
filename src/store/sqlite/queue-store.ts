/**
 * `QueueStore` over the writer thread: encodes what is asked, decodes what is answered.
 */
import type { BodyRef, EpochMs, LeaseToken, RecipientId } from '../../core/brand.ts'
import { queueIdFromNumber, queueIdToNumber, recipientId, splitRecipientId } from '../../core/queue-id.ts'
import type { Acceptance, LeaseRef, QueueStore } from '../../ports/queue-store.ts'
import type { ContentCache } from '../content-cache.ts'
import { type Claimed, decodeClaimed } from './claimed.ts'
import { encodeAcceptance, encodeSettle, octetsOf } from './encode.ts'
import type { GroupCommit } from './group-commit.ts'
import type { BatchWriter } from './wire.ts'

export interface QueueStoreParts {
  readonly writer: GroupCommit
  readonly cache: ContentCache
  readonly randomToken: () => string
  readonly now: () => EpochMs
}

/** Most content that one claim brings along. */
const CLAIMED_CONTENT_OCTETS_MAX = 4 * 1024 * 1024

export function createQueueStore(parts: QueueStoreParts): QueueStore {
  return { ...createClaims(parts), ...createRecords(parts), ...createQuestions(parts) }
}

/** What brings mail in and what ends an attempt. */
function createRecords({ writer, cache }: QueueStoreParts): Pick<QueueStore, 'enqueue' | 'settle'> {
  // Not after a fault: a writer that was given up may still read the content, so its memory must not become somebody else's mail.
  const keep = ({ content, message, placements, sendsAsIs, letGo }: Acceptance): void => {
    const uses = placements.reduce((sum, place) => sum + (place.kind === 'leased' ? 1 : 0), 0)
    if (content === null) cache.complete(message.bodyRef, message.sizeOctets, uses)
    else if (uses > 0) cache.put(message.bodyRef, content, uses, letGo)
    else letGo?.()
    if (sendsAsIs === true) cache.markSendable(message.bodyRef)
  }
  return {
    enqueue: (acceptance) =>
      writer.submit({
        name: 'enqueue',
        octets: octetsOf(acceptance),
        recipients: acceptance.placements.length,
        encode: (to) => encodeAcceptance(to, acceptance),
        decode: () => keep(acceptance),
      }),
    settle: (batch, notices) =>
      writer.submit({
        name: 'settle',
        octets: notices.reduce((sum, notice) => sum + octetsOf(notice), 0),
        recipients: batch.length + notices.length,
        encode: (to) => encodeSettle(to, batch, notices),
        decode(result) {
          for (const { recipientId } of batch) cache.release(splitRecipientId(recipientId).queueId as string as BodyRef)
          for (const notice of notices) keep(notice)
          return { lost: Array.isArray(result) ? (result as number[]).flatMap((place) => batch[place]?.recipientId ?? []) : NONE_LOST }
        },
      }),
  }
}

function createClaims({ writer, cache, randomToken }: QueueStoreParts): Pick<QueueStore, 'claimDue' | 'claimAged' | 'renew' | 'reclaim'> {
  const newLease = (leaseUntil: EpochMs): Claimed => ({ token: randomToken() as LeaseToken, leaseUntil })
  const putLease = (to: BatchWriter, { token, leaseUntil }: Claimed): void => {
    to.values.push(token, leaseUntil, Math.min(cache.room, CLAIMED_CONTENT_OCTETS_MAX))
  }
  const claim = (name: 'claim' | 'claim-aged', leaseUntil: EpochMs, encode: (to: BatchWriter, lease: () => void) => void) => {
    const lease = newLease(leaseUntil)
    return writer.submit({
      name,
      octets: 0,
      encode: (to) => encode(to, () => putLease(to, lease)),
      decode: (result) => decodeClaimed(result, lease, cache),
    })
  }
  return {
    claimDue: (request) =>
      claim('claim', request.leaseUntil, (to, lease) => {
        to.values.push(request.now, request.limit, request.limitPerFlow)
        lease()
        putTexts(to, request.closedLanes)
      }),
    claimAged: (request) =>
      claim('claim-aged', request.leaseUntil, (to, lease) => {
        to.values.push(request.acceptedBefore, request.unwarnedOnly ? 1 : 0, request.limit)
        lease()
      }),
    renew: (leases, until) =>
      writer.submit({
        name: 'renew',
        octets: 0,
        encode(to) {
          to.values.push(until, leases.length)
          for (const lease of leases) putRef(to, lease)
        },
        decode: (result) => (Array.isArray(result) ? (result as number[]).flatMap((place) => leases[place] ?? []) : leases),
      }),
    reclaim: (request) =>
      writer.submit({
        name: 'reclaim',
        octets: 0,
        encode: (to) => to.values.push(request.now, request.dueAt, request.quarantineAfter, request.all ? 1 : 0),
        decode: (result) => decodeIds(result),
      }),
  }
}

function createQuestions({ writer, now }: QueueStoreParts): Pick<QueueStore, 'nextDueAt' | 'lastQueueId'> {
  return {
    nextDueAt: (closedLanes) =>
      writer.submit({
        name: 'next-due',
        octets: 0,
        encode(to) {
          to.values.push(now())
          putTexts(to, closedLanes)
        },
        decode: (result) => (typeof result === 'number' ? (result as EpochMs) : null),
      }),
    lastQueueId: () =>
      writer.submit({
        name: 'last-id',
        octets: 0,
        encode: () => undefined,
        decode: (result) => (typeof result === 'number' ? queueIdFromNumber(result) : null),
      }),
  }
}

const NONE_LOST: readonly RecipientId[] = []

function putTexts(to: BatchWriter, texts: readonly string[]): void {
  to.values.push(texts.length)
  for (const text of texts) to.values.push(text)
}

function putRef(to: BatchWriter, lease: LeaseRef): void {
  const { queueId, index } = splitRecipientId(lease.recipientId)
  to.values.push(queueIdToNumber(queueId), index, lease.token)
}

function decodeIds(result: unknown): readonly RecipientId[] {
  const flat = Array.isArray(result) ? (result as number[]) : []
  const ids: RecipientId[] = []
  for (let i = 0; i < flat.length; i += 2) ids.push(recipientId(queueIdFromNumber(flat[i] as number), flat[i + 1] as number))
  return ids
}
