/**
 * Gives up root for good, once the ports are bound.
 *
 * Node sets the ids of every thread of the process; a worker started before would keep nothing
 * either. Files opened before stay open; certificates that only root can read are read before.
 */
import { execFileSync } from 'node:child_process'
import { chownSync, closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'

export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Numbers of a system user, by `id`, so that every name service counts; null: there is none of that name. */
export function findUser(name: string): SystemUser | null {
  if (!/^[a-z_][a-z0-9_.-]*$/i.test(name)) return null
  try {
    const number = (flag: string): number => Number(execFileSync('id', [flag, '--', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
    return { name, uid: number('-u'), gid: number('-g') }
  } catch {
    // `id` answers 1 for an unknown user; that is the answer null stands for.
    return null
  }
}

export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Makes the folder if need be and hands it and the files in it to the user. Links are left alone. */
export function handOver(folder: string, user: SystemUser): void {
  makeFolder(folder, user)
  chownSync(folder, user.uid, user.gid)
  for (const name of readdirSync(folder)) handOverFile(join(folder, name), user)
}

/** Makes the folder for the user if it is missing. */
export function makeFolder(folder: string, user: SystemUser): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  syncNames(dirname(first))
  chownSync(folder, user.uid, user.gid)
}

/** A link, or a file that has another name, may be somebody else's: it stays as it is. */
export function handOverFile(path: string, user: SystemUser): void {
  const stat = lstatSync(path)
  if (stat.isFile() && stat.nlink === 1) chownSync(path, user.uid, user.gid)
}

/** What was made in it survives a power cut; the user may not be allowed to do this for a parent folder. */
function syncNames(folder: string): void {
  const fd = openSync(folder, 'r')
  fsyncSync(fd)
  closeSync(fd)
}

/** Becomes that user. Throws if any trace of root is left. */
export function dropTo(user: SystemUser): void {
  // Node has it on every POSIX system; its published types leave it out.
  ;(process as { initgroups?: (user: string, group: number) => void }).initgroups?.(user.name, user.gid)
  process.setgid?.(user.gid)
  process.setuid?.(user.uid)
  if (user.uid !== 0 && (process.getuid?.() === 0 || process.geteuid?.() === 0 || process.getegid?.() === 0)) {
    throw new Error(`still root after becoming ${user.name}`)
  }
}
