/**
 * Intake on a loopback port with a store in memory and a clock that stands still, and a client that
 * speaks SMTP by hand.
 */
import { scryptSync } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { compileAddressPattern } from '../../src/core/pattern.ts'
import { createQueueIds } from '../../src/core/queue-id.ts'
import { type Backend, createIntake, type Intake } from '../../src/intake/intake.ts'
import type { IntakeLimits, IntakeSettings, ListenerSettings, UserSettings } from '../../src/intake/settings.ts'
import type { Admission } from '../../src/ports/admission.ts'
import type { AcceptedRecord, DialogueLine, Journal } from '../../src/ports/journal.ts'
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts'
import { LANE } from '../support/make-message.ts'
import { createMemoryStore, type MemoryStore } from '../support/memory-store.ts'

export const LIMITS: IntakeLimits = {
  messageOctets: 1_000_000,
  commandLineOctets: 12_288,
  textLineOctets: 65_536,
  headerOctets: 102_400,
  recipients: 100,
  hops: 50,
  connections: 100,
  connectionsPerClient: 50,
  errorsPerSession: 20,
  junkPerSession: 100,
  commandMs: 300_000,
  authGuessesPerSession: 3,
  authGuessesPerClient: 10,
  minOctetsPerSecond: 500,
  sessionMs: 43_200_000,
}
export const HARSH: IntakeLimits = { ...LIMITS, errorsPerSession: 1, junkPerSession: 1, commandMs: 10_000 }

/** A hash with a cost that tests can afford. */
export function cheapHash(password: string): string {
  const salt = Buffer.from('saltsaltsaltsalt')
  const hash = scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 })
  return `$scrypt$ln=4,r=8,p=1$${salt.toString('base64')}$${hash.toString('base64')}`
}

export function makeListener(changes: Partial<ListenerSettings> = {}): ListenerSettings {
  return {
    url: 'smtp://127.0.0.1:0',
    host: '127.0.0.1',
    port: 0,
    implicitTls: false,
    tls: null,
    requireTls: false,
    requireAuth: false,
    authWithoutTls: true,
    pipelining: false,
    bareLineEnds: 'refuse',
    ...changes,
  }
}
export function makeUser(name: string, passwordHash: string, senders: readonly string[] = []): UserSettings {
  return { name, passwordHash, senders: senders.map(compileAddressPattern) }
}
export function makeSettings(changes: Partial<IntakeSettings> = {}): IntakeSettings {
  return {
    hostname: 'mail.example.com',
    listeners: [makeListener()],
    networks: ['127.0.0.0/8', '::1'],
    users: [],
    limits: LIMITS,
    limitsUnderPressure: HARSH,
    ...changes,
  }
}

export interface Note {
  readonly level: string
  readonly text: string
  readonly facts: Readonly<Record<string, unknown>>
}
export interface Harness {
  readonly intake: Intake
  readonly clock: FakeClock
  readonly store: MemoryStore
  readonly backend: Backend
  readonly notes: readonly Note[]
  readonly accepted: readonly AcceptedRecord[]
  readonly dialogue: DialogueLine[]
  readonly tap: { active: boolean }
  readonly committed: readonly string[]
  readonly abandoned: readonly string[]
  /** Port of the n-th listener. */
  port(index?: number): number
  client(options?: { readonly from?: string; readonly listener?: number; readonly tls?: ConnectionOptions }): Promise<Talker>
  /** What was stored for the n-th message, with its prefix. */
  stored(index?: number): Promise<string>
  end(): Promise<void>
}

export interface HarnessOptions {
  readonly settings?: Partial<IntakeSettings>
  readonly backend?: (backend: Backend, store: MemoryStore) => Backend
  readonly journal?: Partial<Journal>
  /** Do not call `serve` yet. */
  readonly unserved?: boolean
}

export async function startIntake(options: HarnessOptions = {}): Promise<Harness> {
  const clock = createFakeClock()
  const store = createMemoryStore({ now: () => clock.now() })
  const notes: Note[] = []
  const accepted: AcceptedRecord[] = []
  const dialogue: DialogueLine[] = []
  const committed: string[] = []
  const abandoned: string[] = []
  const tap = { active: false, line: (line: DialogueLine) => void dialogue.push(line) }
  const admission: Admission = {
    place: (message) => message.envelope.recipients.map(() => ({ kind: 'queued', lane: LANE, dueAt: message.acceptedAt })),
    committed: (acceptance) => void committed.push(acceptance.message.envelope.queueId),
    abandoned: (acceptance) => void abandoned.push(acceptance.message.envelope.queueId),
  }
  const plain: Backend = { store: store.queue, bodies: store.bodies, admission, newQueueId: createQueueIds(() => clock.now(), null) }
  const backend = options.backend?.(plain, store) ?? plain
  const intake = createIntake({
    settings: makeSettings(options.settings),
    clock,
    tap,
    journal: {
      accepted: (record) => void accepted.push(record),
      attempt: () => undefined,
      note: (_subsystem, level, text, facts = {}) => void notes.push({ level, text, facts }),
      ...options.journal,
    },
  })
  await intake.bind()
  if (options.unserved !== true) intake.serve(backend)
  const talkers: Talker[] = []
  const port = (index = 0): number => Number(/:(\d+)$/.exec(intake.status()[index]?.url ?? '')?.[1])
  return {
    intake,
    clock,
    store,
    backend,
    notes,
    accepted,
    dialogue,
    tap,
    committed,
    abandoned,
    port,
    async client({ from, listener = 0, tls } = {}) {
      const talker = new Talker(dial(port(listener), from, tls))
      talkers.push(talker)
      await talker.open(tls !== undefined)
      return talker
    },
    async stored(index = 0) {
      const message = [...store.state.messages.values()][index]
      if (message === undefined) throw new Error(`there are only ${store.state.messages.size} messages`)
      const content = await store.bodies.open(message.bodyRef)
      const chunks: Uint8Array[] = [message.prefix]
      for await (const chunk of content.chunks()) chunks.push(chunk)
      return Buffer.concat(chunks).toString('latin1')
    },
    async end() {
      for (const talker of talkers) talker.destroy()
      await intake.stop(0)
    },
  }
}

function dial(port: number, localAddress: string | undefined, tls: ConnectionOptions | undefined): Socket {
  // Without noDelay the second small segment waits for an acknowledgement in real time.
  const where = { port, host: '127.0.0.1', noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) }
  return tls === undefined ? connect({ ...where, allowHalfOpen: true }) : connectTls({ ...where, rejectUnauthorized: false, ...tls })
}

const REPLY_WAIT_MS = 10_000

/** One client. `say` sends and gives the reply; replies come whole, lines joined with a line feed. */
export class Talker {
  socket: Socket
  #text = ''
  #replies: string[] = []
  #wake: () => void = () => undefined
  closed = false
  ended = false
  fault: string | null = null

  constructor(socket: Socket) {
    this.socket = socket
    this.#listen(socket)
  }

  open(tls: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.once(tls ? 'secureConnect' : 'connect', resolve)
      this.socket.once('error', reject)
    })
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  async say(line: string): Promise<string> {
    this.send(`${line}\r\n`)
    return this.reply()
  }

  /** The next reply; `closed` if the server closes instead. */
  async reply(): Promise<string> {
    const end = performance.now() + REPLY_WAIT_MS
    while (this.#replies.length === 0) {
      if (this.closed || this.ended) return 'closed'
      if (performance.now() > end) throw new Error(`no reply; what came: ${JSON.stringify(this.#text)}`)
      await this.#wakeup()
    }
    return this.#replies.shift() as string
  }

  async gone(): Promise<void> {
    while (!this.closed && !this.ended) await this.#wakeup()
  }

  /** EHLO after the greeting. */
  async hello(): Promise<string> {
    await this.reply()
    return this.say('EHLO app.example')
  }

  /** A whole message; the reply to its final dot. */
  async submit(content: string, envelope: { readonly from?: string; readonly to?: readonly string[] } = {}): Promise<string> {
    const { from = 'app@example.com', to = ['bob@example.net'] } = envelope
    for (const line of [`MAIL FROM:<${from}>`, ...to.map((address) => `RCPT TO:<${address}>`), 'DATA']) {
      const reply = await this.say(line)
      if (!/^[23]/.test(reply)) return reply
    }
    this.send(`${content}.\r\n`)
    return this.reply()
  }

  async startTls(options: ConnectionOptions = {}): Promise<void> {
    const plain = this.socket
    plain.removeAllListeners('data')
    const secure: TLSSocket = connectTls({ socket: plain, rejectUnauthorized: false, ...options })
    this.socket = secure
    this.#listen(secure)
    await new Promise<void>((resolve, reject) => {
      secure.once('secureConnect', resolve)
      secure.once('error', reject)
    })
  }

  destroy(): void {
    this.socket.destroy()
  }

  #listen(socket: Socket): void {
    socket.on('data', (bytes: Buffer) => this.#take(bytes.toString('latin1')))
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.fault = error.code ?? error.message
    })
    socket.on('end', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  #take(text: string): void {
    this.#text += text
    for (;;) {
      const match = /^(?:\d{3}-[^\r\n]*\r\n)*\d{3}(?: [^\r\n]*)?\r\n/.exec(this.#text)
      if (match === null) break
      this.#replies.push(match[0].trimEnd().replaceAll('\r\n', '\n'))
      this.#text = this.#text.slice(match[0].length)
    }
    this.#wake()
  }

  #wakeup(): Promise<void> {
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, 200)
      this.#wake = () => {
        clearTimeout(limit)
        resolve()
      }
    })
  }
}
