/**
 * A reader thread as the main thread sees it: started at the first call, started again if it died.
 */
import { TurnoverMap } from '../../core/turnover.ts'
import { StoreFault } from '../../ports/store-fault.ts'
import type { CallName, ReaderAnswer, ReaderCall, ReaderCalls, ReaderRequest } from './reader-wire.ts'
import { startThread, type Thread } from './thread.ts'

interface Asked {
  readonly done: (value: unknown) => void
  readonly fail: (fault: Error) => void
}
/** More than this and whoever asks is to come back later. */
const WAITING_CALLS_MAX = 10_000

export class ReaderThread {
  readonly #path: string
  #thread: Thread<ReaderRequest, ReaderAnswer> | null = null
  readonly #asked = new TurnoverMap<number, Asked>()
  #serial = 0
  #closed = false

  constructor(path: string) {
    this.#path = path
  }

  ask<Name extends CallName>(call: ReaderCall<Name>, handedOver: readonly ArrayBuffer[] = []): Promise<ReaderCalls[Name]['answer']> {
    if (this.#closed) return Promise.reject(new StoreFault('closed', 'the store is closed'))
    if (this.#asked.size >= WAITING_CALLS_MAX) return Promise.reject(new StoreFault('busy', 'too many reads are waiting'))
    const thread = this.#thread ?? this.#start()
    this.#serial += 1
    const serial = this.#serial
    return new Promise((resolve, reject) => {
      this.#asked.set(serial, { done: (value) => resolve(value as ReaderCalls[Name]['answer']), fail: reject })
      thread.post({ kind: 'call', serial, call: call as ReaderCall }, handedOver)
    })
  }

  /** Ends the thread; a later call starts another one. What was asked is refused. */
  async restart(): Promise<void> {
    const thread = this.#thread
    this.#drop('the store is being reopened')
    await thread?.end()
  }

  async close(): Promise<void> {
    this.#closed = true
    const thread = this.#thread
    this.#drop('the store is closed')
    await thread?.end()
  }

  #start(): Thread<ReaderRequest, ReaderAnswer> {
    const thread = startThread<ReaderRequest, ReaderAnswer>('reader')
    thread.onAnswer((answer) => this.#take(answer))
    thread.onDeath((reason) => this.#drop(`a reader died: ${reason}`))
    thread.post({ kind: 'open', path: this.#path })
    this.#thread = thread
    return thread
  }

  #take({ serial, value, fault }: ReaderAnswer): void {
    const asked = this.#asked.get(serial)
    this.#asked.delete(serial)
    if (fault === null) asked?.done(value)
    else
      asked?.fail(
        fault.kind === null ? Object.assign(new Error(fault.text), fault.code === null ? {} : { code: fault.code }) : new StoreFault(fault.kind, fault.text),
      )
  }

  #drop(reason: string): void {
    this.#thread = null
    const kind = this.#closed ? 'closed' : 'io'
    for (const { fail } of this.#asked.values()) fail(new StoreFault(kind, reason))
    this.#asked.clear()
  }
}
