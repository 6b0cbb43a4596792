/**
 * The tree of commands: names, options, help. What a command does is loaded when it runs.
 *
 * The groups that need the configuration's schema are left out when another command was asked
 * for: `postern status` must answer at once.
 */
import { Command, Help } from 'commander'
import { readVersion } from '../app/version.ts'
import { registerCaptured } from './captured.ts'
import { registerCompletion } from './completion.ts'
import { asTyped, type CliContext } from './context.ts'
import { registerDoctor } from './doctor.ts'
import { registerLog } from './log.ts'
import { registerQueue } from './queue.ts'
import { registerRewrite } from './rewrite.ts'
import { registerServe } from './serve.ts'
import { registerRoute, registerServer } from './server-commands.ts'
import { registerStatus } from './status.ts'
import { registerTest } from './test.ts'
import { registerTrace } from './trace.ts'

const EXAMPLES = `
Examples:
  postern serve                                    run the server here, in the foreground
  postern test --from jira@example.com --to you@example.com
  postern status                                   is all well?
  postern queue list --deferred                    what waits, and what the relay said
  postern trace you@example.com                    what became of the last mail to that address

Exit codes: 0 all right, 1 failed, 2 wrong usage, 3 no server is running, 4 refused or not found,
5 not finished in time. docs/cli.md says more.`

/** In the help of the whole program. */
const GROUPS: readonly (readonly [heading: string, names: readonly string[]])[] = [
  ['The server:', ['serve', 'status', 'doctor', 'reload', 'backup']],
  ['Mail:', ['test', 'queue', 'captured', 'trace', 'log', 'route', 'rewrite']],
  ['Set-up:', ['init', 'config', 'dkim']],
]

/** Commands that do without the configuration's schema. */
const LIGHT = new Set(['serve', 'status', 'queue', 'captured', 'trace', 'log', 'test', 'route', 'rewrite', 'reload', 'backup', 'doctor'])

export async function buildProgram(context: CliContext, argv: readonly string[]): Promise<Command> {
  const program = new Command('postern')
  program
    .description('The outgoing mail agent for the servers you run.')
    .version(readVersion(), '-V, --version', 'print the version')
    .option('--socket <path>', 'admin socket of the running server (default: as the configuration says)')
    .option('--config <path>', 'configuration file (default: ./postern.yaml, else /etc/postern/postern.yaml)')
    .option('--json', 'answer in JSON')
    .helpOption('-h, --help', 'explain a command')
    .commandsGroup('Else:')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', EXAMPLES)
    .configureHelp({
      showGlobalOptions: true,
      visibleCommands: (command) => new Help().visibleCommands(command).filter((one) => command === program || one.name() !== 'help'),
      // Those of a group, such as of `log`, are not for the commands in it.
      visibleGlobalOptions: (command) => (command === program ? [] : [...program.options]),
      subcommandDescription: (command) => asSentence(command.summary() || command.description()),
      commandDescription: (command) => asSentence(command.description()),
    })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.stdout.write(asTyped(context, text)),
      // Only the help of a group that was called without a command.
      writeErr: (text) => (argv.includes('--json') ? true : context.stderr.write(asTyped(context, text))),
      // `main` says it, like every other error.
      outputError: () => undefined,
      getOutHelpWidth: () => context.columns,
      getErrHelpWidth: () => context.columns,
      getOutHasColors: () => context.colour,
      getErrHasColors: () => context.colour,
    })
  registerServe(program, context)
  registerStatus(program, context)
  registerDoctor(program, context)
  registerServer(program, context)
  registerTest(program, context)
  registerQueue(program, context)
  registerCaptured(program, context)
  registerTrace(program, context)
  registerLog(program, context)
  registerRoute(program, context)
  registerRewrite(program, context)
  if (!isLight(argv)) await registerHeavy(program, context)
  registerCompletion(program, context)
  for (const [heading, names] of GROUPS) for (const command of program.commands) if (names.includes(command.name())) command.helpGroup(heading)
  return program
}

async function registerHeavy(program: Command, context: CliContext): Promise<void> {
  const [{ registerConfigCommands }, { registerInit }, { registerDkim }] = await Promise.all([import('./config.ts'), import('./init.ts'), import('./dkim.ts')])
  registerInit(program, context)
  registerConfigCommands(program, context)
  registerDkim(program, context)
}

/** The first word that is no option, nor the value of one before the command. */
function isLight(argv: readonly string[]): boolean {
  const word = argv.find((text, i) => !text.startsWith('-') && argv[i - 1] !== '--socket' && argv[i - 1] !== '--config')
  return word === undefined ? argv.includes('--version') || argv.includes('-V') : LIGHT.has(word)
}

/** Groups are written by several hands; in one list they look alike. */
function asSentence(text: string): string {
  return text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.$/, '')}.`
}
