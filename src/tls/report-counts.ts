/**
 * Sessions and failures counted by day and policy, until they are reported (RFC 8460 §4).
 *
 * Pure, but for the maps it holds; bounded whatever strangers' servers do. A day is one of UTC, `2026-01-01`.
 */
import type { ReportedPolicy } from '../core/tls-policy.ts'
import type { PolicyFailure, SessionFailure } from '../ports/tls-reports.ts'

export interface FailureCount {
  readonly type: PolicyFailure['type']
  readonly host: string | null
  readonly address: string | null
  readonly detail: string
  readonly sessions: number
}
export interface PolicyCounts {
  readonly policy: ReportedPolicy
  readonly successes: number
  readonly failures: readonly FailureCount[]
}

const POLICIES_PER_DAY_MAX = 5_000
const FAILURES_PER_POLICY_MAX = 20
/** Of a policy's own text. */
const STRINGS_MAX = 20
/** What was not sent by then is of no use any more. */
const DAYS_MAX = 3
const DETAIL_MAX = 200
const FORMAT = 1

interface Counting {
  readonly policy: ReportedPolicy
  successes: number
  readonly failures: Map<string, { -readonly [Key in keyof FailureCount]: FailureCount[Key] }>
}

export class ReportCounts {
  /** By day, then by policy. */
  readonly #days = new Map<string, Map<string, Counting>>()

  succeeded(day: string, policy: ReportedPolicy): void {
    const counting = this.#of(day, policy)
    if (counting !== null) counting.successes++
  }

  failed(day: string, policy: ReportedPolicy, failure: PolicyFailure | SessionFailure): void {
    const counting = this.#of(day, policy)
    if (counting === null) return
    const { type, host } = failure
    const address = 'address' in failure ? failure.address : null
    const detail = failure.detail.slice(0, DETAIL_MAX)
    const key = JSON.stringify([type, host, address])
    const known = counting.failures.get(key)
    if (known !== undefined) known.sessions++
    else if (counting.failures.size < FAILURES_PER_POLICY_MAX) counting.failures.set(key, { type, host, address, detail, sessions: 1 })
  }

  /** Days before `today`, oldest first, with the domains that are still to be reported. */
  finished(today: string): readonly { readonly day: string; readonly domain: string; readonly policies: readonly PolicyCounts[] }[] {
    const days = [...this.#days].filter(([day]) => day < today).sort(([a], [b]) => (a < b ? -1 : 1))
    return days.flatMap(([day, policies]) => {
      const domains = Map.groupBy(policies.values(), ({ policy }) => policy.domain)
      return [...domains].map(([domain, countings]) => ({ day, domain, policies: countings.map(frozen) }))
    })
  }

  drop(day: string, domain: string): void {
    const policies = this.#days.get(day)
    if (policies === undefined) return
    for (const [key, { policy }] of policies) if (policy.domain === domain) policies.delete(key)
    if (policies.size === 0) this.#days.delete(day)
  }

  dump(): string {
    const days = [...this.#days].map(([day, policies]) => ({ day, policies: [...policies.values()].map(frozen) }))
    return `${JSON.stringify({ format: FORMAT, days })}\n`
  }

  /** Takes what can be read; counts that are damaged are lost. */
  load(text: string): void {
    try {
      const read = JSON.parse(text) as {
        readonly format?: unknown
        readonly days?: readonly { readonly day: string; readonly policies: readonly PolicyCounts[] }[]
      }
      if (read.format !== FORMAT || !Array.isArray(read.days)) return
      for (const { day, policies } of read.days) for (const counts of policies) this.#add(String(day), counts)
    } catch {
      // They are figures of a day, no more.
    }
  }

  #add(day: string, { policy, successes, failures }: PolicyCounts): void {
    const counting = this.#of(day, policy)
    if (counting === null) return
    counting.successes += Number(successes)
    for (const failure of failures) counting.failures.set(JSON.stringify([failure.type, failure.host, failure.address]), { ...failure })
  }

  #of(day: string, policy: ReportedPolicy): Counting | null {
    let policies = this.#days.get(day)
    if (policies === undefined) {
      policies = new Map()
      this.#days.set(day, policies)
      if (this.#days.size > DAYS_MAX) this.#days.delete([...this.#days.keys()].sort()[0] ?? day)
    }
    const strings = policy.strings.slice(0, STRINGS_MAX).map((text) => text.slice(0, DETAIL_MAX))
    const key = JSON.stringify([policy.domain, policy.type, strings])
    let counting = policies.get(key)
    if (counting === undefined) {
      if (policies.size >= POLICIES_PER_DAY_MAX) return null
      counting = { policy: { ...policy, strings, hosts: policy.hosts.slice(0, STRINGS_MAX) }, successes: 0, failures: new Map() }
      policies.set(key, counting)
    }
    return counting
  }
}

function frozen({ policy, successes, failures }: Counting): PolicyCounts {
  return { policy, successes, failures: [...failures.values()].map((failure) => ({ ...failure })) }
}
