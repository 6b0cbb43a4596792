/**
 * Patterns of host and domain names: a name, or `*.` and a name.
 *
 * Two readings of the star: MTA-STS lets it stand for one label (RFC 8461 §4.1), the configuration for
 * any number. Names are A-labels in lower case without a dot at the end.
 */

/** RFC 8461 §4.1, RFC 6125 §6.4.3: one whole leftmost label. */
export function matchesHostPattern(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === name
  const dot = name.indexOf('.')
  return dot > 0 && name.slice(dot + 1) === pattern.slice(2)
}

/** The exact name goes before patterns, a longer pattern before a shorter one; null: none is for this name. */
export function findByName<Rule extends { readonly pattern: string }>(rules: readonly Rule[], name: string): Rule | null {
  let best: Rule | null = null
  for (const rule of rules) {
    if (rule.pattern === name) return rule
    const matches = rule.pattern.startsWith('*.') && name.endsWith(rule.pattern.slice(1)) && name.length >= rule.pattern.length
    if (matches && rule.pattern.length > (best?.pattern.length ?? 0)) best = rule
  }
  return best
}
