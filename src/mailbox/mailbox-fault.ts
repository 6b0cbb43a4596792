/**
 * Why a mailbox could not be written, with the status that the sender's side is told (RFC 3463 §3.3).
 *
 * Everything here is temporary: a full disk, a quota, a lock or a wrong permission is mended by
 * somebody, and mail waits for that until its lifetime is over (M08).
 */
import { type EnhancedStatus, enhanced } from '../core/reply.ts'

export class MailboxFault extends Error {
  readonly status: EnhancedStatus<4>

  constructor(status: EnhancedStatus<4>, reason: string) {
    super(reason)
    this.name = 'MailboxFault'
    this.status = status
  }
}

/** 4.2.2: over quota, disk full, file too large. */
const FULL: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the user is over quota'],
  ['EFBIG', 'a file may not become that large'],
])
/** 4.3.0: the system, not the mailbox. */
const SYSTEM: ReadonlySet<string> = new Set(['EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE', 'ETIMEDOUT', 'EROFS'])
const WORDS: ReadonlyMap<string, string> = new Map([
  ['ELOOP', 'it is a symbolic link, and links are not followed'],
  ['ENOTDIR', 'it is no folder, or a symbolic link, and links are not followed'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['ENOENT', 'it does not exist'],
  ['EXDEV', 'it is on another device than the rest of the mailbox'],
  ['ENXIO', 'it is no regular file'],
])

/** `refused`: what is in place of a mailbox is not to be written to (4.2.0, mailbox status). */
export function refusal(reason: string): MailboxFault {
  return new MailboxFault(enhanced(4, 2, 0), reason)
}

export function mailboxFull(reason: string): MailboxFault {
  return new MailboxFault(enhanced(4, 2, 2), reason)
}

/** What an error of the file system means; `what` names the file or folder for people. */
export function faultOf(error: unknown, what: string): MailboxFault {
  if (error instanceof MailboxFault) return error
  const code = codeOf(error)
  const full = FULL.get(code)
  if (full !== undefined) return mailboxFull(`${what}: ${full} (${code})`)
  const status = SYSTEM.has(code) ? enhanced(4, 3, 0) : enhanced(4, 2, 0)
  const words = WORDS.get(code) ?? (error instanceof Error ? error.message : String(error))
  return new MailboxFault(status, code === '' ? `${what}: ${words}` : `${what}: ${words} (${code})`)
}

/** Node's code of an error; empty: it has none. */
export function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
}
