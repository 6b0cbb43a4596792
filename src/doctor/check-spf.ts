/**
 * SPF (RFC 7208) of each sender domain, as receivers will evaluate it.
 *
 * A domain can have one record only, so one is proposed for all ways out together.
 */
import { RESOLVER_ADVICE, textOf, visibleOf } from './check-names.ts'
import { type DnsLine, type Finding, type FindingMaker, findings, SERVER_GROUP } from './finding.ts'
import { proposeRecord } from './spf-proposal.ts'
import { mergedRecords, spfRecordsIn, withMechanisms } from './spf-record.ts'
import { type Judgement, judgeWay } from './spf-ways.ts'
import type { EgressAddress, SenderDomain, Subject } from './subject.ts'

const OTHERS_TOO = 'If others send for the domain, too (office mail, a newsletter service), add them before it is published.'

const NO_SENDER = findings('spf', SERVER_GROUP).skipped(
  'nobody is known yet who sends, apart from our own reports',
  'Name the domain of your senders: postern doctor --domain example.com',
)

export async function checkSpf(subject: Subject): Promise<readonly Finding[]> {
  const { senders, egress } = subject.facts
  if (!senders.some(({ inReversePath }) => inReversePath)) return [NO_SENDER]
  const lists = await Promise.all(senders.filter((sender) => isToldAsSender(sender, egress)).map((sender) => spfOfDomain(sender, subject)))
  return lists.flat()
}

/** Else `helo-spf` tells of it, as the same record stands under the same name, or nobody asks for it. */
export function isToldAsSender({ domain, inReversePath, departures }: SenderDomain, egress: readonly EgressAddress[]): boolean {
  if (!inReversePath || departures.length === 0) return false
  const isHeloName = visibleOf(egress).some(({ heloName }) => heloName === domain)
  return !isHeloName || departures.some(({ kind }) => kind === 'relay')
}

async function spfOfDomain(sender: SenderDomain, subject: Subject): Promise<readonly Finding[]> {
  const { domain, departures } = sender
  const say = findings('spf', domain)
  const texts = await subject.parts.dns.txt(domain)
  if (texts.kind === 'fault') return [say.skipped(`the DNS could not be asked for SPF: ${textOf(texts)}`, RESOLVER_ADVICE)]
  const records = spfRecordsIn(texts.kind === 'records' ? texts.records : [])
  const asked = records.length > 1 ? asIfOne(domain, records, subject) : subject
  const judged = (await Promise.all(departures.map((departure) => judgeWay(domain, departure, asked)))).flat()
  const line = await recordFor(domain, { records, judged }, subject)
  if (records.length > 1) {
    const several = `there are ${records.length} SPF records, which counts as none`
    return [
      line === null || 'advice' in line ? say.fault(several, 'Keep one, with what all of them say.') : say.fault(several, 'Put this in their place.', line),
    ]
  }
  if (records.length === 0 && line !== null && !('advice' in line))
    return [say.fault('there is no SPF record: receivers cannot tell your mail from forged mail', `Publish this one. ${OTHERS_TOO}`, line)]
  return judged.map((judgement) => findingOf(judgement, say, line))
}

/** Several count as none: what they would say together is what the domain wants. */
function asIfOne(domain: string, records: readonly string[], { facts, parts }: Subject): Subject {
  const instead = { name: domain, text: mergedRecords(records) }
  return { facts, parts: { ...parts, spf: (question) => parts.spf({ instead, ...question }) } }
}

/** Null: nothing is missing that we know of. */
async function recordFor(
  domain: string,
  { records, judged }: { readonly records: readonly string[]; readonly judged: readonly Judgement[] },
  { parts }: Subject,
): Promise<DnsLine | { readonly advice: string } | null> {
  const wanted = [...new Set(judged.flatMap(({ missing }) => missing))]
  const [first] = records
  const line = (value: string): DnsLine => ({ name: domain, type: 'TXT', value })
  if (first === undefined) return wanted.length === 0 ? null : line(withMechanisms(null, wanted))
  const present = records.length === 1 ? first : mergedRecords(records)
  if (wanted.length === 0) return records.length === 1 ? null : line(present)
  const senders = judged.flatMap(({ sender }) => (sender === null ? [] : [sender]))
  const proposal = await proposeRecord({ domain, present, wanted, senders, spf: parts.spf })
  return proposal.kind === 'record' ? line(proposal.value) : { advice: proposal.advice }
}

function findingOf({ state, says, remedy, missing }: Judgement, say: FindingMaker, line: DnsLine | { readonly advice: string } | null): Finding {
  if (state === 'ok') return say.ok(says)
  if (state === 'skipped') return say.skipped(says, remedy ?? undefined)
  const make = state === 'fault' ? say.fault : say.warning
  if (missing.length === 0 || line === null) return make(says, remedy ?? '')
  return 'advice' in line ? make(says, line.advice) : make(says, remedy ?? '', line)
}
