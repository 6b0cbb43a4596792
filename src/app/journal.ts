/**
 * The log: structured lines through pino, a level per subsystem that can be changed while running.
 *
 * JSON lines have flat fields, so that a query needs no path; on a terminal the same facts are one
 * readable line. Counts what it saw for `postern status`. Holds no secret: none is ever handed in.
 */
import pino from 'pino'
import type { Clock } from '../core/clock.ts'
import type { AcceptedRecord, AttemptRecord, Journal, Subsystem } from '../ports/journal.ts'
import { openLogDestination } from './log-destination.ts'
import { acceptedText, attemptText, cutText, escapeJsonLine, escapeText } from './log-line.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export interface LogSettings {
  readonly level: LogLevel
  readonly format: 'json' | 'pretty'
  /** Null: standard output. */
  readonly file: string | null
}
export interface Counters {
  accepted: number
  delivered: number
  deferred: number
  failed: number
  expired: number
  captured: number
}
export interface ServerJournal extends Journal {
  readonly counters: Readonly<Counters>
  setLevel(subsystem: Subsystem | 'all', level: LogLevel): void
  /** After logrotate moved the file away. */
  reopen(): void
  /** Writes out what is buffered. */
  flush(): void
}

const SUBSYSTEMS: readonly Subsystem[] = ['intake', 'delivery', 'transport', 'store', 'admin', 'config', 'server']
const RANK: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50 }
export function createJournal(settings: LogSettings, clock: Clock): ServerJournal {
  const destination = openLogDestination(settings.file, clock)
  const logger =
    settings.format === 'json'
      ? pino(
          { level: 'debug', base: null, timestamp: createTimestamp(clock), formatters: { level: (label) => ({ level: label }) } },
          { write: (line) => destination.write(escapeJsonLine(line)) },
        )
      : null
  const threshold = new Map<Subsystem, number>(SUBSYSTEMS.map((name) => [name, RANK[settings.level]]))
  const counters: Counters = { accepted: 0, delivered: 0, deferred: 0, failed: 0, expired: 0, captured: 0 }
  const wanted = (subsystem: Subsystem, level: LogLevel): boolean => RANK[level] >= (threshold.get(subsystem) ?? 0)
  const plain = (level: LogLevel, subsystem: Subsystem, text: string): void => {
    destination.write(`${new Date(clock.now()).toISOString()} ${level.padEnd(5)} ${subsystem.padEnd(9)} ${text}\n`)
  }

  const note: ServerJournal['note'] = (subsystem, level, text, facts) => {
    if (!wanted(subsystem, level)) return
    if (logger !== null) logger[level]({ subsystem, ...facts }, text)
    else plain(level, subsystem, escapeText(facts === undefined ? text : `${text} ${pairs(facts)}`))
  }

  return {
    counters,
    accepted(record) {
      counters.accepted++
      if (!wanted('intake', 'info')) return
      if (logger === null) plain('info', 'intake', acceptedText(record))
      else logger.info(acceptedFields(record), 'accepted')
    },
    attempt(record) {
      count(counters, record.outcome)
      if (!wanted('delivery', 'info')) return
      if (logger === null) plain('info', 'delivery', attemptText(record))
      else logger.info(attemptFields(record), record.outcome)
    },
    note,
    setLevel(subsystem, level) {
      for (const name of subsystem === 'all' ? SUBSYSTEMS : [subsystem]) threshold.set(name, RANK[level])
    },
    reopen() {
      const fault = destination.reopen()
      if (fault !== null) note('server', 'warn', `the log goes on in the file that is open: ${fault}`)
    },
    flush() {
      destination.flush()
    },
  }
}

/** A second's text is made once: at a thousand messages a second it would be the dearest field of a line. */
function createTimestamp(clock: Clock): () => string {
  let second = -1
  let text = ''
  return () => {
    const now = clock.now()
    const current = Math.floor(now / 1000)
    if (current !== second) {
      second = current
      text = new Date(current * 1000).toISOString().slice(0, 20)
    }
    return `,"time":"${text}${String(now % 1000).padStart(3, '0')}Z"`
  }
}

function count(counters: Counters, outcome: AttemptRecord['outcome']): void {
  if (outcome === 'discarded' || outcome === 'held') return
  counters[outcome]++
}

function acceptedFields(record: AcceptedRecord): object {
  return {
    subsystem: 'intake',
    id: record.queueId,
    from: record.from,
    nrcpt: record.recipients,
    size: record.sizeOctets,
    submitter: record.submitter,
    client: record.client,
    proto: record.protocol,
    messageId: record.messageId,
  }
}

function attemptFields(record: AttemptRecord): object {
  const { tls, relay, timings } = record
  return {
    subsystem: 'delivery',
    id: record.queueId,
    from: record.from,
    to: record.to,
    orig_to: record.originalTo ?? undefined,
    lane: record.lane,
    relay: relay === null ? null : `${relay.host}[${relay.address}]`,
    attempt: record.attempt,
    conn_use: timings.sessionUse,
    delay: record.delayMs,
    delays: record.delays.map(Math.round).join('/'),
    tls: tls?.trust ?? (relay === null || timings.sessionUse === 0 ? undefined : 'plain'),
    tlsProtocol: tls?.protocol,
    tlsCipher: tls?.cipher,
    tlsFault: tls?.trustFault ?? undefined,
    tlsBy: tls?.verifiedBy,
    tlsPolicy: tls?.basis,
    tlsKeyExchange: tls?.keyExchange,
    dsn: record.status,
    status: record.outcome,
    reply: cutText(record.text),
    duplicatePossible: record.duplicatePossible || undefined,
  }
}

function pairs(facts: Readonly<Record<string, unknown>>): string {
  return Object.entries(facts)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}=${typeof value === 'string' && !value.includes(' ') ? value : JSON.stringify(value)}`)
    .join(' ')
}
