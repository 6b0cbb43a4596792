/** A resolver that answers from a table: `TXT example.com` -> texts; what is not in it does not exist. */
import type { DnsResolver } from '../../src/ports/dns-resolver.ts'
import { createFakeResolver, type FakeName } from './fake-resolver.ts'

export interface DnsTable {
  readonly [question: string]: readonly string[] | 'SERVFAIL'
}

/** Whether it is answered at all is what the doctor wants to know. */
const ANY_TLSA = { usage: 3, selector: 1, matching: 1, association: new Uint8Array(32) }

export function dnsOf(table: DnsTable, options: { readonly validates?: boolean; readonly secure?: boolean } = {}): DnsResolver {
  const { validates = false, secure = false } = options
  // A signed zone that is always there.
  const names: Record<string, FakeName> = { arpa: { secure } }
  for (const [question, said] of Object.entries(table)) {
    const [type = '', name = ''] = question.split(' ')
    const records = type === 'TLSA' && said !== 'SERVFAIL' ? said.map(() => ANY_TLSA) : said
    names[name] = { ...names[name], secure, [type.toLowerCase()]: records }
  }
  return { ...createFakeResolver(names), validates }
}
