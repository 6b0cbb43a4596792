/**
 * Times, ages, sizes and counts as people read them. Local time on a terminal, ISO 8601 in UTC for programs.
 */
import { styleText } from 'node:util'
import type { CliContext } from './context.ts'

const SECOND_MS = 1000
const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', SECOND_MS],
] as const
const SIZE_STEPS = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'KB'],
] as const

/** `2026-11-22 17:40:01`, local. */
export function localTime(ms: number): string {
  const time = new Date(ms)
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}

/** `17:40:01` where that is today, else with the date. */
export function shortTime(ms: number, now: number): string {
  const text = localTime(ms)
  return localTime(now).slice(0, 10) === text.slice(0, 10) ? text.slice(11) : text
}

/** `2026-11-22T16:40:01.123Z`. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

/** About how long, in at most two units: `3d 4h`, `12m 5s`, `45s`, `1.2s`, `120ms`. Below zero counts as zero. */
export function about(ms: number): string {
  const whole = Math.max(0, Math.round(ms))
  if (whole < SECOND_MS) return `${whole}ms`
  if (whole < 10 * SECOND_MS) return `${(whole / SECOND_MS).toFixed(1)}s`
  const first = UNITS.findIndex(([, factor]) => whole >= factor)
  const parts: string[] = []
  let rest = whole
  for (const [name, factor] of UNITS.slice(first, first + 2)) {
    const times = Math.floor(rest / factor)
    if (times > 0) parts.push(`${times}${name}`)
    rest -= times * factor
  }
  return parts.join(' ')
}

/** An age in whole seconds or longer: `0s`, `12m 5s`. */
export function age(ms: number): string {
  return ms < 10 * SECOND_MS ? `${Math.max(0, Math.floor(ms / SECOND_MS))}s` : about(ms)
}

/** `in 4m 10s`, or `now` for what is due. */
export function until(at: number, now: number): string {
  return at <= now ? 'now' : `in ${age(Math.max(at - now, SECOND_MS))}`
}

/** `4.2 KB`, three figures at most. */
export function size(octets: number): string {
  for (const [factor, name] of SIZE_STEPS) {
    if (octets < factor) continue
    const value = octets / factor
    return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${name}`
  }
  return `${octets} B`
}

/** `12,345`. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 recipient`, `2 recipients`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

export type Paint = Parameters<typeof styleText>[0]

/** Text in a colour, where colours are wanted. */
export function paint(context: Pick<CliContext, 'colour'>, style: Paint, text: string): string {
  return context.colour ? styleText(style, text, { validateStream: false }) : text
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
