/**
 * The text of the configuration as YAML 1.2: its values, where each key stands, and what is wrong
 * with its syntax.
 *
 * Sentences about syntax are ours, never the parser's: those may quote the text around the place,
 * and with it a password.
 */
import { type Document, isAlias, isCollection, isMap, isNode, isPair, isScalar, LineCounter, type Pair, parseDocument, visit } from 'yaml'
import { type Fault, quote } from './config-errors.ts'
import type { KeyPath } from './config-path.ts'

export interface Position {
  readonly line: number
  readonly column: number
}
export interface PlacedFault extends Position {
  readonly fault: Fault
}
export interface ConfigSource {
  /** Plain values; keys with nothing behind them are left out, as if they were not there. */
  readonly values: unknown
  readonly faults: readonly PlacedFault[]
  /** Where a value stands, or its key with `key`; the nearest mapping around it if it is not there. */
  locate(path: KeyPath, part: 'key' | 'value'): Position
}

const QUOTE_IT = 'Put the value into quotes.'
const SYNTAX: Readonly<Record<string, readonly [message: string, remedy: string]>> = {
  BAD_SCALAR_START: ['a value cannot begin with this character', QUOTE_IT],
  BAD_INDENT: ['the indentation is wrong, or a bracket is not closed', 'Keys of one mapping begin in the same column.'],
  BLOCK_AS_IMPLICIT_KEY: ['a mapping begins in the middle of a line', 'Write one key a line, or put a value with a colon into quotes.'],
  MISSING_CHAR: ['something is not closed or not separated', 'Look for a missing quote, bracket, comma or colon.'],
  MULTIPLE_DOCS: ['a second document begins', 'Remove the line ---.'],
  TAB_AS_INDENT: ['a tab is used for indentation', 'Use spaces.'],
  UNEXPECTED_TOKEN: ['something stands behind the end of a value', 'Put a value with brackets, like "[smtp.example.com]:587", into quotes.'],
  MULTILINE_IMPLICIT_KEY: ['a key runs over several lines', 'Look for a missing colon, or wrong indentation.'],
}

export function parseConfigText(text: string): ConfigSource {
  const lines = new LineCounter()
  const document = parseOrNull(text, lines)
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  const faults = document === null ? [TOO_DEEP] : [...syntaxFaults(document, at, text), ...aliasFaults(document, at), ...nameFaults(document, at)]
  const values = document === null || faults.length > 0 ? null : plainValues(document)
  return {
    values: values ?? null,
    faults: values === undefined ? [TOO_DEEP] : faults,
    locate: (path, part) => at(document === null ? 0 : offsetOf(document, path, part)),
  }
}

const TOO_DEEP: PlacedFault = {
  line: 1,
  column: 1,
  fault: { code: 'yaml-syntax', message: 'the file is nested too deep', remedy: 'Look for brackets that are not closed.' },
}

/** The parser descends by recursion: tens of thousands of brackets take the stack. */
function parseOrNull(text: string, lineCounter: LineCounter): Document.Parsed | null {
  try {
    return parseDocument(text, { prettyErrors: false, lineCounter, merge: false, strict: true, logLevel: 'error' })
  } catch (fault) {
    if (fault instanceof RangeError) return null
    throw fault
  }
}

/** Undefined: aliases would make a huge thing of it. */
function plainValues(document: Document.Parsed): unknown {
  try {
    return withoutEmpty(document.toJS({ maxAliasCount: ALIASES_MAX })) ?? null
  } catch (fault) {
    if (fault instanceof ReferenceError || fault instanceof RangeError) return undefined
    throw fault
  }
}

function syntaxFaults(document: Document.Parsed, at: (offset: number) => Position, text: string): PlacedFault[] {
  const [first] = document.errors
  // The parser stumbles on after the first fault; what it then says mostly misleads.
  const shown =
    first === undefined ? document.warnings : first.code === 'DUPLICATE_KEY' ? document.errors.filter((error) => error.code === first.code) : [first]
  return shown.map((error) => {
    if (error.code === 'DUPLICATE_KEY') {
      const [name] = /^[\w-]{1,40}(?=\s*:)/.exec(text.slice(error.pos[0], error.pos[0] + 80)) ?? []
      const message = `${name === undefined ? 'this key' : `the key ${quote(name)}`} is written twice in one mapping`
      return { ...at(error.pos[0]), fault: { code: 'duplicate-key', message, remedy: 'Remove one of the two.' } }
    }
    const [message, remedy] = SYNTAX[error.code] ?? ['this is not valid YAML', QUOTE_IT]
    return { ...at(error.pos[0]), fault: { code: 'yaml-syntax', message, remedy } }
  })
}

function aliasFaults(document: Document.Parsed, at: (offset: number) => Position): PlacedFault[] {
  const faults: PlacedFault[] = []
  let count = 0
  visit(document, {
    Alias(_, alias, ancestors) {
      const fault = aliasFault(alias.resolve(document), ancestors, ++count)
      if (fault !== null) faults.push({ ...at(alias.range?.[0] ?? 0), fault })
      return fault === null ? undefined : visit.BREAK
    },
  })
  return faults
}

/** Objects cannot hold an entry of this name: it would be passed over in silence. */
function nameFaults(document: Document.Parsed, at: (offset: number) => Position): PlacedFault[] {
  const faults: PlacedFault[] = []
  visit(document, {
    Pair(_, { key }) {
      if (!isScalar(key) || key.value !== '__proto__') return
      faults.push({ ...at(key.range?.[0] ?? 0), fault: { code: 'bad-name', message: '"__proto__" cannot be a name', remedy: 'Take another one.' } })
    },
  })
  return faults
}

/** What an alias names may hold further ones: with many, a small file would become a huge one. */
const ALIASES_MAX = 100

function aliasFault(target: unknown, ancestors: readonly unknown[], count: number): Fault | null {
  if (target === undefined) {
    return {
      code: 'yaml-syntax',
      message: 'in YAML, * at the beginning of a value names an alias, and there is none of this name',
      remedy: 'Put the pattern into quotes: "*.example.com".',
    }
  }
  if (ancestors.includes(target)) return { code: 'yaml-syntax', message: 'this alias stands inside of what it names', remedy: 'Remove it.' }
  if (count > ALIASES_MAX) return { code: 'yaml-syntax', message: `there are more than ${ALIASES_MAX} aliases`, remedy: 'Write the values out.' }
  return null
}

/** `relays:` with all entries commented out means the same as no `relays:` at all. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== null)
      .map(([key, inner]) => [key, withoutEmpty(inner)]),
  )
}

function offsetOf(document: Document.Parsed, path: KeyPath, part: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    const pair = findPair(node, step)
    const next: unknown = pair === null ? (isCollection(node) ? node.get(step, true) : undefined) : pair.value
    const place = pair !== null && (depth < path.length - 1 || part === 'key' || !isScalar(next)) ? pair.key : next
    if (!isNode(place)) return offset
    offset = place.range?.[0] ?? offset
    node = next
  }
  return offset
}

function findPair(node: unknown, key: string | number): Pair | null {
  if (!isMap(node)) return null
  const found = node.items.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key))
  return found ?? null
}
