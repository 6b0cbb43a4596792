/**
 * A server engine with a policy that a test sets, and everything that it said and did.
 */
import { formatMailbox, formatReversePath } from '../../src/core/address.ts'
import { type CloseReason, type Decision, ServerEngine, type ServerEvents, type ServerLimits, type ServerSettings } from '../../src/smtp/server-engine.ts'

export const LIMITS: ServerLimits = {
  messageOctets: 100_000,
  commandLineOctets: 2048,
  textLineOctets: 2000,
  recipients: 100,
  errorsPerSession: 20,
  junkPerSession: 100,
}
export const SETTINGS: Omit<ServerSettings, 'limits'> = {
  hostname: 'mx.test',
  pipelining: false,
  startTls: false,
  requireTls: false,
  auth: 'off',
  requireAuth: false,
  bareLineEnds: 'refuse',
}
export interface StoredMessage {
  readonly from: string
  readonly to: readonly string[]
  readonly content: string
}
/** What the policy says to an event; by default everything is accepted. */
export type Policy = Partial<Record<'ehlo' | 'mail' | 'rcpt' | 'data' | 'content' | 'auth', (subject: string) => Decision>>
export interface ServerSessionOptions {
  readonly settings?: Partial<Omit<ServerSettings, 'limits'>>
  readonly limits?: Partial<ServerLimits>
  readonly policy?: Policy
  readonly implicitTls?: boolean
  /** The banner is not sent. */
  readonly silent?: boolean
}

export interface ServerSession {
  readonly engine: ServerEngine
  /** May be changed while the session runs. */
  readonly limits: { -readonly [Name in keyof ServerLimits]: ServerLimits[Name] }
  /** Everything written so far, and forgets it. */
  take(): string
  /** Feeds text (octets as Latin-1) and takes the answer. */
  say(text: string): string
  /** The answer that is owed; a 2yz also records what was asked about. */
  answer(decision: Exclude<Decision, 'later'>): void
  readonly stored: readonly StoredMessage[]
  readonly closed: CloseReason | null
  /** `mail`, `reset`, `starttls` ... in order. */
  readonly log: readonly string[]
  readonly writes: number
  readonly shown: readonly string[]
  /** What the engine refused of itself: `LINE: CODE`. */
  readonly refused: readonly string[]
}

export function openServerSession(options: ServerSessionOptions = {}): ServerSession {
  const policy = options.policy ?? {}
  const limits = { ...LIMITS, ...options.limits }
  const state = { out: '', closed: null as CloseReason | null, writes: 0, from: '', to: [] as string[], content: [] as Buffer[] }
  const stored: StoredMessage[] = []
  const log: string[] = []
  const shown: string[] = []
  const refused: string[] = []
  let recordLater: () => void = () => undefined
  const decide = (kind: keyof Policy, subject: string, record: () => void = () => undefined): Decision => {
    log.push(kind)
    const decision = policy[kind]?.(subject) ?? 'accept'
    if (decision === 'later') recordLater = record
    else if (isYes(decision)) record()
    return decision
  }
  const events: ServerEvents = {
    write(bytes) {
      state.writes++
      state.out += Buffer.from(bytes).toString('latin1')
    },
    onEhlo: (name) => decide('ehlo', name),
    onMail(mail) {
      state.from = formatReversePath(mail.reversePath)
      state.to = []
      return decide('mail', state.from)
    },
    onRcpt(rcpt) {
      const to = rcpt.forwardPath === 'postmaster' ? 'postmaster' : formatMailbox(rcpt.forwardPath)
      return decide('rcpt', to, () => state.to.push(to))
    },
    onData() {
      state.content = []
      return decide('data', '')
    },
    onContent: (slice) => void state.content.push(Buffer.from(slice)),
    onContentEnd({ fault }) {
      const content = Buffer.concat(state.content).toString('latin1')
      if (fault !== null) return decide('content', `fault ${fault.kind}`)
      const message = { from: state.from, to: state.to, content }
      return decide('content', content, () => stored.push(message))
    },
    onAuth: ({ username, password }) => decide('auth', `${username}:${password}`),
    onStartTls: () => void log.push('starttls'),
    onRefused: (line, refusal) => void refused.push(`${line}: ${refusal.code}`),
    onReset: () => void log.push('reset'),
    onClose(reason) {
      if (state.closed !== null) throw new Error('closed twice')
      state.closed = reason
    },
    tap: () => (direction, text) => void shown.push(`${direction} ${text}`),
  }
  const settings: ServerSettings = { ...SETTINGS, ...options.settings, limits: () => limits }
  const engine = new ServerEngine({ settings, events, implicitTls: options.implicitTls === true })
  if (options.silent !== true) engine.start()
  const take = () => {
    const text = state.out
    state.out = ''
    return text
  }
  return {
    engine,
    limits,
    take,
    say(text) {
      engine.receive(Buffer.from(text, 'latin1'))
      return take()
    },
    answer(decision) {
      const record = recordLater
      recordLater = () => undefined
      if (isYes(decision)) record()
      engine.answer(decision)
    },
    stored,
    log,
    shown,
    refused,
    get closed() {
      return state.closed
    },
    get writes() {
      return state.writes
    },
  }
}

function isYes(decision: Exclude<Decision, 'later'>): boolean {
  return decision === 'accept' || decision.code < 300
}

/** EHLO was said. */
export function greeted(options: ServerSessionOptions = {}): ServerSession {
  const session = openServerSession(options)
  session.say('EHLO client.test\r\n')
  return session
}

/** Up to 354, one command at a time. */
export function inContent(options: ServerSessionOptions = {}): ServerSession {
  const session = greeted(options)
  for (const line of ['MAIL FROM:<u@y>', 'RCPT TO:<v@z>', 'DATA']) session.say(`${line}\r\n`)
  if (session.engine.state !== 'content') throw new Error(`the session is in state ${session.engine.state}`)
  return session
}

/** `250 2.1.0` of each line, for comparing without texts. */
export function codes(text: string): string[] {
  return text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, code, status] = /^(\d{3})[ -](\d\.\d+\.\d+)?/.exec(line) ?? []
      return code === undefined ? line : [code, status].filter((word) => word !== undefined).join(' ')
    })
}
