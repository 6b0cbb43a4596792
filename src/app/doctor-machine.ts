/**
 * What the doctor has to know of this machine: the disk of the queue, open files, the clock.
 *
 * Reads only; from /proc where there is one. What cannot be found out is null, never a guess.
 */
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, readSync, statfsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { StorageFacts } from '../doctor/subject.ts'

export interface StorageQuestion {
  readonly folder: string
  readonly messageOctetsMax: number
  readonly serverRuns: boolean
  /** System user that the server becomes; null: it stays who starts it. */
  readonly user: string | null
}

/** Null: the folder does not exist yet. */
export function storageFacts({ folder, messageOctetsMax, serverRuns, user }: StorageQuestion): StorageFacts | null {
  if (!existsSync(folder)) return null
  const space = statfsSync(folder)
  const mount = mountOf(resolve(folder), readText('/proc/self/mountinfo') ?? '')
  return {
    folder,
    fileSystem: mount?.fileSystem ?? null,
    mountOptions: mount?.options ?? [],
    freeOctets: space.bavail * space.bsize,
    totalOctets: space.blocks * space.bsize,
    freeInodes: space.ffree,
    totalInodes: space.files,
    messageOctetsMax,
    journalMode: journalModeOf(join(folder, 'queue.db')),
    // Of a running server, or of another user, whether we may write says nothing.
    writeFault: serverRuns || (user !== null && user !== userInfo().username) ? null : writeFaultOf(folder),
    serverRuns,
  }
}

/** `36 35 98:0 /root /mnt rw,noatime master:1 - ext4 /dev/sda1 rw,errors=continue` (proc_pid_mountinfo(5)). */
export function mountOf(path: string, mountinfo: string): { readonly fileSystem: string; readonly options: readonly string[] } | null {
  let best: { readonly point: string; readonly fileSystem: string; readonly options: readonly string[] } | null = null
  for (const line of mountinfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ')
    const fields = left.split(' ')
    const [fileSystem = '', , superOptions = ''] = right.split(' ')
    const point = (fields[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    if (point === '' || !isBelow(path, point) || (best !== null && point.length < best.point.length)) continue
    best = { point, fileSystem, options: [...(fields[5] ?? '').split(','), ...superOptions.split(',')] }
  }
  return best
}

function isBelow(path: string, point: string): boolean {
  return point === '/' || path === point || path.startsWith(`${point}/`)
}

/** Octets 18 and 19 of the file say 2 for WAL (SQLite file format §1.3.4). */
function journalModeOf(file: string): StorageFacts['journalMode'] {
  let opened: number
  try {
    opened = openSync(file, 'r')
  } catch {
    return null
  }
  try {
    const header = Buffer.alloc(20)
    if (readSync(opened, header, 0, header.length, 0) < header.length) return null
    return header[18] === 2 ? 'wal' : 'rollback'
  } finally {
    closeSync(opened)
  }
}

function writeFaultOf(folder: string): string | null {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
    return null
  } catch (fault) {
    return (fault as NodeJS.ErrnoException).code ?? 'unknown'
  }
}

/** Of the running server, else of this program. */
export function openFilesLimit(pid: number | null): number | null {
  const limits = readText(`/proc/${pid ?? 'self'}/limits`) ?? ''
  const found = /^Max open files\s+(\d+|unlimited)/m.exec(limits)
  if (found === null) return null
  return found[1] === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(found[1])
}

/** True or false where systemd or chrony say so. */
export function isClockSynchronised(): boolean | null {
  if (existsSync('/run/systemd/timesync/synchronized') || existsSync('/run/chrony/chronyd.pid') || existsSync('/run/ntpd.pid')) return true
  return existsSync('/run/systemd/system') && existsSync(dirname('/run/systemd/timesync/synchronized')) ? false : null
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
