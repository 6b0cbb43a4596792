/**
 * `QueueAdmin` in memory: see `memory-store.ts`.
 */
import { existsSync, writeFileSync } from 'node:fs'
import type { EpochMs } from '../../src/core/brand.ts'
import type { Mailbox, ReversePath } from '../../src/core/envelope.ts'
import { readOriginalRecipient } from '../../src/core/original-recipient.ts'
import { compileGlob } from '../../src/core/pattern.ts'
import { isFinal, type StateKind, transition } from '../../src/core/recipient-state.ts'
import { isLaneNamed } from '../../src/core/route.ts'
import type { ActResult, QueueAct, QueueAdmin, QueueFilter, QueueRow } from '../../src/ports/queue-admin.ts'
import { storedContent } from './memory-bodies.ts'
import { finish, type MemoryRow, type MemoryState } from './memory-store.ts'

export function createMemoryAdmin(state: MemoryState): QueueAdmin {
  const select = (filter: QueueFilter): readonly MemoryRow[] => [...state.rows.values()].filter((row) => matches(state, row, filter)).sort(byAge)
  return {
    async counts() {
      const rows = [...state.rows.values()]
      const of = (kind: StateKind): readonly MemoryRow[] => rows.filter((row) => row.state === kind)
      const accepted = rows.filter((row) => !isFinal(row.state)).map((row) => state.messages.get(row.queueId)?.acceptedAt ?? 0)
      const lanes = [...new Set(of('queued').map((row) => row.lane))].sort()
      return {
        queued: of('queued').length,
        deferred: of('queued').filter((row) => row.attempts > 0).length,
        leased: of('leased').length,
        held: of('held').length,
        oldestAcceptedAt: accepted.length === 0 ? null : (Math.min(...accepted) as EpochMs),
        byLane: lanes.map((lane) => ({ lane, queued: of('queued').filter((row) => row.lane === lane).length })),
      }
    },
    async list(filter, page) {
      const rows = select(filter)
      const start = page.after === null ? 0 : rows.findIndex((row) => row.id === page.after) + 1
      const part = rows.slice(start, start + page.limit)
      return { rows: part.map((row) => show(state, row)), next: start + part.length < rows.length ? (part.at(-1)?.id ?? null) : null }
    },
    async count(filter) {
      return select(filter).length
    },
    async story(queueId) {
      const message = state.messages.get(queueId)
      if (message === undefined) return null
      const history = state.history.filter((line) => line.queueId === queueId).map(({ at, kind, recipient, detail }) => ({ at, kind, recipient, detail }))
      return {
        message,
        recipients: select({ queueIds: [queueId] }).map((row) => show(state, row)),
        history,
        contentStored: state.contents.has(message.bodyRef),
      }
    },
    async findByAddress(address, limit) {
      const wanted = address.toLowerCase()
      const ids = select({}).filter((row) =>
        [senderOf(state, row), recipientOf(state, row), originalOf(state, row)].some((text) => text.toLowerCase() === wanted),
      )
      return [...new Set(ids.map((row) => row.queueId))].reverse().slice(0, limit)
    },
    async act(act, filter, by, now) {
      state.gate()
      const result = { changed: 0, pending: 0 }
      for (const row of select(filter)) {
        const effect = applyAct(state, row, { act, by, now })
        if (effect !== null) result[effect] += 1
      }
      return result satisfies ActResult
    },
    async content(queueId) {
      const message = state.messages.get(queueId)
      const content = message === undefined ? undefined : state.contents.get(message.bodyRef)
      return message === undefined || content === undefined ? null : storedContent(content, message.prefix)
    },
    async history(after, limit) {
      const start = after === null ? Math.max(0, state.history.length - limit) : state.history.findIndex((line) => line.serial > Number(after))
      const part = start === -1 ? [] : state.history.slice(start, start + limit)
      const events = part.map(({ at, kind, recipient, detail, queueId }) => {
        const message = state.messages.get(queueId)
        const path = recipient === null ? undefined : message?.envelope.recipients[recipient]?.forwardPath
        const sender = message === undefined ? '<>' : formatPath(message.envelope.reversePath)
        return { at, kind, recipient, detail, queueId, sender, recipientAddress: path === undefined ? null : formatMailbox(path) }
      })
      return { events, next: String(part.at(-1)?.serial ?? after ?? 0) }
    },
    async backup(path) {
      if (existsSync(path)) throw new Error(`${path} exists already`)
      const text = JSON.stringify([...state.messages.values()])
      writeFileSync(path, text, { mode: 0o600 })
      return { octets: text.length, messages: state.messages.size }
    },
  }
}

function byAge(a: MemoryRow, b: MemoryRow): number {
  return a.queueId === b.queueId ? a.index - b.index : a.queueId < b.queueId ? -1 : 1
}

function formatMailbox({ localPart, domain }: Mailbox): string {
  return `${localPart}@${typeof domain === 'string' ? domain : `[${domain.addressLiteral}]`}`
}
function formatPath(path: ReversePath): string {
  return path.kind === 'null' ? '<>' : formatMailbox(path.mailbox)
}
function senderOf(state: MemoryState, row: MemoryRow): string {
  const message = state.messages.get(row.queueId)
  return message === undefined ? '<>' : formatPath(message.envelope.reversePath)
}
function recipientOf(state: MemoryState, row: MemoryRow): string {
  const path = state.messages.get(row.queueId)?.envelope.recipients[row.index]?.forwardPath
  return path === undefined ? '' : formatMailbox(path)
}

function originalOf(state: MemoryState, row: MemoryRow): string {
  const orcpt = state.messages.get(row.queueId)?.envelope.recipients[row.index]?.originalRecipient ?? null
  return (orcpt === null ? null : readOriginalRecipient(orcpt)) ?? ''
}

function likeText(wanted: string, text: string): boolean {
  return wanted.includes('*') ? compileGlob(wanted)(text) : text.toLowerCase().includes(wanted.toLowerCase())
}

function matches(state: MemoryState, row: MemoryRow, filter: QueueFilter): boolean {
  const acceptedAt = state.messages.get(row.queueId)?.acceptedAt ?? 0
  const { relay, reply } = filter
  const tests = [
    filter.states === undefined || filter.states.includes(row.state),
    filter.queueIds === undefined || filter.queueIds.includes(row.queueId),
    filter.sender === undefined || likeText(filter.sender, senderOf(state, row)),
    filter.recipient === undefined || likeText(filter.recipient, recipientOf(state, row)),
    relay === undefined || isLaneNamed(row.lane, relay),
    filter.acceptedBefore === undefined || acceptedAt < filter.acceptedBefore,
    filter.acceptedAfter === undefined || acceptedAt > filter.acceptedAfter,
    reply === undefined || [row.last?.text, row.holdReason].some((text) => text?.toLowerCase().includes(reply.toLowerCase())),
    filter.deferred === undefined || filter.deferred === (row.state === 'queued' && row.attempts > 0),
  ]
  return tests.every(Boolean)
}

function show(state: MemoryState, row: MemoryRow): QueueRow {
  const message = state.messages.get(row.queueId)
  return {
    recipientId: row.id,
    queueId: row.queueId,
    state: row.state,
    acceptedAt: message?.acceptedAt ?? (0 as EpochMs),
    sizeOctets: message?.sizeOctets ?? 0,
    sender: senderOf(state, row),
    recipient: recipientOf(state, row),
    submitter: message?.origin.submitter ?? '',
    subject: message?.header.subject ?? null,
    lane: row.lane,
    attempts: row.attempts,
    dueAt: row.state === 'queued' ? row.dueAt : null,
    finishedAt: row.finishedAt,
    lastStatus: row.last?.status ?? null,
    lastText: row.last?.text ?? null,
    lastRelay: row.last?.relay ?? null,
    holdReason: row.state === 'held' ? row.holdReason : null,
  }
}

interface ActRequest {
  readonly act: QueueAct
  readonly by: string
  readonly now: EpochMs
}

function applyAct(state: MemoryState, row: MemoryRow, { act, by, now }: ActRequest): 'changed' | 'pending' | null {
  const record = (kind: 'held' | 'resumed' | 'cancelled' | 'retried'): 'changed' => {
    state.record({ at: now, kind, queueId: row.queueId, recipient: row.index, detail: { by } })
    return 'changed'
  }
  if (row.state === 'leased') return noteOnLease(row, act, by)
  if (act === 'hold' && row.state === 'queued') {
    row.state = transition(row.state, 'hold')
    row.holdReason = `held by ${by}`
    return record('held')
  }
  if (act === 'resume' && row.state === 'held') {
    row.state = transition(row.state, 'resume')
    row.dueAt = now
    row.reclaims = 0
    row.released = true
    return record('resumed')
  }
  if (act === 'cancel' && !isFinal(row.state)) {
    row.state = transition(row.state, 'cancel')
    finish(state, row, now)
    return record('cancelled')
  }
  if (act === 'retry' && row.state === 'queued') {
    row.dueAt = now
    return record('retried')
  }
  return null
}

function noteOnLease(row: MemoryRow, act: QueueAct, by: string): 'pending' | null {
  if (act === 'cancel' || (act === 'hold' && row.pending?.act !== 'cancel')) {
    row.pending = { act, by }
    return 'pending'
  }
  if (act === 'resume' && row.pending?.act === 'hold') {
    row.pending = null
    return 'pending'
  }
  return null
}
