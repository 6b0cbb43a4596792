/**
 * A short examination soon after the start, so that a fault is in the log before users notice it.
 *
 * In a program of its own, at low priority, because what it loads would stay in the server's memory.
 * Only where mail leaves for other machines; no login is tried and no peer is dialled, so that a
 * server that restarts in a loop knocks nowhere.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'
import process from 'node:process'
import type { CancelTimer, Clock } from '../core/clock.ts'
import type { CheckName, Finding } from './doctor.ts'
import type { ServerJournal } from './journal.ts'
import type { ServerSettings } from './settings.ts'

export interface DoctorAtStart {
  stop(): void
}
export interface DoctorAtStartParts {
  readonly settings: ServerSettings
  readonly configFile: string | null
  readonly socketPath: string
  readonly clock: Clock
  readonly journal: ServerJournal
  /** Lines for people at a terminal. */
  readonly print: (text: string) => void
}

const CHECKS: readonly CheckName[] = ['hostname', 'ptr', 'helo-spf', 'spf', 'dkim', 'null-mx', 'resolver', 'store', 'disk', 'open-files']
/** Mail that waited for the restart goes first. */
const AFTER_MS = 5_000
const AT_MOST_MS = 90_000
const ANSWER_OCTETS_MAX = 1024 * 1024

export function examineAtStart(parts: DoctorAtStartParts): DoctorAtStart {
  if (!leavesTheMachine(parts.settings)) return { stop: () => undefined }
  let child: ChildProcess | null = null
  let cancel: CancelTimer = parts.clock.after(AFTER_MS, () => {
    child = startDoctor(parts)
    cancel = parts.clock.after(AT_MOST_MS, () => child?.kill())
    child?.once('close', () => cancel())
  })
  return {
    stop() {
      cancel()
      child?.kill()
    },
  }
}

/** Some route delivers directly, or through a relay on another machine. */
export function leavesTheMachine({ delivery }: Pick<ServerSettings, 'delivery'>): boolean {
  return delivery.routes.some(({ target }) => {
    if (target.kind === 'mx') return true
    if (target.kind !== 'relay') return false
    const hosts = delivery.relays.get(target.relay)?.settings.hosts ?? []
    return hosts.some(({ host }) => !/^(?:localhost|\[?127\..*|\[?(?:IPv6:)?::1\]?)$/i.test(host))
  })
}

function startDoctor({ configFile, socketPath, journal, print }: DoctorAtStartParts): ChildProcess | null {
  const [, program] = process.argv
  if (program === undefined) return null
  const config = configFile === null ? [] : ['--config', configFile]
  const child = spawn(process.execPath, [program, '--json', '--socket', socketPath, ...config, 'doctor', ...CHECKS], { stdio: ['ignore', 'pipe', 'ignore'] })
  if (child.pid !== undefined) lowerPriority(child.pid)
  const chunks: Buffer[] = []
  let octets = 0
  child.stdout.on('data', (chunk: Buffer) => {
    octets += chunk.length
    if (octets <= ANSWER_OCTETS_MAX) chunks.push(chunk)
  })
  child.once('error', (fault) => journal.note('server', 'warn', 'the set-up could not be examined', { reason: fault.message }))
  child.once('close', () => tell(parseFindings(Buffer.concat(chunks).toString('utf8')), journal, print))
  return child
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended, or may not be asked: it is as good at the usual priority.
  }
}

function parseFindings(text: string): readonly Finding[] {
  try {
    const answer = JSON.parse(text) as { readonly findings?: readonly Finding[] }
    return answer.findings ?? []
  } catch {
    return []
  }
}

function tell(findings: readonly Finding[], journal: ServerJournal, print: (text: string) => void): void {
  const faults = findings.filter(({ state }) => state === 'fault')
  for (const { check, group, says, remedy } of faults) journal.note('server', 'warn', `doctor: ${group}: ${says}`, { check, remedy })
  if (faults.length === 0) return
  print(
    [
      '',
      `The doctor found ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:`,
      ...faults.map(({ group, says }) => `  ${group}: ${says}`),
      'What to do: postern doctor',
      '',
    ].join('\n'),
  )
}
