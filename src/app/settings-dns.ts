/**
 * Validated `dns` -> what the resolver is told.
 */
import type { DnsSettings } from '../net/dns/dns-resolver.ts'
import { checkedValue } from './config-implied.ts'
import { durationMs } from './config-scalars.ts'
import { type DnsConfig, parseDnsServer } from './config-schema-dns.ts'

export function buildDnsSettings(dns: DnsConfig): DnsSettings {
  return {
    servers: dns.servers?.map((written) => checkedValue(parseDnsServer(written))) ?? null,
    validating: dns.validating,
    timeoutMs: durationMs(dns.timeout),
    cacheEntriesMax: dns.cache.entries,
    positiveMaxMs: durationMs(dns.cache.time),
    negativeMaxMs: durationMs(dns.cache.negativeTime),
  }
}
