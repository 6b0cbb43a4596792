/**
 * The SPF record to publish: completed, and tried before it is shown to anybody.
 *
 * A record may be right as text and still not help: an earlier mechanism says no, or it needs more
 * than ten look-ups (RFC 7208 §4.6.4). Each candidate is evaluated as if it were published.
 */

import { withMechanisms } from './spf-record.ts'
import type { SpfAnswer, SpfQuestion } from './subject.ts'

export interface ProposalNeed {
  readonly domain: string
  /** Null: there is none yet. */
  readonly present: string | null
  readonly wanted: readonly string[]
  /** Addresses that it has to let pass. */
  readonly senders: readonly { readonly address: string; readonly heloName: string }[]
  readonly spf: (question: SpfQuestion) => Promise<SpfAnswer>
}
export type Proposal =
  | { readonly kind: 'record'; readonly value: string }
  /** Nothing that could be added helps by itself. */
  | { readonly kind: 'none'; readonly advice: string }

/** A reserved address, nobody's: whoever gets to the end of a record has made all its look-ups. */
const NOBODY = '240.0.0.1'

export async function proposeRecord(need: ProposalNeed): Promise<Proposal> {
  const values = [...new Set([withMechanisms(need.present, need.wanted), withMechanisms(need.present, need.wanted, 'front')])]
  let refusal: SpfAnswer | null = null
  for (const value of values) {
    refusal = await refusalOf(value, need)
    if (refusal === null) return { kind: 'record', value }
  }
  return { kind: 'none', advice: `${refusal === null ? '' : adviceFor(refusal)} Then add ${need.wanted.join(' ')}.` }
}

/** Why the record would not do; null: it would. Silence of the DNS is no reason. */
async function refusalOf(value: string, { domain, senders, spf }: ProposalNeed): Promise<SpfAnswer | null> {
  const instead = { name: domain, text: value }
  for (const { address, heloName } of senders) {
    const answer = await spf({ address, heloName, domain, instead })
    if (answer.result !== 'pass' && answer.result !== 'temperror') return answer
  }
  const whole = await spf({ address: NOBODY, heloName: domain, domain, instead })
  return whole.result === 'permerror' ? whole : null
}

/** What to do about a record that cannot be evaluated. */
export function adviceFor({ limit, reason }: SpfAnswer): string {
  if (limit === 'look-ups') return 'Receivers make ten look-ups at most: take out what is not used any more, or write addresses (ip4:, ip6:) instead of names.'
  if (limit === 'missing-names') return 'Take the names out that do not exist.'
  return `Correct the record (${reason}).`
}
