/**
 * Workers of a server that is no root: it can write to the mailboxes of its own user only.
 */
import { enhanced } from '../core/reply.ts'
import type { MailboxSettings } from './order.ts'
import { startWorker } from './start-worker.ts'
import { ownUser } from './system-users.ts'
import type { OpenAnswer, WorkerOpener } from './worker-link.ts'

const NO_RIGHT = enhanced(4, 3, 0)

export function createOwnOpener(settings: MailboxSettings): WorkerOpener {
  const own = ownUser()
  const open = (name: string): OpenAnswer => {
    if (own === null || own.name !== name || own.uid === 0) return { kind: 'refused', status: NO_RIGHT, reason: refusalOf(name, own?.name ?? null) }
    const { child, socket } = startWorker({ user: own, settings, spoolGroup: null })
    child.on('error', () => socket.destroy())
    return { kind: 'open', socket, kill: () => void child.kill('SIGKILL') }
  }
  return {
    open(name) {
      return { answer: new Promise((resolve) => resolve(open(name))), giveUp: () => undefined }
    },
    close: () => undefined,
  }
}

function refusalOf(name: string, own: string | null): string {
  const able = own === null ? 'and its user has no name' : `and can deliver to ${own} only`
  return `the mailbox of ${name} cannot be written to: Postern was not started as root, ${able}`
}
