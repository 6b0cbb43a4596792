/**
 * SPF (RFC 7208) of the names we say in EHLO: delivery reports are judged by it.
 */
import { NO_ADDRESS, RESOLVER_ADVICE, textOf, visibleOf } from './check-names.ts'
import { isToldAsSender } from './check-spf.ts'
import { type DnsLine, type Finding, findings, SERVER_GROUP } from './finding.ts'
import { proposeRecord } from './spf-proposal.ts'
import { mergedRecords, spfRecordsIn } from './spf-record.ts'
import { mechanismOf } from './spf-ways.ts'
import type { EgressAddress, Subject } from './subject.ts'

export async function checkHeloSpf({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('helo-spf', SERVER_GROUP)
  if (!facts.delivery.direct) return [say.skipped('mail leaves through relays: receivers see their HELO name')]
  const visible = visibleOf(facts.egress)
  if (visible.length === 0) return [say.skipped('no public address of this server is known', NO_ADDRESS)]
  const names = [...new Set(visible.map(({ heloName }) => heloName))]
  const lists = await Promise.all(
    names.map((name) =>
      heloSpfOf(
        name,
        visible.filter(({ heloName }) => heloName === name),
        { facts, parts },
      ),
    ),
  )
  return lists.flat()
}

async function heloSpfOf(name: string, egress: readonly EgressAddress[], { facts, parts }: Subject): Promise<readonly Finding[]> {
  const say = findings('helo-spf', SERVER_GROUP)
  const texts = await parts.dns.txt(name)
  if (texts.kind === 'fault') return [say.skipped(`the DNS could not be asked for SPF of ${name}: ${textOf(texts)}`, RESOLVER_ADVICE)]
  const records = spfRecordsIn(texts.kind === 'records' ? texts.records : [])
  const asSender = facts.senders.find(({ domain, inReversePath }) => domain === name && inReversePath)
  const answers = await Promise.all(egress.map(async (one) => ({ one, answer: await parts.spf({ ...one, domain: null }) })))
  const failing = answers.filter(({ answer: { result } }) => result !== 'pass' && result !== 'temperror').map(({ one }) => one)
  const line = failing.length === 0 ? null : await heloRecord({ name, present: records, egress: failing }, { facts, parts })
  return answers.map(({ one, answer: { result, reason } }) => {
    if (result === 'pass') return say.ok(`SPF of ${name} lets ${one.address} send`)
    if (result === 'temperror') return say.skipped(`SPF of ${name} could not be evaluated: ${reason}`, RESOLVER_ADVICE)
    const why = result === 'permerror' ? `${result}, ${reason}` : result
    const says = `SPF of the HELO name ${name} for ${one.address}: ${why}`
    // Mail that goes through a relay as well needs more in the same record.
    if (line === null) return say.fault(says, `See the finding spf of ${name}.`)
    if ('advice' in line) return say.fault(says, line.advice)
    // Reports (DSNs) have no sender: receivers check the HELO name instead (RFC 7208 §2.4).
    if ((result === 'none' || result === 'neutral') && asSender === undefined)
      return say.warning(`${says}; delivery reports are checked by it`, 'Publish this record.', line)
    return say.fault(says, result === 'none' ? 'Publish this record.' : 'Put this record in the place of the present one.', line)
  })
}

interface HeloNeed {
  readonly name: string
  readonly present: readonly string[]
  readonly egress: readonly EgressAddress[]
}

/** Null: the finding `spf` of the same name has the record. */
async function heloRecord({ name, present, egress }: HeloNeed, subject: Subject): Promise<DnsLine | { readonly advice: string } | null> {
  const { facts, parts } = subject
  if (facts.senders.some((sender) => sender.domain === name && isToldAsSender(sender, facts.egress))) return null
  const wanted = egress.map(mechanismOf)
  if (present.length === 0) {
    // A name for this server alone, which resolves to it: the shortest record there is.
    const answer = await Promise.all(egress.map((one) => parts.spf({ ...one, domain: name, instead: { name, text: 'v=spf1 a -all' } })))
    const value = answer.every(({ result }) => result === 'pass') ? 'v=spf1 a -all' : `v=spf1 a ${wanted.join(' ')} -all`
    return { name, type: 'TXT', value }
  }
  const proposal = await proposeRecord({ domain: name, present: mergedRecords(present), wanted, senders: egress, spf: parts.spf })
  return proposal.kind === 'record' ? { name, type: 'TXT', value: proposal.value } : { advice: proposal.advice }
}
