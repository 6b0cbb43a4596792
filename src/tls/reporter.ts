/**
 * Counts sessions for TLS reports, and sends each domain that asks for it one report a day.
 *
 * RFC 8460. Counts survive restarts. What cannot be sent is tried again every hour until it is two days
 * old. A domain without a record gets none, and its counts are dropped.
 */
import type { CancelTimer, Clock } from '../core/clock.ts'
import { OneAtATime } from '../core/one-at-a-time.ts'
import type { ReportedPolicy } from '../core/tls-policy.ts'
import type { DnsResolver } from '../ports/dns-resolver.ts'
import type { Journal } from '../ports/journal.ts'
import type { KeptText } from '../ports/kept-text.ts'
import type { PolicyFailure, SessionFailure, TlsReports } from '../ports/tls-reports.ts'
import { ReportCounts } from './report-counts.ts'
import type { TlsReportSettings } from './report-settings.ts'
import { composeReport, type ReportSubject, readReportTargets } from './report-text.ts'

export interface ReporterParts {
  /** Null: nothing is counted and nothing is sent. */
  readonly settings: TlsReportSettings | null
  readonly resolver: Pick<DnsResolver, 'txt'>
  readonly kept: KeptText
  readonly clock: Clock
  readonly journal: Journal
  /** In [0, 1). */
  readonly random: () => number
  /** By mail, through the queue: resolves when it is durable. Rejects if it was refused. */
  readonly mail: (to: string, subject: ReportSubject, report: string, settings: TlsReportSettings) => Promise<void>
  /** By HTTPS: resolves when it was taken. Rejects otherwise. */
  readonly post: (url: string, report: string) => Promise<void>
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const SAVE_AFTER_MS = 60_000

export class TlsReporter implements TlsReports {
  readonly #parts: ReporterParts
  readonly #counts = new ReportCounts()
  #settings: TlsReportSettings | null
  #saving: CancelTimer | null = null
  #next: CancelTimer | null = null
  readonly #running = new OneAtATime(() => this.#run())

  constructor(parts: ReporterParts) {
    this.#parts = parts
    this.#settings = parts.settings
  }

  /** What was counted before the restart goes on; what is due is sent within the hour. */
  async start(): Promise<void> {
    const text = await this.#parts.kept.read()
    if (text !== null) this.#counts.load(text)
    this.#later(Math.min(HOUR_MS, this.#untilNextMs()))
  }

  async stop(): Promise<void> {
    this.#next?.()
    this.#next = null
    if (this.#saving === null) return
    this.#saving()
    await this.#save()
  }

  reconfigure(settings: TlsReportSettings | null): void {
    this.#settings = settings
  }

  sessionSucceeded(policy: ReportedPolicy): void {
    this.#count((day) => this.#counts.succeeded(day, policy))
  }

  sessionFailed(policy: ReportedPolicy, failure: SessionFailure): void {
    this.#count((day) => this.#counts.failed(day, policy, failure))
  }

  policyFailed(policy: ReportedPolicy, failure: PolicyFailure): void {
    this.#count((day) => this.#counts.failed(day, policy, failure))
  }

  /** Sends what is due; for tests and for the timer. Never rejects. */
  run(): Promise<void> {
    return this.#running.run()
  }

  #count(act: (day: string) => void): void {
    if (this.#settings === null) return
    act(dayOf(this.#parts.clock.now()))
    this.#saving ??= this.#parts.clock.after(SAVE_AFTER_MS, () => void this.#save())
  }

  async #run(): Promise<void> {
    const settings = this.#settings
    const now = this.#parts.clock.now()
    let [left, done] = [0, 0]
    for (const subject of settings === null ? [] : this.#counts.finished(dayOf(now))) {
      const tooOld = now - Date.parse(subject.day) > 3 * DAY_MS
      if (tooOld || (settings !== null && (await this.#send(subject, settings)))) {
        this.#counts.drop(subject.day, subject.domain)
        done++
      } else left++
    }
    if (done > 0) await this.#save()
    this.#later(left > 0 ? HOUR_MS : this.#untilNextMs())
  }

  /** False: to be tried again. */
  async #send(subject: ReportSubject, settings: TlsReportSettings): Promise<boolean> {
    const answer = await this.#parts.resolver.txt(`_smtp._tls.${subject.domain}`)
    if (answer.kind === 'fault') return false
    const targets = answer.kind === 'records' ? readReportTargets(answer.records) : []
    const report = composeReport(subject, settings)
    let sent = targets.length === 0
    for (const target of targets) {
      const { journal, mail, post } = this.#parts
      const to = target.kind === 'mail' ? target.to : target.url
      try {
        await (target.kind === 'mail' ? mail(target.to, subject, report, settings) : post(target.url, report))
        journal.note('delivery', 'info', `the TLS report of ${subject.day} for ${subject.domain} goes to ${to}`)
        sent = true
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error)
        journal.note('delivery', 'warn', `the TLS report of ${subject.day} for ${subject.domain} cannot be sent to ${to}: ${reason}`)
      }
    }
    return sent
  }

  #later(delayMs: number): void {
    this.#next?.()
    this.#next = this.#parts.clock.after(delayMs, () => void this.run())
  }

  /** After the end of the day, spread, so that not all of the world sends at midnight (RFC 8460 §4.1). */
  #untilNextMs(): number {
    const now = this.#parts.clock.now()
    return DAY_MS - (now % DAY_MS) + Math.round((this.#settings?.afterMs ?? 0) * (1 + this.#parts.random()))
  }

  async #save(): Promise<void> {
    this.#saving?.()
    this.#saving = null
    try {
      await this.#parts.kept.write(this.#counts.dump())
    } catch (error) {
      this.#parts.journal.note('delivery', 'warn', `counts for TLS reports cannot be written down: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
}

/** `2026-01-01`, of UTC. */
function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10)
}
