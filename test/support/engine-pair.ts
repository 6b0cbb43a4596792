/**
 * A client engine and a server engine with a wire between them that cuts and delays as a seed says.
 *
 * Whatever the cut, the chunking and the order of events, what the client was told must be what the
 * server did. Policies answer at once or later; the client writes content in pieces.
 */
import type { SmtpReply } from '../../src/core/reply.ts'
import type { ClientEvents, ClientFault, TransactionPlan } from '../../src/smtp/client-engine.ts'
import { ClientEngine } from '../../src/smtp/client-engine.ts'
import type { Decision } from '../../src/smtp/server-engine.ts'
import { makePlan } from './client-session.ts'
import { openServerSession, type ServerSession } from './server-session.ts'

export interface PairedMessage {
  readonly from: string
  readonly to: readonly string[]
  readonly content: string
}
export interface PairOptions {
  readonly messages: readonly PairedMessage[]
  readonly pipelining: boolean
  readonly seed: number
  /** Refuses whatever is named `no...`: reverse-path, recipient, or content that begins so. */
  readonly refuse: SmtpReply
}
export interface PairOutcome {
  /** Of each message: how its transaction ended, and which recipients were taken. */
  readonly outcomes: readonly { readonly end: string; readonly finalCode: number | null; readonly taken: readonly string[] }[]
  readonly server: ServerSession
  readonly fault: ClientFault | null
  /** Largest number of envelopes that left in one write with a final dot. */
  readonly chained: number
}

/** A small generator of its own, so that a failing seed can be run again. */
export function createDice(seed: number): (sides: number) => number {
  let state = seed >>> 0 || 1
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

const STEPS_MAX = 200_000

export function runPair(options: PairOptions): PairOutcome {
  const dice = createDice(options.seed)
  const toServer: Buffer[] = []
  const toClient: Buffer[] = []
  const owed: Decision[] = []
  const decide = (subject: string): Decision => {
    const decision: Decision = subject.startsWith('no') ? options.refuse : 'accept'
    if (dice(3) !== 0) return decision
    owed.push(decision)
    return 'later'
  }
  const server = openServerSession({
    settings: { pipelining: options.pipelining },
    limits: { errorsPerSession: 10_000 },
    policy: { mail: decide, rcpt: decide, content: decide },
  })
  const state = { fault: null as ClientFault | null, chained: 0, ready: false }
  const events: ClientEvents = {
    write(bytes) {
      const text = Buffer.from(bytes)
      if (text.indexOf('.\r\nMAIL ') !== -1) state.chained++
      toServer.push(text)
    },
    onReady: () => {
      state.ready = true
    },
    onTlsGo: () => undefined,
    onAuthenticated: () => undefined,
    onRefused: () => undefined,
    onFault: (fault) => {
      state.fault = fault
    },
    onQuit: () => undefined,
    tap: () => null,
  }
  const client = new ClientEngine({ heloName: 'client.test', events })
  const contents = new Map<TransactionPlan, Buffer>()
  const writing: TransactionPlan[] = []
  const waiting = [...options.messages]
  const plans = options.messages.map((message) => {
    const plan = makePlan(message.to, { reversePath: { kind: 'mailbox', mailbox: { localPart: message.from, domain: 'y' as never } } }, () =>
      writing.push(plan),
    )
    contents.set(plan, Buffer.from(message.content, 'latin1'))
    return plan
  })

  const pass = (wire: Buffer[], receive: (bytes: Buffer) => void) => {
    const all = Buffer.concat(wire.splice(0))
    const size = dice(4) === 0 ? all.length : 1 + dice(Math.min(all.length, 40))
    if (size < all.length) wire.push(all.subarray(size))
    receive(all.subarray(0, size))
  }
  const writeSome = () => {
    const plan = writing[0] as TransactionPlan
    const rest = contents.get(plan) ?? Buffer.alloc(0)
    const size = 1 + dice(30)
    client.writeContent(rest.subarray(0, size))
    contents.set(plan, rest.subarray(size))
    if (size < rest.length) return
    writing.shift()
    client.endContent()
  }
  for (let step = 0; step < STEPS_MAX; step++) {
    const fresh = server.take()
    if (fresh !== '') toClient.push(Buffer.from(fresh, 'latin1'))
    const moves: (() => void)[] = []
    if (toClient.length > 0) moves.push(() => pass(toClient, (bytes) => client.receive(bytes)))
    if (toServer.length > 0 && (server.engine.wantsInput || dice(4) === 0)) moves.push(() => pass(toServer, (bytes) => server.engine.receive(bytes)))
    if (server.engine.answerOwed) moves.push(() => server.answer(owed.shift() as 'accept' | SmtpReply))
    if (writing.length > 0) moves.push(writeSome)
    if (waiting.length > 0 && client.room > 0) {
      moves.push(() => {
        const plan = plans[options.messages.length - waiting.length]
        waiting.shift()
        if (plan !== undefined) client.submit(plan)
      })
    }
    const move = moves[dice(moves.length)]
    if (move === undefined) break
    move()
  }
  const outcomes = plans.map((plan) => {
    const transaction = plan.ended[0]
    const taken = (transaction?.rcptReplies ?? []).flatMap((reply, index) => (reply?.code === 250 ? [plan.recipients[index]?.forwardPath.localPart ?? ''] : []))
    return { end: transaction?.end ?? 'open', finalCode: transaction?.finalReply?.code ?? null, taken }
  })
  return { outcomes, server, fault: state.fault, chained: state.chained }
}
