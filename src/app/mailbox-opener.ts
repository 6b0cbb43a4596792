/**
 * Who writes to mailboxes: the agent if root has started us, else a process of our own user.
 *
 * Has to be decided before root is given up, and stays so until the end.
 */
import process from 'node:process'
import { createNoOpener } from '../mailbox/no-worker.ts'
import { createOwnOpener } from '../mailbox/own-worker.ts'
import { AGENT_GONE, startAgent } from '../mailbox/start-agent.ts'
import type { WorkerOpener } from '../mailbox/worker-link.ts'
import type { Journal } from '../ports/journal.ts'
import { findUser, isRoot } from './privileges.ts'
import { writableBy } from './program-files.ts'
import { DEFAULT_USER } from './service-user.ts'
import type { ServerSettings } from './settings.ts'

export function openMailboxes({ mailboxes, user }: Pick<ServerSettings, 'mailboxes' | 'user'>, journal: Pick<Journal, 'note'>): WorkerOpener {
  if (mailboxes === null) return createNoOpener('mailboxes are written to only after a restart: local mail was configured while the server was running')
  if (process.platform !== 'linux') return createNoOpener('mailboxes are written to on Linux only; local.mailbox.lmtp works everywhere')
  if (!isRoot()) return createOwnOpener(mailboxes.rules)
  const become = findUser(user ?? DEFAULT_USER)
  const writable = become === null || become.uid === 0 ? null : writableBy(become.uid)
  if (writable !== null) {
    const reason = `mailboxes are not written to as long as ${become?.name} can change the program: ${writable} must belong to root`
    journal.note('transport', 'error', reason)
    return createNoOpener(reason)
  }
  return startAgent(mailboxes.rules, () => journal.note('transport', 'error', AGENT_GONE))
}
