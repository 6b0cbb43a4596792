/**
 * Which of the TLSA records of a host we can use.
 *
 * RFC 7672 §3.1: usage 2 and 3 only; §5, RFC 7671 §9: of two digests of the same thing the stronger
 * one counts. What cannot be used does not match, and does not stand for "no records" either.
 */
import type { TlsaRecord } from '../core/tls-policy.ts'

const USAGES: ReadonlySet<number> = new Set([2, 3])
const SELECTORS: ReadonlySet<number> = new Set([0, 1])
/** Octets of the association by matching type: SHA-256, SHA-512. */
const DIGEST_OCTETS: ReadonlyMap<number, number> = new Map([
  [1, 32],
  [2, 64],
])
/** A certificate or key in full. */
const FULL_OCTETS_MAX = 16 * 1024
const RECORDS_MAX = 32

export function usableRecords(records: readonly TlsaRecord[]): readonly TlsaRecord[] {
  const usable = records.filter(isUsable).slice(0, RECORDS_MAX)
  const stronger = new Set(usable.filter((record) => record.matching === 2).map(kindOf))
  return usable.filter((record) => record.matching !== 1 || !stronger.has(kindOf(record)))
}

function isUsable({ usage, selector, matching, association }: TlsaRecord): boolean {
  if (!USAGES.has(usage) || !SELECTORS.has(selector)) return false
  if (matching === 0) return association.length > 0 && association.length <= FULL_OCTETS_MAX
  return association.length === DIGEST_OCTETS.get(matching)
}

function kindOf({ usage, selector }: TlsaRecord): string {
  return `${usage} ${selector}`
}

/** `3 1 1 d2ab...`, as in a zone file. */
export function formatTlsa({ usage, selector, matching, association }: TlsaRecord): string {
  let hex = ''
  for (const octet of association) hex += octet.toString(16).padStart(2, '0')
  return `${usage} ${selector} ${matching} ${hex}`
}
