/**
 * Rewrite settings for tests: rules by table text, everything else empty.
 */
import type { DomainName } from '../../src/core/brand.ts'
import type { Mailbox } from '../../src/core/envelope.ts'
import { compileAddressPattern } from '../../src/core/pattern.ts'
import { parseMapFile } from '../../src/rewrite/address-map.ts'
import { parseAliases, resolveIncludes } from '../../src/rewrite/aliases-file.ts'
import { type ExpansionNode, expand } from '../../src/rewrite/expand.ts'
import { parsePatternFile } from '../../src/rewrite/pattern-file.ts'
import type { LocalRules, RecipientRule, RecipientTable, RewriteSettings, TableState } from '../../src/rewrite/settings.ts'
import { parseTarget, type Target } from '../../src/rewrite/target.ts'
import { makeMailbox } from '../support/make-message.ts'

export interface LocalText {
  readonly domains?: readonly string[]
  readonly users?: readonly string[] | null
  readonly programs?: readonly string[]
  readonly aliases?: string | null
  readonly delimiter?: string
  readonly root?: readonly string[]
  readonly unknownUsers?: string
}
export interface SettingsText {
  /** Tables: lines `key value`; with `/` in front, patterns. Null: cannot be read. */
  readonly recipients?: readonly (string | null)[]
  readonly senders?: readonly string[]
  readonly masquerade?: readonly string[]
  readonly except?: readonly string[]
  readonly sendAs?: readonly { readonly from: string; readonly as: string; readonly replyTo?: boolean }[]
  readonly local?: LocalText
  readonly bareDomain?: string | null
  readonly limits?: Partial<RewriteSettings['limits']>
}

export function tableOf(text: string): RecipientTable {
  return /^\s*!?\//m.test(text) ? { kind: 'patterns', patterns: parsePatternFile(text, 'pcre') } : { kind: 'map', map: parseMapFile(text) }
}

export function makeRewrite(text: SettingsText = {}): RewriteSettings {
  const { recipients = [], senders = [], masquerade = [], except = [], sendAs = [], local } = text
  const bareDomain = text.bareDomain === undefined && local !== undefined ? 'host.example' : (text.bareDomain ?? null)
  return {
    recipients: recipients.map((table, index): RecipientRule => ({ label: `rule ${index}`, table: () => stateOf(table === null ? null : tableOf(table)) })),
    senders: senders.map((table, index) => ({ label: `sender rule ${index}`, table: tableOf(table) })),
    masquerade: { domains: masquerade, except: new Set(except) },
    sendAs: sendAs.map((rule, index) => ({ label: `sendAs ${index}`, from: compileAddressPattern(rule.from), as: rule.as, replyTo: rule.replyTo ?? true })),
    limits: { depthMax: 10, recipientsMax: 1000, ...text.limits },
    bareDomain: bareDomain as DomainName | null,
    local: local === undefined ? null : makeLocal(local),
  }
}

function makeLocal({
  domains = ['host.example', 'localhost'],
  users = ['root', 'bob'],
  programs = [],
  aliases,
  delimiter = '+',
  root,
  unknownUsers,
}: LocalText): LocalRules {
  const table = aliases === undefined || aliases === null ? null : resolveIncludes(parseAliases(aliases), { read: null, depthMax: 0 })
  return {
    domains: new Set(domains),
    recipientDelimiter: delimiter,
    users: () => stateOf(users === null ? null : new Map(users.map((name) => [name.toLowerCase(), name]))),
    programs: () => new Set(programs),
    aliases: aliases === undefined ? null : () => stateOf(table),
    root: root === undefined ? null : root.map(targetOf),
    unknownUsers: unknownUsers === undefined ? null : targetOf(unknownUsers),
  }
}

export function stateOf<Table>(table: Table | null): TableState<Table> {
  return table === null ? { kind: 'unavailable', reason: 'the table is gone' } : { kind: 'ready', table }
}

function targetOf(text: string): Target {
  const target = parseTarget(text)
  if (target === null) throw new Error(`no target: ${text}`)
  return target
}

/** Ends as `address` or `address: kind`, in order. */
export function endsOf(address: string, settings: RewriteSettings): readonly string[] {
  return leaves(expand(makeMailbox(address), settings))
}

function leaves({ mailbox, end, children }: ExpansionNode): readonly string[] {
  if (end === null) return children.flatMap(leaves)
  const where = mailbox === null ? '' : show(mailbox)
  return [end.kind === 'mailbox' || end.kind === 'local-user' ? where : `${where}: ${end.kind}`]
}

function show({ localPart, domain }: Mailbox): string {
  return `${localPart}@${typeof domain === 'string' ? domain : `[${domain.addressLiteral}]`}`
}
