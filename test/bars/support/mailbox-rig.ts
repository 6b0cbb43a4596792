/**
 * Mailboxes of test users written to by real worker processes, without a server in front: fast, and easy to kill.
 */
import { createRealClock } from '../../../src/app/real-clock.ts'
import { createMailboxes } from '../../../src/mailbox/mailboxes.ts'
import type { MailboxSettings } from '../../../src/mailbox/order.ts'
import { spoolGroupOf, startWorker } from '../../../src/mailbox/start-worker.ts'
import type { WorkerOpener } from '../../../src/mailbox/worker-link.ts'
import type { MailboxAnswer, Mailboxes } from '../../../src/ports/mailboxes.ts'
import type { TestUser } from '../../system/support/system-user.ts'

export interface MailboxRig {
  readonly mailboxes: Mailboxes
  /** Ids of processes that write just now. */
  readonly pids: ReadonlySet<number>
  /** `pauseMs` between two pieces of 4 KB, so that a kill finds it half written. */
  deliver(user: TestUser, content: string, pauseMs?: number): Promise<MailboxAnswer>
  /** All workers have gone. */
  close(): Promise<void>
}

export function startRig(users: readonly TestUser[], changes: Partial<MailboxSettings>): MailboxRig {
  const settings: MailboxSettings = {
    format: 'maildir',
    path: '~/Maildir',
    sizeMaxOctets: null,
    locks: ['fcntl', 'dotlock'],
    lockMs: 10_000,
    staleLockMs: 60_000,
    uidMin: 1000,
    users: [],
    ...changes,
  }
  const pids = new Set<number>()
  const gone: Promise<unknown>[] = []
  const opener: WorkerOpener = {
    open(name) {
      const user = users.find((one) => one.name === name)
      if (user === undefined) return { answer: Promise.resolve({ kind: 'unknown' }), giveUp: () => undefined }
      const { child, socket } = startWorker({ user, settings, spoolGroup: spoolGroupOf(settings.path) })
      const { pid = 0 } = child
      pids.add(pid)
      gone.push(
        new Promise((resolve) => child.once('exit', resolve)).then(() => {
          pids.delete(pid)
        }),
      )
      return { answer: Promise.resolve({ kind: 'open', socket, kill: () => void child.kill('SIGKILL') }), giveUp: () => undefined }
    },
    close: () => undefined,
  }
  const mailboxes = createMailboxes({ opener, clock: createRealClock(), deliveryMs: 30_000 })
  return {
    mailboxes,
    pids,
    deliver(user, content, pauseMs = 0) {
      const bytes = Buffer.from(content, 'latin1')
      const delivery = {
        user: user.name,
        from: 'app@sender.test',
        sizeOctets: bytes.length,
        async *content() {
          for (let at = 0; at < bytes.length; at += 4_096) {
            yield bytes.subarray(at, at + 4_096)
            if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
          }
        },
      }
      return mailboxes.deliver(delivery, new AbortController().signal)
    },
    async close() {
      await mailboxes.close(30_000)
      await Promise.all(gone)
    },
  }
}

/** A message that can be told from all others, and from a part of itself. */
export function makeMail(id: string, octets: number): string {
  const line = `From the middle of ${id} to its end\r\n>From quoted\r\n`
  return `Subject: ${id}\r\nX-Id: ${id}\r\n\r\n${line.repeat(Math.max(1, Math.ceil(octets / line.length)))}end of ${id}\r\n`
}
export function asStored(content: string): string {
  return content.replaceAll('\r\n', '\n')
}
export function idOf(text: string): string {
  return /^X-Id: (\S+)$/m.exec(text)?.[1] ?? ''
}
