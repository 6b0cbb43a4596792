/** Stands in where mailboxes cannot be written to until something is done about it: their mail waits. */
import { enhanced } from '../core/reply.ts'
import type { OpenAnswer, WorkerOpener } from './worker-link.ts'

export function createNoOpener(reason: string): WorkerOpener {
  const answer: OpenAnswer = { kind: 'refused', status: enhanced(4, 3, 5), reason }
  return { open: () => ({ answer: Promise.resolve(answer), giveUp: () => undefined }), close: () => undefined }
}
