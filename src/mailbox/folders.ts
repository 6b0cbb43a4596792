/**
 * Folders and files by descriptor: every step is taken from an open folder, never from a path that
 * somebody may have changed in the meantime (CVE-2008-2936, M02).
 *
 * Node has no openat(2); `/proc/self/fd/N/NAME` is the same on Linux. What lies below the base is the
 * user's own: there no symbolic link is followed, and everything must belong to the user who delivers.
 */
import { type BigIntStats, closeSync, constants, fstatSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { codeOf, faultOf, refusal } from './mailbox-fault.ts'

export interface Folder {
  readonly fd: number
  /** For people. */
  readonly path: string
}

/** Opens without reading; no constant of Node's. The same on every Linux that Node runs on. */
export const O_PATH = 0o10000000
const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_RDWR, O_APPEND, O_CREAT, O_EXCL, O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants
const FOLDER_MODE = 0o700
const FILE_MODE = 0o600

/** The path of an entry for calls that take one: reached through the open folder. */
export function entryPath(folder: Folder, name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) throw refusal(`${JSON.stringify(name)} is no name of a file`)
  return `/proc/self/fd/${folder.fd}/${name}`
}

/** A folder that the system's owner named, links followed: a home, the mail spool. */
function openBase(path: string): Folder {
  try {
    return { fd: openSync(path, O_PATH | O_DIRECTORY | O_RDONLY), path }
  } catch (error) {
    throw faultOf(error, path)
  }
}

/** The last of these folders, each inside the one before; see `enterFolder`. */
export function openBelow(base: string, names: readonly string[], owner: number): Folder {
  let folder = openBase(base)
  for (const name of names) {
    const outer = folder
    try {
      folder = enterFolder(outer, name, owner)
    } finally {
      closeSync(outer.fd)
    }
  }
  return folder
}

/** The folder of that name inside; made with mode 0700 if it is missing. `sync`: it is going to be synced, too. */
export function enterFolder(parent: Folder, name: string, owner: number, sync = false): Folder {
  const path = `${parent.path}/${name}`
  const flags = O_DIRECTORY | O_NOFOLLOW | O_RDONLY | (sync ? 0 : O_PATH)
  const folder: Folder = { fd: openOrMake(parent, name, flags), path }
  try {
    const stat = fstatSync(folder.fd)
    if (!stat.isDirectory() || stat.uid !== owner) throw refusal(`${path}: it belongs to another user`)
    return folder
  } catch (error) {
    closeSync(folder.fd)
    throw faultOf(error, path)
  }
}

function openOrMake(parent: Folder, name: string, flags: number): number {
  const entry = entryPath(parent, name)
  try {
    return openSync(entry, flags)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw faultOf(error, `${parent.path}/${name}`)
  }
  try {
    mkdirSync(entry, { mode: FOLDER_MODE })
    syncFolder(parent)
    return openSync(entry, flags)
  } catch (error) {
    throw faultOf(error, `${parent.path}/${name}`)
  }
}

/** New names in it survive a power cut. Throws an error of the file system. */
export function syncFolder(folder: Folder): void {
  // A descriptor of O_PATH cannot be synced: it is opened anew, as the same folder.
  const fd = openSync(`/proc/self/fd/${folder.fd}`, O_RDONLY | O_DIRECTORY)
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** A file of that name which is not there yet. Throws EEXIST if there is anything, a dangling link included. */
export function createFile(folder: Folder, name: string): number {
  return openSync(entryPath(folder, name), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, FILE_MODE)
}

/**
 * The regular file of that name, for reading and appending; made if it is missing. It is looked at before
 * it is opened, so that neither FIFO nor device is ever touched, and the opened file is the one looked at.
 */
export function openOwnFile(folder: Folder, name: string, owner: number): number {
  const path = `${folder.path}/${name}`
  const entry = entryPath(folder, name)
  for (let turn = 0; ; turn++) {
    try {
      const looked = openSync(entry, O_PATH | O_NOFOLLOW | O_RDONLY)
      try {
        requireOwnFile(looked, path, owner)
        return openSync(`/proc/self/fd/${looked}`, O_RDWR | O_APPEND | O_NONBLOCK | O_NOCTTY)
      } finally {
        closeSync(looked)
      }
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || turn > 0) throw faultOf(error, path)
    }
    try {
      return openSync(entry, O_CREAT | O_EXCL | O_RDWR | O_APPEND | O_NOFOLLOW, FILE_MODE)
    } catch (error) {
      // Somebody was faster, perhaps with a link: it is looked at again.
      if (codeOf(error) !== 'EEXIST') throw faultOf(error, path)
    }
  }
}

/** Refuses everything but a regular file of that user with one name only. */
export function requireOwnFile(fd: number, path: string, owner: number): void {
  const stat = fstatSync(fd)
  if (stat.isSymbolicLink()) throw refusal(`${path}: it is a symbolic link, and links are not followed`)
  if (!stat.isFile()) throw refusal(`${path}: it is no regular file`)
  if (stat.uid !== owner) throw refusal(`${path}: it belongs to another user`)
  if (stat.nlink !== 1) throw refusal(`${path}: it has more than one name (hard links)`)
}

/** The entry of that name still is that open file. */
export function isStill(folder: Folder, name: string, fd: number): boolean {
  try {
    const entry = openSync(entryPath(folder, name), O_PATH | O_NOFOLLOW | O_RDONLY)
    try {
      return sameFile(fstatSync(entry, { bigint: true }), fstatSync(fd, { bigint: true }))
    } finally {
      closeSync(entry)
    }
  } catch {
    // Gone, or not to be looked at: it is not.
    return false
  }
}

function sameFile(a: BigIntStats, b: BigIntStats): boolean {
  return a.ino === b.ino && a.dev === b.dev
}
