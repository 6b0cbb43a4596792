/**
 * Whether SPF of a domain lets one way out send: our own addresses, or a relay's.
 *
 * Of well-known providers the `include` is known, of other relays only the addresses of the host that
 * takes our mail, and they may send from others.
 */
import { bareHost } from '../core/address.ts'
import { kindOfAddress, parseIp } from '../core/ip-address.ts'
import { NO_ADDRESS, RESOLVER_ADVICE, visibleOf } from './check-names.ts'
import type { FindingState } from './finding.ts'
import { includeOf, type RelayInclude } from './relay-includes.ts'
import { adviceFor } from './spf-proposal.ts'
import { addressIn, leadsTo } from './spf-sources.ts'
import type { Departure, DoctorParts, EgressAddress, RelaySubject, Subject } from './subject.ts'

/** What is found of one way out. */
export interface Judgement {
  readonly state: FindingState
  readonly says: string
  /** What to do; with `missing`, the record is shown, too. */
  readonly remedy: string | null
  /** Mechanisms that the record lacks. */
  readonly missing: readonly string[]
  /** An address that passes once they are there. */
  readonly sender: { readonly address: string; readonly heloName: string } | null
}

const REPLACE = 'Put this record in the place of the present one.'

export async function judgeWay(domain: string, departure: Departure, subject: Subject): Promise<readonly Judgement[]> {
  if (departure.kind === 'relay') return [await judgeRelay(domain, departure.relay, subject)]
  const visible = visibleOf(subject.facts.egress)
  if (visible.length === 0) return [judgement('skipped', 'no public address of this server is known', NO_ADDRESS)]
  return Promise.all(visible.map((one) => judgeDirect(domain, one, subject.parts)))
}

async function judgeDirect(domain: string, one: EgressAddress, { spf }: DoctorParts): Promise<Judgement> {
  const { address } = one
  const answer = await spf({ ...one, domain })
  const { result, reason } = answer
  if (result === 'pass') return judgement('ok', `SPF lets ${address} send`)
  if (result === 'temperror') return judgement('skipped', `SPF could not be evaluated for ${address}: ${reason}`, RESOLVER_ADVICE)
  if (result === 'permerror') return judgement('fault', `the SPF record is broken: ${reason}`, adviceFor(answer))
  const missing = { missing: [mechanismOf(one)], sender: one }
  if (result === 'neutral') return { ...judgement('warning', `SPF says nothing of ${address} (neutral)`, REPLACE), ...missing }
  return { ...judgement('fault', `SPF does not let ${address} send (${result})`, REPLACE), ...missing }
}

async function judgeRelay(domain: string, name: string, subject: Subject): Promise<Judgement> {
  const relay = subject.facts.relays.find((one) => one.name === name)
  if (relay === undefined || relay.local)
    return judgement('skipped', `relay ${name} is on this machine: the addresses it sends from count, not those known here`)
  const known = includeOf(relay.hosts)
  return known === null ? judgeUnknownRelay(domain, relay, subject) : judgeProvider(domain, { relay, known }, subject)
}

/** The provider's addresses are in the include; one of them stands for all, however the record comes to allow it. */
async function judgeProvider(
  domain: string,
  { relay, known }: { readonly relay: RelaySubject; readonly known: RelayInclude },
  { parts }: Subject,
): Promise<Judgement> {
  const { include, ownReversePath } = known
  const address = await addressIn(include, parts.dns)
  const sender = address === null ? null : { address, heloName: relay.hosts[0] ?? include }
  const answer = sender === null ? null : await parts.spf({ ...sender, domain })
  if (answer?.result === 'pass' || (answer === null && (await leadsTo(domain, include, parts.dns)))) {
    return judgement('ok', `SPF lets relay ${relay.name} send (${include})`)
  }
  if (answer?.result === 'temperror') return judgement('skipped', `SPF could not be evaluated for relay ${relay.name}: ${answer.reason}`, RESOLVER_ADVICE)
  if (answer?.result === 'permerror') return judgement('fault', `the SPF record is broken: ${answer.reason}`, adviceFor(answer))
  if (ownReversePath) {
    return judgement(
      'skipped',
      `SPF does not include ${include}, which matters only if relay ${relay.name} keeps our sender address: mostly it puts one of its own`,
      'Let it sign with DKIM for the domain, or set up a sender domain (MAIL FROM, bounce domain) there.',
    )
  }
  if (sender === null && (await parts.dns.txt(include)).kind !== 'records')
    return judgement('skipped', `${include}, which stands for relay ${relay.name}, cannot be looked up`, RESOLVER_ADVICE)
  const says = `SPF does not include ${include}, through which relay ${relay.name} sends`
  return { ...judgement('fault', says, REPLACE), missing: [`include:${include}`], sender }
}

async function judgeUnknownRelay(domain: string, { name, hosts }: RelaySubject, { parts }: Subject): Promise<Judgement> {
  const known = await Promise.all(hosts.map(async (host) => ({ host, addresses: await addressesOf(host, parts) })))
  const candidates = known.flatMap(({ host, addresses }) => addresses.map((address) => ({ address, heloName: host })))
  if (candidates.length === 0) return judgement('skipped', `the addresses of relay ${name} could not be found`, 'See the finding `relay`.')
  const seen = candidates.filter(({ address }) => isPublic(address))
  if (seen.length === 0) return judgement('skipped', `relay ${name} is in the local network: only its operator knows from where it sends`)
  const answers = await Promise.all(seen.map(async (one) => ({ ...one, answer: await parts.spf({ ...one, domain }) })))
  const passing = answers.find(({ answer }) => answer.result === 'pass')
  if (passing !== undefined) return judgement('ok', `SPF lets relay ${name} (${passing.address}) send`)
  const broken = answers.find(({ answer }) => answer.result === 'permerror')
  if (broken !== undefined) return judgement('fault', `the SPF record is broken: ${broken.answer.reason}`, adviceFor(broken.answer))
  const [first] = answers
  if (first?.answer.result === 'temperror') return judgement('skipped', `SPF could not be evaluated for relay ${name}: ${first.answer.reason}`, RESOLVER_ADVICE)
  return judgement(
    'warning',
    `SPF does not name ${first?.address ?? ''}, where relay ${name} takes mail (${first?.answer.result ?? 'none'}); it may send from other addresses`,
    'Ask the operator of the relay which include or addresses to list.',
  )
}

async function addressesOf(host: string, { dns }: DoctorParts): Promise<readonly string[]> {
  const literal = bareHost(host)
  if (parseIp(literal) !== null) return [literal]
  const answers = await Promise.all([dns.addresses(host, 4), dns.addresses(host, 6)])
  return answers.flatMap((answer) => (answer.kind === 'records' ? answer.records.slice(0, 2) : []))
}

function judgement(state: Judgement['state'], says: string, remedy: string | null = null): Judgement {
  return { state, says, remedy, missing: [], sender: null }
}

function isPublic(address: string): boolean {
  const ip = parseIp(address)
  return ip !== null && kindOfAddress(ip) === 'public'
}

export function mechanismOf({ address, family }: EgressAddress): string {
  return family === 4 ? `ip4:${address}` : `ip6:${address}`
}
