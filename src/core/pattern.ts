/**
 * Patterns of routes and filters: `*` stands for any run of characters, everything else for itself.
 *
 * Case-insensitive, anchored at both ends, matched in linear time by greedy segments: an
 * operator's pattern can never be made slow by the text it meets (ReDoS).
 */
export type Pattern = (text: string) => boolean

/** A glob over the whole text. */
export function compileGlob(glob: string): Pattern {
  const segments = glob.toLowerCase().split('*')
  const [first = ''] = segments
  const last = segments.at(-1) ?? ''
  if (segments.length === 1) return (text) => text.toLowerCase() === first
  const middle = segments.slice(1, -1).filter((segment) => segment !== '')
  return (text) => {
    const lower = text.toLowerCase()
    if (lower.length < first.length + last.length || !lower.startsWith(first) || !lower.endsWith(last)) return false
    let from = first.length
    const end = lower.length - last.length
    for (const segment of middle) {
      const at = lower.indexOf(segment, from)
      if (at === -1 || at + segment.length > end) return false
      from = at + segment.length
    }
    return true
  }
}

/**
 * A pattern for addresses: `user@domain` and `*@domain` are globs over the address; without `@`
 * it is one over the domain (`example.com`, `*.example.com`); `<>` is the null reverse-path; `*` is all.
 */
export function compileAddressPattern(pattern: string): Pattern {
  if (pattern === '*') return () => true
  if (pattern === '<>') return (address) => address === '' || address === '<>'
  const glob = compileGlob(pattern)
  if (pattern.includes('@')) return glob
  return (address) => {
    const at = address.lastIndexOf('@')
    return at !== -1 && glob(address.slice(at + 1))
  }
}

/** Any of several such patterns. */
export function compileAddressPatterns(patterns: readonly string[]): Pattern {
  const compiled = patterns.map(compileAddressPattern)
  return (address) => compiled.some((matches) => matches(address))
}
