/**
 * Patterns over whole addresses, in linear time whatever a client writes (RE2), and what they lead to.
 *
 * `$1` to `$9` in a target stand for what the brackets matched, `$$` for a dollar. Targets are cut at
 * their commas before anything is filled in, and parsed after: no address can add a recipient.
 */
import { RE2JS } from 're2js'
import { parseTarget, type Target } from './target.ts'

export interface AddressPattern {
  /** True where the pattern must not match. */
  readonly negated: boolean
  readonly expression: RE2JS
  readonly templates: readonly string[]
}
export type PatternHit =
  | { readonly kind: 'targets'; readonly targets: readonly Target[] }
  /** What came out is no address. */
  | { readonly kind: 'invalid'; readonly text: string }

export interface PatternText {
  /** `/expression/flags` or `!/expression/flags`; any other character may stand for the slash. */
  readonly written: string
  readonly templates: readonly string[]
  /** POSIX: the longest match, no `x` flag needed. */
  readonly style: 'regexp' | 'pcre'
}

/** Characters of one expression. */
const PATTERN_CHARS_MAX = 4_000

/** The pattern, or what is wrong with it, for people. */
export function compilePattern({ written, templates, style }: PatternText): AddressPattern | { readonly fault: string } {
  const negated = written.startsWith('!')
  const parts = cutDelimited(negated ? written.slice(1).trimStart() : written)
  if (parts === null) return { fault: `${JSON.stringify(written)} is no pattern: /expression/ is wanted` }
  if (parts.expression.length > PATTERN_CHARS_MAX) return { fault: `the pattern is longer than ${PATTERN_CHARS_MAX} characters` }
  const flags = parseFlags(parts.flags, style)
  if (typeof flags === 'string') return { fault: flags }
  if (/\\[<>]/.test(parts.expression)) return { fault: '\\< and \\> are not known: write \\b' }
  const expression = compileExpression(parts.expression, flags)
  if (typeof expression === 'string') return { fault: expression }
  const groups = negated ? 0 : expression.groupCount()
  const wrong = templates.map((template) => templateFault(template, groups)).find((fault) => fault !== null)
  return wrong === undefined ? { negated, expression, templates } : { fault: wrong }
}

/** Null: it does not match. */
export function matchPattern({ negated, expression, templates }: AddressPattern, address: string): PatternHit | null {
  const matcher = expression.matcher(address)
  if (matcher.find() === negated) return null
  const targets: Target[] = []
  for (const template of templates) {
    const text = fill(template, (group) => (negated ? '' : (matcher.group(group) ?? '')))
    const target = parseTarget(text)
    // A bracket that matched nothing must not turn `$1@domain` into the target `@domain`.
    if (target === null || (target.kind === 'domain' && !template.startsWith('@'))) return { kind: 'invalid', text }
    targets.push(target)
  }
  return { kind: 'targets', targets }
}

const REFERENCE = /\$(?:(\$)|([1-9])|\{([1-9])\}|\(([1-9])\))/g

function fill(template: string, group: (number: number) => string): string {
  return template.replace(REFERENCE, (_, dollar: string | undefined, ...numbers: readonly (string | undefined)[]) =>
    dollar === undefined ? group(Number(numbers.slice(0, 3).find((number) => number !== undefined))) : '$',
  )
}

function templateFault(template: string, groups: number): string | null {
  const rest = template.replace(REFERENCE, '')
  if (rest.includes('$')) return `${JSON.stringify(template)} holds a dollar that stands for nothing: $1 to $9, or $$`
  let highest = 0
  const tried = fill(template, (number) => {
    highest = Math.max(highest, number)
    return 'x'
  })
  if (highest > groups) return `${JSON.stringify(template)} asks for bracket ${highest}, the pattern has ${groups}`
  // Whatever is filled in, this can never be one.
  return highest === 0 && parseTarget(tried) === null ? `${JSON.stringify(template)} is no address` : null
}

/** `/.../flags` with any character that is no letter, digit, space or backslash for the slash. */
function cutDelimited(text: string): { readonly expression: string; readonly flags: string } | null {
  const delimiter = text.charAt(0)
  if (delimiter === '' || /[\w\s\\]/.test(delimiter)) return null
  for (let i = 1; i < text.length; i++) {
    const character = text.charAt(i)
    if (character === '\\') i++
    else if (character === delimiter) return { expression: text.slice(1, i).replaceAll(`\\${delimiter}`, unescaped(delimiter)), flags: text.slice(i + 1) }
  }
  return null
}

/** `\/` is a slash; `\|` between bars still means the character, not an alternative. */
function unescaped(delimiter: string): string {
  return /[.*+?()[\]{}|^$]/.test(delimiter) ? `\\${delimiter}` : delimiter
}

/** RE2's flags, or what is wrong. Matching ignores case unless `i` switches that off, as in Postfix. */
function parseFlags(letters: string, style: PatternText['style']): number | string {
  let flags = RE2JS.CASE_INSENSITIVE | (style === 'regexp' ? RE2JS.LONGEST_MATCH : RE2JS.DOTALL)
  for (const letter of letters) {
    if (letter === 'i') flags ^= RE2JS.CASE_INSENSITIVE
    else if (letter === 'm') flags ^= RE2JS.MULTILINE
    else if (letter === 's' && style === 'pcre') flags ^= RE2JS.DOTALL
    else return `the flag ${JSON.stringify(letter)} is not known here: i, m${style === 'pcre' ? ', s' : ''}`
  }
  return flags
}

function compileExpression(expression: string, flags: number): RE2JS | string {
  try {
    return RE2JS.compile(expression, flags)
  } catch (fault) {
    const reason = fault instanceof Error ? fault.message.replace(/^error parsing regexp: /, '') : String(fault)
    return `${JSON.stringify(expression)} cannot be used (${reason}): patterns take linear time, without back-references, look-ahead and look-behind`
  }
}
