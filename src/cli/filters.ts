/**
 * The filters that commands over the queue share: their options, and the `QueueFilter` they mean.
 *
 * Times are given as ages (`--older-than 2h`), states by name; `deferred` counts as a state here,
 * because people think of it as one.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { QueueFilter } from '../admin/api-types.ts'
import type { EpochMs, QueueId } from '../core/brand.ts'
import { parseQueueId } from '../core/queue-id.ts'
import { STATE_KINDS, type StateKind } from '../core/recipient-state.ts'
import { parseDuration } from '../core/units.ts'
import type { Query } from './client.ts'
import { CliError, EXIT } from './context.ts'

export interface FilterOptions {
  readonly state?: readonly string[]
  readonly sender?: string
  readonly recipient?: string
  readonly relay?: string
  readonly olderThan?: number
  readonly newerThan?: number
  readonly reply?: string
  readonly deferred?: boolean
}

const STATE_NAMES: readonly string[] = [...STATE_KINDS, 'deferred', 'all']
/** What "the queue" is: everything that is not finished. */
export const OPEN_STATES: readonly StateKind[] = ['queued', 'leased', 'held']

export function addFilterOptions(command: Command): Command {
  return command
    .addOption(new Option('--state <states>', `only these, separated by commas: ${STATE_NAMES.join(', ')}`).argParser(parseStates))
    .option('--sender <address>', 'only from this address or part of one; * stands for anything, <> for none')
    .option('--recipient <address>', 'only to this address or part of one')
    .option('--relay <name>', 'only by this relay, credential or lane: google, google/jira, capture')
    .addOption(new Option('--older-than <age>', 'only accepted longer ago: 30m, 2h, 3d').argParser(parseAge))
    .addOption(new Option('--newer-than <age>', 'only accepted since: 30m, 2h, 3d').argParser(parseAge))
    .option('--reply <text>', 'only where the last reply or reason holds this text')
    .option('--deferred', 'only what was tried and waits to be tried again')
}

/** The filter that was asked for; without any option it is empty. */
export function readFilter(options: FilterOptions, now: number): QueueFilter {
  const { state, sender, recipient, relay, olderThan, newerThan, reply } = options
  const wantsDeferred = options.deferred === true || state?.includes('deferred') === true
  if (state?.includes('deferred') === true && state.some((name) => name !== 'deferred' && name !== 'queued')) {
    throw new CliError(EXIT.usage, '--state deferred cannot be joined with another state: ask for each on its own')
  }
  const states = statesOf(state, wantsDeferred)
  return {
    ...(states === null ? {} : { states }),
    ...(sender === undefined ? {} : { sender }),
    ...(recipient === undefined ? {} : { recipient }),
    ...(relay === undefined ? {} : { relay }),
    ...(olderThan === undefined ? {} : { acceptedBefore: (now - olderThan) as EpochMs }),
    ...(newerThan === undefined ? {} : { acceptedAfter: (now - newerThan) as EpochMs }),
    ...(reply === undefined ? {} : { reply }),
    ...(wantsDeferred ? { deferred: true } : {}),
  }
}

/** Nothing was asked for that would leave anything out. */
export function isUnlimited(options: FilterOptions): boolean {
  const onlyAll = options.state?.includes('all') === true
  return Object.entries(options).every(([name, value]) => value === undefined || value === false || (name === 'state' && onlyAll) || !FILTER_NAMES.has(name))
}
const FILTER_NAMES = new Set(['state', 'sender', 'recipient', 'relay', 'olderThan', 'newerThan', 'reply', 'deferred'])

/** A filter as the query of a GET request. */
export function filterQuery(filter: QueueFilter): Query {
  const { states, queueIds, ...rest } = filter
  return { ...rest, ...(states === undefined ? {} : { states: states.join(',') }), ...(queueIds === undefined ? {} : { queueIds: queueIds.join(',') }) }
}

/** For arguments that are ids. */
export function parseIdArgument(text: string): QueueId {
  const id = parseQueueId(text)
  if (id === null) throw new InvalidArgumentError('A queue id has eleven letters and digits, as `postern queue list` shows them.')
  return id
}

/** For several ids: commander calls it once for each. */
export function collectIds(text: string, before: readonly QueueId[] | undefined): readonly QueueId[] {
  return [...(before ?? []), parseIdArgument(text)]
}

/** Milliseconds, for options that are durations. */
export function parseAge(text: string): number {
  const ms = parseDuration(text)
  if (ms === null) throw new InvalidArgumentError('A duration is a number and a unit: 90s, 30m, 2h, 1h30m, 3d.')
  return ms
}

/** For `--limit`: a number from 1, or `all`. */
export function parseLimit(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY
  const limit = Number(text)
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError('It is a whole number from 1, or `all`.')
  return limit
}

function parseStates(text: string, before: readonly string[] | undefined): readonly string[] {
  const states = text.split(',').map((one) => one.trim().toLowerCase())
  // Lists show it as a state, but it is a way of being delivered.
  if (states.includes('captured')) throw new InvalidArgumentError('Captured mail: `postern captured list`, or --state delivered --relay capture.')
  for (const state of states) if (!STATE_NAMES.includes(state)) throw new InvalidArgumentError(`Known are ${STATE_NAMES.join(', ')}.`)
  return [...(before ?? []), ...states]
}

/** Null: no limit by state. `deferred` alone means those of the queued that were tried. */
function statesOf(names: readonly string[] | undefined, wantsDeferred: boolean): readonly StateKind[] | null {
  if (names?.includes('all') === true) return null
  const known = STATE_KINDS.filter((state) => names?.includes(state) === true)
  if (known.length > 0) return known
  return wantsDeferred ? ['queued'] : null
}
