/**
 * What a server said in its EHLO reply (RFC 5321 §4.1.1.1), read tolerantly and within bounds.
 *
 * Keywords in any case, doubles and unknown ones are harmless; `AUTH=LOGIN` is the spelling of servers
 * older than RFC 4954. A value that cannot be read leaves the keyword as if it had none.
 */
export interface Capabilities {
  /** False after HELO: nothing else is true then. */
  readonly esmtp: boolean
  readonly pipelining: boolean
  readonly startTls: boolean
  readonly eightBitMime: boolean
  readonly smtputf8: boolean
  readonly dsn: boolean
  readonly enhancedStatusCodes: boolean
  readonly requireTls: boolean
  readonly size: boolean
  /** Null: offered without a limit, or not offered (RFC 1870 §3: 0 means no limit). */
  readonly sizeOctets: number | null
  /** Upper case, in the server's order, without doubles. */
  readonly authMechanisms: readonly string[]
}

export const NO_CAPABILITIES: Capabilities = {
  esmtp: false,
  pipelining: false,
  startTls: false,
  eightBitMime: false,
  smtputf8: false,
  dsn: false,
  enhancedStatusCodes: false,
  requireTls: false,
  size: false,
  sizeOctets: null,
  authMechanisms: [],
}

/** Longer names are none that we know. */
const KEYWORD_OCTETS_MAX = 64
const MECHANISMS_MAX = 32
const MECHANISM = /^[A-Z0-9_-]{1,32}$/
const FLAGS: ReadonlyMap<string, keyof Capabilities> = new Map([
  ['PIPELINING', 'pipelining'],
  ['STARTTLS', 'startTls'],
  ['8BITMIME', 'eightBitMime'],
  ['SMTPUTF8', 'smtputf8'],
  ['DSN', 'dsn'],
  ['ENHANCEDSTATUSCODES', 'enhancedStatusCodes'],
  ['REQUIRETLS', 'requireTls'],
])

/** Lines of the EHLO reply without their codes; the first is the server's name and greeting. */
export function parseCapabilities(lines: readonly string[]): Capabilities {
  const found: { -readonly [Key in keyof Capabilities]: Capabilities[Key] } = { ...NO_CAPABILITIES, esmtp: true }
  const mechanisms = new Set<string>()
  for (const line of lines.slice(1)) {
    const words = line.trim().split(/\s+/, MECHANISMS_MAX + 1)
    const first = (words[0] ?? '').toUpperCase()
    if (first.length > KEYWORD_OCTETS_MAX) continue
    const flag = FLAGS.get(first)
    if (flag !== undefined) Object.assign(found, { [flag]: true })
    else if (first === 'SIZE') Object.assign(found, { size: true, sizeOctets: parseSize(words[1]) })
    else if (first === 'AUTH') addMechanisms(mechanisms, words.slice(1))
    else if (first.startsWith('AUTH=')) addMechanisms(mechanisms, [first.slice(5), ...words.slice(1)])
  }
  found.authMechanisms = [...mechanisms]
  return found
}

/** A limit beyond what a number holds exactly is none. */
function parseSize(value: string | undefined): number | null {
  if (value === undefined || !/^\d{1,20}$/.test(value)) return null
  const octets = Number(value)
  return octets === 0 || octets > Number.MAX_SAFE_INTEGER ? null : octets
}

function addMechanisms(found: Set<string>, words: readonly string[]): void {
  for (const word of words) {
    const mechanism = word.toUpperCase()
    if (MECHANISM.test(mechanism) && found.size < MECHANISMS_MAX) found.add(mechanism)
  }
}
