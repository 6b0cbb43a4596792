/**
 * `postern queue hold | release | retry | delete | flush`: changes many messages, after saying how many.
 *
 * Never acts on everything by accident: without ids it wants a filter or `--all`, counts first,
 * and asks; ids are what they say and are not asked about.
 */
import type { ActRequest, ActResult, CountAnswer, FlushAnswer, QueueAct, QueueFilter, QueueRow, StoryAnswer } from '../admin/api-types.ts'
import type { QueueId } from '../core/brand.ts'
import type { StateKind } from '../core/recipient-state.ts'
import { confirm } from './ask.ts'
import { type AdminClient, connectClient } from './client.ts'
import { type CliContext, CliError, commandName, EXIT, print, remark } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { type FilterOptions, filterQuery, isUnlimited, readFilter } from './filters.ts'
import { counted } from './format.ts'
import { fetchPages, stateName } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'

export interface ActOptions extends FilterOptions {
  readonly all?: boolean
  readonly yes?: boolean
}
export interface ActRun {
  readonly act: QueueAct
  readonly ids: readonly QueueId[]
  readonly options: ActOptions
}

interface ActWords {
  readonly verb: string
  /** After "to be". */
  readonly participle: string
  readonly past: string
  /** States in which it can be done. */
  readonly states: readonly StateKind[]
  /** For those that are being sent just now. */
  readonly pending: string
}
const WORDS: Readonly<Record<QueueAct, ActWords>> = {
  hold: { verb: 'hold', participle: 'held', past: 'Held', states: ['queued', 'leased'], pending: 'being sent just now; held if that attempt does not deliver' },
  resume: { verb: 'release', participle: 'released', past: 'Released', states: ['held'], pending: 'being sent just now' },
  cancel: {
    verb: 'delete',
    participle: 'deleted',
    past: 'Deleted',
    states: ['queued', 'leased', 'held'],
    pending: 'being sent just now; deleted if that attempt does not deliver',
  },
  retry: { verb: 'retry', participle: 'tried again', past: 'Due now:', states: ['queued'], pending: 'being sent just now' },
}

export async function actOnQueue(context: CliContext, globals: GlobalOptions, run: ActRun): Promise<void> {
  const { act, ids, options } = run
  const filter = filterFor(run, context.clock.now())
  const client = await connectClient(context, globals)
  if (ids.length === 0 && !(await isWanted(context, client, run, filter))) return
  const by = `cli:${context.env.SUDO_USER ?? context.env.USER ?? context.env.LOGNAME ?? 'operator'}`.replace(/[^\x21-\x7e]/g, '?').slice(0, 64)
  const request: ActRequest = { act, filter, by, all: options.all === true }
  const leftOut = await findLeftOut(client, run)
  const result = await client.post<ActResult>('/v1/queue/act', request)
  if (result.changed + result.pending === 0 && ids.length > 0) await explainNothing(client, run)
  if (globals.json === true) print(context, toJson(leftOut.length === 0 ? result : { ...result, leftOut }))
  else for (const line of outcomeLines(act, result)) print(context, line)
  if (leftOut.length === 0) return
  context.setExitCode(EXIT.refused)
  if (globals.json !== true) for (const { queueId, reason } of leftOut) remark(context, `${queueId}: nothing to ${WORDS[act].verb}: ${reason}`)
}

interface LeftOut {
  readonly queueId: QueueId
  readonly reason: string
}

/** Of several ids those to which nothing can be done. Asked before the act, which changes states. */
async function findLeftOut(client: AdminClient, { act, ids }: ActRun): Promise<readonly LeftOut[]> {
  if (ids.length < 2) return []
  const { states } = WORDS[act]
  const found = new Map<QueueId, QueueRow[]>()
  for await (const { rows } of fetchPages(client, { filter: { queueIds: ids }, limit: Number.POSITIVE_INFINITY, after: null })) {
    for (const row of rows) found.set(row.queueId, [...(found.get(row.queueId) ?? []), row])
  }
  return ids.flatMap((queueId): readonly LeftOut[] => {
    const rows = found.get(queueId) ?? []
    if (rows.some(({ state }) => states.includes(state))) return []
    return [{ queueId, reason: rows.length === 0 ? 'there is no such message' : wrongState(rows, states) }]
  })
}

function wrongState(rows: readonly QueueRow[], states: readonly StateKind[]): string {
  return `it is ${[...new Set(rows.map(stateName))].join(', ')}, not ${states.join(' or ')}`
}

export async function flushQueue(context: CliContext, globals: GlobalOptions, lane: string | null): Promise<void> {
  const client = await connectClient(context, globals)
  const answer = await client.post<FlushAnswer>('/v1/flush', { lane })
  if (globals.json === true) print(context, toJson(answer))
  else for (const line of flushLines(answer, commandName(context))) print(context, line)
}

function flushLines({ recipients, lanes }: FlushAnswer, command: string): readonly string[] {
  const opened = lanes.length === 0 ? [] : [`Opened: ${lanes.map(escapeText).join(', ')}.`]
  if (recipients > 0) return [...opened, `${counted(recipients, 'recipient')} due now. See what becomes of them: ${command} log --follow`]
  return opened.length > 0 ? opened : ['Nothing waits for a later time.']
}

/** Throws where everything would be hit without `--all`, or where the state asked for cannot be acted on. */
function filterFor({ act, ids, options }: ActRun, now: number): QueueFilter {
  const { participle, states } = WORDS[act]
  const unlimited = isUnlimited(options)
  if (ids.length > 0) {
    if (!unlimited || options.all === true) throw new CliError(EXIT.usage, 'name either queue ids or a filter, not both')
    return { queueIds: ids }
  }
  if (unlimited && options.all !== true) {
    throw new CliError(EXIT.usage, `what is to be ${participle}?`, {
      code: 'filter-missing',
      hint: 'Name queue ids, or a filter such as --sender or --deferred, or --all.',
    })
  }
  const filter = readFilter(options, now)
  const asked = filter.states ?? states
  const possible = asked.filter((state) => states.includes(state))
  if (possible.length === 0) throw new CliError(EXIT.usage, `only recipients that are ${states.join(' or ')} can be ${participle}`)
  return { ...filter, states: possible }
}

async function isWanted(context: CliContext, client: AdminClient, { act, options }: ActRun, filter: QueueFilter): Promise<boolean> {
  const { count } = await client.get<CountAnswer>('/v1/queue/count', filterQuery(filter))
  if (count === 0) return true
  const { verb } = WORDS[act]
  const consequence = `This would ${verb} ${counted(count, 'recipient')}.${act === 'cancel' ? ' Nobody is told, and it cannot be undone.' : ''}`
  if (await confirm(context, consequence, options.yes === true)) return true
  print(context, 'Nothing was changed.')
  context.setExitCode(EXIT.failed)
  return false
}

/** Nothing matched the ids: says why, and ends with 4. */
async function explainNothing(client: AdminClient, { act, ids }: ActRun): Promise<never> {
  const { verb, states } = WORDS[act]
  const [id] = ids
  const story = ids.length > 1 ? null : await client.get<StoryAnswer>(`/v1/messages/${id}`)
  const reason = story === null ? `none of these is ${states.join(' or ')}` : wrongState(story.recipients, states)
  throw new CliError(EXIT.refused, `nothing to ${verb}: ${reason}`, { code: 'nothing-changed' })
}

function outcomeLines(act: QueueAct, { changed, pending }: ActResult): readonly string[] {
  const { verb, past, pending: meaning } = WORDS[act]
  if (changed + pending === 0) return [`There is nothing to ${verb}.`]
  const lines = [
    changed === 0 && pending > 0 ? '' : `${past} ${counted(changed, 'recipient')}.`,
    pending === 0 ? '' : `${counted(pending, 'recipient')}: ${meaning}.`,
  ]
  return lines.filter((line) => line !== '')
}
