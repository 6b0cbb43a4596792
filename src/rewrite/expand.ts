/**
 * What one recipient becomes: rules, then aliases, followed from each result until nothing more applies.
 *
 * The answer is a tree, so that what is explained is what was done. A rule that names its own address
 * keeps it (`a: a, b`); any longer circle is a loop. Results of an alias that are local are only looked up as
 * aliases, as in Postfix; others go through the rules again, so that no alias leads around a catch-all.
 */
import { formatDomain, formatMailbox } from '../core/address.ts'
import type { Mailbox } from '../core/envelope.ts'
import { bareLocalPart, localUserOf, splitExtension } from '../core/local-address.ts'
import { lookUpMap, type MapContext } from './address-map.ts'
import { lookUpPatterns } from './pattern-file.ts'
import { type LocalRules, localMailNow, mapContextOf, type RecipientTable, type RewriteSettings } from './settings.ts'
import { resolveTarget, type Target } from './target.ts'

export type ExpansionEnd =
  /** A mailbox elsewhere. */
  | { readonly kind: 'mailbox' }
  | { readonly kind: 'local-user'; readonly user: string }
  | { readonly kind: 'unknown-user' }
  /** It was there already: merged. */
  | { readonly kind: 'again' }
  | { readonly kind: 'loop' }
  | { readonly kind: 'too-deep' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'off'; readonly what: string }
  | { readonly kind: 'invalid'; readonly what: string }
  /** A table that it needs cannot be read. */
  | { readonly kind: 'unavailable'; readonly reason: string }

export interface ExpansionNode {
  /** Null where what was written is no address. */
  readonly mailbox: Mailbox | null
  /** The rule that leads on from here; null: none does. */
  readonly rule: string | null
  /** Null: it has children. */
  readonly end: ExpansionEnd | null
  readonly children: readonly ExpansionNode[]
}

export function expand(recipient: Mailbox, settings: RewriteSettings): ExpansionNode {
  return new Expansion(settings).follow(recipient, 'rules', [])
}

/** Which look-up an address is at: a circle is one that comes to the same address at the same stage. */
type Stage = 'rules' | 'aliases' | 'users'

type Step =
  | { readonly kind: 'none' }
  | { readonly kind: 'targets'; readonly rule: string; readonly targets: readonly Target[]; readonly extension: string }
  | { readonly kind: 'end'; readonly rule: string | null; readonly end: ExpansionEnd }

const NO_STEP: Step = { kind: 'none' }

class Expansion {
  readonly #settings: RewriteSettings
  /** Addresses that are in the result. */
  readonly #ends = new Set<string>()
  /** What was followed already: lists that overlap are not followed twice. */
  readonly #followed = new Set<string>()
  #nodes = 0

  constructor(settings: RewriteSettings) {
    this.#settings = settings
  }

  follow(mailbox: Mailbox, stage: Stage, above: readonly string[]): ExpansionNode {
    const { depthMax, recipientsMax } = this.#settings.limits
    if (++this.#nodes > recipientsMax * (depthMax + 1)) return leaf(mailbox, { kind: 'too-many' })
    if (stage === 'rules') {
      const step = this.#rulesFor(mailbox)
      if (step.kind !== 'none') return this.#take(mailbox, stage, { step, above })
    }
    const { local } = this.#settings
    if (local === null || !local.domains.has(formatDomain(mailbox))) return this.#finish(mailbox, { kind: 'mailbox' })
    if (stage !== 'users') {
      const step = aliasFor(mailbox, local)
      if (step.kind !== 'none') return this.#take(mailbox, 'aliases', { step, above })
    }
    const end = userEnd(mailbox, local)
    if (end.kind !== 'unknown-user' || local.unknownUsers === null) return this.#finish(mailbox, end)
    const step: Step = { kind: 'targets', rule: 'local.unknownUsers', targets: [local.unknownUsers], extension: '' }
    return this.#take(mailbox, 'aliases', { step, above })
  }

  #take(
    mailbox: Mailbox,
    stage: 'rules' | 'aliases',
    from: { readonly step: Exclude<Step, { kind: 'none' }>; readonly above: readonly string[] },
  ): ExpansionNode {
    const { step, above } = from
    if (step.kind === 'end') return { mailbox, rule: step.rule, end: step.end, children: [] }
    const key = keyOf(stage, mailbox)
    if (above.includes(key)) return leaf(mailbox, { kind: 'loop' })
    if (this.#followed.has(key)) return leaf(mailbox, { kind: 'again' })
    if (above.length >= this.#settings.limits.depthMax) return leaf(mailbox, { kind: 'too-deep' })
    this.#followed.add(key)
    const children = step.targets.map((target) => this.#lead(mailbox, stage, { target, extension: step.extension, above: [...above, key] }))
    return { mailbox, rule: step.rule, end: null, children }
  }

  #lead(
    from: Mailbox,
    stage: 'rules' | 'aliases',
    to: { readonly target: Target; readonly extension: string; readonly above: readonly string[] },
  ): ExpansionNode {
    const { target, extension, above } = to
    if (target.kind === 'off') return leaf(null, target)
    // An alias is a name beside others in the domain that it is looked up in.
    const bareDomain = stage === 'aliases' && typeof from.domain === 'string' ? from.domain : this.#settings.bareDomain
    const resolved = resolveTarget(target, from, bareDomain)
    if (resolved === null) return leaf(null, { kind: 'invalid', what: 'a name without domain, and local.appendDomain gives none' })
    const next = target.kind === 'domain' ? resolved : withExtension(resolved, extension)
    if (sameAddress(next, from)) return this.follow(next, stage === 'rules' ? 'aliases' : 'users', above)
    const own = this.#settings.local?.domains.has(formatDomain(next)) === true
    if (stage === 'aliases' && own) return this.follow(next, target.kind === 'name' && target.exact ? 'users' : 'aliases', above)
    return this.follow(next, 'rules', above)
  }

  #rulesFor(mailbox: Mailbox): Step {
    const context = mapContextOf(this.#settings)
    for (const { label, table } of this.#settings.recipients) {
      const state = table()
      if (state.kind === 'unavailable') return { kind: 'end', rule: label, end: state }
      const hit = lookUpTable(state.table, mailbox, context)
      if (hit !== null) return hit.kind === 'invalid' ? { kind: 'end', rule: label, end: hit } : { ...hit, rule: label }
    }
    return NO_STEP
  }

  #finish(mailbox: Mailbox, end: ExpansionEnd): ExpansionNode {
    const key = keyOf('', mailbox)
    if (this.#ends.has(key)) return leaf(mailbox, { kind: 'again' })
    if (this.#ends.size >= this.#settings.limits.recipientsMax) return leaf(mailbox, { kind: 'too-many' })
    this.#ends.add(key)
    return leaf(mailbox, end)
  }
}

export type TableHit =
  | { readonly kind: 'targets'; readonly targets: readonly Target[]; readonly extension: string }
  | { readonly kind: 'invalid'; readonly what: string }

/** Null: nothing in the table is about this address. */
export function lookUpTable(table: RecipientTable, mailbox: Mailbox, context: MapContext): TableHit | null {
  if (table.kind === 'map') {
    const hit = lookUpMap(table.map, mailbox, context)
    return hit === null ? null : { kind: 'targets', ...hit }
  }
  const hit = lookUpPatterns(table.patterns, mailbox)
  if (hit === null) return null
  return hit.kind === 'invalid' ? { kind: 'invalid', what: `${JSON.stringify(hit.text)} is no address` } : { ...hit, extension: '' }
}

/** RFC 5321 §4.5.1 wants a postmaster; our own notices come from mailer-daemon. */
const ROLES: ReadonlyMap<string, string> = new Map([
  ['postmaster', 'root'],
  ['mailer-daemon', 'postmaster'],
])

/** Names go before their part in front of the delimiter, aliases before users. */
function aliasFor(mailbox: Mailbox, local: LocalRules): Step {
  const whole = bareLocalPart(mailbox.localPart).toLowerCase()
  const base = splitExtension(whole, local.recipientDelimiter)?.base ?? null
  const aliases = local.aliases?.() ?? null
  if (aliases?.kind === 'unavailable') return { kind: 'end', rule: 'aliases', end: aliases }
  const users = local.users()
  for (const name of base === null ? [whole] : [whole, base]) {
    const targets = aliases?.table.get(name)
    if (targets !== undefined) return { kind: 'targets', rule: `alias ${name}`, targets, extension: '' }
    if (name === 'root' && local.root !== null) return { kind: 'targets', rule: 'local.root', targets: local.root, extension: '' }
    const isProgram = local.programs().has(name)
    // Whose name a user has is his; a role is somebody else's only where there is no such user.
    if (users.kind === 'ready' && users.table.has(name) && !isProgram) return NO_STEP
    const role = ROLES.get(name) ?? (isProgram ? 'root' : undefined)
    if (role !== undefined)
      return { kind: 'targets', rule: `${name} is ${role} by default`, targets: [{ kind: 'name', localPart: role, exact: false }], extension: '' }
  }
  return NO_STEP
}

function userEnd(mailbox: Mailbox, local: LocalRules): ExpansionEnd {
  const now = localMailNow(local)
  if (now.kind === 'unavailable') return now
  const user = localUserOf(mailbox, now.table)
  return user === null ? { kind: 'unknown-user' } : { kind: 'local-user', user: user.name }
}

function leaf(mailbox: Mailbox | null, end: ExpansionEnd): ExpansionNode {
  return { mailbox, rule: null, end, children: [] }
}

/** Compared without case: whoever writes rules does not mean two mailboxes by `Bob` and `bob`. */
function keyOf(stage: string, mailbox: Mailbox): string {
  return `${stage} ${formatMailbox(mailbox).toLowerCase()}`
}

function sameAddress(a: Mailbox, b: Mailbox): boolean {
  return keyOf('', a) === keyOf('', b)
}

function withExtension(mailbox: Mailbox, extension: string): Mailbox {
  if (extension === '' || mailbox.localPart.endsWith('"')) return mailbox
  return { localPart: `${mailbox.localPart}${extension}`, domain: mailbox.domain }
}
