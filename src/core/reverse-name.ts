/**
 * The name under which the DNS tells whose an address is (RFC 1035 §3.5, RFC 3596 §2.5).
 */
import { parseIp } from './ip-address.ts'

const IPV6_DIGITS = 32

/** `1.2.0.192.in-addr.arpa`, or nibbles under `ip6.arpa`; null if the text is no address in full. */
export function reverseName(address: string): string | null {
  const ip = parseIp(address)
  if (ip === null) return null
  if (ip.family === 4) return `${address.split('.').toReversed().join('.')}.in-addr.arpa`
  const digits = ip.value.toString(16).padStart(IPV6_DIGITS, '0')
  return `${[...digits].toReversed().join('.')}.ip6.arpa`
}
