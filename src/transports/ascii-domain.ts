/**
 * A mail domain as the DNS and peers without SMTPUTF8 know it: A-labels (RFC 5890 §2.3.2.1), or an
 * address literal (RFC 5321 §4.1.3).
 */
import { isNonAscii, parseDomain } from '../core/address.ts'
import { asciiDomain as toAscii } from '../core/ascii-domain.ts'

export type AsciiName =
  | { readonly kind: 'name'; readonly name: string }
  /** IPv4 or IPv6, without brackets and tag. */
  | { readonly kind: 'literal'; readonly address: string }
  | { readonly kind: 'none' }

/** `example.com`, `bücher.example`, `[192.0.2.1]`, `[IPv6:2001:db8::1]`. */
export function asciiDomain(text: string): AsciiName {
  const domain = parseDomain(text)
  if (domain === null) return { kind: 'none' }
  if (typeof domain !== 'string') return { kind: 'literal', address: domain.addressLiteral.replace(/^IPv6:/i, '') }
  const name = isNonAscii(domain) ? toAscii(domain) : domain
  return name === null ? { kind: 'none' } : { kind: 'name', name }
}
