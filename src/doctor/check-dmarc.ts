/**
 * DMARC (RFC 9989) of each sender domain, and whether what we really sent is aligned with it.
 *
 * Mail passes if a signature or the reverse-path that SPF lets pass belongs to the same organisation
 * as the From field.
 */
import type { DnsResolver } from '../ports/dns-resolver.ts'
import { RESOLVER_ADVICE } from './check-names.ts'
import { isAligned, organisationOf, policyFor, senderAbove, walkUp } from './dmarc-policy.ts'
import { type Finding, findings } from './finding.ts'
import type { SentMail, Subject } from './subject.ts'

export async function checkDmarc({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const authors = facts.senders.filter(({ inFrom, departures }) => inFrom && departures.length > 0)
  return Promise.all(authors.map(({ domain }) => judgeDomain(domain, senderAbove(domain, authors), parts.dns)))
}

async function judgeDomain(domain: string, above: string | null, dns: DnsResolver): Promise<Finding> {
  const say = findings('dmarc', domain)
  const walk = await walkUp(dns, domain)
  if (walk.kind === 'unknown') return say.skipped(`the DNS could not be asked for DMARC: ${walk.reason}`, RESOLVER_ADVICE)
  const [several] = walk.several
  if (several !== undefined && walk.records[0]?.domain !== domain)
    return say.fault(`there are several DMARC records at ${several}, which counts as none`, 'Keep one.')
  const found = policyFor(domain, walk.records)
  if (found.kind === 'broken') return say.fault(`the DMARC record at ${found.at} is broken: ${found.why}`, found.remedy)
  if (found.kind === 'none') {
    const says = 'there is no DMARC record: large receivers want one from whoever sends much'
    if (above !== null) return say.warning(says, `That of ${above} will count for this domain, too.`)
    return say.warning(says, 'Begin with one that only asks for reports.', {
      name: `_dmarc.${domain}`,
      type: 'TXT',
      value: `v=DMARC1; p=none; rua=mailto:postmaster@${domain}`,
    })
  }
  const where = found.at === `_dmarc.${domain}` ? '' : `, from ${found.at}`
  return say.ok(`DMARC policy is ${found.policy}${where}${found.reports ? '' : '; nobody gets its reports (no rua)'}`)
}

export async function checkAlignment({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const { sent } = facts
  if (sent === null) return [findings('alignment', 'server').skipped('no server is running that could tell what was sent in the last day')]
  if (sent.length === 0) return [findings('alignment', 'server').skipped('nothing was sent in the last day')]
  const domains = [...new Set(sent.flatMap(({ from }) => (from === null ? [] : [from])))]
  const judged = await Promise.all(domains.map((domain) => alignmentOf(domain, sent, parts.dns)))
  const nameless = messagesOf(sent.filter(({ from }) => from === null))
  if (nameless === 0) return judged
  const say = findings('alignment', 'server')
  return [
    ...judged,
    say.warning(`${countOf(nameless)} of the last day had no From address that can be read`, 'Let the application send a From field with one address.'),
  ]
}

async function alignmentOf(domain: string, sent: readonly SentMail[], dns: DnsResolver): Promise<Finding> {
  const say = findings('alignment', domain)
  const own = sent.filter(({ from }) => from === domain)
  const walk = await walkUp(dns, domain)
  if (walk.kind === 'unknown') return say.skipped(`the DNS could not be asked for DMARC: ${walk.reason}`, RESOLVER_ADVICE)
  const policy = policyFor(domain, walk.records)
  const organisation = organisationOf(domain, walk.records)
  const belongs = (other: string, strict: boolean): boolean => isAligned(other, domain, { organisation, strict })
  const unaligned = own.filter(
    ({ envelope, signedBy }) =>
      !signedBy.some((signer) => belongs(signer, policy.kind === 'found' && policy.strictDkim)) &&
      !(envelope !== null && belongs(envelope, policy.kind === 'found' && policy.strictSpf)),
  )
  const [example] = unaligned
  if (example === undefined) return say.ok(`${countOf(messagesOf(own))} of the last day looked at, all aligned by signature or reverse-path`)
  const signed = example.signedBy.length === 0 ? 'not signed' : `signed by ${example.signedBy.join(', ')}`
  const says = `${messagesOf(unaligned)} of ${countOf(messagesOf(own))} of the last day are not aligned: From ${domain}, reverse-path ${example.envelope ?? '<>'}, ${signed}`
  if (!domain.includes('.')) return say.warning(says, NO_DOMAIN)
  if (example.departure.kind === 'relay' && example.signedBy.length === 0) {
    return say.warning(
      `${says} here; relay ${example.departure.relay} may sign`,
      `If it does not: postern dkim create ${domain}, or a sender address of ${domain}.`,
    )
  }
  const remedy = `Sign them (postern dkim create ${domain}), or let the application use a sender address of ${domain}.`
  return policy.kind === 'found' && policy.policy !== 'none' ? say.fault(`${says}; the policy is ${policy.policy}`, remedy) : say.warning(says, remedy)
}

/** Nobody can publish a key for a bare host name. */
const NO_DOMAIN = 'No receiver knows this name: give hostname a full one, or dsn.from for reports, and applications a sender address of your domain.'

function messagesOf(sent: readonly SentMail[]): number {
  return sent.reduce((sum, { messages }) => sum + messages, 0)
}

function countOf(messages: number): string {
  return messages === 1 ? '1 mail' : `${messages} mails`
}
