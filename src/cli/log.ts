/**
 * `postern log`: the history of all messages, one line an event, and the log levels of the server.
 */
import { Argument, type Command, Option } from 'commander'
import type { LogLevel, Subsystem } from '../admin/api-types.ts'
import { type CliContext, print } from './context.ts'
import { parseLimit } from './filters.ts'
import type { LogOptions } from './log-history.ts'
import type { GlobalOptions } from './socket-path.ts'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']
const SUBSYSTEMS: readonly (Subsystem | 'all')[] = ['all', 'intake', 'delivery', 'transport', 'store', 'admin', 'config', 'server']

export function registerLog(program: Command, context: CliContext): void {
  const log = program
    .command('log')
    .description('Print what happened to all messages, one line an event, oldest first.')
    .option('-f, --follow', 'go on as it happens, until Ctrl-C')
    .addOption(new Option('--limit <number>', 'the newest so many; at most 1000').argParser(parseLimit).default(50))
    .addHelpText('after', '\nExamples:\n  postern log\n  postern log --follow\n  postern log --follow --json\n  postern log level debug transport')
    .action(async (options: LogOptions, command: Command) => {
      const { printLog } = await import('./log-history.ts')
      await printLog(context, command.optsWithGlobals<GlobalOptions>(), options)
    })
  log
    .command('level')
    .description('Set how much the server writes to its own log, until it restarts.')
    .addArgument(new Argument('<level>', 'how much').choices(LEVELS))
    .addArgument(new Argument('[subsystem]', 'of what').choices(SUBSYSTEMS).default('all'))
    .addHelpText('after', '\nExamples:\n  postern log level debug transport\n  postern log level info')
    .action(async (level: LogLevel, subsystem: Subsystem | 'all', _options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      const { connectClient } = await import('./client.ts')
      const client = await connectClient(context, globals)
      const answer = await client.post('/v1/log-level', { subsystem, level })
      print(context, globals.json === true ? JSON.stringify(answer) : `The log of ${subsystem === 'all' ? 'everything' : subsystem} is at ${level} now.`)
    })
}
