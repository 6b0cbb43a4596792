/**
 * The MTA-STS policies that are known, and how they are written down between restarts.
 *
 * Pure, but for the map it holds. A text that is damaged in any way counts as no text: policies are
 * fetched anew. When there are too many, those that demand nothing go first, then the oldest.
 */
import { parseStsPolicy, type StsPolicy } from './sts-record.ts'

export interface KeptPolicy {
  /** Of the TXT record under which it was fetched. */
  readonly id: string
  readonly policy: StsPolicy
  /** Epoch milliseconds. */
  readonly fetchedAt: number
}

const POLICIES_MAX = 10_000
/** Of all texts together: a policy may have 64 KB, and hardly any has one. */
const CHARACTERS_MAX = 16 * 1024 * 1024
const FORMAT = 1

export class StsCache {
  readonly #policies = new Map<string, KeptPolicy>()
  #characters = 0

  /** Null: none, or it has expired. */
  get(domain: string, now: number): KeptPolicy | null {
    const kept = this.#policies.get(domain)
    return kept !== undefined && now < expiryOf(kept) ? kept : null
  }

  set(domain: string, kept: KeptPolicy): void {
    this.#delete(domain)
    this.#characters += charactersOf(kept)
    while (this.#policies.size > 0 && (this.#policies.size >= POLICIES_MAX || this.#characters > CHARACTERS_MAX)) this.#drop()
    this.#policies.set(domain, kept)
  }

  /** Domains whose policy is older than a day, or than half of its life. */
  ageing(now: number): readonly string[] {
    return [...this.#policies].filter(([, kept]) => now < expiryOf(kept) && isAgeing(kept, now)).map(([domain]) => domain)
  }

  dump(now: number): string {
    const policies = [...this.#policies]
      .filter(([, kept]) => now < expiryOf(kept))
      .map(([domain, { id, policy, fetchedAt }]) => ({ domain, id, fetchedAt, text: policy.lines }))
    return `${JSON.stringify({ format: FORMAT, policies })}\n`
  }

  /** False: the text cannot be read, and nothing was taken from it. */
  load(text: string): boolean {
    const read = readDump(text)
    if (read === null) return false
    for (const [domain, kept] of read) this.set(domain, kept)
    return true
  }

  #drop(): void {
    const idle = [...this.#policies].find(([, { policy }]) => policy.mode === 'none')
    const oldest = this.#policies.keys().next()
    if (idle !== undefined) this.#delete(idle[0])
    else if (oldest.done !== true) this.#delete(oldest.value)
  }

  #delete(domain: string): void {
    const kept = this.#policies.get(domain)
    if (kept === undefined) return
    this.#characters -= charactersOf(kept)
    this.#policies.delete(domain)
  }
}

const DAY_MS = 86_400_000

function charactersOf({ policy }: KeptPolicy): number {
  return policy.lines.reduce((sum, line) => sum + line.length, 0)
}

export function isAgeing({ fetchedAt, policy }: KeptPolicy, now: number): boolean {
  return now - fetchedAt > Math.min(DAY_MS, policy.maxAgeS * 500)
}

function expiryOf({ fetchedAt, policy }: KeptPolicy): number {
  return fetchedAt + policy.maxAgeS * 1000
}

/** All of it or nothing. */
function readDump(text: string): ReadonlyMap<string, KeptPolicy> | null {
  try {
    const read: unknown = JSON.parse(text)
    if (!isRecord(read) || read.format !== FORMAT || !Array.isArray(read.policies)) return null
    const found = new Map<string, KeptPolicy>()
    for (const entry of read.policies.slice(0, POLICIES_MAX)) {
      const kept = readEntry(entry)
      if (kept === null) return null
      found.set(...kept)
    }
    return found
  } catch {
    return null
  }
}

function readEntry(entry: unknown): [string, KeptPolicy] | null {
  if (!isRecord(entry) || !Array.isArray(entry.text)) return null
  const { domain, id, fetchedAt } = entry
  const parsed = parseStsPolicy(entry.text.join('\n'))
  if (typeof domain !== 'string' || typeof id !== 'string' || typeof fetchedAt !== 'number' || parsed.kind === 'invalid') return null
  return [domain, { id, fetchedAt, policy: parsed.policy }]
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
