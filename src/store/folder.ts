/**
 * The data folder: made with its mode, checked for file systems on which a queue is not safe.
 */
import { accessSync, chmodSync, closeSync, constants, fsyncSync, mkdirSync, openSync, statfsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describeFileFault } from '../core/file-words.ts'
import type { Journal } from '../ports/journal.ts'
import { contentFileOf } from './sqlite/place.ts'
import { StoreOpenError } from './store-open-error.ts'

export interface StorePaths {
  readonly database: string
  readonly log: string
  readonly reserve: string
  readonly content: string
}

/** Magic numbers of statfs(2). Locks and syncs of these cannot be relied on. */
const REFUSED_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
])
const DOUBTFUL_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x794c7630, 'overlayfs: the queue is gone with the container, mount a volume'],
  [0x01021994, 'tmpfs: the queue is gone after a restart of the machine'],
  [0x65735546, 'FUSE: whether a sync reaches the disk is up to its program'],
  [0x01021997, '9p: whether a sync reaches the disk is up to the host'],
])

/** Throws `StoreOpenError`. */
export function prepareFolder(folder: string, journal: Journal): StorePaths {
  const database = join(folder, 'queue.db')
  const paths = { database, log: `${database}-wal`, reserve: join(folder, 'queue.reserve'), content: contentFileOf(database) }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new StoreOpenError('not-writable', `${folder} cannot be used: ${describeFileFault(error) ?? (error as Error).message}`, error)
  }
  checkFileSystem(folder, journal)
  // Before SQLite opens it, which would give it the mode of the umask; its log takes the mode over.
  for (const path of [paths.database, paths.content]) closeSync(openSync(path, 'a', 0o600))
  tighten(folder, 0o700, journal)
  for (const path of [paths.database, paths.content]) tighten(path, 0o600, journal)
  return paths
}

/** The names of the files survive a power cut, too. */
export function syncFolder(folder: string): void {
  sync(folder)
  try {
    sync(dirname(folder))
  } catch (error) {
    // A folder that may be passed through and not listed: whoever made the data folder in it, root, has synced it.
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
  }
}

function sync(path: string): void {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

export function freeOctets(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

function checkFileSystem(folder: string, journal: Journal): void {
  const type = statfsSync(folder).type
  const refused = REFUSED_FILE_SYSTEMS.get(type)
  if (refused !== undefined) throw new StoreOpenError('network-file-system', `${folder} is on ${refused}: the queue needs a local disk`)
  const doubt = DOUBTFUL_FILE_SYSTEMS.get(type)
  if (doubt !== undefined) journal.note('store', 'warn', `${folder} is on ${doubt}`)
}

function tighten(path: string, mode: number, journal: Journal): void {
  try {
    chmodSync(path, mode)
  } catch (error) {
    journal.note('store', 'warn', `the mode of ${path} cannot be set`, { reason: (error as Error).message })
  }
}
