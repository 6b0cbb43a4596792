/**
 * What the configuration tells the rewriter, already checked, and the tables it looks into.
 *
 * Made by `app/settings-rewrite.ts`, replaced as a whole at a reload. Tables change by themselves when
 * their files do: they are asked for at every look-up.
 */
import type { DomainName } from '../core/brand.ts'
import type { LocalMail } from '../core/local-address.ts'
import type { Pattern } from '../core/pattern.ts'
import type { AddressMap, MapContext } from './address-map.ts'
import type { AliasTable } from './aliases-file.ts'
import type { AddressPattern } from './pattern.ts'
import type { Target } from './target.ts'

export type RecipientTable = { readonly kind: 'map'; readonly map: AddressMap } | { readonly kind: 'patterns'; readonly patterns: readonly AddressPattern[] }

/** What was read from a file; unavailable: never yet, or nothing that could be used. */
export type TableState<Table> = { readonly kind: 'ready'; readonly table: Table } | { readonly kind: 'unavailable'; readonly reason: string }

export interface RecipientRule {
  /** As written, for `postern rewrite`: `rewrite.recipients[1]: file virtual`. */
  readonly label: string
  readonly table: () => TableState<RecipientTable>
}
export interface SenderRule {
  readonly label: string
  readonly table: RecipientTable
}
export interface SendAsRule {
  readonly label: string
  readonly from: Pattern
  readonly as: string
  /** The address it hides is put as Reply-To. */
  readonly replyTo: boolean
}
export interface LocalRules {
  readonly domains: ReadonlySet<string>
  readonly recipientDelimiter: string
  readonly users: () => TableState<ReadonlyMap<string, string>>
  /** Those of them that are programs' and get no mail, in lower case: their mail is root's. */
  readonly programs: () => ReadonlySet<string>
  /** Null: no aliases file. */
  readonly aliases: (() => TableState<AliasTable>) | null
  /** Where root's mail goes if no alias says it; null: to the user of that name. */
  readonly root: readonly Target[] | null
  /** Who gets mail for names that are neither user nor alias; null: it is refused. */
  readonly unknownUsers: Target | null
}
export interface RewriteLimits {
  /** Rules and aliases that may lead from one to the next. */
  readonly depthMax: number
  /** Recipients that one may become, and the message's together. */
  readonly recipientsMax: number
}
export interface RewriteSettings {
  readonly recipients: readonly RecipientRule[]
  readonly senders: readonly SenderRule[]
  /** Lower case, in the order in which they are tried. */
  readonly masquerade: { readonly domains: readonly string[]; readonly except: ReadonlySet<string> }
  readonly sendAs: readonly SendAsRule[]
  readonly limits: RewriteLimits
  /** What a bare name gets; null: it is refused. */
  readonly bareDomain: DomainName | null
  /** Null: no domain is ours. */
  readonly local: LocalRules | null
}

/** How maps are read: which domains are ours, and what splits a name. */
export function mapContextOf({ bareDomain, local }: Pick<RewriteSettings, 'bareDomain' | 'local'>): MapContext {
  return {
    recipientDelimiter: local?.recipientDelimiter ?? '',
    isOwnDomain: (domain) => domain === bareDomain || local?.domains.has(domain) === true,
  }
}

/** The tables as they are now, for those who deliver; unavailable: the list of users could not be read. */
export function localMailNow(local: LocalRules): TableState<LocalMail> {
  const users = local.users()
  if (users.kind === 'unavailable') return users
  return { kind: 'ready', table: { domains: local.domains, recipientDelimiter: local.recipientDelimiter, users: users.table } }
}
