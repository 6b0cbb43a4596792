/**
 * What would become of an address, for `postern rewrite` and `postern route explain`: the rewriter's
 * own answers in words, nothing decided anew.
 */
import { formatMailbox, parseMailbox } from '../core/address.ts'
import { assertNever } from '../core/brand.ts'
import type { Mailbox } from '../core/envelope.ts'
import { formatReply } from '../core/reply.ts'
import type { Delivery, RouteQuestion } from '../delivery/delivery.ts'
import type { RewriteExplanation, RewriteNode, RouteExplanation } from '../ports/server-control.ts'
import type { ExpansionEnd, ExpansionNode } from '../rewrite/expand.ts'
import type { ExplainedRewriter } from '../rewrite/rewriter.ts'

/** Recipients whose routes are told, of an address that becomes many. */
const ROUTES_TOLD_MAX = 20

/** Null: what was given is no address. Without a rewriter every address stays. */
export function explainRewriting(
  rewriter: ExplainedRewriter | null,
  query: { readonly address: string; readonly from: string | null },
): RewriteExplanation | null {
  const mailbox = mailboxOf(query.address, rewriter)
  if (mailbox === null) return null
  if (rewriter === null) {
    const address = formatMailbox(mailbox)
    return { address, recipient: { address, rule: null, kind: 'mailbox', end: '', children: [] }, refusal: null, from: query.from, sender: [] }
  }
  const check = rewriter.checkRecipient(mailbox)
  const sender = query.from === null || query.from === '' || query.from === '<>' ? null : mailboxOf(query.from, rewriter)
  return {
    address: formatMailbox(mailbox),
    recipient: nodeOf(rewriter.explainRecipient(mailbox)),
    refusal: check.kind === 'refused' ? formatReply(check.reply) : null,
    from: sender === null ? query.from : formatMailbox(sender),
    sender: sender === null ? [] : rewriter.explainSender(formatMailbox(sender)),
  }
}

/** The sender or recipient that is none; null: both are addresses, or names that get a domain. */
export function faultyAddress(rewriter: ExplainedRewriter | null, { from, to }: RouteQuestion): string | null {
  const isNullPath = from === '' || from === '<>'
  if (!isNullPath && mailboxOf(from, rewriter) === null) return from
  return mailboxOf(to, rewriter) === null ? to : null
}

/** The route of what the recipient becomes; of several recipients the first, the others in `others`. */
export async function explainRewrittenRoute(
  delivery: Pick<Delivery, 'explain'>,
  rewriter: ExplainedRewriter | null,
  query: RouteQuestion,
): Promise<RouteExplanation> {
  const rewriting = rewriter === null ? null : explainRewriting(rewriter, { address: query.to, from: query.from })
  if (rewriting === null) return delivery.explain(query)
  const from = rewriting.sender.at(-1)?.address ?? query.from
  const ends = endsOf(rewriting.recipient)
  const obstacle = rewriting.refusal ?? ends.find(({ kind }) => kind === 'unavailable')?.end ?? null
  const [first, ...others] = ends.filter(({ kind }) => GOES_ON.has(kind ?? '')).map(({ address }) => address)
  if (first === undefined || obstacle !== null) {
    const decision = rewriting.refusal === null ? (obstacle ?? 'hold: it becomes no address') : `refused at RCPT: ${rewriting.refusal}`
    return { from, to: rewriting.address, steps: [], decision, lane: 'hold', credential: null, hosts: null, obstacle: null, rewriting }
  }
  const also = await Promise.all(others.slice(0, ROUTES_TOLD_MAX - 1).map((to) => delivery.explain({ ...query, from, to })))
  return { ...(await delivery.explain({ ...query, from, to: first })), rewriting, others: also }
}

const GOES_ON: ReadonlySet<string> = new Set<ExpansionEnd['kind']>(['mailbox', 'local-user', 'unknown-user'])

function mailboxOf(address: string, rewriter: ExplainedRewriter | null): Mailbox | null {
  return parseMailbox(address, { smtputf8: true }) ?? (address.includes('@') ? null : (rewriter?.qualify(address) ?? null))
}

function nodeOf({ mailbox, rule, end, children }: ExpansionNode): RewriteNode {
  return {
    address: mailbox === null ? '' : formatMailbox(mailbox),
    rule,
    kind: end?.kind ?? null,
    end: end === null ? null : wordsFor(end),
    children: children.map(nodeOf),
  }
}

function endsOf(node: RewriteNode): readonly RewriteNode[] {
  return node.kind === null ? node.children.flatMap(endsOf) : [node]
}

function wordsFor(end: ExpansionEnd): string {
  switch (end.kind) {
    case 'mailbox':
      return ''
    case 'local-user':
      return `mailbox of ${end.user}`
    case 'unknown-user':
      return 'no such local user'
    case 'again':
      return 'there already'
    case 'loop':
      return 'a loop: it led here before'
    case 'too-deep':
      return 'too many rules after one another'
    case 'too-many':
      return 'too many recipients'
    case 'off':
      return `not delivered: ${end.what}`
    case 'invalid':
      return end.what
    case 'unavailable':
      return `held, a table is missing: ${end.reason}`
    default:
      return assertNever(end)
  }
}
