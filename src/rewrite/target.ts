/**
 * What a rule leads to: an address, another domain for the same name, or a name of this machine.
 *
 * Texts come from configuration and tables, and from patterns filled with what a client wrote: each
 * is parsed strictly, by itself, so that no part of an address can become a second one.
 */
import { parseBareName, parseDomain, parseMailbox } from '../core/address.ts'
import type { DomainName } from '../core/brand.ts'
import type { Mailbox } from '../core/envelope.ts'

export type Target =
  | { readonly kind: 'mailbox'; readonly mailbox: Mailbox }
  /** `@new.example`: the local part stays. */
  | { readonly kind: 'domain'; readonly domain: Mailbox['domain'] }
  /** A name without domain. `exact`: written `\name`, no alias is looked up for it. */
  | { readonly kind: 'name'; readonly localPart: string; readonly exact: boolean }
  /** Refused when it was read: a command, a file. `what` is said to people. */
  | { readonly kind: 'off'; readonly what: string }

/** Null: it is none of these. Commands, files and lists are only known in alias files. */
export function parseTarget(text: string): Target | null {
  if (text.startsWith('@')) {
    const domain = parseDomain(text.slice(1))
    return domain === null ? null : { kind: 'domain', domain }
  }
  if (text.includes('@')) {
    const mailbox = parseMailbox(text, { smtputf8: true })
    return mailbox === null ? null : { kind: 'mailbox', mailbox }
  }
  const exact = text.startsWith('\\')
  const localPart = parseLocalName(exact ? text.slice(1) : text)
  return localPart === null ? null : { kind: 'name', localPart, exact }
}

/** As a local part has to be written: `john doe` gets its quotes. Null: no local part can hold it. */
export function parseLocalName(text: string): string | null {
  return parseBareName(text, { smtputf8: true }) ?? parseBareName(`"${text.replace(/["\\]/g, '\\$&')}"`, { smtputf8: true })
}

/** Null: a bare name, and there is no domain for it. Off targets lead nowhere. */
export function resolveTarget(target: Exclude<Target, { kind: 'off' }>, from: Mailbox, bareDomain: DomainName | null): Mailbox | null {
  switch (target.kind) {
    case 'mailbox':
      return target.mailbox
    case 'domain':
      return { localPart: from.localPart, domain: target.domain }
    case 'name':
      return bareDomain === null ? null : { localPart: target.localPart, domain: bareDomain }
  }
}

/** Most targets of one entry: a list longer than this is no alias. */
export const TARGETS_MAX = 10_000

/** Cuts `a, "b, c"@d, e` at its commas, those in quotes left alone. Empty parts are left out. */
export function splitList(text: string): readonly string[] {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (quoted && character === '\\') i++
    else if (character === '"') quoted = !quoted
    else if (character === ',' && !quoted) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  parts.push(text.slice(start))
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}
