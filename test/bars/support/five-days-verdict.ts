/**
 * What five days must look like in the history of each message: bar R21.
 */
import type { QueueId } from '../../../src/core/brand.ts'
import type { HistoryEvent } from '../../../src/core/event.ts'
import type { MessageStory } from '../../../src/ports/queue-admin.ts'

export interface Handed {
  readonly kind: 'dead' | 'grey' | 'flap'
  readonly queueId: QueueId
  readonly recipient: string
  readonly at: number
}
export interface Told {
  /** `delayed` or `failed`. */
  readonly action: string
  readonly recipient: string
}
export interface Rules {
  readonly lifetimeMs: number
  readonly warnAfterMs: number
  /** Longest moment in which the program under test did nothing, on its own clock. */
  readonly stallMs: number
}
export interface Verdict {
  readonly wrong: readonly string[]
  readonly figures: Readonly<Record<string, number>>
}

const MINUTE = 60_000
/** Of the defaults: 5 min doubling to 1 h, moved by 20 % either way. */
const [WAIT_MIN, WAIT_MAX, FACTOR, JITTER] = [5 * MINUTE, 60 * MINUTE, 2, 0.2]
/** RFC 6647 §2.1 and our own first retry: never sooner. */
const GREY_RETRY_MIN = MINUTE * (1 - JITTER)
const LATE_SHARE = 0.02
/** Mail is looked at by age once a minute. */
const PASS_MS = MINUTE

export function judge(stories: readonly { readonly handed: Handed; readonly story: MessageStory | null }[], told: readonly Told[], rules: Rules): Verdict {
  const wrong: string[] = []
  const figures = {
    attempts: 0,
    warnings: 0,
    finals: 0,
    early: 0,
    late: 0,
    latestWarningPercent: 0,
    latestEndPercent: 0,
    shrinkingWaits: 0,
    delivered: 0,
    lost: 0,
  }
  const say = (handed: Handed, text: string): void => void wrong.push(`${handed.recipient}: ${text}`)
  for (const { handed, story } of stories) {
    if (story === null) {
      figures.lost++
      say(handed, 'there is no story')
      continue
    }
    const { acceptedAt } = story.message
    const waits = story.history.filter(({ kind }) => kind === 'deferred').map((event) => waitOf(event))
    figures.attempts += waits.length + 1
    const bad = shrinking(waits, acceptedAt + rules.lifetimeMs)
    figures.shrinkingWaits += bad
    if (bad > 0) say(handed, `waits of ${waits.map(({ ms }) => Math.round(ms / MINUTE)).join(', ')} min`)
    const notices = told.filter(({ recipient }) => recipient === handed.recipient)
    const warnings = notices.filter(({ action }) => action === 'delayed').length
    const finals = notices.filter(({ action }) => action === 'failed').length
    figures.warnings += warnings
    figures.finals += finals
    if (handed.kind !== 'dead') {
      const delivered = story.history.some(({ kind }) => kind === 'delivered')
      if (delivered) figures.delivered++
      else figures.lost++
      if (!delivered || finals > 0) say(handed, `delivered ${delivered}, reports ${finals}`)
      continue
    }
    if (warnings !== 1 || finals !== 1) say(handed, `${warnings} warnings and ${finals} reports`)
    const warned = ageAt(story, (event) => event.kind === 'dsn-queued' || event.kind === 'delay-notice', acceptedAt)
    const ended = ageAt(story, ({ kind }) => kind === 'expired', acceptedAt)
    const check = (what: string, age: number | null, due: number): number => {
      if (age === null) {
        say(handed, `no ${what}`)
        return 0
      }
      if (age < due) figures.early++
      const latest = due * (1 + LATE_SHARE) + PASS_MS + rules.stallMs
      if (age > latest) figures.late++
      if (age < due || age > latest) say(handed, `${what} at ${Math.round(age / MINUTE)} min`)
      return Math.max(0, age / due - 1) * 100
    }
    figures.latestWarningPercent = rounded(Math.max(figures.latestWarningPercent, check('warning', warned, rules.warnAfterMs)))
    figures.latestEndPercent = rounded(Math.max(figures.latestEndPercent, check('end', ended, rules.lifetimeMs)))
  }
  return { wrong, figures }
}

interface Wait {
  readonly at: number
  readonly ms: number
}
function waitOf({ at, detail }: HistoryEvent): Wait {
  return { at, ms: Number(detail.dueAt ?? at) - at }
}

/** Each wait is that of its attempt within the jitter; the last may be cut short by the end of the lifetime. */
function shrinking(waits: readonly Wait[], expiresAt: number): number {
  let bad = 0
  let least = GREY_RETRY_MIN
  for (const [n, { at, ms }] of waits.entries()) {
    const most = Math.min(WAIT_MIN * FACTOR ** n, WAIT_MAX) * (1 + JITTER)
    if (ms > most + 1) bad++
    if (ms < least && at + ms < expiresAt - 1) bad++
    // What follows a wait is never shorter, but for the jitter of both.
    least = Math.max(least, (ms * (1 - JITTER)) / (1 + JITTER) - 1)
  }
  return bad
}

function ageAt(story: MessageStory, found: (event: HistoryEvent) => boolean, acceptedAt: number): number | null {
  const event = story.history.find(found)
  return event === undefined ? null : event.at - acceptedAt
}

function rounded(percent: number): number {
  return Math.round(percent * 100) / 100
}
