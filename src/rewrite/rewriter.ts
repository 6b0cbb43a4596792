/**
 * The rewriter that intake and delivery ask: expansions turned into recipients, refusals and holds.
 *
 * Decides what each end of an expansion means at RCPT and after it; how an address is followed is
 * `expand.ts`. DSN parameters go over to every recipient that one becomes (RFC 3461 §5.2.7).
 */
import { formatMailbox, parseMailbox } from '../core/address.ts'
import { assertNever } from '../core/brand.ts'
import type { Mailbox, Notify, NotifyEvent } from '../core/envelope.ts'
import { formatOriginalRecipient } from '../core/original-recipient.ts'
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import type { RecipientCheck, RewriteRecipient, Rewriter, RewrittenRecipient, RewrittenRecipients } from '../ports/rewriter.ts'
import { type ExpansionEnd, type ExpansionNode, expand } from './expand.ts'
import { headerEditsOf, qualifyName, type SenderStep, senderSteps } from './senders.ts'
import type { RewriteSettings } from './settings.ts'

/** The rewriter, and what it would do, for people. */
export interface ExplainedRewriter extends Rewriter {
  explainRecipient(recipient: Mailbox): ExpansionNode
  explainSender(address: string): readonly SenderStep[]
}

export function createRewriter(settings: RewriteSettings): ExplainedRewriter {
  const { recipientsMax } = settings.limits
  return {
    recipientsMax,
    headerEdits: headerEditsOf(settings),
    qualify: (localPart) => qualifyName(localPart, settings.bareDomain),
    checkRecipient: (recipient) => check(expand(recipient, settings)),
    rewriteSender(reversePath) {
      if (reversePath.kind === 'null') return reversePath
      const address = senderSteps(formatMailbox(reversePath.mailbox), settings).at(-1)?.address
      const mailbox = address === undefined ? null : parseMailbox(address, { smtputf8: true })
      return mailbox === null ? reversePath : { kind: 'mailbox', mailbox }
    },
    rewriteRecipients: (recipients) => merge(recipients.flatMap((recipient) => rewriteOne(recipient, settings))),
    explainRecipient: (recipient) => expand(recipient, settings),
    explainSender: (address) => senderSteps(address, settings),
  }
}

/** Ends of a tree, those that were merged left out. */
function endsOf(node: ExpansionNode): readonly (readonly [ExpansionNode, ExpansionEnd])[] {
  if (node.end !== null) return node.end.kind === 'again' ? [] : [[node, node.end]]
  return node.children.flatMap(endsOf)
}

function check(tree: ExpansionNode): RecipientCheck {
  const ends = endsOf(tree)
  const kinds = new Set(ends.map(([, { kind }]) => kind))
  // Mail that a table is missing for is taken and held: whether it is wrong cannot be known yet.
  if (kinds.has('unavailable')) return { kind: 'accepted', recipients: 1 }
  const fault = ends.find(([, end]) => refusalOf(end).ofAll)
  if (fault !== undefined) return { kind: 'refused', reply: refusalOf(fault[1]).reply ?? UNKNOWN_USER }
  const good = ends.filter(([, end]) => refusalOf(end).reply === null).length
  if (good > 0) return { kind: 'accepted', recipients: ends.length }
  const [first] = ends
  return { kind: 'refused', reply: (first === undefined ? null : refusalOf(first[1]).reply) ?? UNKNOWN_USER }
}

const UNKNOWN_USER = reply(550, enhanced(5, 1, 1), 'User unknown')
const LOOP = reply(554, enhanced(5, 4, 6), 'The address is rewritten in a loop')
const TOO_DEEP = reply(554, enhanced(5, 4, 6), 'The address is rewritten too many times')
const TOO_MANY = reply(550, enhanced(5, 3, 5), 'The address becomes too many recipients')

interface Refusal {
  /** Null: it can be delivered to. */
  readonly reply: SmtpReply | null
  /** One such end is a fault of the rules, and refuses all of the recipient. */
  readonly ofAll: boolean
}

function refusalOf(end: ExpansionEnd): Refusal {
  switch (end.kind) {
    case 'mailbox':
    case 'local-user':
    case 'again':
    case 'unavailable':
      return { reply: null, ofAll: false }
    case 'unknown-user':
      return { reply: UNKNOWN_USER, ofAll: false }
    case 'off':
      return { reply: reply(550, enhanced(5, 3, 5), `The alias leads to ${end.what}`), ofAll: false }
    case 'invalid':
      return { reply: reply(553, enhanced(5, 1, 3), 'What the address is rewritten to is no address'), ofAll: true }
    case 'loop':
      return { reply: LOOP, ofAll: true }
    case 'too-deep':
      return { reply: TOO_DEEP, ofAll: true }
    case 'too-many':
      return { reply: TOO_MANY, ofAll: true }
    default:
      return assertNever(end)
  }
}

function rewriteOne(recipient: RewriteRecipient, settings: RewriteSettings): readonly RewrittenRecipient[] {
  const tree = expand(recipient.forwardPath, settings)
  const ends = endsOf(tree)
  const held = ends.map(([, end]) => holdReason(end)).find((reason) => reason !== null) ?? null
  if (held !== null) return [{ ...recipient, unrewritten: held }]
  const found = ends.flatMap(([{ mailbox }, end]) => (mailbox === null || end.kind === 'off' ? [] : [mailbox]))
  // Checked at RCPT; the tables have changed since.
  if (found.length === 0) return [{ ...recipient, unrewritten: 'the alias leads nowhere that mail can go' }]
  return found.map((mailbox) => ({
    forwardPath: mailbox,
    notify: recipient.notify,
    originalRecipient: recipient.originalRecipient ?? originalOf(recipient.forwardPath, mailbox),
    unrewritten: null,
  }))
}

/** Null: nothing is wrong that a mended table could mend. */
function holdReason(end: ExpansionEnd): string | null {
  switch (end.kind) {
    case 'unavailable':
      return `a rewriting table cannot be used: ${end.reason}`
    case 'invalid':
      return `rewriting gives no address: ${end.what}`
    case 'loop':
      return 'the address is rewritten in a loop'
    case 'too-deep':
      return 'the address is rewritten too many times'
    case 'too-many':
      return 'the address becomes too many recipients'
    default:
      return null
  }
}

/** RFC 3461 §5.2.7.1: the address that was rewritten becomes the original recipient if the client named none. */
function originalOf(before: Mailbox, after: Mailbox): string | null {
  const address = formatMailbox(before)
  return address === formatMailbox(after) ? null : formatOriginalRecipient(address)
}

function merge(recipients: readonly RewrittenRecipient[]): RewrittenRecipients {
  const merged = new Map<string, RewrittenRecipient>()
  for (const recipient of recipients) {
    const key = `${recipient.unrewritten === null ? '' : 'held '}${formatMailbox(recipient.forwardPath)}`
    const before = merged.get(key)
    merged.set(key, before === undefined ? recipient : { ...before, notify: mergeNotify(before.notify, recipient.notify) })
  }
  const [first, ...others] = merged.values()
  if (first === undefined) throw new Error('a message was left without recipients')
  return [first, ...others]
}

/** Whoever is told by either is told; a missing NOTIFY means failure and delay. */
function mergeNotify(a: Notify, b: Notify): Notify {
  if (a === b || b === 'never') return a
  if (a === 'never') return b
  const events = new Set<NotifyEvent>([...(a ?? BY_DEFAULT), ...(b ?? BY_DEFAULT)])
  return [...events]
}
const BY_DEFAULT: readonly NotifyEvent[] = ['failure', 'delay']
