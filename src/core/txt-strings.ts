/**
 * The value of a TXT record as the strings that hold it (RFC 1035 §3.3): each has 255 octets at the most.
 */
const STRING_OCTETS_MAX = 255

/** `value` is ASCII; at least one string, and the value is what they make together. */
export function txtStrings(value: string): readonly string[] {
  const strings: string[] = []
  for (let at = 0; at < value.length || at === 0; at += STRING_OCTETS_MAX) strings.push(value.slice(at, at + STRING_OCTETS_MAX))
  return strings
}
