/**
 * Brings the pages of the database file to the disk, without a thread of the store waiting for it.
 *
 * Closed only after every connection: POSIX takes all locks that a process has on a file when any
 * descriptor of it is closed, and another program might then take the log away.
 */
import { closeSync, fsync, openSync } from 'node:fs'
import { StoreFault } from '../../ports/store-fault.ts'
import { type FaultPlan, isSyncToFail } from './faults.ts'
import { systemFault } from './place.ts'

export class FileSync {
  readonly #path: string
  readonly #faults: FaultPlan
  #fd: number | null = null
  #underWay: Promise<void> = Promise.resolve()

  constructor(path: string, faults: FaultPlan) {
    this.#path = path
    this.#faults = faults
  }

  /** Throws the system's error. At the start, so that a want of descriptors later is no fault of the disk. */
  open(): void {
    this.#fd ??= openSync(this.#path, 'r')
  }

  /** Rejects with `StoreFault`. SQLite's own descriptors hear of the failure at their next sync, too. */
  async sync(): Promise<void> {
    if (this.#fd === null) throw new StoreFault('closed', 'the store is closed')
    const done = syncOf(this.#fd, this.#faults).catch((error: unknown) => Promise.reject(systemFault('database', error)))
    this.#underWay = done.catch(() => undefined)
    await done
  }

  async close(): Promise<void> {
    const fd = this.#fd
    this.#fd = null
    await this.#underWay
    if (fd !== null) closeSync(fd)
  }
}

function syncOf(fd: number, faults: FaultPlan): Promise<void> {
  if (isSyncToFail(faults)) return Promise.reject(Object.assign(new Error('EIO: made up for a test'), { code: 'EIO', syscall: 'fsync' }))
  return new Promise((resolve, reject) => fsync(fd, (error) => (error === null ? resolve() : reject(error))))
}
