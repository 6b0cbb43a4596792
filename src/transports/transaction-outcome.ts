/**
 * Turns what one transaction sent and heard into outcomes, one for each of its recipients.
 *
 * Pure; meanings come from `core/classify.ts`. Each reply counts only for the command it answers, and
 * a recipient that was refused stays refused whatever happens later in the session.
 */
import {
  type AttemptFault,
  classifyFault,
  classifyReply,
  type Deferral,
  type Failure,
  hopVerdict,
  type Judgement,
  saysTooManyRecipients,
} from '../core/classify.ts'
import type { EnvelopeRecipient } from '../core/envelope.ts'
import type { AttemptPhase, HopVerdict, RecipientOutcome, RemoteMta, TlsFacts } from '../core/outcome.ts'
import { enhanced, type SmtpReply } from '../core/reply.ts'
import type { Transaction } from '../smtp/client-engine.ts'

export interface TransactionFacts {
  readonly transaction: Transaction
  /** In the order of the transaction's RCPTs. */
  readonly recipients: readonly EnvelopeRecipient[]
  readonly remote: RemoteMta
  /** Address and port. */
  readonly place: string
  readonly tls: TlsFacts | null
  /** The peer does not know DSN: nobody there will report success (RFC 3461 §5.2.2). */
  readonly withoutDsn: boolean
  /** Why we gave the session up, if it was we or the network. */
  readonly fault: AttemptFault | null
  /** The session had carried another transaction before. */
  readonly reused: boolean
  /** It rode behind another one that was not finished. */
  readonly chained: boolean
  readonly setupMs: number
  readonly transferMs: number
  readonly use: number
}
export interface JudgedTransaction {
  /** In the order of `recipients`. */
  readonly outcomes: readonly RecipientOutcome[]
  readonly hop: HopVerdict
}
/** A judgement with the reply and the phase it is about. */
interface Grounds {
  readonly judgement: Judgement
  readonly phase: AttemptPhase
  readonly reply: SmtpReply | null
}

const HEALTHY: HopVerdict = { kind: 'healthy' }
const TOO_MANY: RecipientOutcome = { kind: 'untried', reason: 'the server takes no more recipients in one transaction' }
const SEVERITY = { 'not-reached': 0, healthy: 1, unwell: 2, 'credential-refused': 3 } as const

export function judgeTransaction(facts: TransactionFacts): JudgedTransaction {
  const { transaction, recipients } = facts
  const whole = wholeGrounds(facts)
  let hop: HopVerdict = HEALTHY
  let accepted = false
  const outcomes = recipients.map((_, index): RecipientOutcome => {
    const reply = transaction.rcptReplies[index] ?? null
    const refused = transaction.mailReply !== null && isRefusal(transaction.mailReply) ? null : reply
    if (refused !== null && isRefusal(refused)) {
      if (accepted && saysTooManyRecipients(refused)) return TOO_MANY
      const own: Grounds = { judgement: classifyReply('rcpt', refused), phase: 'rcpt', reply: refused }
      hop = worseHop(hop, own)
      return outcomeOf(own, facts)
    }
    accepted ||= reply !== null
    const answer = transaction.finalReplies?.[index] ?? null
    const grounds = answer === null ? whole : forOne(byReply('final-dot', answer))
    hop = worseHop(hop, grounds)
    return outcomeOf(grounds, facts)
  })
  return { outcomes, hop }
}

/**
 * True if the try is free: a session kept from before was closed or closing when it was to serve
 * again (O15, O30, O31), or the transaction in front broke it before this one was under way.
 */
export function wasStale(facts: TransactionFacts): boolean {
  const { transaction, reused, chained } = facts
  if (transaction.end === 'completed' || transaction.sent === 'content' || transaction.sent === 'final-dot') return false
  const { mailReply } = transaction
  if (facts.fault?.kind === 'timeout') return chained && mailReply === null
  if (chained && transaction.end === 'broken') return true
  return reused && (mailReply === null || endsSession(mailReply))
}

function endsSession(reply: SmtpReply): boolean {
  if (!isRefusal(reply)) return false
  const judgement = classifyReply('mail', reply)
  return judgement.kind === 'deferred' && judgement.scope === 'session'
}

/** The reply or fault that decides for every recipient that was not refused on its own. */
function wholeGrounds(facts: TransactionFacts): Grounds {
  const { transaction } = facts
  if (transaction.finalReply !== null && !transaction.loneDot && transaction.finalReplies === null) return byReply('final-dot', transaction.finalReply)
  if (transaction.mailReply !== null && isRefusal(transaction.mailReply)) return byReply('mail', transaction.mailReply)
  if (transaction.dataReply !== null && transaction.dataReply.code !== 354) return byReply('data', transaction.dataReply)
  return brokenGrounds(facts)
}

function brokenGrounds({ transaction, fault }: TransactionFacts): Grounds {
  const phase = phaseOf(transaction)
  const theirs = transaction.fault
  if (fault !== null || theirs === null) return { judgement: classifyFault(phase, fault ?? { kind: 'closed' }), phase, reply: null }
  switch (theirs.kind) {
    case 'closing':
    case 'early-reply':
    case 'refused':
      return theirs.reply === null ? { judgement: classifyFault(phase, { kind: 'closed' }), phase, reply: null } : byReply(phase, theirs.reply)
    case 'content':
      return { judgement: unsendable(theirs.reason), phase, reply: null }
    case 'lost':
      return { judgement: classifyFault(phase, { kind: 'closed' }), phase, reply: null }
    default:
      return { judgement: classifyFault(phase, { kind: 'protocol', detail: theirs.reason }), phase, reply: theirs.reply }
  }
}

/** LMTP: what is said of the message is said for one recipient. */
function forOne(grounds: Grounds): Grounds {
  const { judgement } = grounds
  return judgement.kind === 'delivered' || judgement.scope !== 'message' ? grounds : { ...grounds, judgement: { ...judgement, scope: 'recipient' } }
}

function byReply(phase: AttemptPhase, reply: SmtpReply): Grounds {
  return { judgement: classifyReply(phase, reply), phase, reply }
}

/** RFC 5321 §2.3.8, S07: a NUL goes out to nobody, and no retry mends it. */
function unsendable(reason: string): Failure {
  return { kind: 'failed', status: enhanced(5, 6, 0), scope: 'message', hop: 'none', reason }
}

/** How far it got: the first thing unanswered. */
function phaseOf(transaction: Transaction): AttemptPhase {
  if (transaction.sent === 'final-dot') return 'final-dot'
  if (transaction.sent === 'content') return 'content'
  if (transaction.mailReply === null) return 'mail'
  return transaction.rcptReplies.includes(null) ? 'rcpt' : 'data'
}

function isRefusal(reply: SmtpReply): boolean {
  return reply.code < 200 || reply.code > 299
}

function outcomeOf({ judgement, phase, reply }: Grounds, facts: TransactionFacts): RecipientOutcome {
  if (judgement.kind === 'delivered') {
    if (reply === null) throw new Error('delivered without a reply')
    return { kind: 'delivered', status: judgement.status, reply, remoteMta: facts.remote, relayedWithoutDsn: facts.withoutDsn }
  }
  return refusedOutcome(judgement, { phase, reply, remote: facts.remote })
}

/** A deferral or failure as the outcome of one recipient. */
export function refusedOutcome(
  judgement: Deferral | Failure,
  about: { readonly phase: AttemptPhase; readonly reply: SmtpReply | null; readonly remote: RemoteMta | null },
): RecipientOutcome {
  const { scope, reason } = judgement
  const diagnosis = {
    phase: about.phase,
    scope,
    reason,
    reply: about.reply,
    remoteMta: about.remote,
    duplicatePossible: judgement.kind === 'deferred' && judgement.duplicatePossible,
  }
  return judgement.kind === 'deferred' ? { kind: 'deferred', status: judgement.status, diagnosis } : { kind: 'failed', status: judgement.status, diagnosis }
}

function worseHop(hop: HopVerdict, { judgement, reply }: Grounds): HopVerdict {
  if (judgement.kind === 'delivered') return hop
  return worseOf(hop, hopVerdict(judgement, reply))
}

/** The verdict that asks for more caution. */
export function worseOf(one: HopVerdict, other: HopVerdict | null): HopVerdict {
  return other !== null && SEVERITY[other.kind] > SEVERITY[one.kind] ? other : one
}
