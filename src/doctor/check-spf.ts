/**
 * SPF (RFC 7208) of our HELO name and of each sender domain, as receivers will evaluate it.
 *
 * Direct mail must pass with our own addresses; mail through a relay with the relay's, of which we
 * know the `include` of well-known providers, else only the addresses of the host we hand it to.
 */

import { RESOLVER_ADVICE, textOf } from './check-names.ts'
import { type DnsLine, type Finding, type FindingMaker, findings, SERVER_GROUP } from './finding.ts'
import { includeOf } from './relay-includes.ts'
import type { EgressAddress, SenderDomain, SpfAnswer, Subject } from './subject.ts'

export async function checkHeloSpf({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('helo-spf', SERVER_GROUP)
  if (!facts.delivery.direct) return [say.skipped('mail leaves through relays: receivers see their HELO name')]
  const visible = facts.egress.filter(({ isPublic }) => isPublic)
  if (visible.length === 0) return [say.skipped('no public address of this server is known')]
  return Promise.all(
    visible.map(async (one) => {
      const answer = await parts.spf({ address: one.address, heloName: one.heloName, domain: null })
      if (answer.result === 'pass') return say.ok(`SPF of ${one.heloName} lets ${one.address} send`)
      if (answer.result === 'temperror') return say.skipped(`SPF of ${one.heloName} could not be asked: ${answer.reason}`, RESOLVER_ADVICE)
      const record: DnsLine = { name: one.heloName, type: 'TXT', value: 'v=spf1 a -all' }
      const says = `SPF of the HELO name ${one.heloName} for ${one.address}: ${answer.result}`
      // Reports (DSNs) have no sender: receivers check the HELO name instead (RFC 7208 §2.4).
      if (answer.result === 'none' || answer.result === 'neutral')
        return say.warning(`${says}; delivery reports are checked by it`, 'Publish a record.', record)
      return say.fault(`${says} (${answer.reason})`, 'Correct the record.', record)
    }),
  )
}

export async function checkSpf(subject: Subject): Promise<readonly Finding[]> {
  const { senders, egress } = subject.facts
  const heloNames = new Set(egress.filter(({ isPublic }) => isPublic).map(({ heloName }) => heloName))
  // The same record under the same name: `helo-spf` tells of it, and two answers would make two records.
  const toldElsewhere = ({ domain, departures }: SenderDomain): boolean => heloNames.has(domain) && departures.every(({ kind }) => kind === 'direct')
  const lists = await Promise.all(senders.filter((sender) => !toldElsewhere(sender)).map((sender) => spfOfDomain(sender, subject)))
  return lists.flat()
}

async function spfOfDomain(sender: SenderDomain, subject: Subject): Promise<readonly Finding[]> {
  const say = findings('spf', sender.domain)
  const texts = await subject.parts.dns.txt(sender.domain)
  if (texts.kind === 'fault') return [say.skipped(`the DNS could not be asked for SPF: ${textOf(texts)}`, RESOLVER_ADVICE)]
  const records = texts.kind === 'records' ? texts.records.filter((text) => /^v=spf1(?: |$)/i.test(text)) : []
  const [present, ...more] = records
  const wanted = wantedMechanisms(sender, subject)
  const ideal: DnsLine = { name: sender.domain, type: 'TXT', value: withMechanisms(present ?? null, wanted) }
  if (more.length > 0) return [say.fault(`there are ${records.length} SPF records, which counts as none`, 'Keep one, with what both say.', ideal)]
  if (present === undefined) {
    if (wanted.length === 0) return [say.warning('there is no SPF record', 'Ask the operator of the relay which include it wants.')]
    return [say.fault('there is no SPF record: receivers cannot tell your mail from forged mail', 'Publish one.', ideal)]
  }
  const judged: Finding[] = []
  for (const departure of sender.departures) {
    if (departure.kind === 'direct') judged.push(...(await judgeDirect(sender, subject, say, present)))
    else judged.push(await judgeRelay(sender, departure.relay, subject, present))
  }
  return judged
}

async function judgeDirect(sender: SenderDomain, { facts, parts }: Subject, say: FindingMaker, present: string): Promise<readonly Finding[]> {
  const visible = facts.egress.filter(({ isPublic }) => isPublic)
  if (visible.length === 0) return [say.skipped('no public address of this server is known', 'Name it: postern doctor --address 192.0.2.1')]
  return Promise.all(
    visible.map(async (one) => {
      const answer = await parts.spf({ address: one.address, heloName: one.heloName, domain: sender.domain })
      const record: DnsLine = { name: sender.domain, type: 'TXT', value: withMechanisms(present, [mechanismOf(one)]) }
      return judgeAnswer(say, answer, { what: one.address, record })
    }),
  )
}

function judgeAnswer(say: FindingMaker, { result, reason }: SpfAnswer, of: { readonly what: string; readonly record: DnsLine }): Finding {
  if (result === 'pass') return say.ok(`SPF lets ${of.what} send`)
  if (result === 'temperror') return say.skipped(`SPF could not be evaluated for ${of.what}: ${reason}`, RESOLVER_ADVICE)
  if (result === 'permerror') return say.fault(`the SPF record is broken: ${reason}`, 'Correct it.', of.record)
  if (result === 'neutral') return say.warning(`SPF says nothing of ${of.what} (neutral)`, 'List the address.', of.record)
  return say.fault(`SPF does not let ${of.what} send (${result})`, 'Put the record in the place of the present one.', of.record)
}

/** A provider's include, or the addresses of the host that takes our mail. */
async function judgeRelay(sender: SenderDomain, relayName: string, { facts, parts }: Subject, present: string): Promise<Finding> {
  const say = findings('spf', sender.domain)
  const relay = facts.relays.find(({ name }) => name === relayName)
  if (relay === undefined || relay.local) return say.skipped(`relay ${relayName} is on this machine: its own addresses count`)
  const include = includeOf(relay.hosts)
  if (include !== null) {
    const record: DnsLine = { name: sender.domain, type: 'TXT', value: withMechanisms(present, [`include:${include}`]) }
    if (hasInclude(present, include)) return say.ok(`SPF includes ${include}, for relay ${relayName}`)
    return say.fault(`SPF does not include ${include}, through which relay ${relayName} sends`, 'Put the record in the place of the present one.', record)
  }
  const [host = ''] = relay.hosts
  const addresses = await parts.dns.addresses(host, 4)
  if (addresses.kind !== 'records') return say.skipped(`the addresses of ${host} could not be found`)
  const [address] = addresses.records
  const answer = await parts.spf({ address, heloName: host, domain: sender.domain })
  if (answer.result === 'pass') return say.ok(`SPF lets relay ${relayName} (${address}) send`)
  return say.warning(
    `SPF does not name ${address}, where relay ${relayName} takes mail (${answer.result}); it may send from other addresses`,
    'Ask the operator of the relay which include or addresses to list.',
  )
}

function wantedMechanisms(sender: SenderDomain, { facts }: Subject): readonly string[] {
  return sender.departures.flatMap((departure) => {
    if (departure.kind === 'direct') return facts.egress.filter(({ isPublic }) => isPublic).map(mechanismOf)
    const include = includeOf(facts.relays.find(({ name }) => name === departure.relay)?.hosts ?? [])
    return include === null ? [] : [`include:${include}`]
  })
}

function mechanismOf({ address, family }: EgressAddress): string {
  return family === 4 ? `ip4:${address}` : `ip6:${address}`
}

function hasInclude(record: string, include: string): boolean {
  return record
    .toLowerCase()
    .split(' ')
    .some((term) => /^[+]?(?:include:|redirect=)/.test(term) && term.endsWith(include))
}

/** The present record with these mechanisms before its end; a new one if there is none. */
export function withMechanisms(present: string | null, wanted: readonly string[]): string {
  const terms = (present ?? 'v=spf1 ~all').split(' ').filter((term) => term !== '')
  const missing = wanted.filter((mechanism) => !terms.includes(mechanism))
  const end = terms.findIndex((term) => /^(?:[+?~-]?all|redirect=.*)$/i.test(term))
  const at = end === -1 ? terms.length : end
  return [...terms.slice(0, at), ...missing, ...terms.slice(at)].join(' ')
}
