/**
 * Delivery to a Maildir: written to tmp, synced, given its name in new, the folder synced (M06, M07).
 *
 * A name is never taken twice, even if the clock goes back. Nobody needs a lock. What a delivery
 * that died left in tmp is removed after 36 hours, as maildir(5) wants it.
 */
import { closeSync, fsyncSync, linkSync, lstatSync, readdirSync, renameSync, unlinkSync } from 'node:fs'
import { createMaildirEncoder } from './encode-content.ts'
import { createFile, enterFolder, entryPath, type Folder, openBelow, syncFolder } from './folders.ts'
import { codeOf, faultOf, mailboxFull } from './mailbox-fault.ts'
import { type MailboxRules, type MailboxWriter, type MessageFacts, type Surroundings, writeWhole } from './writer.ts'

/** maildir(5): files in tmp that old belong to nobody any more. */
export const TMP_AGE_MS = 36 * 3_600_000
/** Of one sweep: a flooded tmp must not stop the mail. */
const SWEPT_MAX = 1_000
/** Names tried before something must be wrong. */
const NAMES_MAX = 20
/** File systems that know no hard links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'ENOSYS'])

interface Folders {
  readonly tmp: Folder
  readonly new: Folder
  readonly cur: Folder
}

export class MaildirWriter implements MailboxWriter {
  readonly #folders: Folders
  readonly #encoder = createMaildirEncoder()
  readonly #surroundings: Surroundings
  readonly #limit: { readonly max: number; readonly used: number } | null
  readonly #fd: number
  readonly #name: string
  #octets = 0
  #ended = false

  /** Opens, or makes, the folders and begins a file. */
  constructor(rules: MailboxRules, facts: MessageFacts, surroundings: Surroundings) {
    this.#surroundings = surroundings
    this.#folders = openFolders(rules)
    try {
      this.#limit = rules.sizeMaxOctets === null ? null : { max: rules.sizeMaxOctets, used: usedOctets(this.#folders) }
      this.#requireRoom(facts.sizeOctets)
      const { name, fd } = createUnique(this.#folders.tmp, surroundings)
      this.#name = name
      this.#fd = fd
    } catch (error) {
      closeFolders(this.#folders)
      throw error
    }
  }

  write(chunk: Uint8Array): void {
    this.#append(this.#encoder.push(chunk))
  }

  commit(): void {
    this.#append(this.#encoder.end())
    const { tmp, new: fresh } = this.#folders
    try {
      fsyncSync(this.#fd)
      moveTo(fresh, { folder: tmp, name: this.#name }, this.#octets, this.#surroundings)
      syncFolder(fresh)
    } catch (error) {
      throw faultOf(error, fresh.path)
    }
    this.#end()
  }

  abort(): void {
    if (this.#ended) return
    try {
      unlinkSync(entryPath(this.#folders.tmp, this.#name))
    } catch {
      // The sweep will find it.
    }
    this.#end()
  }

  #append(bytes: Uint8Array): void {
    this.#octets += bytes.byteLength
    this.#requireRoom(this.#octets)
    try {
      writeWhole(this.#fd, bytes)
    } catch (error) {
      throw faultOf(error, this.#folders.tmp.path)
    }
  }

  #requireRoom(octets: number): void {
    const limit = this.#limit
    if (limit !== null && limit.used + octets > limit.max) throw mailboxFull(`the mailbox holds ${limit.used} octets and may hold ${limit.max}`)
  }

  #end(): void {
    if (this.#ended) return
    this.#ended = true
    closeSync(this.#fd)
    closeFolders(this.#folders)
  }
}

function openFolders({ place, owner }: MailboxRules): Folders {
  const maildir = openBelow(place.base, place.own, owner)
  const opened: Folder[] = []
  const inside = (name: string): Folder => {
    const folder = enterFolder(maildir, name, owner, true)
    opened.push(folder)
    return folder
  }
  try {
    return { tmp: inside('tmp'), new: inside('new'), cur: inside('cur') }
  } catch (error) {
    for (const folder of opened) closeSync(folder.fd)
    throw error
  } finally {
    closeSync(maildir.fd)
  }
}

function closeFolders(folders: Folders): void {
  for (const folder of [folders.tmp, folders.new, folders.cur]) closeSync(folder.fd)
}

/** Time, microseconds, process, chance, host: see maildir(5). Slash and colon would end the name (M06). */
export function uniqueName({ nowMs, pid, hostname, randomName }: Pick<Surroundings, 'nowMs' | 'pid' | 'hostname' | 'randomName'>): string {
  const ms = nowMs()
  const host = hostname
    .replaceAll('/', '\\057')
    .replaceAll(':', '\\072')
    .replace(/[^!-~]/g, '_')
  return `${Math.floor(ms / 1000)}.M${Math.floor((ms % 1000) * 1000)}P${pid}R${randomName()}.${host.slice(0, 100)}`
}

function createUnique(folder: Folder, surroundings: Surroundings): { readonly name: string; readonly fd: number } {
  for (let turn = 1; ; turn++) {
    const name = uniqueName(surroundings)
    try {
      return { name, fd: createFile(folder, name) }
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || turn === NAMES_MAX) throw faultOf(error, folder.path)
    }
  }
}

/** A link fails where a rename would overwrite; where there are no links, the name is chance enough. */
function moveTo(fresh: Folder, from: { readonly folder: Folder; readonly name: string }, octets: number, surroundings: Surroundings): void {
  const source = entryPath(from.folder, from.name)
  for (let turn = 1; ; turn++) {
    const name = `${turn === 1 ? from.name : uniqueName(surroundings)},S=${octets}`
    try {
      linkSync(source, entryPath(fresh, name))
      unlinkSync(source)
      return
    } catch (error) {
      const code = codeOf(error)
      if (NO_LINKS.has(code)) {
        renameSync(source, entryPath(fresh, name))
        return
      }
      if (code !== 'EEXIST' || turn === NAMES_MAX) throw error
    }
  }
}

/** Octets of all messages; a name that says its size (`,S=`) is believed. */
function usedOctets(folders: Folders): number {
  let octets = 0
  for (const folder of [folders.new, folders.cur]) {
    for (const name of readdirSync(`/proc/self/fd/${folder.fd}`)) {
      const said = /,S=(\d{1,15})(?=[,:]|$)/.exec(name)?.[1]
      octets += said === undefined ? sizeOf(folder, name) : Number(said)
    }
  }
  return octets
}

function sizeOf(folder: Folder, name: string): number {
  try {
    return lstatSync(entryPath(folder, name)).size
  } catch {
    // A reader has moved it meanwhile.
    return 0
  }
}

/** Removes what deliveries that died left behind. Never throws: mail goes on without it. */
export function sweepTmp(rules: MailboxRules, nowMs: number): void {
  let folders: Folders
  try {
    folders = openFolders(rules)
  } catch {
    // The delivery itself will say what is wrong.
    return
  }
  try {
    for (const name of readdirSync(`/proc/self/fd/${folders.tmp.fd}`).slice(0, SWEPT_MAX)) sweepOne(folders.tmp, name, nowMs)
  } finally {
    closeFolders(folders)
  }
}

function sweepOne(tmp: Folder, name: string, nowMs: number): void {
  try {
    const path = entryPath(tmp, name)
    const stat = lstatSync(path)
    if (stat.isFile() && nowMs - Math.max(stat.mtimeMs, stat.atimeMs) > TMP_AGE_MS) unlinkSync(path)
  } catch {
    // Gone already, or not ours.
  }
}
