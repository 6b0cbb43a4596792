/**
 * Says that the server is ready: on the terminal what to do next, in the log what runs.
 */
import process from 'node:process'
import type { LoadedConfig } from './config.ts'
import { formatProblem } from './config-errors.ts'
import { firstSteps } from './first-steps.ts'
import type { ServerJournal } from './journal.ts'
import type { ServerSettings } from './settings.ts'
import { readVersion } from './version.ts'

export interface Announcing {
  readonly outputIsTerminal: boolean
  /** How the command is called here, for the texts that name it. */
  readonly command: string
  readonly print: (text: string) => void
}

export function announce(
  options: Announcing,
  journal: Pick<ServerJournal, 'note'>,
  facts: { readonly loaded: Pick<LoadedConfig, 'file' | 'warnings'>; readonly settings: ServerSettings; readonly warnings: readonly string[] },
): void {
  const { loaded, settings } = facts
  const warnings = [...loaded.warnings.map(formatProblem), ...facts.warnings]
  const listeners = settings.intake.listeners.map((listener) => listener.url)
  options.print(
    firstSteps({
      listeners,
      dataFolder: settings.dataFolder,
      configFile: loaded.file,
      command: options.command,
      ways: waysOf(settings.delivery),
      delivers: settings.delivery.routes.some(({ target }) => target.kind === 'local'),
      captures: settings.delivery.routes.some(({ target }) => target.kind === 'capture'),
      warnings,
    }),
  )
  // On a terminal they stand right above.
  const isShown = options.outputIsTerminal && settings.log.file === null
  if (!isShown) for (const warning of warnings) journal.note('config', 'warn', warning)
  journal.note('server', 'info', 'ready', { version: readVersion(), listeners, data: settings.dataFolder, pid: process.pid })
}

/** Through what mail leaves the machine, by the routes in their order. */
function waysOf({ routes }: ServerSettings['delivery']): readonly string[] {
  const ways = routes.flatMap(({ target }) => {
    if (target.kind === 'relay') return [`relay ${target.relay}`]
    return target.kind === 'mx' ? ["the recipients' own servers"] : []
  })
  return [...new Set(ways)]
}
