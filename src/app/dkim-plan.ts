/**
 * What DKIM keys there are, what each is for now, and what the next step of a rotation is.
 *
 * Pure. A rotation is four steps that the configuration itself remembers: a new key that waits for
 * its record to be published; the new key signs and the old one ends (`notAfter`); the old record
 * stays until no mail signed with it can be under way; then key and record go.
 */
import { asciiDomain } from '../core/ascii-domain.ts'
import { isInTime } from '../message/dkim-keyring.ts'
import { type DkimConfig, type DkimKeyConfig, timesOf } from './config-schema-dkim.ts'

/**
 * `signs`: now. `waits`: made, not active. `later`: before its `notBefore`. `spare`: in its time,
 * but a later one of its algorithm signs. `ended`: its `notAfter` is over.
 */
export type KeyState = 'signs' | 'waits' | 'later' | 'spare' | 'ended'
export interface PlannedKey {
  /** As written in the configuration. */
  readonly domainKey: string
  /** In A-labels. */
  readonly domain: string
  /** In the list of its domain. */
  readonly index: number
  readonly config: DkimKeyConfig
  /** Null: it could not be read. */
  readonly type: 'rsa' | 'ed25519' | null
  readonly state: KeyState
}

export type KeyTypes = (key: DkimKeyConfig, domainKey: string) => 'rsa' | 'ed25519' | null

/** All keys, in the order of the configuration. */
export function planKeys(dkim: DkimConfig, typeOf: KeyTypes, nowMs: number): readonly PlannedKey[] {
  return Object.entries(dkim.keys).flatMap(([domainKey, keys]) => {
    const types = keys.map((key) => typeOf(key, domainKey))
    return keys.map((config, index): PlannedKey => {
      const overtaken = keys.some((other, at) => at > index && types[at] === types[index] && other.active && isInTime(timesOf(other), nowMs))
      return { domainKey, domain: asciiDomain(domainKey) ?? domainKey, index, config, type: types[index] ?? null, state: stateOf(config, overtaken, nowMs) }
    })
  })
}

function stateOf(config: DkimKeyConfig, overtaken: boolean, nowMs: number): KeyState {
  const times = timesOf(config)
  if (times.notAfter !== null && times.notAfter <= nowMs) return 'ended'
  if (!config.active) return 'waits'
  if (!isInTime(times, nowMs)) return 'later'
  return overtaken ? 'spare' : 'signs'
}

/** Mail may be under way for five days, and be checked again later; then nobody asks for the old record. */
export const OLD_RECORD_DAYS = 7
const DAY_MS = 86_400_000

export type RotationStep<Key extends PlannedKey> =
  /** A new key for each of these. */
  | { readonly kind: 'begin'; readonly types: readonly ('rsa' | 'ed25519')[] }
  /** `fresh` sign as soon as they are published, and `old` end. */
  | { readonly kind: 'switch'; readonly fresh: readonly Key[]; readonly old: readonly Key[] }
  /** Nothing to do before that. */
  | { readonly kind: 'rest'; readonly old: readonly Key[]; readonly until: number }
  | { readonly kind: 'remove'; readonly old: readonly Key[] }
  | { readonly kind: 'no-keys' }

/** Of the keys of one domain. */
export function nextStep<Key extends PlannedKey>(keys: readonly Key[], nowMs: number): RotationStep<Key> {
  if (keys.length === 0) return { kind: 'no-keys' }
  const fresh = keys.filter(({ state }) => state === 'waits')
  if (fresh.length > 0) {
    const types = new Set(fresh.map(({ type }) => type))
    return { kind: 'switch', fresh, old: keys.filter(({ state, type }) => (state === 'signs' || state === 'spare') && types.has(type)) }
  }
  const ended = keys.filter(({ state }) => state === 'ended')
  const gone = ended.filter((key) => goneAt(key) <= nowMs)
  if (gone.length > 0 && gone.length < keys.length) return { kind: 'remove', old: gone }
  if (ended.length > 0 && ended.length < keys.length) return { kind: 'rest', old: ended, until: Math.max(...ended.map(goneAt)) }
  const types = (['rsa', 'ed25519'] as const).filter((type) => keys.some((key) => key.type === type))
  return { kind: 'begin', types: types.length === 0 ? ['rsa'] : types }
}

/** When its record may go. */
export function goneAt({ config }: PlannedKey): number {
  return (timesOf(config).notAfter ?? 0) + OLD_RECORD_DAYS * DAY_MS
}

/** `s202611`, `s202611b` if that was used before; with `-ed` for Ed25519. */
export function freeSelector(taken: readonly string[], type: 'rsa' | 'ed25519', nowMs: number): string {
  const month = new Date(nowMs).toISOString().slice(0, 7).replace('-', '')
  const ending = type === 'ed25519' ? '-ed' : ''
  for (let turn = 0; ; turn++) {
    const letter = turn === 0 ? '' : turn < 26 ? String.fromCharCode(97 + turn) : String(turn)
    const selector = `s${month}${letter}${ending}`
    if (!taken.includes(selector)) return selector
  }
}

/** For the configuration: `2026-11-22T18:00:05Z`. */
export function formatMoment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}
