/**
 * Delivery to an mbox: locked, noted, appended, synced (M03 to M05).
 *
 * The fcntl lock comes first and the dotlock after it, neither waited for while the other is held
 * (Debian policy 11.6). Whatever goes wrong on the way, the file is cut back to its old end; if we die,
 * the note in the dotlock lets the next delivery do it. Without a dotlock there is no such note: what
 * was begun then stays as a message cut short, and the next one is readable all the same.
 */
import { closeSync, fstatSync, fsyncSync, ftruncateSync, readSync } from 'node:fs'
import { enhanced } from '../core/reply.ts'
import { type Dotlock, tryDotlock } from './dotlock.ts'
import { createMboxEncoder } from './encode-content.ts'
import { type Folder, isStill, openBelow, openOwnFile, requireOwnFile, syncFolder } from './folders.ts'
import { faultOf, MailboxFault, mailboxFull, refusal } from './mailbox-fault.ts'
import { takeBack } from './mbox-recovery.ts'
import { type MailboxRules, type MailboxWriter, type MessageFacts, type Surroundings, writeWhole } from './writer.ts'

/** Between two tries for a lock: at first, and at most. */
const WAIT_MS = { first: 50, most: 1_000 }
/** How often a mailbox may be replaced by another file while we lock it. */
const REPLACED_MAX = 5
const FROM_CHARS_MAX = 256

interface LockedMailbox {
  readonly folder: Folder
  readonly name: string
  readonly fd: number
  readonly dotlock: Dotlock | null
}

/** Waits for the locks. Rejects with `MailboxFault`. */
export async function openMbox(rules: MailboxRules, facts: MessageFacts, surroundings: Surroundings): Promise<MailboxWriter> {
  const { base, own } = rules.place
  const folder = openBelow(base, own.slice(0, -1), rules.owner)
  const name = own.at(-1) ?? ''
  let mailbox: LockedMailbox | null = null
  try {
    mailbox = await lockMailbox({ folder, name, rules, surroundings })
    return beginAppend(mailbox, rules, { ...facts, atMs: surroundings.nowMs() })
  } catch (error) {
    if (mailbox !== null) unlock(mailbox)
    closeSync(folder.fd)
    throw faultOf(error, `${folder.path}/${name}`)
  }
}

/** `From SENDER Thu Jan  1 00:00:00 1970`, in UTC (RFC 4155). */
export function fromLine(from: string, atMs: number): string {
  const sender = from.replace(/[^!-~]/g, '-').slice(0, FROM_CHARS_MAX)
  const [, day = '', date = '', month = '', year = '', time = ''] = /^(\w+), (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(atMs).toUTCString()) ?? []
  return `From ${sender === '' ? 'MAILER-DAEMON' : sender} ${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}\n`
}

interface LockRequest {
  readonly folder: Folder
  readonly name: string
  readonly rules: MailboxRules
  readonly surroundings: Surroundings
}

async function lockMailbox(request: LockRequest): Promise<LockedMailbox> {
  const { folder, name, rules, surroundings } = request
  let waited = 0
  let replaced = 0
  for (let wait = WAIT_MS.first; ; ) {
    const mailbox = tryLocks(request)
    if (mailbox !== null && isStill(folder, name, mailbox.fd)) {
      requireOwnFile(mailbox.fd, `${folder.path}/${name}`, rules.owner)
      return mailbox
    }
    if (mailbox !== null) {
      unlock(mailbox)
      replaced++
      if (replaced > REPLACED_MAX) throw refusal('it is replaced again and again by another file')
      continue
    }
    if (waited >= rules.lockMs) throw refusal(`somebody else has locked it for more than ${Math.round(rules.lockMs / 1000)} s`)
    await surroundings.sleep(Math.min(wait, rules.lockMs - waited))
    waited += wait
    wait = Math.min(wait * 2, WAIT_MS.most)
  }
}

/** Both locks or none. */
function tryLocks({ folder, name, rules, surroundings }: LockRequest): LockedMailbox | null {
  const fd = openOwnFile(folder, name, rules.owner)
  try {
    if (rules.locks.includes('fcntl') && !takeRangeLock(fd, surroundings)) {
      closeSync(fd)
      return null
    }
    if (!rules.locks.includes('dotlock')) return { folder, name, fd, dotlock: null }
    const answer = tryDotlock({ folder, name, staleMs: rules.staleLockMs, surroundings })
    if (answer.kind === 'held') return { folder, name, fd, dotlock: answer.lock }
  } catch (error) {
    closeSync(fd)
    throw error
  }
  closeSync(fd)
  return null
}

function takeRangeLock(fd: number, { rangeLock }: Surroundings): boolean {
  const answer = rangeLock(fd)
  if (answer !== 'unable') return answer === 'locked'
  const remedy = 'install perl, or say locks: [dotlock] under local.mailbox'
  throw new MailboxFault(enhanced(4, 3, 5), `no program of this system can take an fcntl lock: ${remedy}`)
}

function unlock({ fd, dotlock }: LockedMailbox): void {
  dotlock?.release()
  // With it goes the fcntl lock.
  closeSync(fd)
}

/** The mailbox is locked: mends it, notes where it ends, writes the From_ line. */
function beginAppend(mailbox: LockedMailbox, rules: MailboxRules, facts: MessageFacts & { readonly atMs: number }): MailboxWriter {
  const { fd, dotlock } = mailbox
  if (dotlock !== null && dotlock.left !== null) takeBack(fd, dotlock.left)
  const stat = fstatSync(fd, { bigint: true })
  const end = Number(stat.size)
  const head = missingNewlines(fd, end) + fromLine(facts.from, facts.atMs)
  requireRoom(rules, end, facts.sizeOctets)
  dotlock?.note({ ino: stat.ino, end, head })
  const writer = new MboxWriter(mailbox, rules, end)
  writer.begin(head)
  return writer
}

/** What a reader needs between two messages: the line end, and the empty line. */
function missingNewlines(fd: number, end: number): string {
  if (end === 0) return ''
  const tail = Buffer.alloc(2)
  const text = tail.toString('latin1', 0, readSync(fd, tail, 0, 2, Math.max(0, end - 2)))
  if (text.endsWith('\n\n') || text === '\n') return ''
  return text.endsWith('\n') ? '\n' : '\n\n'
}

function requireRoom({ sizeMaxOctets }: MailboxRules, has: number, more: number): void {
  if (sizeMaxOctets !== null && has + more > sizeMaxOctets) throw mailboxFull(`the mailbox holds ${has} octets and may hold ${sizeMaxOctets}`)
}

class MboxWriter implements MailboxWriter {
  readonly #mailbox: LockedMailbox
  readonly #rules: MailboxRules
  readonly #end: number
  readonly #encoder = createMboxEncoder()
  /** Octets that we may have appended. */
  #octets = 0
  #over = false

  constructor(mailbox: LockedMailbox, rules: MailboxRules, end: number) {
    this.#mailbox = mailbox
    this.#rules = rules
    this.#end = end
  }

  begin(head: string): void {
    try {
      this.#append(Buffer.from(head, 'latin1'))
    } catch (error) {
      this.#cutBack()
      throw error
    }
  }

  write(chunk: Uint8Array): void {
    this.#append(this.#encoder.push(chunk))
  }

  commit(): void {
    const { folder, fd } = this.#mailbox
    this.#append(this.#encoder.end())
    try {
      fsyncSync(fd)
    } catch (error) {
      throw this.#fault(error)
    }
    this.#close()
    try {
      // The lock is gone for good, and with it the note that would have this message cut off again.
      syncFolder(folder)
    } catch (error) {
      throw this.#fault(error)
    } finally {
      closeSync(folder.fd)
    }
  }

  abort(): void {
    if (this.#over) return
    this.#cutBack()
    this.#close()
    closeSync(this.#mailbox.folder.fd)
  }

  #append(bytes: Uint8Array): void {
    requireRoom(this.#rules, this.#end + this.#octets, bytes.byteLength)
    this.#octets += bytes.byteLength
    try {
      writeWhole(this.#mailbox.fd, bytes)
    } catch (error) {
      throw this.#fault(error)
    }
  }

  /** Not if the file is longer than we made it: somebody who knows no locks has appended, too. */
  #cutBack(): void {
    const { fd } = this.#mailbox
    try {
      const { size } = fstatSync(fd)
      if (size <= this.#end || size > this.#end + this.#octets) return
      ftruncateSync(fd, this.#end)
      fsyncSync(fd)
    } catch {
      // What is left is a message cut short; the next one begins on a line of its own.
    }
  }

  #close(): void {
    this.#over = true
    unlock(this.#mailbox)
  }

  #fault(error: unknown): MailboxFault {
    return faultOf(error, `${this.#mailbox.folder.path}/${this.#mailbox.name}`)
  }
}
