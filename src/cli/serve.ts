/**
 * `postern serve`: hands over to `app/serve`.
 */
import type { Command } from 'commander'
import { type CliContext, CliError, commandName, EXIT } from './context.ts'
import type { GlobalOptions } from './socket-path.ts'

export function registerServe(program: Command, context: CliContext): void {
  program
    .command('serve')
    .description('Run the server here, in the foreground.')
    .addHelpText(
      'after',
      '\nExamples:\n  postern serve\n  postern serve --config /etc/postern/postern.yaml\n\nWithout a configuration it listens on 127.0.0.1:2525, keeps its queue in ./var and captures every message.\nSIGTERM and Ctrl-C finish what is under way and end; SIGHUP reads the configuration again.',
    )
    .action(async (_options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      await serve(context, globals)
    })
}

async function serve(context: CliContext, globals: GlobalOptions): Promise<void> {
  const { runServer } = await import('../app/serve.ts')
  const { env, cwd, outputIsTerminal } = context
  try {
    const code = await runServer({
      configPath: globals.config ?? null,
      socketPath: globals.socket ?? null,
      env,
      cwd,
      outputIsTerminal,
      command: commandName(context),
      print: (text) => context.stderr.write(text),
    })
    context.setExitCode(code === 0 ? EXIT.ok : EXIT.failed)
  } catch (error) {
    throw startFault(error)
  }
}

/** Faults that an operator can mend, by name or system code; anything else is a bug and keeps its stack. */
function startFault(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const known = ['ConfigError', 'SettingsError', 'ServiceUserError', 'StoreOpenError', 'StoreFault', 'SocketError'].includes(error.name)
  const own = startHint(error)
  if (!known && own === null) return error
  const hint = 'hint' in error && typeof error.hint === 'string' ? error.hint : own
  return new CliError(EXIT.failed, error.message, { code: 'not-started', cause: error, ...(hint === null ? {} : { hint }) })
}

function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null
}

function startHint(error: Error): string | null {
  const code = codeOf(error.cause) ?? codeOf(error)
  if (error.name === 'StoreOpenError') return code === 'EACCES' ? 'The folder must belong to the user that Postern runs as.' : null
  if (code === 'EADDRINUSE')
    return 'Is this Postern running already? Ask it: postern status\n  Else stop the program that listens there, or set another address under `listen`.'
  if (code === 'EADDRNOTAVAIL') return 'This machine does not have that address: correct `listen`.'
  if (code === 'EACCES') return 'Ports below 1024 need root: start as root with `user` set, or choose a higher port.'
  return null
}
