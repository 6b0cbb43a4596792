/**
 * Starts the process that writes to one user's mailbox: `worker.ts`. Used by the agent and by a server that is no root.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import type { Socket } from 'node:net'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { formatOrder, type WorkerOrder } from './order.ts'
import { spoolOf } from './place.ts'

export interface StartedWorker {
  readonly child: ChildProcess
  /** Its other end is the worker's descriptor 3. */
  readonly socket: Socket
}

/** Of agent and worker: they keep little, content passes through in pieces. */
export const HEAP = ['--max-semi-space-size=1', '--max-old-space-size=64']
const WORLD_WRITABLE = 0o002
const GROUP_WRITABLE = 0o020

/** A file of this folder, as TypeScript or as compiled JavaScript. */
export function entryFile(name: string): string {
  return fileURLToPath(new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url))
}

/** Nothing of our environment reaches it. Throws if it cannot be started. */
export function startWorker(order: WorkerOrder): StartedWorker {
  const child = spawn(process.execPath, [...HEAP, entryFile('worker'), formatOrder(order)], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    env: {},
    cwd: '/',
  })
  const socket = child.stdio[3]
  if (socket === null || socket === undefined) throw new Error('no worker could be started')
  return { child, socket: socket as Socket }
}

/**
 * The group that may make files in the folder of all mailboxes, as `mail` may in /var/mail: deliveries
 * need it for their locks. Null: users can do it themselves, or it is not such a folder.
 */
export function spoolGroupOf(template: string): number | null {
  const spool = spoolOf(template)
  const stat = spool === null ? undefined : statSync(spool, { throwIfNoEntry: false })
  if (stat === undefined || !stat.isDirectory() || stat.uid !== 0 || stat.gid === 0) return null
  return (stat.mode & GROUP_WRITABLE) !== 0 && (stat.mode & WORLD_WRITABLE) === 0 ? stat.gid : null
}
