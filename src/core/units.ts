/**
 * Durations and sizes as people write them: `90s`, `4h`, `5d`, `250ms`; `50 MB`, `256KiB`, `10000000`.
 *
 * Parsing and formatting are inverse: what `formatDuration` and `formatSize` write is read back as
 * the same number. Durations are whole milliseconds, sizes whole octets. KB, MB and GB count in
 * thousands, KiB, MiB and GiB in 1,024s. Used by the configuration and by the command line.
 */

/** Unit names, largest first; the order in which `format` tries them. */
const DURATION_UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const
const SIZE_UNITS = [
  ['GB', 1e9],
  ['GiB', 2 ** 30],
  ['MB', 1e6],
  ['MiB', 2 ** 20],
  ['KB', 1000],
  ['KiB', 1024],
  ['B', 1],
] as const
/** `kB` is SI's spelling, `K`, `M` and `G` are what many programs take; both mean thousands here. */
const SIZE_FACTORS = new Map<string, number>([
  ...SIZE_UNITS.map(([name, factor]) => [name.toLowerCase(), factor] as const),
  ['k', 1000],
  ['m', 1e6],
  ['g', 1e9],
  ['', 1],
])
const DURATION_FACTORS = new Map<string, number>(DURATION_UNITS)

const DURATION_PART = /^(\d{1,16})(?:\.(\d{1,3}))?(ms|[smhd])\s*/
const SIZE = /^(\d{1,16})(?:\.(\d{1,3}))?\s*([A-Za-z]{0,3})$/

/**
 * Milliseconds, or null if it is no duration. One or more parts, each with its unit, larger units
 * first: `90s`, `1h30m`, `1.5h`. `0` alone needs no unit.
 */
export function parseDuration(text: string): number | null {
  let rest = text.trim()
  if (rest === '0') return 0
  if (rest === '') return null
  let total = 0
  let smallest = Number.POSITIVE_INFINITY
  while (rest !== '') {
    const match = DURATION_PART.exec(rest)
    if (match === null) return null
    const factor = DURATION_FACTORS.get(match[3] ?? '') ?? 0
    if (factor >= smallest) return null
    smallest = factor
    total += scaled(match[1] ?? '', match[2] ?? '', factor)
    rest = rest.slice(match[0].length)
  }
  return Number.isSafeInteger(total) ? total : null
}

/** The shortest exact form: `90s`, `4h`, `1m 1ms`. `ms` is a whole number, 0 or more. */
export function formatDuration(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0) throw new RangeError(`not a duration in whole milliseconds: ${ms}`)
  if (ms === 0) return '0s'
  const exact = DURATION_UNITS.find(([, factor]) => ms % factor === 0)
  if (exact !== undefined && ms / exact[1] < 1000) return `${ms / exact[1]}${exact[0]}`
  const parts: string[] = []
  let rest = ms
  for (const [name, factor] of DURATION_UNITS) {
    const count = Math.floor(rest / factor)
    if (count > 0) parts.push(`${count}${name}`)
    rest -= count * factor
  }
  return parts.join(' ')
}

/** Octets, or null if it is no size. A plain number counts octets; a fraction must come out whole. */
export function parseSize(text: string): number | null {
  const match = SIZE.exec(text.trim())
  if (match === null) return null
  const factor = SIZE_FACTORS.get((match[3] ?? '').toLowerCase())
  if (factor === undefined) return null
  const octets = scaled(match[1] ?? '', match[2] ?? '', factor)
  return Number.isSafeInteger(octets) ? octets : null
}

/** The shortest exact form: `50 MB`, `256 KiB`, `1234567`. `octets` is a whole number, 0 or more. */
export function formatSize(octets: number): string {
  if (!Number.isSafeInteger(octets) || octets < 0) throw new RangeError(`not a size in whole octets: ${octets}`)
  const candidates = SIZE_UNITS.filter(([, factor]) => octets > 0 && octets % factor === 0 && factor > 1)
  const [best] = candidates.map(([name, factor]) => `${octets / factor} ${name}`).sort((a, b) => a.length - b.length)
  return best !== undefined && best.length <= String(octets).length + 1 ? best : String(octets)
}

/** `whole.fraction` times the factor without floating-point error; NaN where it does not come out whole. */
function scaled(whole: string, fraction: string, factor: number): number {
  if (fraction === '') return Number(whole) * factor
  const thousandths = Number(fraction.padEnd(3, '0')) * factor
  return thousandths % 1000 === 0 ? Number(whole) * factor + thousandths / 1000 : Number.NaN
}
