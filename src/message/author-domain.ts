/**
 * The domain of a message's author: of the first address in From (RFC 5322 §3.6.2).
 *
 * Reads what scripts write, and is asked for one thing only: whose key signs. Comments and quoted
 * text count for nothing, brackets go before what stands outside them.
 */
import { asciiDomain } from '../core/ascii-domain.ts'
import type { HeaderBlock } from './header-block.ts'

/** More of a From than this is not looked at. */
const VALUE_OCTETS_MAX = 16 * 1024

/** In A-labels, lower case; null: no From, or no domain in it. */
export function authorDomain(block: HeaderBlock): string | null {
  const field = block.fields.find(({ name }) => name === 'from')
  if (field === undefined) return null
  const raw = block.text.slice(field.valueStart, Math.min(field.end, field.valueStart + VALUE_OCTETS_MAX))
  const value = NOT_ASCII.test(raw) ? Buffer.from(raw, 'latin1').toString('utf8') : raw
  return firstDomain(value)
}

const NOT_ASCII = /[\u0080-\u00ff]/
const BRACKETS = /<[^<>]*@([^<>@]*)>/
const BARE = /@\s*([^\s<>,;@]+)/

/** Of a From value; exported for its tests. */
export function firstDomain(value: string): string | null {
  const plain = /["(]/.test(value) ? withoutText(value) : value
  for (const part of plain.split(',')) {
    const found = BRACKETS.exec(part) ?? BARE.exec(part)
    if (found !== null) return asciiDomain((found[1] ?? '').replace(/\s+/g, ''))
  }
  return null
}

/** Quoted strings and nested comments replaced by nothing that matters. */
function withoutText(value: string): string {
  let kept = ''
  let depth = 0
  let quoted = false
  for (let i = 0; i < value.length; i++) {
    const character = value.charAt(i)
    if (character === '\\' && (quoted || depth > 0)) i++
    else if (quoted) quoted = character !== '"'
    else if (character === '(') depth++
    else if (character === ')' && depth > 0) depth--
    else if (depth > 0) continue
    else if (character === '"') {
      quoted = true
      kept += 'q'
    } else kept += character
  }
  return kept
}
