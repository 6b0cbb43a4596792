/**
 * The domain of a message's author: of the first address in From (RFC 5322 §3.6.2).
 *
 * Asked for one thing only: whose key signs.
 */
import { asciiDomain } from '../core/ascii-domain.ts'
import { findAddresses } from './address-fields.ts'
import type { HeaderBlock } from './header-block.ts'

/** More of a From than this is not looked at. */
const VALUE_OCTETS_MAX = 16 * 1024

/** In A-labels, lower case; null: no From, or no domain in it. */
export function authorDomain(block: HeaderBlock): string | null {
  const field = block.fields.find(({ name }) => name === 'from')
  if (field === undefined) return null
  const end = Math.min(field.end, field.valueStart + VALUE_OCTETS_MAX)
  // Of "Doe, John <john@example.com>" the first word is no address.
  const first = findAddresses(block.text, field.valueStart, end).find(({ address }) => address.includes('@'))
  if (first === undefined) return null
  const domain = first.address.slice(first.address.lastIndexOf('@') + 1)
  return asciiDomain(Buffer.from(domain, 'latin1').toString('utf8'))
}
