/**
 * Which mailboxes are ours, and which user's they are. Pure: the tables are given.
 *
 * Domains and users compare without case, as in every system that delivers to /etc/passwd names;
 * what follows the recipient delimiter is the user's own matter and keeps its case (RFC 5321 §2.4).
 * Aliases are not known here: see `delivery/rewrite`. Delivering is the mailbox transport's.
 */
import { formatDomain } from './address.ts'
import type { Mailbox } from './envelope.ts'

/** One reading of the tables; a new one is made when they change. */
export interface LocalMail {
  /** In lower case; an address literal with its brackets, `[127.0.0.1]`. */
  readonly domains: ReadonlySet<string>
  /** Each of its characters splits a local part; empty: none does. */
  readonly recipientDelimiter: string
  /** Names as the system spells them, by their lower case. */
  readonly users: ReadonlyMap<string, string>
}
export interface LocalUser {
  /** As the system spells it. */
  readonly name: string
  /** `news` of `bob+news`, as it came; null: none. Never part of a path. */
  readonly extension: string | null
}

/** Its domain is one of ours, whether or not there is such a user. */
export function isLocal(mailbox: Mailbox, local: LocalMail): boolean {
  return local.domains.has(formatDomain(mailbox))
}

/** The user of a mailbox in a local domain; null: another domain, or nobody. A user's whole name goes before its split. */
export function localUserOf(mailbox: Mailbox, local: LocalMail): LocalUser | null {
  if (!isLocal(mailbox, local)) return null
  const whole = bareLocalPart(mailbox.localPart)
  const name = local.users.get(whole.toLowerCase())
  if (name !== undefined) return { name, extension: null }
  const split = splitExtension(whole, local.recipientDelimiter)
  const owner = split === null ? undefined : local.users.get(split.base.toLowerCase())
  return split === null || owner === undefined ? null : { name: owner, extension: split.extension }
}

/** `bob` and `news` of `bob+news`, at the first delimiter that is not its first character; null: there is none. */
export function splitExtension(localPart: string, delimiters: string): { readonly base: string; readonly extension: string } | null {
  for (let at = 1; at < localPart.length; at++) {
    if (delimiters.includes(localPart.charAt(at))) return { base: localPart.slice(0, at), extension: localPart.slice(at + 1) }
  }
  return null
}

/** What the quotes of a local part hold: `"john doe"` is the name `john doe` (RFC 5321 §4.1.2). */
export function bareLocalPart(localPart: string): string {
  if (!localPart.startsWith('"') || !localPart.endsWith('"') || localPart.length < 2) return localPart
  return localPart.slice(1, -1).replace(/\\(.)/gu, '$1')
}
