/**
 * Whether the program's own files can be changed by the user that the server becomes: then whoever has
 * broken into the server would write what the agent, which is root, starts next.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { entryFile } from '../mailbox/start-worker.ts'

/** Levels above the files that are looked at: `src/mailbox`, `src`, the program's folder. */
const FOLDERS_UP = 3

/** A file or folder that this user may write to; null: none was found. */
export function writableBy(uid: number): string | null {
  const files = [process.execPath, entryFile('agent'), entryFile('worker')]
  let folder = entryFile('worker')
  for (let level = 0; level < FOLDERS_UP; level++) {
    folder = dirname(folder)
    files.push(folder)
  }
  return files.find((path) => isWritable(path, uid)) ?? null
}

function isWritable(path: string, uid: number): boolean {
  const stat = statSync(path)
  return stat.uid === uid || (stat.mode & 0o002) !== 0
}
