/**
 * Brings the pages of the database file to the disk, without a thread of the store waiting for it.
 *
 * Closed only after every connection: POSIX takes all locks that a process has on a file when any
 * descriptor of it is closed, and another program might then take the log away.
 */
import { closeSync, fsync, openSync } from 'node:fs'
import { StoreFault } from '../../ports/store-fault.ts'
import { systemFault } from './place.ts'

export class FileSync {
  readonly #path: string
  #fd: number | null = null
  #underWay: Promise<void> = Promise.resolve()
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  /** Rejects with `StoreFault`. SQLite's own descriptors hear of the failure at their next sync, too. */
  async sync(): Promise<void> {
    if (this.#closed) throw new StoreFault('closed', 'the store is closed')
    const done = this.#sync().catch((error: unknown) => Promise.reject(systemFault('database', error)))
    this.#underWay = done.catch(() => undefined)
    await done
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#underWay
    if (this.#fd !== null) closeSync(this.#fd)
    this.#fd = null
  }

  async #sync(): Promise<void> {
    this.#fd ??= openSync(this.#path, 'r')
    const fd = this.#fd
    await new Promise<void>((resolve, reject) => fsync(fd, (error) => (error === null ? resolve() : reject(error))))
  }
}
