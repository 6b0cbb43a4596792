/**
 * `postern serve`: reads the configuration, binds, gives up root, opens the store, runs until told
 * to stop.
 *
 * SIGTERM and SIGINT drain and end with 0; another one a second later ends at once; SIGHUP reloads. A fault that
 * nobody caught ends the process: leases of a dead process are reclaimed at the next start.
 */
import { dirname } from 'node:path'
import process from 'node:process'
import { createAdminServer } from '../admin/server.ts'
import { createIntake } from '../intake/intake.ts'
import { announce } from './announce.ts'
import { compose } from './compose.ts'
import { loadConfig } from './config.ts'
import { createControl, withWake } from './control.ts'
import { createDialogueHub } from './dialogue-hub.ts'
import { type DoctorAtStartParts, examineAtStart } from './doctor-at-start.ts'
import { createJournal, type ServerJournal } from './journal.ts'
import { openMailboxes } from './mailbox-opener.ts'
import { createRealClock } from './real-clock.ts'
import { createReloader, createRereader } from './reload.ts'
import { becomeServiceUser } from './service-user.ts'
import { buildSettings, type ServerSettings } from './settings.ts'
import { untilTold } from './stop-signals.ts'
import { readVersion } from './version.ts'

export interface ServeOptions {
  readonly configPath: string | null
  /** Overrides `admin` of the configuration. */
  readonly socketPath: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly outputIsTerminal: boolean
  /** How the command is called here, for the texts that name it. */
  readonly command: string
  readonly print: (text: string) => void
}

/**
 * Resolves with the exit code when the server has stopped. Rejects with `ConfigError`,
 * `ServiceUserError`, `StoreOpenError`, `SocketError` or a bind error if it cannot start.
 */
export async function runServer(options: ServeOptions): Promise<number> {
  // Every file and socket made from here on is its owner's alone.
  process.umask(0o077)
  // By default the signal ends a process; one that comes before we are ready asks for what is just being done.
  process.on('SIGHUP', ignored)
  const { env, cwd } = options
  const loaded = loadConfig({ explicitPath: options.configPath, env, cwd })
  const settings = buildSettings(loaded)
  const clock = createRealClock()
  const journal = createJournal({ ...settings.log, format: logFormat(settings, options) }, clock)
  endOnUncaught(journal)
  const dialogue = createDialogueHub()
  const intake = createIntake({ settings: settings.intake, clock, journal, tap: dialogue })
  await intake.bind()
  const socketPath = options.socketPath ?? settings.adminSocket
  const mailboxes = openMailboxes(settings, journal)
  const user = becomeServiceUser({
    configured: settings.user,
    configFile: loaded.file,
    dataFolder: settings.dataFolder,
    socketFolder: dirname(socketPath),
    logFile: settings.log.file,
  })
  const server = await compose({ settings, intake, clock, journal, dialogue, mailboxes, crashAt: options.env.POSTERN_TEST_CRASH_AT ?? null })
  const reloader = createReloader({
    initial: settings,
    read: createRereader(loaded, options.configPath),
    configFile: loaded.file,
    intake,
    delivery: server.delivery,
    retention: server.retention,
    dns: server.dns,
    destinations: server.destinations,
    signer: server.signer,
    rewriting: server.rewriting,
    tls: server.tls,
    journal,
  })
  const control = createControl({
    version: readVersion(),
    hostname: () => reloader.current().hostname,
    configFile: () => reloader.configFile(),
    intake,
    delivery: server.delivery,
    rewriter: server.rewriting.rewriter,
    admin: server.store.admin,
    journal,
    dialogue,
    clock,
    intakePaused: () => intake.paused(),
    tableFaults: server.rewriting.faults,
    reload: () => reloader.reload(),
    catchUp: () => server.spareTime.use(),
  })
  const admin = createAdminServer({ control, queue: withWake(server.store.admin, () => server.delivery.wake()), clock, journal, socketPath })
  await admin.start()
  await server.start()
  announce(options, journal, { loaded, settings, warnings: user.kind === 'still-root' ? [user.warning] : [] })
  const doctor = examineAtStart({ settings, configFile: loaded.file, socketPath, clock, journal, ...examinationOf(options) })
  await untilTold({ source: process, clock, reload: () => void reloader.reload().then(undefined, refused), end: () => process.exit(1) })
  doctor.stop()
  journal.note('server', 'info', 'stopping: no new mail, finishing what is under way', { deadlineMs: reloader.current().drainMs })
  await server.stop(reloader.current().drainMs)
  await admin.stop()
  journal.note('server', 'info', 'stopped')
  journal.flush()
  return 0
}

function examinationOf({ command, print, env }: ServeOptions): Pick<DoctorAtStartParts, 'command' | 'print' | 'program' | 'afterMs'> {
  const after = env.POSTERN_TEST_DOCTOR_AFTER_MS
  return { command, print, program: process.argv[1] ?? '', afterMs: after === undefined ? null : Number(after) }
}

function ignored(): void {
  // See where it is registered.
}

/** A reload by signal has nobody to answer to. */
function refused(): void {
  // The reloader has noted why.
}

function logFormat(settings: ServerSettings, options: ServeOptions): 'json' | 'pretty' {
  if (settings.log.format !== 'auto') return settings.log.format
  return settings.log.file === null && options.outputIsTerminal ? 'pretty' : 'json'
}

/** A bug ends the process: what it was doing is in the store, its leases are reclaimed. */
function endOnUncaught(journal: ServerJournal): void {
  const end = (fault: unknown): void => {
    journal.note('server', 'error', 'ending because of a fault that nobody caught; please report it', {
      fault: fault instanceof Error ? (fault.stack ?? fault.message) : String(fault),
    })
    journal.flush()
    process.exit(70)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
}
