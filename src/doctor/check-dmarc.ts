/**
 * DMARC (RFC 9989): the policy of each sender domain, and whether what we really sent is aligned with it.
 *
 * The policy is found by walking up the tree; mail passes if a signature or the reverse-path that
 * SPF lets pass belongs to the same organisation as the From field.
 */
import type { DnsResolver } from '../ports/dns-resolver.ts'
import { RESOLVER_ADVICE } from './check-names.ts'
import { type Finding, findings } from './finding.ts'
import type { SentMail, Subject } from './subject.ts'

/** Labels of a name at which the walk begins, when it has more (RFC 9989 §4.10). */
const WALK_LABELS_MAX = 8

export type DmarcPolicy =
  | {
      readonly kind: 'found'
      readonly at: string
      readonly policy: string
      readonly strictDkim: boolean
      readonly strictSpf: boolean
      readonly reports: boolean
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'several'; readonly at: string }
  | { readonly kind: 'broken'; readonly at: string; readonly why: string }
  | { readonly kind: 'unknown'; readonly reason: string }

export async function checkDmarc({ facts, parts }: Subject): Promise<readonly Finding[]> {
  return Promise.all(facts.senders.map(async ({ domain }) => judgePolicy(domain, await findPolicy(parts.dns, domain))))
}

function judgePolicy(domain: string, found: DmarcPolicy): Finding {
  const say = findings('dmarc', domain)
  const record = { name: `_dmarc.${domain}`, type: 'TXT', value: `v=DMARC1; p=none; rua=mailto:postmaster@${domain}` } as const
  switch (found.kind) {
    case 'unknown':
      return say.skipped(`the DNS could not be asked for DMARC: ${found.reason}`, RESOLVER_ADVICE)
    case 'none':
      return say.warning('there is no DMARC record: large receivers want one from whoever sends much', 'Begin with one that only asks for reports.', record)
    case 'several':
      return say.fault(`there are several DMARC records at ${found.at}, which counts as none`, 'Keep one.')
    case 'broken':
      return say.fault(`the DMARC record at ${found.at} is broken: ${found.why}`, 'Correct it.', { ...record, name: found.at })
    default: {
      const where = found.at === `_dmarc.${domain}` ? '' : `, from ${found.at}`
      return say.ok(`DMARC policy is ${found.policy}${where}${found.reports ? '' : '; nobody gets its reports (no rua)'}`)
    }
  }
}

/** The record that counts for a domain: its own, else the nearest above it. */
export async function findPolicy(dns: DnsResolver, domain: string): Promise<DmarcPolicy> {
  for (const at of walkOf(domain)) {
    const answer = await dns.txt(`_dmarc.${at}`)
    if (answer.kind === 'fault') return { kind: 'unknown', reason: `${answer.code}, ${answer.message}` }
    const records = answer.kind === 'records' ? answer.records.filter((text) => /^v\s*=\s*DMARC1\s*(?:;|$)/.test(text)) : []
    const [text] = records
    if (text === undefined) continue
    if (records.length > 1) return { kind: 'several', at: `_dmarc.${at}` }
    return parsePolicy(text, `_dmarc.${at}`, at === domain)
  }
  return { kind: 'none' }
}

function walkOf(domain: string): readonly string[] {
  const labels = domain.split('.')
  const names = labels.map((_, i) => labels.slice(i).join('.')).slice(0, -1)
  // Long names: the name itself, then on from seven labels.
  return labels.length > WALK_LABELS_MAX ? [domain, ...names.slice(labels.length - (WALK_LABELS_MAX - 1))] : names
}

function parsePolicy(text: string, at: string, own: boolean): DmarcPolicy {
  const policy = (own ? null : tagOf(text, 'sp')) ?? tagOf(text, 'p')
  const reports = tagOf(text, 'rua') !== null
  // RFC 9989 §4.7: without a valid p but with rua it counts as p=none.
  if (policy === null && !reports) return { kind: 'broken', at, why: 'it has no p=' }
  if (policy !== null && !/^(?:none|quarantine|reject)$/i.test(policy)) return { kind: 'broken', at, why: `p=${policy.slice(0, 40)}` }
  return {
    kind: 'found',
    at,
    policy: (policy ?? 'none').toLowerCase(),
    strictDkim: tagOf(text, 'adkim')?.toLowerCase() === 's',
    strictSpf: tagOf(text, 'aspf')?.toLowerCase() === 's',
    reports,
  }
}

export async function checkAlignment({ facts, parts }: Subject): Promise<readonly Finding[]> {
  if (facts.sent === null) return [findings('alignment', 'server').skipped('no server is running that could tell what was sent in the last day')]
  if (facts.sent.length === 0) return [findings('alignment', 'server').skipped('nothing was sent in the last day')]
  const domains = [...new Set(facts.sent.flatMap(({ from }) => (from === null ? [] : [from])))]
  const judged = await Promise.all(domains.map((domain) => alignmentOf(domain, facts.sent ?? [], parts.dns)))
  const nameless = facts.sent.filter(({ from }) => from === null).reduce((sum, { messages }) => sum + messages, 0)
  if (nameless === 0) return judged
  const say = findings('alignment', 'server')
  return [
    ...judged,
    say.warning(`${nameless} mails of the last day had no From address that can be read`, 'Let the application send a From field with one address.'),
  ]
}

async function alignmentOf(domain: string, sent: readonly SentMail[], dns: DnsResolver): Promise<Finding> {
  const say = findings('alignment', domain)
  const own = sent.filter(({ from }) => from === domain)
  const policy = await findPolicy(dns, domain)
  const organisation = policy.kind === 'found' ? policy.at.slice('_dmarc.'.length) : domain
  const strictDkim = policy.kind === 'found' && policy.strictDkim
  const strictSpf = policy.kind === 'found' && policy.strictSpf
  const isAligned = (mail: SentMail): boolean =>
    mail.signedBy.some((signer) => sameOrganisation(signer, domain, { organisation, strict: strictDkim })) ||
    (mail.envelope !== null && sameOrganisation(mail.envelope, domain, { organisation, strict: strictSpf }))
  const total = own.reduce((sum, { messages }) => sum + messages, 0)
  const unaligned = own.filter((mail) => !isAligned(mail))
  const [example] = unaligned
  if (example === undefined) return say.ok(`all ${total} mails of the last day are aligned, by signature or reverse-path`)
  const count = unaligned.reduce((sum, { messages }) => sum + messages, 0)
  const says = `${count} of ${total} mails of the last day are not aligned: From ${domain}, reverse-path ${example.envelope ?? '<>'}, ${example.signedBy.length === 0 ? 'not signed' : `signed by ${example.signedBy.join(', ')}`}`
  const remedy = `Sign them (postern dkim create ${domain}), or let the application use a sender address of ${domain}.`
  return policy.kind === 'found' && policy.policy !== 'none' ? say.fault(`${says}; the policy is ${policy.policy}`, remedy) : say.warning(says, remedy)
}

/** Relaxed: both at or below the domain of the policy record; strict: the very same name. */
export function sameOrganisation(a: string, b: string, rule: { readonly organisation: string; readonly strict: boolean }): boolean {
  if (a === b) return true
  if (rule.strict) return false
  const within = (name: string): boolean => name === rule.organisation || name.endsWith(`.${rule.organisation}`)
  return within(a) && within(b)
}

export async function checkNullMx({ facts, parts }: Subject): Promise<readonly Finding[]> {
  return Promise.all(
    facts.senders.map(async ({ domain }) => {
      const say = findings('null-mx', domain)
      const answer = await parts.dns.mx(domain)
      if (answer.kind === 'fault') return say.skipped(`the DNS could not be asked for MX: ${answer.code}`, RESOLVER_ADVICE)
      if (answer.kind === 'records' && answer.records.some(({ exchange }) => exchange === '')) {
        return say.fault(
          'the domain says that it takes no mail (null MX): receivers refuse senders of it (550 5.7.27)',
          'Use a sender address of a domain that takes mail, or give this one an MX.',
        )
      }
      if (answer.kind === 'records') return say.ok(`replies and bounces go to ${answer.records.map(({ exchange }) => exchange).join(', ')}`)
      const [four, six] = await Promise.all([parts.dns.addresses(domain, 4), parts.dns.addresses(domain, 6)])
      if (four.kind === 'records' || six.kind === 'records') return say.ok('no MX: replies and bounces go to the address of the domain')
      if (four.kind === 'fault') return say.skipped(`the DNS could not be asked for addresses: ${four.code}`, RESOLVER_ADVICE)
      return say.fault('the domain has neither MX nor address: replies and bounces go nowhere, and receivers refuse such senders', 'Give it an MX.')
    }),
  )
}

/** A tag of a tag list, white space left out; null: there is none. */
function tagOf(text: string, tag: string): string | null {
  for (const part of text.split(';')) {
    const at = part.indexOf('=')
    if (at !== -1 && part.slice(0, at).trim() === tag) return part.slice(at + 1).replace(/\s+/g, '')
  }
  return null
}
