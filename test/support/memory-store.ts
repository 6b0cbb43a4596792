/**
 * The three store ports in memory: the fake of every test that needs a store, and the second
 * implementation that proves the conformance suites. Nothing survives it.
 */
import type { BodyRef, EpochMs, LaneKey, LeaseToken, QueueId, RecipientId } from '../../src/core/brand.ts'
import type { EventDetail, EventKind, HistoryEvent } from '../../src/core/event.ts'
import { queueIdToNumber, splitRecipientId } from '../../src/core/queue-id.ts'
import { isFinal, type RecipientEvent, type StateKind, transition } from '../../src/core/recipient-state.ts'
import type { BodyStore } from '../../src/ports/body-store.ts'
import type { QueueAdmin } from '../../src/ports/queue-admin.ts'
import type {
  Acceptance,
  AcceptedMessage,
  LastWord,
  LeasedRecipient,
  LeaseRef,
  QueueStore,
  ReclaimRequest,
  Settlement,
  SettleResult,
} from '../../src/ports/queue-store.ts'
import type { StoreFault } from '../../src/ports/store-fault.ts'
import { NOON } from './make-message.ts'
import { createMemoryAdmin } from './memory-admin.ts'
import { createMemoryBodies } from './memory-bodies.ts'
import { pickAged, pickDue } from './memory-claims.ts'

export interface MemoryRow {
  readonly id: RecipientId
  readonly queueId: QueueId
  readonly index: number
  state: StateKind
  lane: LaneKey
  dueAt: EpochMs
  token: LeaseToken | null
  leaseUntil: EpochMs
  attempts: number
  reclaims: number
  delayNoticeSent: boolean
  released: boolean
  pending: { readonly act: 'hold' | 'cancel'; readonly by: string } | null
  finishedAt: EpochMs | null
  captured: boolean
  last: LastWord | null
  holdReason: string | null
}
export interface MemoryContent {
  readonly chunks: Uint8Array[]
  readonly begunAt: EpochMs
  /** SHA-256 and size are kept so that a test can damage the bytes behind the store's back. */
  sha256: string | null
  sizeOctets: number
}
export interface MemoryState {
  readonly messages: Map<QueueId, AcceptedMessage>
  /** In order of age. */
  readonly rows: Map<RecipientId, MemoryRow>
  readonly history: (HistoryEvent & { readonly queueId: QueueId; readonly serial: number })[]
  readonly contents: Map<BodyRef, MemoryContent>
  readonly now: () => EpochMs
  highest: QueueId | null
  /** When the last of its recipients came to its end, by the event that ended it: clocks go back. */
  readonly ended: Map<QueueId, EpochMs>
  /** Throws the fault a test asked for. */
  gate(): void
  record(line: { at: EpochMs; kind: EventKind; queueId: QueueId; recipient: number | null; detail: EventDetail }): void
}
export interface MemoryStore {
  readonly queue: QueueStore
  readonly bodies: BodyStore
  readonly admin: QueueAdmin
  /** For tests that look behind the ports or damage what is stored. */
  readonly state: MemoryState
  /** Every call until `mend` rejects with it. */
  fail(fault: StoreFault): void
  mend(): void
}

export function createMemoryStore(options: { readonly now?: () => EpochMs; readonly randomToken?: () => string } = {}): MemoryStore {
  let fault: StoreFault | null = null
  let serial = 0
  let tokens = 0
  const state: MemoryState = {
    messages: new Map(),
    rows: new Map(),
    history: [],
    contents: new Map(),
    now: options.now ?? (() => NOON),
    highest: null,
    ended: new Map(),
    gate() {
      if (fault !== null) throw fault
    },
    record({ at, kind, queueId, recipient, detail }) {
      serial += 1
      state.history.push({ at, kind, queueId, recipient, detail, serial })
    },
  }
  const newToken = options.randomToken ?? (() => `token-${++tokens}`)
  return {
    queue: createQueue(state, () => newToken() as LeaseToken),
    bodies: createMemoryBodies(state),
    admin: createMemoryAdmin(state),
    state,
    fail(wanted) {
      fault = wanted
    },
    mend() {
      fault = null
    },
  }
}

function createQueue(state: MemoryState, newToken: () => LeaseToken): QueueStore {
  let cursor = ''
  return {
    async enqueue(acceptance) {
      state.gate()
      await enqueue(state, acceptance)
    },
    async claimDue(request) {
      state.gate()
      const picked = pickDue(state, request, cursor)
      cursor = picked.cursor
      return claim(state, picked.rows, request.leaseUntil, newToken())
    },
    async claimAged(request) {
      state.gate()
      return claim(state, pickAged(state, request), request.leaseUntil, newToken())
    },
    async renew(leases, until) {
      state.gate()
      return leases.filter((lease) => {
        const row = leased(state, lease)
        if (row !== null) row.leaseUntil = until
        return row !== null
      })
    },
    async settle(batch, notices) {
      state.gate()
      return settle(state, batch, notices)
    },
    async reclaim(request) {
      state.gate()
      return reclaim(state, request)
    },
    async nextDueAt(closedLanes) {
      state.gate()
      const due = [...state.rows.values()].filter((row) => row.state === 'queued' && !closedLanes.includes(row.lane)).map((row) => row.dueAt)
      return due.length === 0 ? null : (Math.min(...due) as EpochMs)
    },
    async lastQueueId() {
      return state.highest
    },
  }
}

async function enqueue(state: MemoryState, { message, content, placements }: Acceptance): Promise<void> {
  const { queueId } = message.envelope
  if (state.messages.has(queueId)) throw new Error(`queue id ${queueId} was given out twice`)
  if (placements.length !== message.envelope.recipients.length) throw new Error('one placement per recipient')
  if (content !== null) {
    const writer = createMemoryBodies(state).put(message.bodyRef)
    await writer.write(content)
    await writer.finish()
  } else if (state.contents.get(message.bodyRef)?.sha256 == null) throw new Error(`content of ${queueId} was not finished`)
  state.messages.set(queueId, message)
  if (state.highest === null || queueIdToNumber(queueId) > queueIdToNumber(state.highest)) state.highest = queueId
  state.record({ at: message.acceptedAt, kind: 'accepted', queueId, recipient: null, detail: { by: message.origin.submitter } })
  message.envelope.recipients.forEach((recipient, index) => {
    const place = placements[index]
    if (place === undefined) return
    const row: MemoryRow = {
      id: recipient.id,
      queueId,
      index,
      state: place.kind,
      lane: place.lane,
      dueAt: place.kind === 'queued' ? place.dueAt : message.acceptedAt,
      token: place.kind === 'leased' ? place.token : null,
      leaseUntil: place.kind === 'leased' ? place.leaseUntil : (0 as EpochMs),
      attempts: place.kind === 'leased' ? 1 : 0,
      reclaims: 0,
      delayNoticeSent: false,
      released: false,
      pending: null,
      finishedAt: null,
      captured: false,
      last: null,
      holdReason: place.kind === 'held' ? place.reason : null,
    }
    state.rows.set(recipient.id, row)
    if (place.kind === 'held') state.record({ at: message.acceptedAt, kind: 'held', queueId, recipient: index, detail: { reason: place.reason } })
  })
}

function claim(state: MemoryState, rows: readonly MemoryRow[], leaseUntil: EpochMs, token: LeaseToken): readonly LeasedRecipient[] {
  return rows.map((row) => {
    row.state = transition(row.state, 'claim')
    row.token = token
    row.leaseUntil = leaseUntil
    row.attempts += 1
    const message = state.messages.get(row.queueId)
    const recipient = message?.envelope.recipients[row.index]
    if (message === undefined || recipient === undefined) throw new Error(`no message for ${row.id}`)
    return { message, recipient, token, leaseUntil, attempts: row.attempts, dueAt: row.dueAt, delayNoticeSent: row.delayNoticeSent, released: row.released }
  })
}

function leased(state: MemoryState, lease: LeaseRef): MemoryRow | null {
  const row = state.rows.get(lease.recipientId)
  return row !== undefined && row.state === 'leased' && row.token === lease.token ? row : null
}

async function settle(state: MemoryState, batch: readonly Settlement[], notices: readonly Acceptance[]): Promise<SettleResult> {
  const lost: RecipientId[] = []
  const owed = new Set<QueueId>()
  const named = new Set<QueueId>()
  // Refused before anything is changed: the whole batch or nothing.
  for (const { message } of notices) if (state.messages.has(message.envelope.queueId)) throw new Error('the queue id was given out twice')
  for (const settlement of batch) {
    const row = leased(state, settlement)
    for (const { detail } of settlement.history) {
      if (detail.noticeId === undefined) continue
      named.add(detail.noticeId)
      if (row !== null) owed.add(detail.noticeId)
    }
    if (row !== null) apply(state, row, settlement)
    else {
      lost.push(settlement.recipientId)
      const { queueId, index } = splitRecipientId(settlement.recipientId)
      const detail = { reason: 'the lease was no longer ours' }
      if (state.messages.has(queueId)) state.record({ at: settlement.at, kind: 'lease-lost', queueId, recipient: index, detail })
    }
  }
  for (const notice of notices) {
    const { queueId } = notice.message.envelope
    if (!named.has(queueId) || owed.has(queueId)) await enqueue(state, notice)
  }
  return { lost }
}

function apply(state: MemoryState, row: MemoryRow, { change, at, history, last, delayNoticeSent }: Settlement): void {
  for (const line of history) state.record({ at, kind: line.kind, queueId: row.queueId, recipient: row.index, detail: line.detail })
  if (history.some((line) => line.kind === 'captured')) row.captured = true
  if (last !== null) row.last = last
  if (delayNoticeSent) row.delayNoticeSent = true
  if (change.event === 'release') row.attempts -= 1
  if (change.event === 'defer') row.reclaims = 0
  if ('dueAt' in change) row.dueAt = change.dueAt
  if ('lane' in change && change.lane !== undefined) row.lane = change.lane
  if (change.event === 'hold') row.holdReason = change.reason
  endLease(state, row, change.event, at)
}

/** The lease ends; what an operator noted on it meanwhile takes effect unless it ended for good. */
export function endLease(state: MemoryState, row: MemoryRow, event: RecipientEvent, at: EpochMs): void {
  const noted = row.pending
  const asked = transition(row.state, event)
  row.token = null
  row.pending = null
  if (noted === null || isFinal(asked)) {
    row.state = asked
  } else {
    row.state = transition('leased', noted.act)
    if (noted.act === 'hold') row.holdReason = `held by ${noted.by}`
    state.record({ at, kind: noted.act === 'hold' ? 'held' : 'cancelled', queueId: row.queueId, recipient: row.index, detail: { by: noted.by } })
  }
  if (isFinal(row.state)) finish(state, row, at)
}

export function finish(state: MemoryState, row: MemoryRow, at: EpochMs): void {
  row.finishedAt = at
  state.ended.set(row.queueId, at)
}

function reclaim(state: MemoryState, request: ReclaimRequest): readonly RecipientId[] {
  const taken: RecipientId[] = []
  // History has them in the order in which their leases ended.
  for (const row of [...state.rows.values()].sort((a, b) => a.leaseUntil - b.leaseUntil)) {
    if (row.state !== 'leased' || !(request.all || row.leaseUntil < request.now)) continue
    taken.push(row.id)
    row.reclaims += 1
    row.dueAt = request.dueAt
    const quarantined = row.reclaims >= request.quarantineAfter && row.pending === null
    const detail = { attempt: row.attempts, duplicatePossible: true, reason: 'the attempt was interrupted' }
    state.record({ at: request.now, kind: 'reclaimed', queueId: row.queueId, recipient: row.index, detail })
    if (!quarantined) {
      endLease(state, row, 'reclaim', request.now)
      continue
    }
    row.holdReason = `quarantined: interrupted ${row.reclaims} times`
    state.record({ at: request.now, kind: 'quarantined', queueId: row.queueId, recipient: row.index, detail: { reason: row.holdReason } })
    endLease(state, row, 'hold', request.now)
  }
  return taken
}
