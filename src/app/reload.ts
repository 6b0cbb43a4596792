/**
 * Reload: all or nothing. A configuration that cannot be read or does not hold changes nothing.
 *
 * Reloads that come while one is under way wait their turn; none is lost.
 */
import type { Delivery } from '../delivery/delivery.ts'
import type { Intake } from '../intake/intake.ts'
import type { DnsClient } from '../net/dns/dns-resolver.ts'
import type { ReloadResult } from '../ports/server-control.ts'
import type { MxDestinations } from '../transports/mx-destinations.ts'
import { type LoadedConfig, type LoadRequest, loadConfig } from './config.ts'
import { formatProblem } from './config-errors.ts'
import type { ServerJournal } from './journal.ts'
import type { Retention } from './retention.ts'
import type { Rewriting } from './rewriting.ts'
import { buildSettings, diffSettings, type ServerSettings } from './settings.ts'
import type { ServerSigner } from './signer.ts'
import type { TlsParts } from './tls-parts.ts'

export interface ReloadParts {
  readonly initial: ServerSettings
  /** Reads the file again; throws `ConfigError`. */
  readonly read: (previous: ServerSettings) => Reread
  /** Null: started without one. */
  readonly configFile: string | null
  readonly intake: Intake
  readonly delivery: Delivery
  readonly retention: Retention
  readonly dns: Pick<DnsClient, 'reload'>
  readonly destinations: Pick<MxDestinations, 'reconfigure'>
  readonly signer: Pick<ServerSigner, 'reload'>
  readonly rewriting: Pick<Rewriting, 'reload'>
  readonly tls: Pick<TlsParts, 'reload'>
  readonly journal: ServerJournal
}
export interface Reread {
  readonly settings: ServerSettings
  readonly warnings: readonly string[]
  /** Null: there is still none. */
  readonly file: string | null
}
export interface Reloader {
  reload(): Promise<ReloadResult>
  current(): ServerSettings
  /** What is in force was read from it. */
  configFile(): string | null
}

/**
 * How a running server reads its configuration again: the file that it was started with, wherever it was
 * found; without one, a file that has come since. One that is gone is a fault, never a reason to go on with the defaults, which
 * capture mail.
 */
export function createRereader(started: LoadedConfig, explicitPath: string | null): ReloadParts['read'] {
  const { env, cwd } = started
  // What only root could read at the start is kept as it was.
  const request: LoadRequest = { explicitPath, env, cwd, keepUnreadable: true }
  let { file } = started
  return (previous) => {
    const loaded = loadConfig({ ...request, explicitPath: file ?? explicitPath })
    file = loaded.file
    return { settings: buildSettings(loaded, { previous }), warnings: loaded.warnings.map(formatProblem), file }
  }
}

export function createReloader(parts: ReloadParts): Reloader {
  const { intake, delivery, retention, dns, destinations, signer, rewriting, tls, journal } = parts
  let current = parts.initial
  let { configFile } = parts
  let turn: Promise<unknown> = Promise.resolve()

  const once = async (): Promise<ReloadResult> => {
    const { settings: next, warnings, file } = parts.read(current)
    const { changed } = diffSettings(current, next)
    // Against what runs, not against the last file: it stays so until the restart.
    const { needsRestart } = diffSettings(parts.initial, next)
    const result: ReloadResult = { changed, needsRestart, warnings, configFile: file }
    // Listeners are the only part that can fail: they go first, and undo themselves.
    await intake.reload(next.intake)
    // Before delivery, which looks up what waits.
    tls.reload(next)
    destinations.reconfigure(next.mxPolicy)
    delivery.reload(next.delivery)
    retention.reload(next.retention)
    dns.reload(next.dns)
    signer.reload(next.dkim)
    rewriting.reload(next.rewrite)
    // Levels that an operator set while running stay, unless the file says something new.
    if (next.log.level !== current.log.level) journal.setLevel('all', next.log.level)
    journal.reopen()
    current = next
    configFile = file
    journal.note('config', 'info', 'configuration reloaded', { changed, needsRestart })
    for (const warning of warnings) journal.note('config', 'warn', warning)
    return result
  }
  return {
    current: () => current,
    configFile: () => configFile,
    reload() {
      const mine = turn.then(once).catch((fault: unknown) => {
        journal.note('config', 'error', 'reload refused, nothing was changed', { reason: fault instanceof Error ? fault.message : String(fault) })
        throw fault
      })
      // Whoever asked hears of the fault; the next in line does not.
      turn = mine.then(noted, noted)
      return mine
    },
  }
}

function noted(): void {
  // The journal has it already.
}
