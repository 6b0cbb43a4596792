/**
 * The keys mail is signed with, and which of them sign for an author's domain now.
 *
 * A key signs while it is active and within its time. Of one domain and one algorithm the last one
 * that does signs, so that a new key takes over from the old one without a gap.
 */
import type { KeyObject } from 'node:crypto'

export interface DkimKey {
  /** In A-labels: the `d=` of its signatures. */
  readonly domain: string
  readonly selector: string
  readonly type: 'rsa' | 'ed25519'
  /** Private. */
  readonly key: KeyObject
  /** False: it waits for its record to be published. */
  readonly active: boolean
  /** Milliseconds since 1970; null: no bound. */
  readonly notBefore: number | null
  readonly notAfter: number | null
}
export interface DkimKeyring {
  /** In the order of the configuration. */
  readonly domains: ReadonlyMap<string, readonly DkimKey[]>
  /** Whose keys sign for domains that have none; null: nobody's. */
  readonly defaultDomain: string | null
  /** Keys of a domain sign for domains below it that have none of their own. */
  readonly subdomains: boolean
}

/** The active keys for that author, in or out of their time; empty: such mail is not to be signed. */
export function keysFor(ring: DkimKeyring, author: string): readonly DkimKey[] {
  let name = author
  for (;;) {
    const keys = activeKeys(ring, name)
    if (keys.length > 0) return keys
    const dot = name.indexOf('.')
    if (!ring.subdomains || dot === -1) break
    name = name.slice(dot + 1)
  }
  return ring.defaultDomain === null ? [] : activeKeys(ring, ring.defaultDomain)
}

function activeKeys(ring: DkimKeyring, domain: string): readonly DkimKey[] {
  return (ring.domains.get(domain) ?? []).filter(({ active }) => active)
}

export function isInTime({ notBefore, notAfter }: Pick<DkimKey, 'notBefore' | 'notAfter'>, now: number): boolean {
  return (notBefore === null || notBefore <= now) && (notAfter === null || now < notAfter)
}

/** At most one of each algorithm, RSA first: some verifiers look at the first signature only. */
export function signingKeys(keys: readonly DkimKey[], now: number): readonly DkimKey[] {
  const inTime = keys.filter((key) => key.active && isInTime(key, now))
  return (['rsa', 'ed25519'] as const).flatMap((type) => inTime.findLast((key) => key.type === type) ?? [])
}
