/**
 * Domain names with letters beyond ASCII -> A-labels (RFC 5890), as DNS and DKIM want them (RFC 8616).
 */

/** Octets of a name as written, without the root's dot (RFC 1035 §2.3.4). */
const NAME_OCTETS_MAX = 253
const ASCII_NAME = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/
/** What a URL reads otherwise than as a part of its host. */
const NOT_IN_NAMES = /[\0-,/:-@[-^`{-\x7f]/

/** In lower case and ASCII, without a dot at the end; null if it is no domain name. */
export function asciiDomain(domain: string): string | null {
  const lower = domain.toLowerCase().replace(/\.$/, '')
  if (ASCII_NAME.test(lower)) return lower.length <= NAME_OCTETS_MAX ? lower : null
  if (NOT_IN_NAMES.test(lower)) return null
  // The URL parser maps names as UTS #46 says.
  const name = URL.parse(`http://${lower}`)?.hostname ?? ''
  return ASCII_NAME.test(name) && name.length <= NAME_OCTETS_MAX ? name : null
}
