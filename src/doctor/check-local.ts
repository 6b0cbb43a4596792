/**
 * Mail for this machine: whether root's has a reader, and whether local domains have their mailboxes elsewhere.
 */
import { parseIp } from '../core/ip-address.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import { type Finding, findings, SERVER_GROUP } from './finding.ts'
import type { DoctorFacts, RootMail, Subject } from './subject.ts'

export async function checkLocal({ facts, parts }: Subject): Promise<readonly Finding[]> {
  // Where nothing leaves, nobody outside is asked.
  const domains = facts.delivery.stays ? [] : facts.local.domains.filter((domain) => domain.includes('.') && !domain.startsWith('['))
  const elsewhere = await Promise.all(domains.map((domain) => judgeDomain(domain, facts, parts.dns)))
  return [judgeRoot(facts.local.root), ...elsewhere.flat()]
}

function judgeRoot(root: RootMail): Finding {
  const say = findings('local', SERVER_GROUP)
  const command = 'postern config set local.root you@example.com'
  switch (root.kind) {
    case 'goes':
      return say.ok(`mail for root, such as cron's, goes to ${root.to.join(', ')}`)
    case 'lost':
      return say.warning(`mail for root, such as cron's, has no reader: ${root.why}`, `Name who gets it: ${command}`)
    case 'no-domain':
      return say.skipped(
        "no mail is taken for names without domain, such as cron's for root",
        `If programs of this machine send such, name who gets it: ${command}`,
      )
  }
}

/** Silence of the DNS is no finding of this check. */
async function judgeDomain(domain: string, facts: DoctorFacts, dns: DnsResolver): Promise<readonly Finding[]> {
  const answer = await dns.mx(domain)
  if (answer.kind !== 'records') return []
  const names = answer.records.map(({ exchange }) => exchange.toLowerCase()).filter((name) => name !== '')
  if (names.length === 0 || (await leadsHere(names, facts, dns))) return []
  return [
    findings('local', SERVER_GROUP).warning(
      `mail for ${domain} is taken for mail of this machine, but its mailboxes seem to be at ${names.join(', ')} (MX)`,
      `If they are: take ${domain} out of local.domains, or its people get no mail from here.`,
    ),
  ]
}

/** One of them is this machine: by name, or by address. */
async function leadsHere(names: readonly string[], { hostname, egress }: DoctorFacts, dns: DnsResolver): Promise<boolean> {
  if (names.includes(hostname)) return true
  const ours = new Set(egress.map(({ address }) => parseIp(address)?.value))
  const answers = await Promise.all(names.flatMap((name) => [dns.addresses(name, 4), dns.addresses(name, 6)]))
  // Unknown is as good as ours: nobody is to change something for a DNS that is silent.
  return answers.some((answer) => answer.kind === 'fault' || (answer.kind === 'records' && answer.records.some((address) => ours.has(parseIp(address)?.value))))
}
