/**
 * `postern queue export`: messages as .eml files that only their owner may read.
 *
 * File names are made of queue ids alone; no text of a message ever becomes part of a path.
 * Nothing is overwritten; a file that could not be completed is removed.
 */
import { type FileHandle, mkdir, open, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { QueueFilter } from '../admin/api-types.ts'
import type { QueueId } from '../core/brand.ts'
import { parseQueueId } from '../core/queue-id.ts'
import { type AdminClient, connectClient, readChunks } from './client.ts'
import { type CliContext, CliError, EXIT, print, remark } from './context.ts'
import { toJson } from './escape.ts'
import { type FilterOptions, isUnlimited, OPEN_STATES, readFilter } from './filters.ts'
import { counted } from './format.ts'
import { fetchPages } from './rows.ts'
import type { GlobalOptions } from './socket-path.ts'

export interface ExportOptions extends FilterOptions {
  readonly all?: boolean
}
export interface ExportRun {
  readonly path: string
  readonly ids: readonly QueueId[]
  readonly options: ExportOptions
  /** What applies beside the options; for `captured export`. */
  readonly within?: QueueFilter
}
interface Exported {
  readonly queueId: QueueId
  readonly file: string
}

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700

export async function exportMessages(context: CliContext, globals: GlobalOptions, run: ExportRun): Promise<void> {
  requireChoice(run)
  const client = await connectClient(context, globals)
  const ids = run.ids.length > 0 ? [...new Set(run.ids)] : await idsOf(client, run, context.clock.now())
  if (ids.length === 0) throw new CliError(EXIT.refused, 'there is no such message', { code: 'not-found' })
  const target = resolve(context.cwd, run.path)
  const isFolder = ids.length > 1 || run.ids.length === 0 || (await isExistingFolder(target))
  if (isFolder) await mkdir(target, { recursive: true, mode: FOLDER_MODE }).catch(fileFault)
  const written: Exported[] = []
  let failed = 0
  for (const queueId of ids) {
    const file = isFolder ? join(target, `${queueId}.eml`) : target
    try {
      await writeContent(client, queueId, file)
      written.push({ queueId, file })
    } catch (error) {
      if (ids.length === 1 || !(error instanceof CliError) || error.exitCode === EXIT.notRunning) throw error
      failed++
      remark(context, `${queueId}: ${error.message}`)
    }
  }
  if (globals.json === true) print(context, toJson(written, 2))
  else print(context, `${counted(written.length, 'message')} written to ${target}${failed === 0 ? '.' : `; ${failed} could not be written.`}`)
  if (failed > 0) context.setExitCode(EXIT.failed)
}

function requireChoice({ ids, options }: ExportRun): void {
  const unlimited = isUnlimited(options)
  if (ids.length > 0 && (!unlimited || options.all === true)) throw new CliError(EXIT.usage, 'name either queue ids or a filter, not both')
  if (ids.length === 0 && unlimited && options.all !== true) {
    throw new CliError(EXIT.usage, 'which messages are to be written?', {
      code: 'filter-missing',
      hint: 'Name queue ids, or a filter such as --state held, or --all.',
    })
  }
}

/** Each message once, however many recipients of it match. */
async function idsOf(client: AdminClient, { options, within }: ExportRun, now: number): Promise<readonly QueueId[]> {
  const asked = readFilter(options, now)
  const filter = { ...(asked.states === undefined && options.state === undefined && within === undefined ? { states: OPEN_STATES } : {}), ...asked, ...within }
  const ids = new Set<QueueId>()
  for await (const page of fetchPages(client, { filter, limit: Number.POSITIVE_INFINITY, after: null })) {
    for (const { queueId } of page.rows) if (parseQueueId(queueId) !== null) ids.add(queueId)
  }
  return [...ids]
}

async function writeContent(client: AdminClient, queueId: QueueId, file: string): Promise<void> {
  const answer = await client.stream(`/v1/messages/${queueId}/content`)
  const handle: FileHandle = await open(file, 'wx', FILE_MODE).catch((error: unknown) => {
    answer.destroy()
    return fileFault(error)
  })
  try {
    for await (const chunk of readChunks(answer)) await handle.writeFile(chunk)
    await handle.close()
  } catch (error) {
    // The first fault is told; what is left of the file goes away as far as it can.
    await Promise.allSettled([handle.close(), unlink(file)])
    return error instanceof CliError ? Promise.reject(error) : fileFault(error)
  }
}

function isExistingFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

function fileFault(error: unknown): never {
  const { code, path, message } = error as NodeJS.ErrnoException
  if (code === 'EEXIST')
    throw new CliError(EXIT.refused, `${path ?? 'the file'} is there already; nothing is overwritten`, { code: 'file-exists', cause: error })
  throw new CliError(EXIT.failed, `the file cannot be written: ${message}`, { code: 'file-refused', cause: error })
}
