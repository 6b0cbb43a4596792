/**
 * `postern queue list`: what waits, how many there are in all, and how to see the rest.
 *
 * What is said beside the rows goes to stderr where the rows are for a program.
 */
import type { CountAnswer, QueueFilter, ServerStatus } from '../admin/api-types.ts'
import { connectClient } from './client.ts'
import { type CliContext, print, remark } from './context.ts'
import { type FilterOptions, filterQuery, isUnlimited, OPEN_STATES, readFilter } from './filters.ts'
import { count, counted, paint } from './format.ts'
import { fetchPages, printRows, type RowFormat } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'

export interface ListOptions extends FilterOptions {
  /** Infinity: all. */
  readonly limit: number
  readonly after?: string
  readonly csv?: boolean
}

export async function listQueue(context: CliContext, globals: GlobalOptions, options: ListOptions): Promise<void> {
  const client = await connectClient(context, globals)
  const filter = openUnlessAsked(readFilter(options, context.clock.now()), options)
  const format: RowFormat = globals.json === true ? 'json' : options.csv === true ? 'csv' : 'table'
  const { count: inAll } = await client.get<CountAnswer>('/v1/queue/count', filterQuery(filter))
  const forPeople = context.outputIsTerminal && format === 'table'
  const lanes = forPeople && inAll > 0 ? (await client.get<ServerStatus>('/v1/status')).lanes : []
  const shown = await printRows(context, fetchPages(client, { filter, limit: options.limit, after: options.after ?? null }), format, lanes)
  const say = forPeople ? print : remark
  if (shown.next !== null) {
    say(
      context,
      paint(context, 'dim', `${count(shown.rows)} of ${counted(inAll, 'recipient')} shown. The next ones: add --after ${shown.next}; all of them: --limit all`),
    )
  } else if (forPeople) {
    print(context, paint(context, 'dim', summary(inAll, options)))
  }
}

/** Without a state, the queue is what is not finished. */
function openUnlessAsked(filter: QueueFilter, options: FilterOptions): QueueFilter {
  return filter.states !== undefined || options.state?.includes('all') === true ? filter : { ...filter, states: OPEN_STATES }
}

function summary(inAll: number, options: ListOptions): string {
  if (inAll > 0) return `${counted(inAll, 'recipient')} in all.`
  if (options.state !== undefined) return 'There is none.'
  return `${isUnlimited(options) ? 'Nothing waits.' : 'Nothing that waits matches.'} Finished mail: add --state all`
}
