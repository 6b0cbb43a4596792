/**
 * A client engine and everything that it sent and told, for tests that play the server by hand.
 */
import type { DomainName } from '../../src/core/brand.ts'
import type { Mailbox } from '../../src/core/envelope.ts'
import type { Capabilities } from '../../src/smtp/capabilities.ts'
import { ClientEngine, type ClientFault, type Transaction, type TransactionPlan } from '../../src/smtp/client-engine.ts'
import type { MailParameters, RcptParameters } from '../../src/smtp/command-format.ts'

export interface ClientSession {
  readonly engine: ClientEngine
  /** What was sent since the last call. */
  take(): string
  /** The server says this; answers what was sent then. */
  hear(text: string): string
  readonly writes: readonly string[]
  readonly log: readonly string[]
  readonly fault: ClientFault | null
  readonly shown: readonly string[]
  readonly capabilities: Capabilities | null
}

export function openClientSession(heloName = 'client.test', lmtp = false): ClientSession {
  const state = { out: '', fault: null as ClientFault | null, capabilities: null as Capabilities | null }
  const writes: string[] = []
  const log: string[] = []
  const shown: string[] = []
  const engine = new ClientEngine({
    heloName,
    lmtp,
    events: {
      write(bytes) {
        const text = Buffer.from(bytes).toString('latin1')
        writes.push(text)
        state.out += text
      },
      onReady(capabilities) {
        state.capabilities = capabilities
        log.push('ready')
      },
      onTlsGo: () => void log.push('tls'),
      onAuthenticated: () => void log.push('authenticated'),
      onRefused: (phase, reply) => void log.push(`refused ${phase} ${reply.code}`),
      onFault(fault) {
        if (state.fault !== null) throw new Error('two faults')
        state.fault = fault
        log.push(`fault ${fault.kind}`)
      },
      onQuit: () => void log.push('quit'),
      tap: () => (direction, text) => void shown.push(`${direction} ${text}`),
    },
  })
  const take = () => {
    const text = state.out
    state.out = ''
    return text
  }
  return {
    engine,
    take,
    hear(text) {
      engine.receive(Buffer.from(text, 'latin1'))
      return take()
    },
    writes,
    log,
    shown,
    get fault() {
      return state.fault
    },
    get capabilities() {
      return state.capabilities
    },
  }
}

/** Greeting and EHLO done. */
export function readyClientSession(...keywords: readonly string[]): ClientSession {
  const session = openClientSession()
  session.hear('220 mx.test\r\n')
  const lines = ['mx.test', ...keywords]
  session.hear(lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join(''))
  return session
}

export function mailbox(text: string): Mailbox {
  const at = text.lastIndexOf('@')
  return { localPart: text.slice(0, at), domain: text.slice(at + 1) as DomainName }
}

export interface TestPlan extends TransactionPlan {
  readonly ended: Transaction[]
  /** `onSendContent` was called this often. */
  sendContent: number
}

export function makePlan(
  recipients: readonly string[] = ['v@z'],
  mail: Partial<MailParameters> = {},
  onSendContent: (transaction: Transaction) => void = () => undefined,
): TestPlan {
  const toRcpt = (text: string): RcptParameters => ({ forwardPath: mailbox(text), notify: null, originalRecipient: null })
  const [first = 'v@z', ...rest] = recipients
  const plan: TestPlan = {
    mail: {
      reversePath: { kind: 'mailbox', mailbox: mailbox('u@y') },
      sizeOctets: null,
      body: '7bit',
      smtputf8: false,
      requireTls: false,
      envelopeId: null,
      returnContent: null,
      ...mail,
    },
    recipients: [toRcpt(first), ...rest.map(toRcpt)],
    ended: [],
    sendContent: 0,
    onSendContent(transaction) {
      plan.sendContent++
      onSendContent(transaction)
    },
    onEnd: (transaction) => void plan.ended.push(transaction),
  }
  return plan
}

export const ENVELOPE = 'MAIL FROM:<u@y>\r\nRCPT TO:<v@z>\r\nDATA\r\n'
export const OK_ENVELOPE = '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go\r\n'

/** One transaction up to 354. */
export function inContent(session: ClientSession, plan: TestPlan = makePlan()): TestPlan {
  session.engine.submit(plan)
  if (session.capabilities?.pipelining === true) session.hear(OK_ENVELOPE)
  else for (const reply of ['250 Ok', '250 Ok', '354 Go']) session.hear(`${reply}\r\n`)
  if (plan.sendContent !== 1) throw new Error('the engine did not ask for content')
  session.take()
  return plan
}

/** Writes content and the final dot; answers what left. */
export function sendContent(session: ClientSession, text = 'Subject: x\r\n\r\nbody\r\n'): string {
  session.engine.writeContent(Buffer.from(text))
  session.engine.endContent()
  return session.take()
}
