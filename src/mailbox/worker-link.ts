/**
 * The server's end of one worker: hands it a message, waits for its answer, keeps the time.
 *
 * One message at a time. Whatever breaks, is too slow or makes no sense ends the link, and the worker
 * with it; the next delivery opens another one.
 */
import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'
import { type EnhancedStatus, enhanced } from '../core/reply.ts'
import type { MailboxAnswer, MailboxDelivery } from '../ports/mailboxes.ts'
import { AnswerReader, FRAME_OCTETS_MAX, frame, frameHead, type WorkerAnswer } from './wire.ts'

export type OpenAnswer =
  | { readonly kind: 'open'; readonly socket: Socket; readonly kill: () => void }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'refused'; readonly status: EnhancedStatus<4>; readonly reason: string }
export interface WorkerOpener {
  open(user: string): { readonly answer: Promise<OpenAnswer>; readonly giveUp: () => void }
  /** Workers that are open stay until their sockets are closed. */
  close(): void
}

const SYSTEM = enhanced(4, 3, 0)
const MAILBOX = enhanced(4, 2, 0)

export class WorkerLink {
  readonly #socket: Socket
  readonly #kill: () => void
  readonly #clock: Clock
  readonly #ended: () => void
  readonly #reader = new AnswerReader()
  #answered: ((answer: WorkerAnswer | null) => void) | null = null
  #drained: (() => void) | null = null
  #ready = false
  #over = false

  /** `ended` is called once, when it carries nothing more. */
  constructor(open: OpenAnswer & { readonly kind: 'open' }, clock: Clock, ended: () => void) {
    this.#ended = ended
    this.#socket = open.socket
    this.#kill = open.kill
    this.#clock = clock
    this.#socket.on('data', (chunk: Buffer) => this.#hear(chunk))
    this.#socket.on('drain', () => this.#resume())
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', () => this.#lost())
  }

  get usable(): boolean {
    return !this.#over
  }

  /** Rejects only with what the content threw. */
  async deliver(delivery: MailboxDelivery, signal: AbortSignal, limitMs: number): Promise<MailboxAnswer> {
    let late = false
    let committed = false
    const cancel = this.#clock.after(limitMs, () => {
      late = true
      this.end()
    })
    const abort = (): void => {
      // Once it was handed over whole, its answer counts.
      if (!committed) this.end()
    }
    signal.addEventListener('abort', abort)
    try {
      const answer = this.#nextAnswer()
      await this.#hand(delivery)
      if (!this.#over) {
        committed = true
        this.#write([frame('commit')])
      }
      return this.#meaning(await answer, { late, committed, aborted: signal.aborted, limitMs })
    } catch (error) {
      this.end()
      throw error
    } finally {
      cancel()
      signal.removeEventListener('abort', abort)
    }
  }

  /** In order: it has nothing to do. */
  retire(): void {
    if (this.#over) return
    this.#socket.end()
    this.#lost()
  }

  /** At once. What it was doing is taken back, by itself or at the next delivery. */
  end(): void {
    if (this.#over) return
    this.#kill()
    this.#socket.destroy()
    this.#lost()
  }

  async #hand(delivery: MailboxDelivery): Promise<void> {
    this.#write([frame('begin', JSON.stringify({ from: delivery.from, sizeOctets: delivery.sizeOctets }))])
    for await (const chunk of delivery.content()) {
      for (let at = 0; at < chunk.byteLength && !this.#over; at += FRAME_OCTETS_MAX) {
        const piece = chunk.subarray(at, at + FRAME_OCTETS_MAX)
        if (!this.#write([frameHead('content', piece.byteLength), piece])) await new Promise<void>((resolve) => this.#wait(resolve))
      }
      if (this.#over) return
    }
  }

  #meaning(
    answer: WorkerAnswer | null,
    facts: { readonly late: boolean; readonly committed: boolean; readonly aborted: boolean; readonly limitMs: number },
  ): MailboxAnswer {
    if (answer?.kind === 'delivered' && facts.committed) return { kind: 'delivered' }
    if (answer?.kind === 'refused') return { ...answer, hangs: false, duplicatePossible: false }
    this.end()
    if (facts.aborted && !facts.committed) return { kind: 'given-up' }
    const duplicatePossible = facts.committed
    if (facts.late) {
      const reason = `the mailbox could not be written within ${Math.round(facts.limitMs / 1000)} s; its folder may be on a file server that hangs`
      return { kind: 'refused', status: MAILBOX, reason, hangs: true, duplicatePossible }
    }
    const reason = this.#ready ? 'the process that wrote to the mailbox has died' : 'no process could be started that writes to the mailbox as its user'
    return { kind: 'refused', status: SYSTEM, reason, hangs: !this.#ready, duplicatePossible: duplicatePossible && this.#ready }
  }

  #nextAnswer(): Promise<WorkerAnswer | null> {
    return new Promise((resolve) => {
      if (this.#over) resolve(null)
      else this.#answered = resolve
    })
  }

  #hear(chunk: Buffer): void {
    try {
      for (const answer of this.#reader.take(chunk.toString('utf8'))) this.#take(answer)
    } catch {
      // Whatever it is, it is no worker of ours.
      this.end()
    }
  }

  #take(answer: WorkerAnswer): void {
    if (answer.kind === 'ready') {
      this.#ready = true
      return
    }
    const answered = this.#answered
    this.#answered = null
    if (answered === null) throw new Error('an answer to nothing')
    answered(answer)
  }

  #write(pieces: readonly Uint8Array[]): boolean {
    if (this.#over) return true
    this.#socket.cork()
    let free = true
    for (const piece of pieces) free = this.#socket.write(piece)
    this.#socket.uncork()
    return free
  }

  #wait(resume: () => void): void {
    if (this.#over) resume()
    else this.#drained = resume
  }

  #resume(): void {
    this.#drained?.()
    this.#drained = null
  }

  #lost(): void {
    if (this.#over) return
    this.#over = true
    this.#resume()
    this.#answered?.(null)
    this.#answered = null
    this.#ended()
  }
}
