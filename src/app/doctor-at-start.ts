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
import { escapeText } from './log-line.ts'
import { isRelayHere } from './relay-place.ts'
import type { ServerSettings } from './settings.ts'

export interface DoctorAtStart {
  stop(): void
}
export interface DoctorAtStartParts {
  readonly settings: ServerSettings
  readonly configFile: string | null
  readonly socketPath: string
  readonly clock: Clock
  readonly journal: Pick<ServerJournal, 'note'>
  /** How the command is called here. */
  readonly command: string
  /** The file that is run: our own entry point. */
  readonly program: string
  /** Milliseconds from the start to the examination; null: the usual time. */
  readonly afterMs: number | null
  /** Lines for people at a terminal. */
  readonly print: (text: string) => void
}

const CHECKS: readonly CheckName[] = ['hostname', 'ptr', 'helo-spf', 'spf', 'dkim', 'dmarc', 'null-mx', 'resolver', 'store', 'disk', 'open-files', 'listener']
/** Mail that waited for the restart goes first. */
const AFTER_MS = 5_000
const AT_MOST_MS = 90_000
const ANSWER_OCTETS_MAX = 1024 * 1024

export function examineAtStart(parts: DoctorAtStartParts): DoctorAtStart {
  if (!leavesTheMachine(parts.settings)) return { stop: () => undefined }
  let child: ChildProcess | null = null
  let cancel: CancelTimer = parts.clock.after(parts.afterMs ?? AFTER_MS, () => {
    const started = startDoctor(parts)
    child = started
    cancel = parts.clock.after(AT_MOST_MS, () => started.kill())
    started.once('close', () => cancel())
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
    const relay = target.kind === 'relay' ? delivery.relays.get(target.relay)?.settings : undefined
    return relay !== undefined && !isRelayHere(relay)
  })
}

function startDoctor({ configFile, socketPath, journal, print, command, program }: DoctorAtStartParts): ChildProcess {
  const config = configFile === null ? [] : ['--config', configFile]
  const child = spawn(process.execPath, [program, '--json', '--socket', socketPath, ...config, 'doctor', ...CHECKS], { stdio: ['ignore', 'pipe', 'pipe'] })
  if (child.pid !== undefined) lowerPriority(child.pid)
  const [answer, complaint] = [gather(child.stdout), gather(child.stderr)]
  const failed = (reason: string): void => journal.note('server', 'warn', 'the set-up could not be examined', { reason })
  child.once('error', (fault) => failed(fault.message))
  child.once('close', (_code, signal) => {
    // By us: the server stops, or nobody waits any longer.
    if (signal !== null) return
    const found = parseFindings(answer())
    if (found === null) failed(reasonIn(complaint()))
    else tell(found, { journal, print, command })
  })
  return child
}

/** What has come of a stream, cut where nobody would read on. */
function gather(stream: NonNullable<ChildProcess['stdout']>): () => string {
  const chunks: Buffer[] = []
  let octets = 0
  stream.on('data', (chunk: Buffer) => {
    octets += chunk.length
    if (octets <= ANSWER_OCTETS_MAX) chunks.push(chunk)
  })
  return () => Buffer.concat(chunks).toString('utf8')
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW)
  } catch {
    // It has ended, or may not be asked: it is as good at the usual priority.
  }
}

/** Null: that is no answer of the doctor. */
function parseFindings(text: string): readonly Finding[] | null {
  try {
    const answer = JSON.parse(text) as { readonly findings?: readonly Finding[] }
    return answer.findings ?? null
  } catch {
    return null
  }
}

function reasonIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { readonly error: { readonly message: string } }
    return error.message
  } catch {
    return text.slice(0, 500)
  }
}

function tell(findings: readonly Finding[], { journal, print, command }: Pick<DoctorAtStartParts, 'journal' | 'print' | 'command'>): void {
  const faults = findings.filter(({ state }) => state === 'fault')
  for (const { check, group, says, remedy } of faults) journal.note('server', 'warn', `doctor: ${group}: ${says}`, { check, remedy })
  if (faults.length === 0) return
  print(
    [
      '',
      `The doctor found ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:`,
      // Names and records in it come from the DNS.
      ...faults.map(({ group, says }) => escapeText(`  ${group}: ${says}`)),
      `What to do: ${command} doctor`,
      '',
    ].join('\n'),
  )
}
