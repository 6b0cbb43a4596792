/**
 * Records that an SPF record leads to, as far as they can be read without evaluating it.
 */
import type { DnsResolver } from '../ports/dns-resolver.ts'
import { furtherRecords, listedAddress, spfRecordsIn } from './spf-record.ts'

/** The look-ups that an evaluation may make (RFC 7208 §4.6.4). */
const RECORDS_MAX = 10

/** An address that the record of that name lists, or one that it includes; null: none is written there. */
export async function addressIn(name: string, dns: DnsResolver): Promise<string | null> {
  for await (const record of recordsFrom(name, dns)) {
    const address = listedAddress(record)
    if (address !== null) return address
  }
  return null
}

/** Whether the record of the domain includes that one, at whatever remove. */
export async function leadsTo(domain: string, include: string, dns: DnsResolver): Promise<boolean> {
  for await (const record of recordsFrom(domain, dns)) if (furtherRecords(record).includes(include)) return true
  return false
}

/** The record of a name and those that it includes, near ones first. */
async function* recordsFrom(name: string, dns: DnsResolver): AsyncGenerator<string> {
  const names = [name]
  for (let at = 0; at < names.length && at <= RECORDS_MAX; at++) {
    const answer = await dns.txt(names[at] ?? '')
    const [record] = spfRecordsIn(answer.kind === 'records' ? answer.records : [])
    if (record === undefined) continue
    yield record
    names.push(...furtherRecords(record).filter((further) => !names.includes(further)))
  }
}
