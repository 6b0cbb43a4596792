/**
 * Whether sender domains take the replies and reports that come back to them (RFC 5321 §3.6.3, RFC 7505 §4.2).
 */
import { RESOLVER_ADVICE, textOf } from './check-names.ts'
import { type Finding, findings } from './finding.ts'
import type { SenderDomain, Subject } from './subject.ts'

export async function checkNullMx({ facts, parts }: Subject): Promise<readonly Finding[]> {
  return Promise.all(facts.senders.map((sender) => returnWayOf(sender, parts.dns)))
}

async function returnWayOf({ domain, inReversePath }: SenderDomain, dns: Subject['parts']['dns']): Promise<Finding> {
  const say = findings('null-mx', domain)
  const answer = await dns.mx(domain)
  if (answer.kind === 'fault') return say.skipped(`the DNS could not be asked for MX: ${textOf(answer)}`, RESOLVER_ADVICE)
  if (answer.kind === 'records' && answer.records.some(({ exchange }) => exchange === '')) {
    return say.fault(
      'the domain says that it takes no mail (null MX): receivers refuse senders of it (550 5.7.27)',
      'Use a sender address of a domain that takes mail, or give this one an MX.',
    )
  }
  if (answer.kind === 'records') return say.ok(`replies and bounces go to ${answer.records.map(({ exchange }) => exchange).join(', ')}`)
  const addresses = await Promise.all([dns.addresses(domain, 4), dns.addresses(domain, 6)])
  if (addresses.some(({ kind }) => kind === 'records')) return say.ok('no MX: replies and bounces go to the address of the domain')
  const fault = addresses.find((one) => one.kind === 'fault')
  if (fault?.kind === 'fault') return say.skipped(`the DNS could not be asked for addresses: ${textOf(fault)}`, RESOLVER_ADVICE)
  if (inReversePath)
    return say.fault('the domain has neither MX nor address: replies and bounces go nowhere, and receivers refuse such senders', 'Give it an MX.')
  return say.warning(
    'the domain has neither MX nor address, and stands in From only: answers go nowhere, and some receivers refuse such mail',
    'Give it an MX. Reports can come from another domain: postern config set dsn.from postmaster@example.com',
  )
}
