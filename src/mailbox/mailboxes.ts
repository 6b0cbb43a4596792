/**
 * The mailboxes of this machine's users, as the transport asks for them: a worker for each user who gets
 * mail just now, one delivery at a time for each, and none that waits for another user's.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'
import { enhanced } from '../core/reply.ts'
import { withinTime } from '../core/within-time.ts'
import type { MailboxAnswer, MailboxDelivery, Mailboxes } from '../ports/mailboxes.ts'
import { type OpenAnswer, WorkerLink, type WorkerOpener } from './worker-link.ts'

export interface MailboxesParts {
  readonly opener: WorkerOpener
  readonly clock: Clock
  /** Longest delivery, waiting for locks included. */
  readonly deliveryMs: number
}

/** Workers at once; each is a process of its own. */
const LINKS_MAX = 16
/** A worker without work stays that long: starting one costs more than a delivery. */
const IDLE_MS = 10_000
/** Looking the user up and starting the process. */
const OPEN_MS = 30_000

interface UserMailbox {
  link: WorkerLink | null
  /** Deliveries under way and waiting. */
  users: number
  /** Ends when the last delivery that was asked for has ended. */
  tail: Promise<unknown>
  cancelIdle: CancelTimer | null
}

export function createMailboxes(parts: MailboxesParts): Mailboxes {
  return new WorkerMailboxes(parts)
}

class WorkerMailboxes implements Mailboxes {
  readonly #parts: MailboxesParts
  readonly #byUser = new Map<string, UserMailbox>()
  readonly #waiting: (() => void)[] = []
  #links = 0

  constructor(parts: MailboxesParts) {
    this.#parts = parts
  }

  async deliver(delivery: MailboxDelivery, signal: AbortSignal): Promise<MailboxAnswer> {
    const mailbox = this.#mailboxOf(delivery.user)
    mailbox.users++
    mailbox.cancelIdle?.()
    mailbox.cancelIdle = null
    const mine = mailbox.tail.then(() => this.#deliverNow(mailbox, delivery, signal))
    mailbox.tail = mine.catch(() => undefined)
    try {
      return await mine
    } finally {
      mailbox.users--
      this.#rest(delivery.user, mailbox)
    }
  }

  async close(deadlineMs: number): Promise<void> {
    const all = Promise.all([...this.#byUser.values()].map((mailbox) => mailbox.tail))
    await withinTime<unknown>(all, this.#parts.clock, deadlineMs, undefined)
    for (const [user, mailbox] of [...this.#byUser]) {
      mailbox.cancelIdle?.()
      if (mailbox.users === 0) mailbox.link?.retire()
      else mailbox.link?.end()
      this.#byUser.delete(user)
    }
    this.#parts.opener.close()
  }

  async #deliverNow(mailbox: UserMailbox, delivery: MailboxDelivery, signal: AbortSignal): Promise<MailboxAnswer> {
    if (signal.aborted) return { kind: 'given-up' }
    let link = mailbox.link?.usable === true ? mailbox.link : null
    if (link === null) {
      const opened = await this.#open(delivery.user, signal)
      if (!(opened instanceof WorkerLink)) return opened
      link = opened
      mailbox.link = link
    }
    return link.deliver(delivery, signal, this.#parts.deliveryMs)
  }

  async #open(user: string, signal: AbortSignal): Promise<WorkerLink | MailboxAnswer> {
    await this.#place()
    const taken = signal.aborted ? ({ kind: 'given-up' } as const) : await this.#ask(user)
    if (taken instanceof WorkerLink) return taken
    this.#freePlace()
    return taken
  }

  async #ask(user: string): Promise<WorkerLink | MailboxAnswer> {
    const { opener, clock } = this.#parts
    const asked = opener.open(user)
    const answer = await withinTime<OpenAnswer | null>(asked.answer, clock, OPEN_MS, null)
    if (answer?.kind === 'open') return new WorkerLink(answer, clock, () => this.#freePlace())
    if (answer?.kind === 'unknown') return { kind: 'unknown-user' }
    if (answer !== null) return { ...answer, hangs: false, duplicatePossible: false }
    asked.giveUp()
    const reason = 'no process could be started in time that writes to the mailbox as its user'
    return { kind: 'refused', status: enhanced(4, 3, 0), reason, hangs: true, duplicatePossible: false }
  }

  #mailboxOf(user: string): UserMailbox {
    let mailbox = this.#byUser.get(user)
    if (mailbox === undefined) {
      mailbox = { link: null, users: 0, tail: Promise.resolve(), cancelIdle: null }
      this.#byUser.set(user, mailbox)
    }
    return mailbox
  }

  #rest(user: string, mailbox: UserMailbox): void {
    if (mailbox.users > 0 || this.#byUser.get(user) !== mailbox) return
    const retire = (): void => {
      mailbox.link?.retire()
      this.#byUser.delete(user)
    }
    if (mailbox.link?.usable !== true || this.#waiting.length > 0) retire()
    else mailbox.cancelIdle = this.#parts.clock.after(IDLE_MS, retire)
  }

  /** Waits until another worker may be started; one without work makes room. */
  async #place(): Promise<void> {
    if (this.#links >= LINKS_MAX) {
      for (const [user, mailbox] of this.#byUser) {
        if (mailbox.users > 0 || mailbox.link === null) continue
        mailbox.cancelIdle?.()
        mailbox.link.retire()
        this.#byUser.delete(user)
        break
      }
      if (this.#links >= LINKS_MAX) return new Promise((resolve) => this.#waiting.push(resolve))
    }
    this.#links++
  }

  #freePlace(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#links--
    else next()
  }
}
