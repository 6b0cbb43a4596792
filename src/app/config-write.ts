/**
 * Writes a file so that a reader sees the old or the new one, never half of it, also after a power
 * cut: temporary file beside it, fsync, rename, fsync of the folder. Keeps owner and mode.
 */

import { randomBytes } from 'node:crypto'
import { chownSync, closeSync, fchmodSync, fsyncSync, mkdirSync, openSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isRoot } from './privileges.ts'

/** `mode` is for a file that does not exist yet, `always` for any. A link is followed, so that it stays a link. */
export function writeFileSafely(path: string, text: string, modes: { readonly mode?: number; readonly always?: number } = {}): void {
  const target = existing(path) === null ? path : realpathSync(path)
  const before = existing(target)
  const folder = dirname(target)
  mkdirSync(folder, { recursive: true })
  const temporary = join(folder, `.${basename(target)}.${randomBytes(6).toString('hex')}`)
  try {
    const descriptor = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(descriptor, text)
      fchmodSync(descriptor, modes.always ?? (before === null ? (modes.mode ?? 0o644) : before.mode & 0o7777))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    if (before !== null && isRoot()) chownSync(temporary, before.uid, before.gid)
    renameSync(temporary, target)
  } catch (fault) {
    rmSync(temporary, { force: true })
    // Nobody knows the temporary file.
    if (fault instanceof Error && 'path' in fault) fault.path = target
    throw fault
  }
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function existing(path: string) {
  return statSync(path, { throwIfNoEntry: false }) ?? null
}
