/**
 * What `postern log` prints: history lines, and new ones as they come.
 */
import type { HistoryPage } from '../admin/api-types.ts'
import type { EventKind } from '../core/event.ts'
import { type AdminClient, connectClient } from './client.ts'
import { type CliContext, print } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { isoTime, localTime, type Paint, paint } from './format.ts'
import type { GlobalOptions } from './socket-path.ts'
import { eventSentence } from './story.ts'

export interface LogOptions {
  readonly follow?: boolean
  readonly limit: number
}

type LogEvent = HistoryPage['events'][number]

const PAGE_MAX = 1000
/** How often the server is asked while following. */
const FOLLOW_MS = 500
const LOOKS: Readonly<Partial<Record<EventKind, Paint>>> = {
  delivered: 'green',
  captured: 'green',
  deferred: 'yellow',
  held: 'yellow',
  failed: 'red',
  expired: 'red',
}

export async function printLog(context: CliContext, globals: GlobalOptions, options: LogOptions): Promise<void> {
  const client = await connectClient(context, globals)
  const show = (events: readonly LogEvent[]): void => {
    for (const event of events) print(context, globals.json === true ? toJson(event) : formatLine(context, event))
  }
  const page = await client.get<HistoryPage>('/v1/history', { limit: Math.min(options.limit, PAGE_MAX) })
  show(page.events)
  if (options.follow === true) await follow(context, client, { cursor: page.next, show })
}

interface Following {
  readonly cursor: string | null
  readonly show: (events: readonly LogEvent[]) => void
}

async function follow(context: CliContext, client: AdminClient, { cursor: begin, show }: Following): Promise<void> {
  const { interrupted, clock } = context
  let cursor = begin
  while (!interrupted.aborted) {
    const page = await client.get<HistoryPage>('/v1/history', { limit: PAGE_MAX, ...(cursor === null ? {} : { after: cursor }) })
    show(page.events)
    cursor = page.next ?? cursor
    if (page.events.length === PAGE_MAX) continue
    await new Promise<void>((resolve) => {
      const cancel = clock.after(FOLLOW_MS, finish)
      function finish(): void {
        cancel()
        interrupted.removeEventListener('abort', finish)
        resolve()
      }
      interrupted.addEventListener('abort', finish)
    })
  }
}

/** time, queue id, kind, status, from, to, lane, then what was said. Tab-separated and with full times for programs. */
function formatLine(context: CliContext, { at, queueId, kind, sender, recipientAddress, detail }: LogEvent): string {
  const cells = [
    context.outputIsTerminal ? localTime(at) : isoTime(at),
    queueId,
    kind,
    detail.status ?? '-',
    `from=${sender}`,
    `to=${recipientAddress ?? '-'}`,
    detail.lane ?? '-',
  ].map(escapeText)
  const sentence = eventSentence(detail, kind)
  if (!context.outputIsTerminal) return [...cells, sentence].join('\t')
  const [time = '', id = '', name = '', status = '', from = '', to = '', lane = ''] = cells
  const look = LOOKS[kind]
  const padded = name.padEnd(13)
  const addresses = recipientAddress === null ? from : `${from} ${to}`
  const parts = [
    paint(context, 'dim', time),
    paint(context, 'cyan', id),
    look === undefined ? padded : paint(context, look, padded),
    status === '-' ? '' : status,
    addresses,
    lane === '-' ? '' : lane,
    sentence,
  ]
  return parts.filter((part) => part !== '').join(' ')
}
