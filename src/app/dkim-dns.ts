/**
 * Asks the configured DNS whether DKIM keys are published as we sign with them.
 */
import type { Clock } from '../core/clock.ts'
import { comparePublished, type PublishedVerdict } from '../message/dkim-record.ts'
import { createDnsResolver } from '../net/dns/dns-resolver.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { LoadedConfig } from './config.ts'
import type { ListedKey } from './dkim-keys.ts'
import { buildDnsSettings } from './settings-dns.ts'
import { createSystemServers } from './system-servers.ts'

export type Publication =
  | PublishedVerdict
  /** The DNS gave no answer: nothing is known of the record. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** The key itself cannot be read. */
  | { readonly kind: 'unreadable'; readonly reason: string }

export interface CheckedKey {
  readonly key: ListedKey
  readonly publication: Publication
}

/** In the order given. */
export async function askPublications(loaded: LoadedConfig, keys: readonly ListedKey[], clock: Clock): Promise<readonly CheckedKey[]> {
  const dns = createDnsResolver({ settings: buildDnsSettings(loaded.config.dns), clock, systemServers: createSystemServers(clock) })
  try {
    return await Promise.all(keys.map(async (key) => ({ key, publication: await publicationOf(key, dns) })))
  } finally {
    dns.close()
  }
}

async function publicationOf({ record, fault }: ListedKey, dns: Pick<DnsResolver, 'txt'>): Promise<Publication> {
  if (record === null) return { kind: 'unreadable', reason: fault?.message ?? 'it cannot be read' }
  const answer = await dns.txt(record.name)
  if (answer.kind === 'fault') return { kind: 'unknown', reason: `${answer.message} (${answer.code})` }
  return comparePublished(record.value, answer.kind === 'none' ? [] : answer.records)
}
