/**
 * `postern trace --live`: SMTP dialogue of the running server as it happens, until Ctrl-C.
 */
import type { IncomingMessage } from 'node:http'
import type { LiveLine } from '../admin/api-types.ts'
import { parseQueueId } from '../core/queue-id.ts'
import { connectClient, readChunks } from './client.ts'
import { type CliContext, CliError, EXIT, print, remark } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { counted, type Paint, paint } from './format.ts'
import type { GlobalOptions } from './socket-path.ts'

export interface LiveOptions {
  readonly relay: string | null
  readonly from: string | null
  readonly to: string | null
  /** A queue id or an address; both only limit what is shown. */
  readonly subject: string | null
}

const LOOKS: Readonly<Record<'>' | '<' | '*', Paint>> = { '>': 'cyan', '<': 'green', '*': 'dim' }
/** A line is bounded by the engines' limits; this only keeps a broken stream from filling memory. */
const LINE_MAX = 1024 * 1024

export async function traceLive(context: CliContext, globals: GlobalOptions, options: LiveOptions): Promise<void> {
  const queueId = options.subject === null ? null : parseQueueId(options.subject)
  const to = options.to ?? (queueId === null ? options.subject : null)
  const client = await connectClient(context, globals)
  const { interrupted } = context
  const query = { relay: options.relay ?? undefined, from: options.from ?? undefined, to: to ?? undefined, queueId: queueId ?? undefined }
  const answer = await client.stream('/v1/live', query, interrupted)
  try {
    for await (const line of readLines(answer)) printLine(context, line, globals.json === true)
  } catch (error) {
    if (!interrupted.aborted) throw error
    return
  }
  if (!interrupted.aborted) throw new CliError(EXIT.notRunning, 'the server has stopped', { code: 'not-running' })
}

async function* readLines(answer: IncomingMessage): AsyncGenerator<LiveLine> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of readChunks(answer)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LINE_MAX) throw new CliError(EXIT.failed, 'the server sent a line that does not end')
    for (const line of lines) yield JSON.parse(line) as LiveLine
  }
}

function printLine(context: CliContext, line: LiveLine, json: boolean): void {
  if (json) {
    print(context, toJson(line))
    return
  }
  if (line.kind === 'open') {
    remark(context, paint(context, 'dim', 'Watching; Ctrl-C ends it. Nothing shows until there is dialogue.'))
    return
  }
  if (line.kind === 'lost') {
    remark(context, paint(context, 'yellow', `${counted(line.lines, 'line')} left out: they came faster than they could be shown`))
    return
  }
  const time = new Date(line.at).toTimeString().slice(0, 8)
  const id = line.queueId === null ? '' : ` ${line.queueId}`
  const head = paint(context, 'dim', `${time} ${escapeText(line.session)} ${escapeText(line.peer)}${id}`)
  print(context, `${head} ${paint(context, LOOKS[line.direction], `${line.direction} ${escapeText(line.text)}`)}`)
}
