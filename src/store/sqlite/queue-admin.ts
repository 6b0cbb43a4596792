/**
 * `QueueAdmin`: looks through a reader of its own, acts through the writer in small transactions.
 */
import { rmSync, statSync } from 'node:fs'
import type { RecipientId } from '../../core/brand.ts'
import { queueIdToNumber } from '../../core/queue-id.ts'
import type { ActResult, BackupResult, QueueAct, QueueAdmin, QueueFilter } from '../../ports/queue-admin.ts'
import { StoreFault } from '../../ports/store-fault.ts'
import { parseMessage } from '../rows.ts'
import type { GroupCommit } from './group-commit.ts'
import { ReaderThread } from './reader-thread.ts'
import type { ContentReader } from './stored-content.ts'

export interface QueueAdminParts {
  readonly path: string
  readonly writer: GroupCommit
  readonly reader: ReaderThread
  readonly content: ContentReader
}

/** Recipients changed in one transaction: other ops wait no longer than some milliseconds. */
const ACTS_PER_TRANSACTION = 500
const PAGE_MAX = 1_000
const PATTERN_LENGTH_MAX = 512

export function createQueueAdmin({ path, writer, reader, content }: QueueAdminParts): QueueAdmin {
  let pins = 0
  return {
    counts: () => reader.ask({ call: 'counts' }),
    list: (filter, page) => reader.ask({ call: 'list', filter: checked(filter), page: { limit: clamp(page.limit), after: page.after as RecipientId | null } }),
    count: (filter) => reader.ask({ call: 'count', filter: checked(filter) }),
    async story(queueId) {
      const found = await reader.ask({ call: 'story', id: queueIdToNumber(queueId) })
      if (found === null) return null
      const { message, recipients, rows, history, contentStored } = found
      return { message: parseMessage(message, recipients), recipients: rows, history, contentStored }
    },
    findByAddress: (address, limit) => reader.ask({ call: 'find', address, limit: clamp(limit) }),
    act: (act, filter, by, now) => actOnAll({ act, by, now }, checked(filter), { writer, reader }),
    content: (queueId) => content.openWithPrefix(queueId),
    history: (after, limit) => reader.ask({ call: 'history', after, limit: clamp(limit) }),
    backup(target) {
      pins += 1
      return backUp(target, pins, { path, writer })
    },
  }
}

/** In a thread of its own, so that looks at the queue go on; no place in the content file is written again meanwhile. */
async function backUp(target: string, pin: number, { path, writer }: Pick<QueueAdminParts, 'path' | 'writer'>): Promise<BackupResult> {
  const thread = new ReaderThread(path)
  try {
    await pinContent(writer, pin, true)
    const [copied] = await Promise.allSettled([thread.ask({ call: 'backup', target })])
    const wasPinned = await unpinContent(writer, pin)
    if (copied.status === 'rejected') throw copied.reason
    if (wasPinned) return { octets: statSync(target).size, messages: copied.value.messages }
    rmSync(target)
    throw new StoreFault('io', 'the store was opened anew during the backup: make it again')
  } finally {
    await thread.close()
  }
}

/** False: there was no such pin, the writer was started after it was set. */
function pinContent(writer: GroupCommit, pin: number, isSet: boolean): Promise<boolean> {
  return writer.submit({ name: 'pin', octets: 0, encode: (to) => to.values.push(pin, isSet ? 1 : 0), decode: (result) => result === 1 })
}

/** As often as it takes: a pin that stays makes the file grow without end. A writer that is gone has forgotten it. */
async function unpinContent(writer: GroupCommit, pin: number): Promise<boolean> {
  for (;;) {
    try {
      return await pinContent(writer, pin, false)
    } catch (error) {
      if (!(error instanceof StoreFault) || (error.kind !== 'busy' && error.kind !== 'full')) return false
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

function clamp(limit: number): number {
  return Math.max(1, Math.min(PAGE_MAX, Math.trunc(limit)))
}

function checked(filter: QueueFilter): QueueFilter {
  for (const text of [filter.sender, filter.recipient, filter.relay, filter.reply]) {
    if (text !== undefined && text.length > PATTERN_LENGTH_MAX) throw new RangeError(`a filter text has at most ${PATTERN_LENGTH_MAX} characters`)
  }
  return filter
}

interface Act {
  readonly act: QueueAct
  readonly by: string
  readonly now: number
}

async function actOnAll(act: Act, filter: QueueFilter, { writer, reader }: Pick<QueueAdminParts, 'writer' | 'reader'>): Promise<ActResult> {
  const result = { changed: 0, pending: 0 }
  let after: string | null = null
  do {
    const page: { readonly ids: readonly number[]; readonly next: string | null } = await reader.ask({
      call: 'match',
      filter: openStates(filter),
      page: { limit: ACTS_PER_TRANSACTION, after },
    })
    after = page.next
    if (page.ids.length === 0) continue
    const [changed, pending] = await actOnPage(act, page.ids, writer)
    result.changed += changed
    result.pending += pending
  } while (after !== null)
  return result
}

/** No act changes what is finished: it need not be looked at. */
function openStates(filter: QueueFilter): QueueFilter {
  const open = ['queued', 'leased', 'held'] as const
  return { ...filter, states: open.filter((state) => filter.states?.includes(state) ?? true) }
}

function actOnPage({ act, by, now }: Act, ids: readonly number[], writer: GroupCommit): Promise<readonly [number, number]> {
  return writer.submit({
    name: 'act',
    octets: 0,
    encode(to) {
      to.values.push(act, by, now, ids.length / 2)
      for (const id of ids) to.values.push(id)
    },
    decode: (result) => result as [number, number],
  })
}
