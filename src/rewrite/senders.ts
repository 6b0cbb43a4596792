/**
 * Sender rules: what an envelope sender and the addresses of From, Sender and Reply-To become.
 *
 * In this order, each at most once: the first entry that maps the address, masquerading (host names
 * stripped from a domain), and sending as another address. The null reverse-path stays what it is
 * (RFC 5321 §4.5.5). Sending as another leaves Reply-To alone: answers are to reach the real one.
 */
import { formatMailbox, parseBareName, parseMailbox } from '../core/address.ts'
import type { DomainName } from '../core/brand.ts'
import type { Mailbox } from '../core/envelope.ts'
import type { HeaderEdits } from '../core/header-edits.ts'
import { lookUpTable } from './expand.ts'
import { mapContextOf, type RewriteSettings, type SendAsRule } from './settings.ts'
import { parseLocalName, resolveTarget } from './target.ts'

/** Which rule did what, in order, for `postern route explain`. */
export interface SenderStep {
  readonly rule: string
  readonly address: string
}

/** Every step that changes the address; empty: it stays. */
export function senderSteps(address: string, settings: RewriteSettings): readonly SenderStep[] {
  const steps: SenderStep[] = [...mappedSteps(address, settings)]
  const now = steps.at(-1)?.address ?? address
  const rule = hidingRule(now, settings.sendAs)
  if (rule !== null) steps.push({ rule: rule.label, address: rule.as })
  return steps
}

/** Null: no rule of the settings touches senders or bare names. */
export function headerEditsOf(settings: RewriteSettings): HeaderEdits | null {
  const { senders, masquerade, sendAs, bareDomain } = settings
  if (senders.length === 0 && masquerade.domains.length === 0 && sendAs.length === 0 && bareDomain === null) return null
  const last = (steps: readonly SenderStep[]): string | null => steps.at(-1)?.address ?? null
  return {
    address: (address, field) => last(field === 'reply-to' ? mappedSteps(address, settings) : senderSteps(address, settings)),
    qualify: (name) => {
      const mailbox = qualifyName(name, bareDomain)
      return mailbox === null ? null : formatMailbox(mailbox)
    },
    isToBeAnswered: (address) => hidingRule(last(mappedSteps(address, settings)) ?? address, sendAs)?.replyTo === true,
  }
}

/** A name as a client or a header writes it, quotes and all; null: no domain is given, or it is no local part. */
export function qualifyName(name: string, bareDomain: DomainName | null): Mailbox | null {
  if (bareDomain === null) return null
  const written = parseBareName(name, { smtputf8: true }) ?? parseLocalName(name)
  return written === null ? null : { localPart: written, domain: bareDomain }
}

function mappedSteps(address: string, settings: RewriteSettings): SenderStep[] {
  const steps: SenderStep[] = []
  const mapped = mapSender(address, settings)
  if (mapped !== null) steps.push(mapped)
  const stripped = masqueraded(mapped?.address ?? address, settings.masquerade)
  if (stripped !== null) steps.push({ rule: 'rewrite.masquerade', address: stripped })
  return steps
}

function mapSender(address: string, settings: RewriteSettings): SenderStep | null {
  const { senders, bareDomain } = settings
  const mailbox = senders.length === 0 ? null : parseMailbox(address, { smtputf8: true })
  if (mailbox === null) return null
  const context = mapContextOf(settings)
  for (const { label, table } of senders) {
    const hit = lookUpTable(table, mailbox, context)
    if (hit === null) continue
    const target = hit.kind === 'targets' ? hit.targets[0] : undefined
    const next = target === undefined || target.kind === 'off' ? null : resolveTarget(target, mailbox, bareDomain)
    // A pattern that makes no address of this one leaves it: senders are nobody's secret by this rule.
    if (next === null || formatMailbox(next) === formatMailbox(mailbox)) return null
    return { rule: label, address: formatMailbox(next) }
  }
  return null
}

/** Domains are tried in order; one that is the domain itself ends it, so that `[lab.example.com, example.com]` keeps `lab`. */
function masqueraded(address: string, { domains, except }: RewriteSettings['masquerade']): string | null {
  if (domains.length === 0) return null
  const at = address.lastIndexOf('@')
  const localPart = address.slice(0, at)
  const domain = address.slice(at + 1).toLowerCase()
  if (at < 1 || except.has(localPart.toLowerCase())) return null
  for (const masked of domains) {
    if (domain === masked) return null
    if (domain.endsWith(`.${masked}`)) return `${localPart}@${masked}`
  }
  return null
}

/** Null: none, or it is the address that the rule sends as. */
function hidingRule(address: string, rules: readonly SendAsRule[]): SendAsRule | null {
  const rule = rules.find(({ from }) => from(address))
  return rule === undefined || rule.as.toLowerCase() === address.toLowerCase() ? null : rule
}
