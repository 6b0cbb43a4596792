/**
 * `postern queue show`: envelope, header facts and recipients of one message, or its content.
 *
 * Content goes byte for byte to a file or pipe; on a terminal it is escaped, because a message can
 * hold anything.
 */
import type { RecipientAnswer, StoryAnswer } from '../admin/api-types.ts'
import type { QueueId } from '../core/brand.ts'
import { type AdminClient, connectClient, readChunks } from './client.ts'
import { type CliContext, print } from './context.ts'
import { decodeWords } from './encoded-words.ts'
import { escapeContent, escapeText, toJson } from './escape.ts'
import { age, counted, localTime, paint, size } from './format.ts'
import { originText } from './origin-text.ts'
import { lastWord, originalTo, stateName, stateStyle } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'
import { isReply } from './story.ts'

export interface ShowOptions {
  readonly content?: boolean
}

export async function showMessage(context: CliContext, globals: GlobalOptions, { id, content }: ShowOptions & { readonly id: QueueId }): Promise<void> {
  const client = await connectClient(context, globals)
  if (content === true) {
    await printContent(context, client, id)
    return
  }
  const story = await client.get<StoryAnswer>(`/v1/messages/${id}`)
  if (globals.json === true) print(context, toJson(story, 2))
  else for (const line of describeMessage(context, story)) print(context, line)
}

export async function printContent(context: CliContext, client: AdminClient, id: QueueId): Promise<void> {
  const decoder = new TextDecoder()
  for await (const chunk of readChunks(await client.stream(`/v1/messages/${id}/content`))) {
    await write(context, context.outputIsTerminal ? escapeContent(decoder.decode(chunk, { stream: true })) : chunk)
  }
  if (context.outputIsTerminal) await write(context, escapeContent(decoder.decode()))
}

/** Waits for the reader: a message can be larger than memory should be. */
function write({ stdout }: CliContext, chunk: string | Uint8Array): Promise<void> {
  if (chunk.length === 0 || stdout.write(chunk)) return Promise.resolve()
  return new Promise((resolve) => {
    const go = (): void => {
      stdout.off('drain', go).off('close', go).off('error', go)
      resolve()
    }
    stdout.on('drain', go).on('close', go).on('error', go)
  })
}

export function describeMessage(context: CliContext, { message, recipients, contentStored }: StoryAnswer): readonly string[] {
  const now = context.clock.now()
  const { origin, header } = message
  const facts: readonly (readonly [string, string | null])[] = [
    ['Sender', message.sender],
    ['Author', header.from === null ? null : decodeWords(header.from)],
    ['Subject', header.subject === null ? null : decodeWords(header.subject)],
    ['Message-ID', header.messageId],
    ['Accepted', `${localTime(message.acceptedAt)} (${age(now - message.acceptedAt)} ago)`],
    ['Size', `${size(message.sizeOctets)}${contentStored ? '' : ', content no longer stored'}`],
    ['Handed in by', `${origin.submitter}, ${originText(origin)}`],
    ['Asked for', askedFor(message)],
  ]
  const lines = facts
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${paint(context, 'dim', `${name}:`.padEnd(14))}${escapeText(value ?? '')}`)
  return [
    paint(context, 'bold', `Message ${message.queueId}`),
    ...lines,
    '',
    paint(context, 'bold', counted(recipients.length, 'recipient')),
    ...recipients.flatMap((row) => describeRecipient(context, row)),
  ]
}

function describeRecipient(context: CliContext, row: RecipientAnswer): readonly string[] {
  const look = stateStyle(row)
  const state = look === null ? stateName(row) : paint(context, look, stateName(row))
  const tries = row.attempts === 0 ? 'not tried yet' : `tried ${row.attempts === 1 ? 'once' : `${row.attempts} times`}`
  const due = row.dueAt === null || row.state !== 'queued' ? '' : `, next ${localTime(row.dueAt)}`
  const finished = row.finishedAt === null ? '' : `, finished ${localTime(row.finishedAt)}`
  const notify = row.notify === null ? '' : `, NOTIFY=${(row.notify === 'never' ? ['never'] : row.notify).join(',').toUpperCase()}`
  const original = originalTo(row)
  const last = lastWord(row)
  return [
    `  ${escapeText(row.recipient)}: ${state}, ${tries}${due}${finished}, ${escapeText(row.lane)}${notify}${original}`,
    ...(last === '' ? [] : [`    ${paint(context, 'dim', row.state !== 'held' && isReply(last) ? 'last reply:' : 'reason:')} ${escapeText(last)}`]),
  ]
}

/** ESMTP and DSN parameters that were given, in their own words. */
function askedFor({ body, smtputf8, requireTls, returnContent, envelopeId }: StoryAnswer['message']): string | null {
  const words = [
    body === '8bitmime' ? 'BODY=8BITMIME' : '',
    smtputf8 ? 'SMTPUTF8' : '',
    requireTls ? 'REQUIRETLS' : '',
    returnContent === null ? '' : `RET=${returnContent === 'full' ? 'FULL' : 'HDRS'}`,
    envelopeId === null ? '' : `ENVID=${envelopeId}`,
  ].filter((word) => word !== '')
  return words.length === 0 ? null : words.join(' ')
}
