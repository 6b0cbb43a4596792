/**
 * `MAILBOX.lock`: the lock that every program that delivers to or reads an mbox honours, over NFS too.
 *
 * It holds our process id in its first line, as liblockfile wants it, then our host. While we append, it
 * also says where the mailbox ended before: if we die, the next delivery finds it and takes back what
 * we had begun (`mbox-recovery.ts`). A lock counts no more when it is old, or when the process of ours that
 * made it is known to be dead.
 */
import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, renameSync, unlinkSync } from 'node:fs'
import process from 'node:process'
import { createFile, entryPath, type Folder, O_PATH } from './folders.ts'
import { codeOf, faultOf } from './mailbox-fault.ts'
import { type AppendRecord, formatRecord, parseRecord } from './mbox-recovery.ts'
import { type Surroundings, writeWhole } from './writer.ts'

export interface Dotlock {
  /** What the one who held it before us had begun, if he died over it. */
  readonly left: AppendRecord | null
  /** Durable when it returns: only then may the mailbox grow. */
  note(record: AppendRecord): void
  /** Durable with the next sync of the folder. */
  release(): void
}
export type DotlockAnswer = { readonly kind: 'held'; readonly lock: Dotlock } | { readonly kind: 'busy' }

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
const LOCK_OCTETS_MAX = 4_096
/** Only such locks are ours, and only ours say by a dead process that they are over. */
const SIGN = 'postern'

export interface DotlockRequest {
  readonly folder: Folder
  /** Of the mailbox. */
  readonly name: string
  readonly staleMs: number
  readonly surroundings: Surroundings
}

/** One try. Throws `MailboxFault` if there can be no lock at all. */
export function tryDotlock(request: DotlockRequest): DotlockAnswer {
  const { folder, name, surroundings } = request
  const lockName = `${name}.lock`
  let left: AppendRecord | null = null
  for (let turn = 0; turn < 2; turn++) {
    try {
      const fd = createFile(folder, lockName)
      return { kind: 'held', lock: hold({ folder, lockName, fd, left, surroundings }) }
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw faultOf(error, `${folder.path}/${lockName}`)
    }
    const removed = removeStale(request, lockName)
    if (removed === null) return { kind: 'busy' }
    left = removed.left
  }
  return { kind: 'busy' }
}

function hold(held: {
  readonly folder: Folder
  readonly lockName: string
  readonly fd: number
  readonly left: AppendRecord | null
  readonly surroundings: Surroundings
}): Dotlock {
  const { folder, lockName, fd, left, surroundings } = held
  const path = `${folder.path}/${lockName}`
  let released = false
  const release = (): void => {
    if (released) return
    released = true
    closeSync(fd)
    try {
      unlinkSync(entryPath(folder, lockName))
    } catch {
      // Somebody took it for a stale one. It is not ours any more.
    }
  }
  const write = (text: string): void => {
    try {
      writeWhole(fd, Buffer.from(text))
    } catch (error) {
      release()
      throw faultOf(error, path)
    }
  }
  write(`${surroundings.pid}\n${SIGN} ${surroundings.hostname}\n`)
  return {
    left,
    note(record) {
      write(formatRecord(record))
      try {
        fsyncSync(fd)
      } catch (error) {
        throw faultOf(error, path)
      }
    },
    release,
  }
}

/** What the stale lock said; null: it is not stale, or somebody was faster. */
function removeStale({ folder, staleMs, surroundings }: DotlockRequest, lockName: string): { readonly left: AppendRecord | null } | null {
  const seen = look(folder, lockName)
  if (seen === null) return null
  const age = surroundings.nowMs() - seen.mtimeMs
  const orphaned = seen.text.includes(`\n${SIGN} ${surroundings.hostname}\n`) && isDead(Number.parseInt(seen.text, 10))
  if (!orphaned && age <= staleMs) return null
  // Renaming takes away exactly one lock, even if two see the same stale one; what it took shows then.
  const aside = `${lockName}.${surroundings.randomName()}`
  try {
    renameSync(entryPath(folder, lockName), entryPath(folder, aside))
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null
    throw faultOf(error, `${folder.path}/${lockName}`)
  }
  const taken = look(folder, aside)
  if (taken?.ino !== seen.ino) {
    renameSync(entryPath(folder, aside), entryPath(folder, lockName))
    return null
  }
  unlinkSync(entryPath(folder, aside))
  return { left: parseRecord(seen.text) }
}

interface SeenLock {
  readonly ino: bigint
  readonly mtimeMs: number
  /** Empty: it is another user's, and not to be read. */
  readonly text: string
}

function look(folder: Folder, name: string): SeenLock | null {
  let fd: number
  try {
    fd = openSync(entryPath(folder, name), O_PATH | O_NOFOLLOW)
  } catch {
    return null
  }
  try {
    const stat = fstatSync(fd, { bigint: true })
    return { ino: stat.ino, mtimeMs: Number(stat.mtimeMs), text: stat.isFile() ? readSome(fd) : '' }
  } finally {
    closeSync(fd)
  }
}

function readSome(looked: number): string {
  try {
    const fd = openSync(`/proc/self/fd/${looked}`, O_RDONLY | O_NONBLOCK)
    try {
      const bytes = Buffer.alloc(LOCK_OCTETS_MAX)
      return bytes.toString('latin1', 0, readSync(fd, bytes, 0, LOCK_OCTETS_MAX, 0))
    } finally {
      closeSync(fd)
    }
  } catch {
    return ''
  }
}

function isDead(pid: number): boolean {
  if (!(pid > 1)) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return codeOf(error) === 'ESRCH'
  }
}
