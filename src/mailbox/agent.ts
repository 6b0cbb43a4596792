/**
 * The only part of Postern that stays root: starts workers for users, and nothing else. An entry point.
 *
 * It reads no mail, opens no mailbox and takes no path from anybody: it looks a name up in the user
 * database, refuses root and users of the system, starts a worker that becomes the user, and gives the
 * worker's socket to the server. It ends with the server; if it dies, the shell that holds it starts
 * another (`start-agent.ts`).
 */
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'
import { type EnhancedStatus, enhanced } from '../core/reply.ts'
import { type AgentAnswer, parseRequest } from './agent-wire.ts'
import { type MailboxSettings, whyNot } from './order.ts'
import { spoolGroupOf, startWorker } from './start-worker.ts'
import { findSystemUser } from './system-users.ts'

/** Processes at once, those included that were killed and hang in a dead file server. */
const WORKERS_MAX = 64
const WORKERS_PER_USER_MAX = 4
const DISABLED = enhanced(4, 2, 1)
const SYSTEM = enhanced(4, 3, 0)

interface Worker {
  readonly user: string
  /** Null: the user is being looked up. */
  child: ChildProcess | null
}

function serve(settings: MailboxSettings): void {
  const workers = new Map<number, Worker>()
  const spoolGroup = spoolGroupOf(settings.path)
  const refuse = (id: number, status: EnhancedStatus<4>, reason: string): void => answer({ kind: 'refused', id, status, reason })

  const open = async (id: number, name: string): Promise<void> => {
    if (workers.has(id)) return
    if (workers.size >= WORKERS_MAX) return refuse(id, SYSTEM, `${WORKERS_MAX} mailboxes are being written to, or hang`)
    if ([...workers.values()].filter((one) => one.user === name).length >= WORKERS_PER_USER_MAX) {
      return refuse(id, SYSTEM, `${WORKERS_PER_USER_MAX} earlier deliveries to ${name} still hang`)
    }
    const worker: Worker = { user: name, child: null }
    workers.set(id, worker)
    try {
      const user = await findSystemUser(name)
      const obstacle = user === null ? null : whyNot(user, settings)
      if (user !== null && obstacle === null) return start(id, worker, () => startWorker({ user, settings, spoolGroup }))
      workers.delete(id)
      if (obstacle === null) answer({ kind: 'unknown', id })
      else refuse(id, DISABLED, obstacle)
    } catch (error) {
      workers.delete(id)
      refuse(id, SYSTEM, error instanceof Error ? error.message : String(error))
    }
  }

  const start = (id: number, worker: Worker, begin: () => ReturnType<typeof startWorker>): void => {
    const { child, socket } = begin()
    worker.child = child
    child.on('error', () => workers.delete(id))
    child.on('exit', () => workers.delete(id))
    process.send?.({ kind: 'opened', id } satisfies AgentAnswer, socket, { keepOpen: false }, (error) => {
      if (error !== null) child.kill('SIGKILL')
    })
  }

  process.on('message', (message) => {
    const request = parseRequest(message)
    if (request?.kind === 'open') void open(request.id, request.user)
    else if (request?.kind === 'kill') workers.get(request.id)?.child?.kill('SIGKILL')
  })
}

function answer(message: AgentAnswer): void {
  process.send?.(message, undefined, undefined, () => undefined)
}

// It ends when the server does, in whatever way that ended, and not before.
process.on('disconnect', () => process.exit(0))
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.umask(0o077)
process.chdir('/')
serve(JSON.parse(process.argv[2] ?? '') as MailboxSettings)
