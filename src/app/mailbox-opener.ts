/**
 * Who writes to mailboxes: the agent if root has started us, else a process of our own user.
 *
 * Has to be decided before root is given up, and stays so until the end.
 */
import { createNoOpener } from '../mailbox/no-worker.ts'
import { createOwnOpener } from '../mailbox/own-worker.ts'
import { startAgent } from '../mailbox/start-agent.ts'
import type { WorkerOpener } from '../mailbox/worker-link.ts'
import { isRoot } from './privileges.ts'
import type { ServerSettings } from './settings.ts'

export function openMailboxes({ mailboxes }: Pick<ServerSettings, 'mailboxes'>): WorkerOpener {
  if (mailboxes === null) return createNoOpener('mailboxes are written to only after a restart: local mail was configured while the server was running')
  return isRoot() ? startAgent(mailboxes.rules) : createOwnOpener(mailboxes.rules)
}
