/**
 * A DKIM record as people paste it: into a form, or into a zone file.
 */
import { txtStrings } from '../core/txt-strings.ts'

export const RECORD_TTL_S = 3600

export interface RecordText {
  readonly name: string
  readonly type: 'TXT'
  readonly ttl: number
  /** For forms. */
  readonly value: string
  /** The value as a TXT record holds it, each at most 255 octets. */
  readonly strings: readonly string[]
  /** For a zone file. */
  readonly zoneLine: string
}

/** `value` is ASCII without quotes. */
export function recordText(name: string, value: string): RecordText {
  const strings = txtStrings(value)
  const quoted = strings.map((text) => `"${text}"`)
  const held = quoted.length === 1 ? quoted.join('') : `( ${quoted.join('\n    ')} )`
  return { name, type: 'TXT', ttl: RECORD_TTL_S, value, strings, zoneLine: `${name}. ${RECORD_TTL_S} IN TXT ${held}` }
}
