/**
 * Says what a reply or a fault means: for which recipients, who else is hit, and whether the hop is well.
 *
 * Pure. The only file that turns replies and I/O faults into outcomes: transports report, `settle`
 * records. The three-digit code decides (RFC 5321 §4.2.1), whatever enhanced code stands beside it.
 * Soft unless the peer said 5yz about a message or recipient; replies that mean something else than
 * their code are listed in `core/reply-texts.ts`, each with its reason. Before MAIL nothing is about
 * the message: every fault there defers.
 */
import { assertNever } from './brand.ts'
import { describeNetworkFault } from './network-words.ts'
import type { AttemptPhase, FaultScope, HopVerdict } from './outcome.ts'
import { type EnhancedStatus, enhanced, formatReply, type SmtpReply } from './reply.ts'
import { findMeaning } from './reply-texts.ts'

/** What the verdict on the hop will be; `none`: this fault says nothing of it. */
export type HopEffect = 'healthy' | 'unwell' | 'credential-refused' | 'none'

export interface Deferral {
  readonly kind: 'deferred'
  readonly status: EnhancedStatus<4>
  readonly scope: FaultScope
  readonly hop: HopEffect
  /** One line, ours. */
  readonly reason: string
  readonly duplicatePossible: boolean
}
export interface Failure {
  readonly kind: 'failed'
  readonly status: EnhancedStatus<5>
  readonly scope: FaultScope
  readonly hop: HopEffect
  readonly reason: string
}
export type Judgement = { readonly kind: 'delivered'; readonly status: EnhancedStatus<2> } | Deferral | Failure

/** What went wrong other than by a reply. */
export type AttemptFault =
  /** Name look-up or socket; `code` is Node's. */
  | { readonly kind: 'network'; readonly code: string; readonly message: string }
  /** The peer closed in order, but too early. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'timeout'; readonly afterMs: number }
  /** The peer broke the protocol: no SMTP, over-long, out of step. */
  | { readonly kind: 'protocol'; readonly detail: string }
  /** TLS was needed and is not to be had, or is not to be trusted. */
  | { readonly kind: 'tls-missing' }
  | { readonly kind: 'tls-failed'; readonly code: string; readonly message: string }
  /** A policy cannot be had, or does not allow this host; `detail` begins with the name of the fault. */
  | { readonly kind: 'tls-policy'; readonly detail: string }
  /** Bytes came behind the reply to STARTTLS: somebody injects (C03). */
  | { readonly kind: 'tls-injection' }
  /** The peer is ourselves (O19). */
  | { readonly kind: 'loop' }
  /** No login is possible: no common mechanism, or the password cannot be had. */
  | { readonly kind: 'no-login'; readonly detail: string }

const PHASE_TEXT: Readonly<Record<AttemptPhase, string>> = {
  route: 'choosing a route',
  'mx-lookup': 'looking up the host',
  'tls-policy': 'checking the TLS policy',
  connect: 'connecting',
  greeting: 'waiting for the greeting',
  ehlo: 'saying EHLO',
  starttls: 'starting TLS',
  auth: 'logging in',
  mail: 'sending MAIL FROM',
  rcpt: 'sending RCPT TO',
  data: 'sending DATA',
  content: 'sending the content',
  'final-dot': 'waiting for the reply to the final dot (the message may be sent twice)',
}
/** Faults before MAIL hit everybody who wants this hop. */
const SETUP_PHASES: ReadonlySet<AttemptPhase> = new Set(['route', 'mx-lookup', 'tls-policy', 'connect', 'greeting', 'ehlo', 'starttls', 'auth'])

/**
 * What a complete reply means at that phase. `reply` is the last one of the phase: a 3yz where the
 * dialogue goes on (334, 354) is the engine's affair and must not come here.
 */
export function classifyReply(phase: AttemptPhase, reply: SmtpReply): Judgement {
  const group = Math.floor(reply.code / 100)
  if (group === 2 && phase === 'final-dot') return { kind: 'delivered', status: statusOf(reply, 2) }
  if (group !== 4 && group !== 5) return outOfStep(phase, reply)
  const meaning = findMeaning(phase, reply)
  if (meaning !== null) {
    return deferral(statusOf(reply, 4), meaning.scope, hopOf(meaning.scope), meaning.reason)
  }
  // RFC 5321 §3.8: 421 at any time announces that the session ends.
  if (reply.code === 421)
    return deferral(statusOf(reply, 4), 'session', 'unwell', `the server ends the session while ${PHASE_TEXT[phase].replace(/ \(.*\)$/, '')}`)
  if (phase === 'auth') return deferral(loginStatus(reply), 'credential', 'credential-refused', 'the server refused the login')
  if (SETUP_PHASES.has(phase)) return deferral(statusOf(reply, 4), 'hop', 'unwell', `the server refused the session while ${PHASE_TEXT[phase]}`)
  return transactionReply(phase, reply, group)
}

/** What a fault means that came without a reply. */
export function classifyFault(phase: AttemptPhase, fault: AttemptFault): Deferral {
  const scope: FaultScope = SETUP_PHASES.has(phase) ? 'hop' : 'session'
  switch (fault.kind) {
    case 'network':
      return faultDeferral(phase, networkStatus(phase, fault.code), scope, networkReason(phase, fault))
    case 'closed':
      return faultDeferral(phase, enhanced(4, 4, 2), scope, `the server closed the connection while ${PHASE_TEXT[phase]}`)
    case 'timeout':
      return faultDeferral(
        phase,
        phase === 'connect' ? enhanced(4, 4, 1) : enhanced(4, 4, 2),
        scope,
        `timed out after ${seconds(fault.afterMs)} while ${PHASE_TEXT[phase]}`,
      )
    case 'protocol':
      return faultDeferral(phase, enhanced(4, 5, 0), scope, `the server broke the protocol (${fault.detail}) while ${PHASE_TEXT[phase]}`)
    case 'tls-missing':
      return faultDeferral(phase, enhanced(4, 7, 4), 'hop', 'TLS is required, but was not offered by the server')
    case 'tls-failed':
      return faultDeferral(phase, enhanced(4, 7, 5), 'hop', `TLS failed: ${fault.message}${fault.message.includes(fault.code) ? '' : ` (${fault.code})`}`)
    case 'tls-policy':
      return faultDeferral(phase, enhanced(4, 7, 5), 'hop', `TLS policy: ${fault.detail}`)
    case 'tls-injection':
      return faultDeferral(phase, enhanced(4, 7, 5), 'hop', 'bytes came behind the reply to STARTTLS: somebody tries to inject replies; connection abandoned')
    case 'loop':
      return faultDeferral(phase, enhanced(4, 4, 6), 'hop', 'mail loops back to this server: a Postern of the same name answers there')
    case 'no-login':
      return { ...faultDeferral(phase, enhanced(4, 7, 8), 'credential', fault.detail), hop: 'credential-refused' }
    default:
      return assertNever(fault)
  }
}

/** Of the reply in the reason of a verdict: enough to tell what a relay wants. */
const SHOWN_REPLY_MAX = 200

/**
 * The verdict on the hop after a judgement; `none` leaves it open. With the reply, word for word, because
 * that is what an operator of a closed lane asks for first.
 */
export function hopVerdict(judgement: Deferral | Failure, reply: SmtpReply | null): HopVerdict | null {
  const { hop } = judgement
  switch (hop) {
    case 'none':
      return null
    case 'healthy':
      return { kind: 'healthy' }
    case 'unwell':
    case 'credential-refused':
      return { kind: hop, status: enhanced(4, judgement.status.subject, judgement.status.detail), reason: reasonWith(judgement.reason, reply) }
    default:
      return assertNever(hop)
  }
}

/** Our words, and theirs behind them. */
export function reasonWith(reason: string, reply: SmtpReply | null): string {
  const said = reply === null ? '' : formatReply(reply).slice(0, SHOWN_REPLY_MAX).toWellFormed()
  return said === '' || reason.includes(String(reply?.code)) ? reason : `${reason}: ${said}`
}

/** Another address or host may do better: the fault is not the message's, the recipient's or the login's. */
export function triesNextHost(judgement: Deferral): boolean {
  return judgement.scope === 'session' || judgement.scope === 'hop'
}

/**
 * The peer takes no more recipients in this transaction: the rest goes in another one, without penalty
 * (RFC 5321 §4.5.3.1.10, which wants 552 taken as 452). Only meant when an earlier one was accepted.
 */
export function saysTooManyRecipients(reply: SmtpReply): boolean {
  if (reply.enhanced !== null && reply.code !== 250) return reply.code >= 400 && reply.enhanced.subject === 5 && reply.enhanced.detail === 3
  return reply.code === 452 || reply.code === 552
}

/** MAIL to final dot: 4yz defers, 5yz fails. 5yz ends only what it was said of. */
function transactionReply(phase: AttemptPhase, reply: SmtpReply, group: 4 | 5): Judgement {
  const scope: FaultScope = phase === 'rcpt' ? 'recipient' : 'message'
  const reason = `the server refused ${scope === 'recipient' ? 'the recipient' : 'the message'} while ${PHASE_TEXT[phase].replace(/ \(.*\)$/, '')}`
  if (group === 5) return { kind: 'failed', status: statusOf(reply, 5), scope, hop: 'healthy', reason }
  return deferral(statusOf(reply, 4), scope, 'healthy', reason)
}

/** A reply whose first digit makes no sense here. After the final dot it leaves open whether the peer took the message. */
function outOfStep(phase: AttemptPhase, reply: SmtpReply): Deferral {
  return classifyFault(phase, { kind: 'protocol', detail: `unexpected reply ${formatReply(reply).slice(0, 80)}` })
}

function deferral(status: EnhancedStatus<4>, scope: FaultScope, hop: HopEffect, reason: string): Deferral {
  return { kind: 'deferred', status, scope, hop, reason, duplicatePossible: false }
}

function faultDeferral(phase: AttemptPhase, status: EnhancedStatus<4>, scope: FaultScope, reason: string): Deferral {
  return { kind: 'deferred', status, scope, hop: 'unwell', reason, duplicatePossible: phase === 'final-dot' }
}

function hopOf(scope: FaultScope): HopEffect {
  if (scope === 'credential') return 'credential-refused'
  return scope === 'hop' || scope === 'session' ? 'unwell' : 'healthy'
}

/** The peer's own status, but in the class of its code: the code decides (O04). */
function statusOf<Class extends 2 | 4 | 5>(reply: SmtpReply, group: Class): EnhancedStatus<Class> {
  const theirs = reply.enhanced
  if (theirs === null || (group === 2 && theirs.class !== 2)) return enhanced(group, 0, 0)
  return enhanced(group, theirs.subject, theirs.detail)
}

/** 4.7.8 for a refusal (RFC 4954 §6: 5.7.8, which must not bounce the queue); the peer's own for 4yz. */
function loginStatus(reply: SmtpReply): EnhancedStatus<4> {
  return reply.code >= 500 || reply.enhanced === null ? enhanced(4, 7, 8) : statusOf(reply, 4)
}

function networkStatus(phase: AttemptPhase, code: string): EnhancedStatus<4> {
  // RFC 3463 §3.5: X.4.4 unable to route (no such host), X.4.3 directory failure, X.4.1 no answer, X.4.2 bad connection.
  if (phase === 'mx-lookup') return code === 'ENOTFOUND' ? enhanced(4, 4, 4) : enhanced(4, 4, 3)
  return phase === 'connect' ? enhanced(4, 4, 1) : enhanced(4, 4, 2)
}

/** The words alone say that it was the look-up or the connecting that failed. */
function networkReason(phase: AttemptPhase, { code, message }: { readonly code: string; readonly message: string }): string {
  const words = describeNetworkFault(phase, code, message)
  return words !== null && (phase === 'mx-lookup' || phase === 'connect') ? words : `${words ?? message} while ${PHASE_TEXT[phase]}`
}

function seconds(ms: number): string {
  return `${ms >= 10_000 ? Math.round(ms / 1000) : Math.round(ms / 100) / 10} s`
}
