/**
 * `QueueStore` over the writer thread: encodes what is asked, decodes what is answered.
 */
import type { BodyRef, EpochMs, LeaseToken, RecipientId } from '../../core/brand.ts'
import { queueIdFromNumber, queueIdToNumber, recipientId, splitRecipientId } from '../../core/queue-id.ts'
import type { Acceptance, LeaseRef, QueueStore, Settlement } from '../../ports/queue-store.ts'
import type { ContentCache } from '../content-cache.ts'
import { decodeClaimed } from './claimed.ts'
import { encodeAcceptance, encodeSettle, octetsOf } from './encode.ts'
import type { GroupCommit } from './group-commit.ts'
import type { BatchWriter } from './wire.ts'

export interface QueueStoreParts {
  readonly writer: GroupCommit
  readonly cache: ContentCache
  readonly randomToken: () => string
}

/** Most content that one claim brings along. */
const CLAIMED_CONTENT_OCTETS_MAX = 4 * 1024 * 1024

export function createQueueStore({ writer, cache, randomToken }: QueueStoreParts): QueueStore {
  const newLease = (leaseUntil: EpochMs) => ({ token: randomToken() as LeaseToken, leaseUntil })
  const putLease = (to: BatchWriter, lease: { readonly token: LeaseToken; readonly leaseUntil: EpochMs }): void => {
    to.values.push(lease.token, lease.leaseUntil, Math.min(cache.room, CLAIMED_CONTENT_OCTETS_MAX))
  }
  const keep = (acceptance: Acceptance): void => {
    const { content, message, placements } = acceptance
    if (content !== null && placements.some((place) => place.kind === 'leased')) cache.put(message.bodyRef, content)
  }
  return {
    enqueue: (acceptance) =>
      writer.submit({ name: 'enqueue', octets: octetsOf(acceptance), encode: (to) => encodeAcceptance(to, acceptance), decode: () => keep(acceptance) }),
    claimDue(request) {
      const lease = newLease(request.leaseUntil)
      return writer.submit({
        name: 'claim',
        octets: 0,
        encode(to) {
          to.values.push(request.now, request.limit, request.limitPerFlow)
          putLease(to, lease)
          to.values.push(request.closedLanes.length)
          for (const lane of request.closedLanes) to.values.push(lane)
        },
        decode: (result) => decodeClaimed(result, lease, cache),
      })
    },
    claimAged(request) {
      const lease = newLease(request.leaseUntil)
      return writer.submit({
        name: 'claim-aged',
        octets: 0,
        encode(to) {
          to.values.push(request.acceptedBefore, request.unwarnedOnly ? 1 : 0, request.limit)
          putLease(to, lease)
        },
        decode: (result) => decodeClaimed(result, lease, cache),
      })
    },
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
    settle: (batch, notices) =>
      writer.submit({
        name: 'settle',
        octets: notices.reduce((sum, notice) => sum + octetsOf(notice), 0),
        encode: (to) => encodeSettle(to, batch, notices),
        decode(result) {
          for (const settlement of batch) forget(cache, settlement)
          for (const notice of notices) keep(notice)
          return { lost: Array.isArray(result) ? (result as number[]).flatMap((place) => batch[place]?.recipientId ?? []) : NONE_LOST }
        },
      }),
    reclaim: (request) =>
      writer.submit({
        name: 'reclaim',
        octets: 0,
        encode: (to) => to.values.push(request.now, request.dueAt, request.quarantineAfter, request.all ? 1 : 0),
        decode: (result) => decodeIds(result),
      }),
    nextDueAt: (closedLanes) =>
      writer.submit({
        name: 'next-due',
        octets: 0,
        encode(to) {
          to.values.push(closedLanes.length)
          for (const lane of closedLanes) to.values.push(lane)
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

function putRef(to: BatchWriter, lease: LeaseRef): void {
  const { queueId, index } = splitRecipientId(lease.recipientId)
  to.values.push(queueIdToNumber(queueId), index, lease.token)
}

/** The attempt is over: content of one recipient's message is of no more use, a deferred one's is read again. */
function forget(cache: ContentCache, { recipientId, change }: Settlement): void {
  const ended = change.event !== 'release'
  if (ended) cache.drop(splitRecipientId(recipientId).queueId as string as BodyRef)
}

function decodeIds(result: unknown): readonly RecipientId[] {
  const flat = Array.isArray(result) ? (result as number[]) : []
  const ids: RecipientId[] = []
  for (let i = 0; i < flat.length; i += 2) ids.push(recipientId(queueIdFromNumber(flat[i] as number), flat[i + 1] as number))
  return ids
}
