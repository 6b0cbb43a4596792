/**
 * What the doctor says: one finding a question, with what to do and the DNS line to add.
 *
 * `skipped` is told, never hidden: a check that could not be made is not a check that passed.
 */
import { txtStrings } from '../core/txt-strings.ts'

export const CHECKS = [
  'hostname',
  'ptr',
  'helo-spf',
  'spf',
  'dkim',
  'dmarc',
  'alignment',
  'null-mx',
  'port25',
  'relay',
  'resolver',
  'clock',
  'store',
  'disk',
  'open-files',
  'listener',
  'local',
  'configuration',
] as const
export type CheckName = (typeof CHECKS)[number]
export type FindingState = 'ok' | 'warning' | 'fault' | 'skipped'

/** A line for a zone file; names without the dot at the end. */
export interface DnsLine {
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'TXT' | 'PTR' | 'MX'
  readonly value: string
}
export interface Finding {
  readonly check: CheckName
  /** What it is about: `server`, a sender domain, `relay google`. */
  readonly group: string
  readonly state: FindingState
  /** One sentence for people. */
  readonly says: string
  /** What to do; null: nothing. */
  readonly remedy: string | null
  /** To be added or put in the place of the present one. */
  readonly record: DnsLine | null
}
export const SERVER_GROUP = 'server'

/** Findings of one check about one thing. */
export interface FindingMaker {
  ok(says: string): Finding
  skipped(says: string, remedy?: string): Finding
  warning(says: string, remedy: string, record?: DnsLine): Finding
  fault(says: string, remedy: string, record?: DnsLine): Finding
}
export function findings(check: CheckName, group: string): FindingMaker {
  const make = (state: FindingState, says: string, remedy: string | null, record: DnsLine | null): Finding => ({ check, group, state, says, remedy, record })
  return {
    ok: (says) => make('ok', says, null, null),
    skipped: (says, remedy) => make('skipped', says, remedy ?? null, null),
    warning: (says, remedy, record) => make('warning', says, remedy, record ?? null),
    fault: (says, remedy, record) => make('fault', says, remedy, record ?? null),
  }
}

export interface FindingCounts {
  readonly ok: number
  readonly warning: number
  readonly fault: number
  readonly skipped: number
}
export function countFindings(all: readonly Finding[]): FindingCounts {
  const of = (state: FindingState): number => all.filter((finding) => finding.state === state).length
  return { ok: of('ok'), warning: of('warning'), fault: of('fault'), skipped: of('skipped') }
}

/** In a zone file: `example.com. TXT "v=spf1 ..."`; texts longer than 255 octets in several strings (RFC 1035 §3.3). */
export function formatDnsLine({ name, type, value }: DnsLine): string {
  if (type === 'TXT') return `${name}. ${type} ${quoteStrings(value)}`
  return `${name}. ${type} ${type === 'PTR' ? `${value}.` : value}`
}

function quoteStrings(value: string): string {
  return txtStrings(value)
    .map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`)
    .join(' ')
}
