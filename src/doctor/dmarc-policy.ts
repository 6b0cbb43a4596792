/**
 * DMARC (RFC 9989): which policy counts for a domain, and to which organisation it belongs.
 *
 * Found by walking up the tree. The domain's own record counts, else that of its organisation; the
 * organisation is the domain highest up that has a record, unless records say otherwise (`psd`).
 */
import { readTagList } from '../core/tag-list.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import { textOf } from './check-names.ts'
import type { SenderDomain } from './subject.ts'

/** Labels of a name at which the walk begins, when it has more (RFC 9989 §4.10). */
const WALK_LABELS_MAX = 8

export interface DmarcRecord {
  /** The domain that has it. */
  readonly domain: string
  readonly text: string
}
export type DmarcWalk =
  | {
      readonly kind: 'walked'
      /** From the domain itself upwards. */
      readonly records: readonly DmarcRecord[]
      /** Names with more than one, which count as none. */
      readonly several: readonly string[]
    }
  | { readonly kind: 'unknown'; readonly reason: string }

export interface DmarcPolicy {
  readonly kind: 'found'
  /** Name of the record. */
  readonly at: string
  readonly policy: 'none' | 'quarantine' | 'reject'
  readonly strictDkim: boolean
  readonly strictSpf: boolean
  readonly reports: boolean
}
export type DmarcVerdict =
  | DmarcPolicy
  | { readonly kind: 'none' }
  | { readonly kind: 'broken'; readonly at: string; readonly why: string; readonly remedy: string }

export async function walkUp(dns: DnsResolver, domain: string): Promise<DmarcWalk> {
  const names = walkOf(domain)
  const answers = await Promise.all(names.map(async (name) => ({ name, answer: await dns.txt(`_dmarc.${name}`) })))
  const records: DmarcRecord[] = []
  const several: string[] = []
  for (const { name, answer } of answers) {
    // What is nearer counts first: silence above it takes nothing away.
    if (answer.kind === 'fault' && records.length > 0) continue
    if (answer.kind === 'fault') return { kind: 'unknown', reason: textOf(answer) }
    const texts = answer.kind === 'records' ? answer.records.filter((text) => /^v\s*=\s*DMARC1\s*(?:;|$)/.test(text)) : []
    const [text] = texts
    if (texts.length > 1) several.push(`_dmarc.${name}`)
    else if (text !== undefined) records.push({ domain: name, text })
  }
  return { kind: 'walked', records, several }
}

function walkOf(domain: string): readonly string[] {
  const labels = domain.split('.')
  const names = labels.map((_, i) => labels.slice(i).join('.'))
  // Long names: the name itself, then on from seven labels.
  return labels.length > WALK_LABELS_MAX ? [domain, ...names.slice(labels.length - (WALK_LABELS_MAX - 1))] : names
}

/** RFC 9989 §4.10.2; without any record the domain itself. */
export function organisationOf(domain: string, records: readonly DmarcRecord[]): string {
  for (const { domain: at, text } of records) {
    const psd = readTagList(text).get('psd')?.toLowerCase()
    if (psd === 'n') return at
    if (psd === 'y' && at !== domain)
      return domain
        .split('.')
        .slice(-(at.split('.').length + 1))
        .join('.')
  }
  return records.at(-1)?.domain ?? domain
}

/** The domain's own record, else that of its organisation, else that of the public suffix above. */
export function policyFor(domain: string, records: readonly DmarcRecord[]): DmarcVerdict {
  const organisation = organisationOf(domain, records)
  const record = [domain, organisation].map((name) => records.find((one) => one.domain === name)).find((found) => found !== undefined) ?? records.at(-1)
  return record === undefined ? { kind: 'none' } : readPolicy(record, record.domain === domain)
}

function readPolicy({ domain, text }: DmarcRecord, own: boolean): DmarcVerdict {
  const at = `_dmarc.${domain}`
  const tags = readTagList(text)
  const policy = ((own ? undefined : tags.get('sp')) ?? tags.get('p'))?.toLowerCase() ?? null
  const reports = tags.has('rua')
  const remedy = 'Let p= (and sp=) be none, quarantine or reject; keep the rest.'
  // RFC 9989 §4.7: without a valid p but with rua it counts as p=none.
  if (policy === null && !reports) return { kind: 'broken', at, why: 'it has no p=', remedy }
  if (policy !== null && policy !== 'none' && policy !== 'quarantine' && policy !== 'reject')
    return { kind: 'broken', at, why: `p=${policy.slice(0, 40)}`, remedy }
  const isStrict = (tag: string): boolean => tags.get(tag)?.toLowerCase() === 's'
  return { kind: 'found', at, policy: policy ?? 'none', strictDkim: isStrict('adkim'), strictSpf: isStrict('aspf'), reports }
}

/** Another sender domain of which this one is a part: what counts for it, counts here. The highest one; null: there is none. */
export function senderAbove(domain: string, senders: readonly SenderDomain[]): string | null {
  const above = senders.map((one) => one.domain).filter((other) => domain.endsWith(`.${other}`))
  return above.toSorted((a, b) => a.length - b.length)[0] ?? null
}

/** Relaxed: both at or below the organisation's domain; strict: the very same name. */
export function isAligned(a: string, b: string, rule: { readonly organisation: string; readonly strict: boolean }): boolean {
  if (a === b) return true
  if (rule.strict) return false
  const within = (name: string): boolean => name === rule.organisation || name.endsWith(`.${rule.organisation}`)
  return within(a) && within(b)
}
