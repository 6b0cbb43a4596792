/**
 * The story of one message in order, and for every unfinished recipient why it waits.
 */
import type { FindAnswer, QueueRow, RecipientAnswer, ServerStatus, StoryAnswer } from '../admin/api-types.ts'
import type { QueueId } from '../core/brand.ts'
import { parseQueueId } from '../core/queue-id.ts'
import { isFinal } from '../core/recipient-state.ts'
import { type AdminClient, connectClient } from './client.ts'
import { type CliContext, CliError, commandName, EXIT, print } from './context.ts'
import { decodeWords } from './encoded-words.ts'
import { escapeText, toJson } from './escape.ts'
import { age, localTime, paint, shortTime, size } from './format.ts'
import { originText } from './origin-text.ts'
import { originalTo, stateName, stateStyle } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'
import { describeEvent, explainWait, recipientToTell } from './story.ts'
import { createTable } from './table.ts'

/** Newest messages of an address that are listed before the story of the last. */
const FOUND_MAX = 10
/** Recipients whose waiting is explained one by one; the others are counted. */
const EXPLAINED_MAX = 20

export async function traceStory(context: CliContext, globals: GlobalOptions, subject: string): Promise<void> {
  const client = await connectClient(context, globals)
  const id = parseQueueId(subject)
  if (id !== null && !subject.includes('@')) {
    await tellStory(context, client, { id, json: globals.json === true })
    return
  }
  const [newest, ...older] = await findMessages(client, subject)
  if (globals.json !== true) await listFound(context, client, { newest, older, subject })
  await tellStory(context, client, { id: newest, json: globals.json === true })
}

async function findMessages(client: AdminClient, address: string): Promise<readonly [QueueId, ...QueueId[]]> {
  if (!address.includes('@') && address !== '<>') {
    throw new CliError(EXIT.usage, `${escapeText(address)} is neither a queue id nor an address`, {
      hint: 'Queue ids have eleven letters and digits, as `postern queue list` shows them.',
    })
  }
  const { queueIds } = await client.get<FindAnswer>('/v1/find', { address, limit: FOUND_MAX })
  const [newest, ...older] = queueIds
  if (newest === undefined) {
    throw new CliError(EXIT.refused, `no mail from or to ${escapeText(address)} is known`, {
      code: 'not-found',
      hint: 'Finished mail is forgotten after the retention time of the configuration.',
    })
  }
  return [newest, ...older]
}

interface Found {
  readonly newest: QueueId
  readonly older: readonly QueueId[]
  readonly subject: string
}

async function listFound(context: CliContext, client: AdminClient, { newest, older, subject }: Found): Promise<void> {
  if (older.length === 0) return
  const stories = await Promise.all([newest, ...older].map((id) => client.get<StoryAnswer>(`/v1/messages/${id}`)))
  const now = context.clock.now()
  const table = createTable<StoryAnswer>(
    context,
    [
      { heading: 'ID', text: ({ message }) => message.queueId, style: () => 'cyan' },
      { heading: 'ACCEPTED', text: ({ message }) => localTime(message.acceptedAt) },
      { heading: 'STATE', text: ({ recipients }) => [...new Set(recipients.map(stateName))].join(', ') },
      { heading: 'FROM', text: ({ message }) => message.sender, atLeast: 12 },
      { heading: 'TO', text: ({ recipients }) => firstAndMore(recipients), atLeast: 12 },
      { heading: 'SUBJECT', text: ({ message }) => decodeWords(message.header.subject ?? ''), atLeast: 12 },
    ],
    'screen',
  )
  print(context, `The newest messages from or to ${escapeText(subject)}, as of ${localTime(now)}:`)
  for (const line of table.lines(stories)) print(context, line)
  print(context, '')
}

function firstAndMore(recipients: readonly QueueRow[]): string {
  const first = recipients[0]?.recipient ?? ''
  return recipients.length > 1 ? `${first} and ${recipients.length - 1} more` : first
}

async function tellStory(context: CliContext, client: AdminClient, { id, json }: { readonly id: QueueId; readonly json: boolean }): Promise<void> {
  const story = await client.get<StoryAnswer>(`/v1/messages/${id}`)
  if (json) {
    print(context, toJson(story, 2))
    return
  }
  const now = context.clock.now()
  for (const line of describeStory(context, story, now)) print(context, line)
  const waiting = story.recipients.filter(({ state }) => !isFinal(state))
  if (waiting.length === 0) return
  const { lanes } = await client.get<ServerStatus>('/v1/status')
  print(context, '')
  for (const row of waiting.slice(0, EXPLAINED_MAX)) {
    print(context, paint(context, 'bold', `Why ${escapeText(row.recipient)} waits`))
    for (const line of explainWait(row, lanes, now, commandName(context))) print(context, `  ${line}`)
  }
  if (waiting.length > EXPLAINED_MAX) print(context, `${waiting.length - EXPLAINED_MAX} more wait: ${commandName(context)} queue show ${id}`)
}

/** Head, events in order, and where every recipient stands. */
export function describeStory(context: CliContext, { message, recipients, history }: StoryAnswer, now: number): readonly string[] {
  const subject = message.header.subject === null ? [] : [`Subject: ${escapeText(decodeWords(message.header.subject))}`]
  const events = history.flatMap((event) => {
    const lines = describeEvent(context, { event, recipient: recipientToTell(event, recipients), now })
    return event.kind === 'accepted' ? [...lines, `${' '.repeat(shortTime(event.at, now).length + 2)}${escapeText(originText(message.origin))}`] : lines
  })
  return [
    `${paint(context, 'bold', `Message ${message.queueId}`)}  ${size(message.sizeOctets)}, accepted ${localTime(message.acceptedAt)}, ${age(now - message.acceptedAt)} ago`,
    `From ${escapeText(message.sender)} to ${escapeText(firstAndMore(recipients))}`,
    ...subject,
    '',
    ...events,
    '',
    ...recipients.map((row) => describeStanding(context, row)),
  ]
}

function describeStanding(context: CliContext, row: RecipientAnswer): string {
  const look = stateStyle(row)
  const state = look === null ? stateName(row) : paint(context, look, stateName(row))
  const took = row.finishedAt === null ? '' : ` after ${age(row.finishedAt - row.acceptedAt)}`
  return `${escapeText(row.recipient)}: ${state}${took}${originalTo(row)}`
}
