/**
 * SPF records as text (RFC 7208 §4.5, §12): found among other texts, completed, put together.
 *
 * A completed record is shown to people who paste it over the present one, so it keeps everything
 * that is there. Whether it then does what it should is tried by `spf-proposal.ts`.
 */

/** Those of the texts of a name that are SPF records. */
export function spfRecordsIn(texts: readonly string[]): readonly string[] {
  return texts.filter((text) => /^v=spf1(?: |$)/i.test(text))
}

/** The present record with these mechanisms before its end, or before all others; a new one if there is none. */
export function withMechanisms(present: string | null, wanted: readonly string[], at: 'end' | 'front' = 'end'): string {
  const terms = termsOf(present ?? 'v=spf1 ~all')
  const missing = wanted.filter((mechanism) => !terms.includes(mechanism))
  const end = terms.findIndex(isEnd)
  const place = at === 'front' ? 1 : end === -1 ? terms.length : end
  return [...terms.slice(0, place), ...missing, ...terms.slice(place)].join(' ')
}

/** What several records say in one; the end is that of the first that has one. */
export function mergedRecords(records: readonly string[]): string {
  const terms = records.flatMap((record) => termsOf(record).slice(1))
  const ends = terms.filter(isEnd)
  const end = ends.find((term) => /all$/i.test(term)) ?? ends[0]
  return ['v=spf1', ...new Set(terms.filter((term) => !isEnd(term))), ...(end === undefined ? [] : [end])].join(' ')
}

/** Domains of `include:` and `redirect=` that count as they stand; those with macros are left out. */
export function furtherRecords(record: string): readonly string[] {
  return termsOf(record).flatMap((term) => {
    const found = /^(?:\+?include:|redirect=)([^%]+)$/i.exec(term)
    return found?.[1] === undefined ? [] : [found[1].toLowerCase().replace(/\.$/, '')]
  })
}

/** An address that the record itself lists as allowed; null: it lists none. */
export function listedAddress(record: string): string | null {
  for (const term of termsOf(record)) {
    const found = /^\+?ip[46]:([0-9A-Fa-f.:]+)(?:\/\d+)?$/i.exec(term)
    if (found?.[1] !== undefined) return found[1]
  }
  return null
}

function termsOf(record: string): readonly string[] {
  return record.split(' ').filter((term) => term !== '')
}

/** Nothing behind it is looked at. */
function isEnd(term: string): boolean {
  return /^(?:[+?~-]?all|redirect=.*)$/i.test(term)
}
