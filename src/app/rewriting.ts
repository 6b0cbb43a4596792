/**
 * The rewriter of the running server: the plan in force, with its tables read from files and watched.
 *
 * Replaced as a whole at a reload; tables whose file is still named stay open, so that a broken file
 * does not cost the good table that was read before. How addresses are followed is `rewrite/`.
 */
import type { Clock } from '../core/clock.ts'
import type { LocalMail } from '../core/local-address.ts'
import type { Journal } from '../ports/journal.ts'
import { parseMapFile } from '../rewrite/address-map.ts'
import { type AliasTable, parseAliases, resolveIncludes } from '../rewrite/aliases-file.ts'
import { parsePatternFile } from '../rewrite/pattern-file.ts'
import { createRewriter, type ExplainedRewriter } from '../rewrite/rewriter.ts'
import { type LocalRules, localMailNow, type RecipientRule, type RecipientTable, type RewriteSettings, type TableState } from '../rewrite/settings.ts'
import { type PeopleRule, parsePasswd, type SystemUsers } from '../rewrite/system-users.ts'
import type { LocalPlan, PlannedRule, RewritePlan, TableFileSpec } from './settings-rewrite.ts'
import { openTableFile, type TableFile } from './table-file.ts'

export interface Rewriting {
  /** Null: nothing is configured that could change or refuse an address. */
  readonly rewriter: () => ExplainedRewriter | null
  /** Local domains and users as they are now; null: there are none, or the list of users could not be read. */
  readonly localMail: () => LocalMail | null
  /** Sentences on the tables whose files cannot be used as they are now. */
  readonly faults: () => readonly string[]
  reload(plan: RewritePlan): void
  close(): void
}
export interface RewritingParts {
  readonly clock: Clock
  readonly journal: Pick<Journal, 'note'>
}

const INCLUDE_DEPTH_MAX = 10

export function createRewriting(initial: RewritePlan, parts: RewritingParts): Rewriting {
  let files = new OpenTables(parts, null)
  let settings = settingsOf(initial, files)
  let rewriter = rewriterOf(settings)
  return {
    rewriter: () => rewriter,
    localMail() {
      const now = settings.local === null ? null : localMailNow(settings.local)
      return now?.kind === 'ready' ? now.table : null
    },
    faults: () => files.faults(),
    reload(plan) {
      const next = new OpenTables(parts, files)
      settings = settingsOf(plan, next)
      rewriter = rewriterOf(settings)
      files.closeExcept(next)
      files = next
    },
    close: () => files.closeExcept(null),
  }
}

function rewriterOf(settings: RewriteSettings): ExplainedRewriter | null {
  const { recipients, senders, masquerade, sendAs, local } = settings
  const nothing = recipients.length + senders.length + masquerade.domains.length + sendAs.length === 0 && local === null
  return nothing ? null : createRewriter(settings)
}

function settingsOf(plan: RewritePlan, files: OpenTables): RewriteSettings {
  const { senders, masquerade, sendAs, bareDomain, limits } = plan
  return {
    recipients: plan.recipients.map((rule) => ruleOf(rule, files)),
    senders,
    masquerade,
    sendAs,
    limits,
    bareDomain,
    local: plan.local === null ? null : localOf(plan.local, files),
  }
}

function ruleOf(rule: PlannedRule, files: OpenTables): RecipientRule {
  if (rule.kind === 'file') return { label: rule.label, table: files.recipients(rule.file) }
  const state: TableState<RecipientTable> = { kind: 'ready', table: rule.table }
  return { label: rule.label, table: () => state }
}

function localOf(plan: LocalPlan, files: OpenTables): LocalRules {
  const { domains, recipientDelimiter, users, aliases, root, unknownUsers } = plan
  const system = users.kind === 'system' ? files.users(users.path, users.people) : null
  const listed = new Map((users.kind === 'list' ? users.names : []).map((name) => [name.toLowerCase(), name]))
  return {
    domains,
    recipientDelimiter,
    users: system === null ? () => ({ kind: 'ready', table: listed }) : () => namesIn(system()),
    programs: () => programsIn(system?.() ?? null),
    aliases: aliases === null ? null : files.aliases(aliases.path, aliases.include),
    root,
    unknownUsers,
  }
}

function namesIn(state: TableState<SystemUsers>): TableState<ReadonlyMap<string, string>> {
  return state.kind === 'ready' ? { kind: 'ready', table: state.table.names } : state
}
function programsIn(state: TableState<SystemUsers> | null): ReadonlySet<string> {
  return state?.kind === 'ready' ? state.table.programs : NO_PROGRAMS
}
const NO_PROGRAMS: ReadonlySet<string> = new Set()

/** Table files by what they are read as; those that were open before are taken over. */
class OpenTables {
  readonly #parts: RewritingParts
  readonly #before: ReadonlyMap<string, TableFile<unknown>>
  readonly #open = new Map<string, TableFile<unknown>>()

  constructor(parts: RewritingParts, before: OpenTables | null) {
    this.#parts = parts
    this.#before = before === null ? new Map() : before.#open
  }

  recipients({ path, format }: TableFileSpec): () => TableState<RecipientTable> {
    return this.#take<RecipientTable>(`${format} ${path}`, path, {
      parse: (text) => parseTable(text, format),
      describe: (table) => ({ entries: table.kind === 'map' ? table.map.size : table.patterns.length, warnings: [] }),
    })
  }

  aliases(path: string, include: boolean): () => TableState<AliasTable> {
    return this.#take<AliasTable>(`aliases ${include} ${path}`, path, {
      parse: (text, read) => resolveIncludes(parseAliases(text), { read: include ? read : null, depthMax: INCLUDE_DEPTH_MAX }),
      describe: (table) => ({ entries: table.size, warnings: offTargets(table) }),
    })
  }

  users(path: string, people: PeopleRule): () => TableState<SystemUsers> {
    const key = `users ${path} ${people.uidMin} ${people.named.join(' ')}`
    return this.#take<SystemUsers>(key, path, {
      parse: (text) => parsePasswd(text, people),
      describe: ({ names }) => ({ entries: names.size, warnings: [] }),
    })
  }

  faults(): readonly string[] {
    return [...this.#open.values()].flatMap((file) => file.fault() ?? [])
  }

  /** Those that the other one has taken over stay open. */
  closeExcept(taken: OpenTables | null): void {
    for (const [key, file] of this.#open) if (taken === null || !taken.#open.has(key)) file.close()
  }

  /** The key says what the file is read as, so that a table of one key is always of one type. */
  #take<Table>(key: string, path: string, reading: Pick<Parameters<typeof openTableFile<Table>>[0], 'parse' | 'describe'>): () => TableState<Table> {
    const known = (this.#open.get(key) ?? this.#before.get(key)) as TableFile<Table> | undefined
    const file = known ?? openTableFile<Table>({ path, ...reading, ...this.#parts })
    if (known !== undefined) known.look()
    this.#open.set(key, file)
    return file.state
  }
}

/** Throws `TableFault`. */
export function parseTable(text: string, format: TableFileSpec['format']): RecipientTable {
  return format === 'hash-text' ? { kind: 'map', map: parseMapFile(text) } : { kind: 'patterns', patterns: parsePatternFile(text, format) }
}

function offTargets(table: AliasTable): readonly string[] {
  return [...table].flatMap(([name, targets]) =>
    targets.flatMap((target) => (target.kind === 'off' ? [`alias ${JSON.stringify(name)} leads to ${target.what}: mail is not delivered there`] : [])),
  )
}
