/**
 * What `postern captured list` and `show` do.
 *
 * The store lists oldest first; people want the newest captured mail. So the time to look back is
 * widened until it holds enough, and the end of that list is shown.
 */
import type { CountAnswer, QueueFilter, QueueRow } from '../admin/api-types.ts'
import type { EpochMs, QueueId } from '../core/brand.ts'
import { type AdminClient, connectClient } from './client.ts'
import { type CliContext, CliError, commandName, EXIT, print } from './context.ts'
import { decodeWords } from './encoded-words.ts'
import { toJson } from './escape.ts'
import { filterQuery } from './filters.ts'
import { age, count, counted, isoTime, paint, size } from './format.ts'
import { printContent, showMessage } from './queue-show.ts'
import { fetchPages } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'
import { type Column, createTable } from './table.ts'

export interface CapturedOptions {
  readonly sender?: string
  readonly recipient?: string
  /** Infinity: all. */
  readonly limit: number
}

const HOUR_MS = 3_600_000
const LOOK_BACK_MS = [HOUR_MS, 24 * HOUR_MS, 30 * 24 * HOUR_MS]
const CAPTURED: QueueFilter = { relay: 'capture' }

export async function listCaptured(context: CliContext, globals: GlobalOptions, options: CapturedOptions): Promise<void> {
  const client = await connectClient(context, globals)
  const { sender, recipient, limit } = options
  const filter: QueueFilter = { ...CAPTURED, ...(sender === undefined ? {} : { sender }), ...(recipient === undefined ? {} : { recipient }) }
  const now = context.clock.now()
  const { rows, inAll } = await newestRows(client, { filter, limit, now })
  if (globals.json === true) {
    print(context, toJson(rows, 2))
    return
  }
  for (const line of createTable(context, capturedColumns(now)).lines(rows)) print(context, line)
  if (context.outputIsTerminal) print(context, paint(context, 'dim', footer(rows.length, inAll, commandName(context))))
}

export async function showCaptured(
  context: CliContext,
  globals: GlobalOptions,
  options: { readonly id: QueueId | null; readonly facts: boolean },
): Promise<void> {
  const client = await connectClient(context, globals)
  const id = options.id ?? (await newestRows(client, { filter: CAPTURED, limit: 1, now: context.clock.now() })).rows[0]?.queueId
  if (id === undefined)
    throw new CliError(EXIT.refused, 'nothing was captured', {
      code: 'not-found',
      hint: 'Hand in a mail, for example with `postern test --from a@example.com --to b@example.com`.',
    })
  const { count: ofIt } = await client.get<CountAnswer>('/v1/queue/count', filterQuery({ ...CAPTURED, queueIds: [id] }))
  // One that is not known is told by what asks for it.
  const known = ofIt > 0 || (await client.get<CountAnswer>('/v1/queue/count', filterQuery({ queueIds: [id] }))).count === 0
  if (!known)
    throw new CliError(EXIT.refused, `${id} was not captured`, { code: 'not-found', hint: `Any message is shown by: postern queue show ${id} --content` })
  if (options.facts || globals.json === true) await showMessage(context, globals, { id })
  else await printContent(context, client, id)
}

interface Wanted {
  readonly filter: QueueFilter
  readonly limit: number
  readonly now: EpochMs
}

/** The newest rows that match, oldest of them first. */
async function newestRows(client: AdminClient, { filter, limit, now }: Wanted): Promise<{ readonly rows: readonly QueueRow[]; readonly inAll: number }> {
  const countOf = async (part: QueueFilter): Promise<number> => (await client.get<CountAnswer>('/v1/queue/count', filterQuery(part))).count
  const inAll = await countOf(filter)
  let narrowed = filter
  for (const lookBackMs of inAll > limit ? LOOK_BACK_MS : []) {
    const recent = { ...filter, acceptedAfter: (now - lookBackMs) as EpochMs }
    if ((await countOf(recent)) < limit) continue
    narrowed = recent
    break
  }
  let rows: readonly QueueRow[] = []
  for await (const page of fetchPages(client, { filter: narrowed, limit: Number.POSITIVE_INFINITY, after: null })) {
    rows = limit === Number.POSITIVE_INFINITY ? [...rows, ...page.rows] : [...rows, ...page.rows].slice(-limit)
  }
  return { rows, inAll }
}

function capturedColumns(now: number): readonly Column<QueueRow>[] {
  return [
    { heading: 'ID', text: (row) => row.queueId, style: () => 'cyan' },
    { heading: 'AGE', text: (row) => age(now - row.acceptedAt), plain: (row) => isoTime(row.acceptedAt), right: true },
    { heading: 'SIZE', text: (row) => size(row.sizeOctets), plain: (row) => String(row.sizeOctets), right: true },
    { heading: 'FROM', text: (row) => row.sender, atLeast: 12 },
    { heading: 'TO', text: (row) => row.recipient, atLeast: 12 },
    { heading: 'SUBJECT', text: (row) => decodeWords(row.subject ?? ''), atLeast: 12 },
  ]
}

function footer(shown: number, inAll: number, command: string): string {
  if (inAll === 0) return 'Nothing was captured.'
  const which = shown < inAll ? `The newest ${count(shown)} of ${counted(inAll, 'message')}.` : `${counted(inAll, 'message')} in all.`
  return `${which} Read one: ${command} captured show ID`
}
