/**
 * Validated configuration -> the plan of rewriting: rules made ready, and which files hold the tables.
 *
 * Reads no file: `rewriting.ts` does, and watches them.
 */
import { resolve } from 'node:path'
import { compileAddressPatterns } from '../core/pattern.ts'
import type { AddressMap } from '../rewrite/address-map.ts'
import { compilePattern } from '../rewrite/pattern.ts'
import type { RecipientTable, RewriteLimits, RewriteSettings, SendAsRule, SenderRule } from '../rewrite/settings.ts'
import type { PeopleRule } from '../rewrite/system-users.ts'
import { parseTarget, type Target } from '../rewrite/target.ts'
import { listOf } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import type { RecipientRuleConfig, SenderRuleConfig } from './config-schema-rewrite.ts'
import { bareDomainOf, localDomainsOf } from './local-domains.ts'
import { SettingsError } from './settings-error.ts'

export interface TableFileSpec {
  /** Absolute. */
  readonly path: string
  readonly format: 'hash-text' | 'regexp' | 'pcre'
}
export type PlannedRule =
  | { readonly kind: 'table'; readonly label: string; readonly table: RecipientTable }
  | { readonly kind: 'file'; readonly label: string; readonly file: TableFileSpec }

export interface LocalPlan {
  readonly domains: ReadonlySet<string>
  readonly recipientDelimiter: string
  /** A list of names, or the file that holds them. */
  readonly users: { readonly kind: 'list'; readonly names: readonly string[] } | { readonly kind: 'system'; readonly path: string; readonly people: PeopleRule }
  readonly aliases: { readonly path: string; readonly include: boolean } | null
  readonly root: readonly Target[] | null
  readonly unknownUsers: Target | null
}
export interface RewritePlan extends Pick<RewriteSettings, 'senders' | 'masquerade' | 'sendAs' | 'bareDomain'> {
  readonly recipients: readonly PlannedRule[]
  readonly limits: RewriteLimits
  readonly local: LocalPlan | null
}

const PASSWD = '/etc/passwd'

/** Throws `SettingsError` on what the checks would have refused. */
export function buildRewritePlan({ config, folder }: { readonly config: Config; readonly folder: string }): RewritePlan {
  const { rewrite } = config
  return {
    recipients: rewrite.recipients.map((rule, index) => planRule(rule, `rewrite.recipients[${index}]`, folder)),
    senders: rewrite.senders.map((rule, index): SenderRule => senderRule(rule, `rewrite.senders[${index}]`)),
    masquerade: {
      domains: rewrite.masquerade.map((domain) => domain.toLowerCase()),
      except: new Set(rewrite.masqueradeExcept.map((name) => name.toLowerCase())),
    },
    sendAs: listOf(rewrite.sendAs).map(
      ({ from, as, replyTo }, index): SendAsRule => ({ label: `rewrite.sendAs[${index}]`, from: compileAddressPatterns(listOf(from)), as, replyTo }),
    ),
    limits: { depthMax: rewrite.limits.depth, recipientsMax: rewrite.limits.recipients },
    bareDomain: bareDomainOf(config),
    local: planLocal(config, folder),
  }
}

function planLocal(config: Config, folder: string): LocalPlan | null {
  const { local, aliases } = config
  if (local === undefined) return null
  const file = typeof aliases === 'string' ? { file: aliases, include: false } : aliases
  return {
    domains: localDomainsOf(config),
    recipientDelimiter: local.recipientDelimiter,
    users: local.users === 'system' ? { kind: 'system', path: PASSWD, people: peopleOf(local) } : { kind: 'list', names: local.users },
    aliases: file === undefined ? null : { path: resolve(folder, file.file), include: file.include },
    root: local.root === undefined ? null : listOf(local.root).map(targetOf),
    unknownUsers: local.unknownUsers === 'refuse' ? null : targetOf(local.unknownUsers),
  }
}

/** A mail store knows by itself who gets mail. */
function peopleOf({ mailbox }: NonNullable<Config['local']>): PeopleRule {
  return { uidMin: mailbox.lmtp === undefined ? mailbox.uidMin : 0, named: mailbox.users }
}

function planRule(rule: RecipientRuleConfig, place: string, folder: string): PlannedRule {
  if (rule.file !== undefined) {
    const file = { path: resolve(folder, rule.file), format: rule.format ?? 'hash-text' }
    return { kind: 'file', label: `${place}: ${file.format} ${rule.file}`, file }
  }
  if (rule.map !== undefined) return { kind: 'table', label: `${place}: map`, table: { kind: 'map', map: mapOf(rule.map) } }
  return { kind: 'table', label: `${place}: pattern ${rule.pattern}`, table: patternOf(rule, place) }
}

function senderRule(rule: SenderRuleConfig, place: string): SenderRule {
  if (rule.map !== undefined) return { label: `${place}: map`, table: { kind: 'map', map: mapOf(rule.map) } }
  return { label: `${place}: pattern ${rule.pattern}`, table: patternOf(rule, place) }
}

function mapOf(map: Readonly<Record<string, string | readonly string[]>>): AddressMap {
  return new Map(Object.entries(map).map(([key, value]) => [key.toLowerCase(), listOf(value).map(targetOf)]))
}

function patternOf(rule: { readonly pattern?: string | undefined; readonly to?: string | readonly string[] | undefined }, place: string): RecipientTable {
  const pattern = compilePattern({ written: rule.pattern ?? '', templates: listOf(rule.to), style: 'pcre' })
  if ('fault' in pattern) throw new SettingsError(`${place}: ${pattern.fault}`)
  return { kind: 'patterns', patterns: [pattern] }
}

function targetOf(text: string): Target {
  const target = parseTarget(text)
  if (target === null) throw new SettingsError(`${text} is no address`)
  return target
}
