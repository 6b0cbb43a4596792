/**
 * The process that writes to one user's mailbox, as that user. An entry point: see `openers.ts`.
 *
 * Becomes the user before it reads anything, and has no way back. Takes messages one after the other
 * from descriptor 3, ends when that is closed. File calls are synchronous: whoever hangs here, on a lock
 * or a dead file server, holds up this one user only, and is killed from outside.
 */
import { randomBytes } from 'node:crypto'
import { Socket } from 'node:net'
import { hostname } from 'node:os'
import process from 'node:process'
import { codeOf, faultOf } from './mailbox-fault.ts'
import { MaildirWriter, sweepTmp } from './maildir.ts'
import { openMbox } from './mbox.ts'
import { parseOrder, rulesOf, type WorkerOrder } from './order.ts'
import { createRangeLock } from './range-lock.ts'
import { type Frame, FrameReader, formatAnswer, parseBegin, type WorkerAnswer } from './wire.ts'
import type { MailboxRules, MailboxWriter, Surroundings } from './writer.ts'

const SOCKET_FD = 3
/** The server has the whole message before it begins: a longer pause means that it is gone or stuck. */
const PAUSE_MS = 60_000

/** For good. Throws if any trace of who we were is left. */
function become({ user, spoolGroup }: WorkerOrder): void {
  process.umask(0o077)
  process.chdir('/')
  const wasRoot = process.getuid?.() === 0
  if (wasRoot) {
    // Node has them on every POSIX system; its published types leave some out.
    const ids = process as typeof process & { initgroups?: (user: string, group: number) => void; setgroups?: (groups: number[]) => void }
    ids.initgroups?.(user.name, user.gid)
    process.setgid?.(user.gid)
    // Only now: Node counts the group that we have just left among our groups.
    if (spoolGroup !== null) ids.setgroups?.([...new Set([...(process.getgroups?.() ?? []), spoolGroup])])
    process.setuid?.(user.uid)
  }
  const now = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()]
  if (now.some((id, index) => id !== (index < 2 ? user.uid : user.gid)) || (wasRoot && process.getgroups?.().includes(0))) {
    throw new Error(`could not become ${user.name}: ${now.join()}`)
  }
}

async function work(taken: WorkerOrder): Promise<void> {
  // The server decides when this ends; a signal to the whole group must not tear a delivery.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  const socket = new Socket({ fd: SOCKET_FD })
  const mailbox = new Mailbox(taken, (answer) => void socket.write(formatAnswer(answer)))
  socket.setTimeout(PAUSE_MS, () => {
    if (mailbox.busy) socket.destroy()
  })
  const reader = new FrameReader()
  socket.write(formatAnswer({ kind: 'ready' }))
  try {
    for await (const chunk of socket) {
      reader.feed(chunk as Buffer)
      for (let frame = reader.next(); frame !== null; frame = reader.next()) await mailbox.take(frame)
    }
  } catch (error) {
    // The server has gone, or said what is no frame: either way nobody waits for an answer.
    process.exitCode = 1
    if (codeOf(error) === '') process.stderr.write(`mailbox of ${taken.user.name}: ${String(error)}\n`)
  } finally {
    mailbox.abort()
  }
}

class Mailbox {
  readonly #order: WorkerOrder
  readonly #rules: MailboxRules
  readonly #answer: (answer: WorkerAnswer) => void
  readonly #surroundings = surroundings()
  #writer: MailboxWriter | null = null
  /** Why the message under way is not taken: what comes of it until its end is ignored. */
  #fault: WorkerAnswer | null = null
  #sweptMs = 0

  constructor(taken: WorkerOrder, answer: (answer: WorkerAnswer) => void) {
    this.#order = taken
    this.#rules = rulesOf(taken)
    this.#answer = answer
  }

  get busy(): boolean {
    return this.#writer !== null
  }

  async take({ kind, bytes }: Frame): Promise<void> {
    if (kind === 'begin') await this.#begin(bytes)
    else if (kind === 'content') this.#try((writer) => writer.write(bytes))
    else if (kind === 'commit') this.#commit()
    else this.#end()
  }

  abort(): void {
    this.#writer?.abort()
    this.#writer = null
  }

  async #begin(bytes: Buffer): Promise<void> {
    const facts = parseBegin(bytes)
    try {
      if (this.#order.settings.format === 'mbox') this.#writer = await openMbox(this.#rules, facts, this.#surroundings)
      else {
        this.#sweep()
        this.#writer = new MaildirWriter(this.#rules, facts, this.#surroundings)
      }
    } catch (error) {
      this.#refuse(error)
    }
  }

  #commit(): void {
    this.#try((writer) => writer.commit())
    this.#answer(this.#fault ?? { kind: 'delivered' })
    this.#end()
  }

  #try(act: (writer: MailboxWriter) => void): void {
    if (this.#fault !== null) return
    try {
      if (this.#writer === null) throw new Error('no message was begun')
      act(this.#writer)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #refuse(error: unknown): void {
    const { status, message } = faultOf(error, 'the mailbox')
    this.#fault = { kind: 'refused', status, reason: message }
    this.abort()
  }

  #end(): void {
    this.abort()
    this.#fault = null
  }

  #sweep(): void {
    const now = this.#surroundings.nowMs()
    if (now - this.#sweptMs < SWEEP_MS) return
    this.#sweptMs = now
    sweepTmp(this.#rules, now)
  }
}

const SWEEP_MS = 3_600_000

function surroundings(): Surroundings {
  return {
    nowMs: () => Date.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    pid: process.pid,
    hostname: hostname().replace(/[^!-~]/g, '_') || 'localhost',
    randomName: () => randomBytes(8).toString('hex'),
    rangeLock: createRangeLock(process.platform, process.arch),
  }
}

const order = parseOrder(process.argv[2])
become(order)
await work(order)
