/**
 * Pattern tables in Postfix's formats, regexp_table(5) and pcre_table(5): `/expression/flags result`.
 *
 * Tried from the top, the first that matches decides. `if` and `endif` are refused by name rather than
 * stepped over: a rule that should hold for some addresses only must not hold for all.
 */

import { formatMailbox } from '../core/address.ts'
import type { Mailbox } from '../core/envelope.ts'
import { type AddressPattern, compilePattern, matchPattern, type PatternHit } from './pattern.ts'
import { readTableLines, TableFault } from './table-lines.ts'
import { splitList } from './target.ts'

/** Each costs microseconds for every address that comes. */
const PATTERNS_MAX = 10_000

/** Throws `TableFault`. */
export function parsePatternFile(text: string, style: 'regexp' | 'pcre'): readonly AddressPattern[] {
  const patterns = readTableLines(text).map(({ number, text: line }) => {
    if (/^(?:end)?if\b/i.test(line)) throw new TableFault(number, 'if and endif are not supported: write the condition into the patterns themselves')
    const { written, value } = splitPattern(line, number)
    const templates = splitList(value)
    if (templates.length === 0) throw new TableFault(number, 'the pattern leads nowhere: /PATTERN/ RESULT is wanted')
    const pattern = compilePattern({ written, templates, style })
    if ('fault' in pattern) throw new TableFault(number, pattern.fault)
    return pattern
  })
  if (patterns.length > PATTERNS_MAX) throw new TableFault(null, `more than ${PATTERNS_MAX} patterns`)
  return patterns
}

export function lookUpPatterns(patterns: readonly AddressPattern[], mailbox: Mailbox): PatternHit | null {
  const address = formatMailbox(mailbox)
  for (const pattern of patterns) {
    const hit = matchPattern(pattern, address)
    if (hit !== null) return hit
  }
  return null
}

/** The expression may hold spaces; the result begins behind the first one after its end. */
function splitPattern(line: string, number: number): { readonly written: string; readonly value: string } {
  const begin = line.startsWith('!') ? 1 + line.slice(1).search(/\S|$/) : 0
  const delimiter = line.charAt(begin)
  for (let i = begin + 1; i < line.length; i++) {
    const character = line.charAt(i)
    if (character === '\\') i++
    else if (character === delimiter) {
      const space = line.slice(i).search(/\s/)
      const end = space === -1 ? line.length : i + space
      return { written: line.slice(0, end), value: line.slice(end).trim() }
    }
  }
  throw new TableFault(number, `the pattern does not end: ${JSON.stringify(delimiter)} is missing`)
}
