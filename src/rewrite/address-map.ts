/**
 * Exact addresses and whole domains to targets, as in Postfix's virtual(5).
 *
 * Looked up are, in this order: the address, the address without its extension, the name alone if its
 * domain is local, `@domain`. Keys compare without case. An extension that was not part of the key goes over
 * to the targets. Read from the configuration or from a text file.
 */
import { formatDomain } from '../core/address.ts'
import type { Mailbox } from '../core/envelope.ts'
import { splitExtension } from '../core/local-address.ts'
import { readTableLines, TableFault } from './table-lines.ts'
import { parseTarget, splitList, TARGETS_MAX, type Target } from './target.ts'

/** Keys in lower case: `user@domain`, `@domain`, `user`. */
export type AddressMap = ReadonlyMap<string, readonly Target[]>

export interface MapContext {
  readonly recipientDelimiter: string
  /** The domain is one of ours, or the one that bare names get. */
  readonly isOwnDomain: (domain: string) => boolean
}
export interface MapHit {
  readonly targets: readonly Target[]
  /** `+news`, to be put on the targets; empty: none. */
  readonly extension: string
}

export function lookUpMap(map: AddressMap, mailbox: Mailbox, context: MapContext): MapHit | null {
  const local = mailbox.localPart.toLowerCase()
  const domain = formatDomain(mailbox)
  const split = splitExtension(mailbox.localPart, context.recipientDelimiter)
  const base = split?.base.toLowerCase() ?? null
  const extension = split === null ? '' : mailbox.localPart.slice(split.base.length)
  const own = context.isOwnDomain(domain)
  const keys: readonly (readonly [key: string | null, extension: string])[] = [
    [`${local}@${domain}`, ''],
    [base === null ? null : `${base}@${domain}`, extension],
    [own ? local : null, ''],
    [own ? base : null, extension],
    [`@${domain}`, ''],
  ]
  for (const [key, rest] of keys) {
    const targets = key === null ? undefined : map.get(key)
    if (targets !== undefined) return { targets, extension: rest }
  }
  return null
}

/** True: `user@domain`, `@domain` or a bare name. */
export function isMapKey(key: string): boolean {
  const target = parseTarget(key)
  return target !== null && target.kind !== 'off' && !(target.kind === 'name' && target.exact)
}

/** `key value, value` in each line, a colon behind the key allowed. Throws `TableFault`. */
export function parseMapFile(text: string): AddressMap {
  const map = new Map<string, readonly Target[]>()
  for (const { number, text: line } of readTableLines(text)) {
    const [key, value] = splitKey(line)
    if (value === '') throw new TableFault(number, `${JSON.stringify(key)} leads nowhere: KEY VALUE is wanted`)
    if (PATTERN.test(key)) throw new TableFault(number, `${JSON.stringify(key)} is a pattern: a table of patterns has format: regexp or pcre`)
    if (!isMapKey(key)) throw new TableFault(number, `${JSON.stringify(key)} is no address`)
    map.set(key.toLowerCase(), parseTargets(value, number))
  }
  return map
}

const PATTERN = /^!?\/.*\/[a-zA-Z]*$/s

/** Throws `TableFault` with the line's number if one is none. */
export function parseTargets(value: string, line: number): readonly Target[] {
  const texts = splitList(value)
  if (texts.length === 0) throw new TableFault(line, 'no target')
  if (texts.length > TARGETS_MAX) throw new TableFault(line, `more than ${TARGETS_MAX} targets`)
  return texts.map((text) => {
    const target = parseTarget(text)
    if (target === null) throw new TableFault(line, `${JSON.stringify(text)} is no address`)
    return target
  })
}

/** The key may be quoted: `"john doe"@example.com`. */
function splitKey(line: string): readonly [key: string, value: string] {
  const [, key = line, value = ''] = /^((?:"(?:\\.|[^"\\])*"|[^\s"])+)\s*(.*)$/su.exec(line) ?? []
  return [key.endsWith(':') ? key.slice(0, -1) : key, value.startsWith(': ') ? value.slice(2) : value]
}
