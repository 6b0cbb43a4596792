/**
 * Reads the two texts of MTA-STS: the TXT record that says which policy there is, and the policy.
 *
 * RFC 8461 §3.1, §3.2. Pure. What is not understood is no policy; who calls decides what that means
 * where an older one is known.
 */

export type StsMode = 'enforce' | 'testing' | 'none'
export interface StsPolicy {
  readonly mode: StsMode
  /** Lower case; a name, or `*.` and a name. */
  readonly hosts: readonly string[]
  /** From when it was fetched. */
  readonly maxAgeS: number
  /** As fetched, a field each, for reports; cut. */
  readonly lines: readonly string[]
}
export type StsParsed = { readonly kind: 'policy'; readonly policy: StsPolicy } | { readonly kind: 'invalid'; readonly detail: string }

/** RFC 8461 §3.2: about a year. More is taken for that. */
export const MAX_AGE_MAX_S = 31_557_600
const HOSTS_MAX = 200
const LINES_MAX = 250
const HOST_PATTERN = /^(?:\*\.)?(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/

/**
 * The id of the one record that there must be (RFC 8461 §3.1): null if there is none, several, or one
 * without an id.
 */
export function readStsRecords(records: readonly string[]): string | null {
  const [only, ...more] = records.filter((record) => /^v=STSv1[ \t]*;/.test(record))
  if (only === undefined || more.length > 0) return null
  for (const field of only.split(';').slice(1)) {
    const [, id] = /^[ \t]*id=([A-Za-z0-9]{1,32})[ \t]*$/.exec(field) ?? []
    if (id !== undefined) return id
  }
  return null
}

export function parseStsPolicy(text: string): StsParsed {
  const lines = text.split(/\r?\n/).map((line) => line.trimEnd())
  const fields = new Map<string, string>()
  const hosts: string[] = []
  for (const line of lines) {
    if (line === '') continue
    const [, key, value] = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*)$/.exec(line) ?? []
    if (key === undefined || value === undefined) return invalid(`a line is no field: ${JSON.stringify(line.slice(0, 60))}`)
    if (key === 'mx') hosts.push(value.toLowerCase().replace(/\.$/, ''))
    // Of a field that comes twice the first counts.
    else if (!fields.has(key)) fields.set(key, value)
  }
  const known = lines.filter((line) => line !== '').slice(0, LINES_MAX)
  return judge(fields, hosts, known)
}

function judge(fields: ReadonlyMap<string, string>, hosts: readonly string[], lines: readonly string[]): StsParsed {
  if (fields.get('version') !== 'STSv1') return invalid('version is not STSv1')
  const mode = fields.get('mode')
  if (mode !== 'enforce' && mode !== 'testing' && mode !== 'none') return invalid(`mode is none of enforce, testing and none: ${JSON.stringify(mode ?? '')}`)
  const maxAge = fields.get('max_age') ?? ''
  if (!/^\d{1,10}$/.test(maxAge)) return invalid('max_age is no number of seconds')
  if (hosts.length > HOSTS_MAX) return invalid(`there are more than ${HOSTS_MAX} mx fields`)
  if (hosts.length === 0 && mode !== 'none') return invalid('there is no mx field')
  const odd = hosts.find((host) => !HOST_PATTERN.test(host))
  if (odd !== undefined) return invalid(`mx is no name: ${JSON.stringify(odd.slice(0, 60))}`)
  return { kind: 'policy', policy: { mode, hosts, maxAgeS: Math.min(Number(maxAge), MAX_AGE_MAX_S), lines } }
}

function invalid(detail: string): StsParsed {
  return { kind: 'invalid', detail }
}
