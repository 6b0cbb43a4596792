/**
 * Rows of the queue: fetched page by page, shown as a table, JSON or CSV.
 */
import type { LaneStatus, QueueFilter, QueuePage, QueueRow, RecipientAnswer } from '../admin/api-types.ts'
import { readOriginalRecipient } from '../core/original-recipient.ts'
import type { AdminClient } from './client.ts'
import type { CliContext } from './context.ts'
import { csvCell, escapeText, toJson } from './escape.ts'
import { filterQuery } from './filters.ts'
import { age, isoTime, type Paint, size, until } from './format.ts'
import { heldReason } from './story.ts'
import { type Column, createTable } from './table.ts'

const PAGE_ROWS = 1000

export interface Listing {
  readonly filter: QueueFilter
  /** Infinity: all. */
  readonly limit: number
  readonly after: string | null
}

/** Pages until the limit or the end; `next` of the last one is the cursor of what was left out. */
export async function* fetchPages(client: AdminClient, { filter, limit, after }: Listing): AsyncGenerator<QueuePage> {
  let cursor = after
  let wanted = limit
  while (wanted > 0) {
    const page = await client.get<QueuePage>('/v1/queue', {
      ...filterQuery(filter),
      limit: Math.min(PAGE_ROWS, wanted),
      ...(cursor === null ? {} : { after: cursor }),
    })
    yield page
    wanted -= page.rows.length
    cursor = page.next
    if (cursor === null) return
  }
}

export type RowFormat = 'table' | 'json' | 'csv'
export interface Shown {
  readonly rows: number
  readonly next: string | null
}

/** Prints pages as they come. A table says of mail in a closed lane when that opens. */
export async function printRows(context: CliContext, pages: AsyncIterable<QueuePage>, format: RowFormat, lanes: readonly LaneStatus[] = []): Promise<Shown> {
  const write = rowWriter(context, format, lanes)
  let rows = 0
  let next: string | null = null
  for await (const page of pages) {
    const text = write(page.rows, rows)
    if (text !== '') context.stdout.write(text)
    rows += page.rows.length
    next = page.next
  }
  if (format === 'json') context.stdout.write(rows === 0 ? '[]\n' : '\n]\n')
  return { rows, next }
}

/** What people call the state: queued and tried is deferred; what was kept or thrown away was not delivered. */
export function stateName(row: QueueRow): string {
  if (row.state === 'queued' && row.attempts > 0) return 'deferred'
  if (row.state !== 'delivered') return row.state
  if (row.lastRelay === 'rewritten') return 'rewritten'
  return row.lane === 'capture' ? 'captured' : row.lane === 'discard' ? 'discarded' : 'delivered'
}

export function stateStyle(row: QueueRow): Paint | null {
  const state = stateName(row)
  if (row.state === 'delivered') return state === 'discarded' ? null : 'green'
  if (state === 'deferred' || state === 'held') return 'yellow'
  return state === 'failed' || state === 'expired' ? 'red' : null
}

/** `, orig_to=sales@example.com`: what the mail was addressed to before rewriting, or what its sender calls the recipient; empty: the same. */
export function originalTo({ originalRecipient }: Pick<RecipientAnswer, 'originalRecipient'>): string {
  return originalRecipient === null ? '' : `, orig_to=${escapeText(readOriginalRecipient(originalRecipient) ?? originalRecipient)}`
}

/** The last reply, or why it is held. */
export function lastWord(row: QueueRow): string {
  if (row.state === 'held' && row.holdReason !== null) return heldReason(row.holdReason)
  return row.lastText ?? ''
}

/** The text of further rows, of which so many were written before. */
function rowWriter(context: CliContext, format: RowFormat, lanes: readonly LaneStatus[]): (rows: readonly QueueRow[], before: number) => string {
  const asLines = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')
  if (format === 'csv') return (rows, before) => asLines([...(before === 0 ? [CSV_COLUMNS.map(([name]) => name).join(',')] : []), ...rows.map(csvLine)])
  if (format === 'json') return (rows, before) => rows.map((row, i) => `${before + i === 0 ? '[\n' : ',\n'}${toJson(row)}`).join('')
  const opening = new Map(lanes.flatMap(({ lane, until: end }) => (end === null ? [] : [[lane, end] as const])))
  const table = createTable(context, queueColumns(context.clock.now(), opening))
  return (rows) => asLines(table.lines(rows))
}

/** Columns in their order for programs: docs/cli.md promises it. */
function queueColumns(now: number, opening: ReadonlyMap<string, number>): readonly Column<QueueRow>[] {
  return [
    { heading: 'ID', text: (row) => row.queueId, style: () => 'cyan' },
    { heading: 'STATE', text: stateName, style: stateStyle },
    { heading: 'AGE', text: (row) => age(now - row.acceptedAt), plain: (row) => isoTime(row.acceptedAt), right: true },
    {
      heading: 'NEXT',
      text: (row) => nextText(row, opening.get(row.lane) ?? 0, now),
      plain: (row) => (row.dueAt === null ? '' : isoTime(row.dueAt)),
      right: true,
    },
    { heading: 'TRIES', text: (row) => String(row.attempts), right: true, fromColumns: 100 },
    { heading: 'SIZE', text: (row) => size(row.sizeOctets), plain: (row) => String(row.sizeOctets), right: true, fromColumns: 120 },
    { heading: 'FROM', text: (row) => row.sender, atLeast: 10 },
    { heading: 'TO', text: (row) => row.recipient, atLeast: 12 },
    { heading: 'RELAY', text: (row) => row.lane, atLeast: 8, fromColumns: 100 },
    { heading: 'LAST REPLY', text: lastWord, atLeast: 12 },
  ]
}

/** Nothing is tried before its lane opens, whenever it is due. */
function nextText(row: QueueRow, laneOpensAt: number, now: number): string {
  return row.dueAt === null || row.state !== 'queued' ? '' : until(Math.max(row.dueAt, laneOpensAt), now).replace(/^in /, '')
}

const CSV_COLUMNS: readonly (readonly [string, (row: QueueRow) => string])[] = [
  ['queueId', (row) => row.queueId],
  ['recipientId', (row) => row.recipientId],
  ['state', (row) => row.state],
  ['acceptedAt', (row) => isoTime(row.acceptedAt)],
  ['dueAt', (row) => (row.dueAt === null ? '' : isoTime(row.dueAt))],
  ['finishedAt', (row) => (row.finishedAt === null ? '' : isoTime(row.finishedAt))],
  ['attempts', (row) => String(row.attempts)],
  ['sizeOctets', (row) => String(row.sizeOctets)],
  ['sender', (row) => row.sender],
  ['recipient', (row) => row.recipient],
  ['submitter', (row) => row.submitter],
  ['subject', (row) => row.subject ?? ''],
  ['lane', (row) => row.lane],
  ['lastStatus', (row) => row.lastStatus ?? ''],
  ['lastText', (row) => row.lastText ?? ''],
  ['lastRelay', (row) => row.lastRelay ?? ''],
  ['holdReason', (row) => row.holdReason ?? ''],
]

function csvLine(row: QueueRow): string {
  return CSV_COLUMNS.map(([, text]) => csvCell(text(row))).join(',')
}
