/**
 * Submits a mail through the running server and tells its story while it happens.
 *
 * The server adds Date, Message-ID and Received as for every mail. Stops early where nothing more
 * can happen within the time given: held, or the next attempt is later than that.
 */
import type { QueueRow, ServerStatus, StoryAnswer, SubmitAnswer } from '../admin/api-types.ts'
import type { QueueId } from '../core/brand.ts'
import { isFinal } from '../core/recipient-state.ts'
import { type AdminClient, connectClient } from './client.ts'
import { type CliContext, CliError, commandName, EXIT, type ExitCode, print } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { about } from './format.ts'
import type { GlobalOptions } from './socket-path.ts'
import { describeEvent, explainWait, recipientToTell } from './story.ts'

export interface TestOptions {
  readonly from: string
  readonly to: string
  readonly subject: string
  /** Milliseconds. */
  readonly timeout: number
}

const POLL_FIRST_MS = 25
const POLL_MAX_MS = 500
/** Recipients whose end is told. */
const ENDS_MAX = 20

export async function sendTestMail(context: CliContext, globals: GlobalOptions, options: TestOptions): Promise<void> {
  const client = await connectClient(context, globals)
  const content = Buffer.from(composeTestMail(options)).toString('base64')
  const { queueId } = await client.post<SubmitAnswer>('/v1/submit', { from: options.from, to: [options.to], content })
  const json = globals.json === true
  if (!json) print(context, `Accepted as ${queueId}. Following it for at most ${about(options.timeout)}.`)
  const story = await follow(context, client, { queueId, timeoutMs: options.timeout, quiet: json })
  if (story.recipients.length === 0) throw new CliError(EXIT.failed, 'the server knows no recipient of this message')
  context.setExitCode(exitCodeFor(story.recipients))
  if (json) {
    print(context, toJson(story, 2))
    return
  }
  // An address may have become several.
  for (const row of story.recipients.slice(0, ENDS_MAX)) for (const line of await conclude(context, client, row)) print(context, line)
  if (story.recipients.length > ENDS_MAX) print(context, `${story.recipients.length - ENDS_MAX} more: ${commandName(context)} trace ${queueId}`)
}

/** A whole message; header fields are checked, so that no argument can add one. */
export function composeTestMail({ from, to, subject }: Pick<TestOptions, 'from' | 'to' | 'subject'>): string {
  for (const [name, value] of [
    ['--from', from],
    ['--to', to],
    ['--subject', subject],
  ] as const) {
    if (/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u.test(value)) throw new CliError(EXIT.usage, `${name} must be one line without control characters`)
  }
  const author = from === '' || from === '<>' ? 'postmaster' : from
  const header = [
    `From: <${author}>`,
    `To: <${to}>`,
    `Subject: ${encodeSubject(subject)}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Auto-Submitted: auto-generated',
  ]
  return [...header, '', 'This is a test mail, sent by `postern test`.', 'If you can read it, the way from Postern to you works.', ''].join('\r\n')
}

/** RFC 2047 §2 and §5: encoded words of at most 75 characters, each of whole characters. */
function encodeSubject(subject: string): string {
  if (/^[\x20-\x7e]*$/.test(subject)) return subject
  const words: string[] = []
  let piece = ''
  for (const character of subject) {
    if (Buffer.byteLength(piece + character) > 42) {
      words.push(piece)
      piece = ''
    }
    piece += character
  }
  return [...words, piece].map((word) => `=?utf-8?B?${Buffer.from(word).toString('base64')}?=`).join('\r\n ')
}

interface Following {
  readonly queueId: QueueId
  readonly timeoutMs: number
  readonly quiet: boolean
}

async function follow(context: CliContext, client: AdminClient, { queueId, timeoutMs, quiet }: Following): Promise<StoryAnswer> {
  const { clock, interrupted } = context
  const end = clock.monotonicMs() + timeoutMs
  let told = 0
  for (let pause = POLL_FIRST_MS; ; pause = Math.min(pause * 2, POLL_MAX_MS)) {
    const story = await client.get<StoryAnswer>(`/v1/messages/${queueId}`)
    const now = clock.now()
    for (const event of story.history.slice(told)) {
      const recipient = recipientToTell(event, story.recipients)
      if (!quiet) for (const line of describeEvent(context, { event, recipient, now })) print(context, line)
    }
    told = story.history.length
    const left = end - clock.monotonicMs()
    if (interrupted.aborted || left <= 0 || !story.recipients.some((row) => mayMove(row, now + left))) return story
    await new Promise<void>((resolve) => clock.after(Math.min(pause, left), resolve))
  }
}

/** Something can still happen to it before that time. */
function mayMove(row: QueueRow, before: number): boolean {
  if (isFinal(row.state) || row.state === 'held') return false
  return row.state !== 'queued' || row.dueAt === null || row.dueAt < before
}

/** That of the recipient who fared worst. */
export function exitCodeFor(rows: readonly QueueRow[]): ExitCode {
  if (rows.some(({ state }) => isFinal(state) && state !== 'delivered')) return EXIT.failed
  return rows.every(({ state }) => state === 'delivered') ? EXIT.ok : EXIT.waiting
}

async function conclude(context: CliContext, client: AdminClient, row: QueueRow): Promise<readonly string[]> {
  const to = escapeText(row.recipient)
  const command = commandName(context)
  if (row.state === 'delivered' && row.lane === 'capture') return [`Captured: it was kept and not sent. Read it: ${command} captured show ${row.queueId}`]
  if (row.state === 'delivered' && row.lane === 'discard') return [`Thrown away: its route says so, and nobody gets it. Which route: ${command} route explain`]
  if (row.state === 'delivered') return [`Delivered: ${takerOf(row)} for ${to}.`]
  if (isFinal(row.state)) return [`Not delivered to ${to}: ${row.state}.`]
  const { lanes } = await client.get<ServerStatus>('/v1/status')
  return [
    `Mail for ${to} still waits.`,
    ...explainWait(row, lanes, context.clock.now(), command).map((line) => `  ${line}`),
    `See later: ${command} trace ${row.queueId}`,
  ]
}

function takerOf({ lane }: QueueRow): string {
  if (lane.startsWith('local:')) return 'it is in the mailbox'
  return lane.startsWith('smtp:mx/') ? "the recipient's server has taken it" : 'the relay has taken it'
}
