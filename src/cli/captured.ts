/**
 * `postern captured`: the mail that was kept instead of sent, newest last. A view of the queue and
 * its history for people who develop or stage; the same as `postern queue` with `--relay capture`.
 */
import { Argument, type Command, Option } from 'commander'
import type { QueueId } from '../core/brand.ts'
import type { CapturedOptions } from './captured-list.ts'
import type { CliContext } from './context.ts'
import { addFilterOptions, collectIds, parseIdArgument, parseLimit } from './filters.ts'
import type { ExportOptions } from './queue-export.ts'
import type { GlobalOptions } from './socket-path.ts'

export function registerCaptured(program: Command, context: CliContext): void {
  const captured = program.command('captured').description('Look at mail that was captured instead of sent.')
  captured
    .command('list')
    .description('List captured messages, newest last.')
    .option('--sender <address>', 'only from this address or part of one')
    .option('--recipient <address>', 'only to this address or part of one')
    .addOption(new Option('--limit <number>', 'the newest so many, or all').argParser(parseLimit).default(50))
    .addHelpText('after', '\nExamples:\n  postern captured list\n  postern captured list --recipient @customer.example --json')
    .action(async (options: CapturedOptions, command: Command) => {
      const { listCaptured } = await import('./captured-list.ts')
      await listCaptured(context, command.optsWithGlobals<GlobalOptions>(), options)
    })
  captured
    .command('show')
    .description('Print a captured message; without an id the newest one.')
    .addArgument(new Argument('[id]', 'queue id').argParser(parseIdArgument))
    .option('--facts', 'envelope and header facts instead of the message')
    .addHelpText('after', '\nExamples:\n  postern captured show\n  postern captured show 07M8QW4T3ZK > message.eml')
    .action(async (id: QueueId | undefined, options: { readonly facts?: boolean }, command: Command) => {
      const { showCaptured } = await import('./captured-list.ts')
      await showCaptured(context, command.optsWithGlobals<GlobalOptions>(), { id: id ?? null, facts: options.facts === true })
    })
  const exporting = captured
    .command('export')
    .description('Write captured messages to files: one to a file, several to a folder as ID.eml.')
    .argument('<path>', 'a new file for one message, or a folder')
    .addArgument(new Argument('[ids...]', 'queue ids; or filters instead').argParser(collectIds))
  addFilterOptions(exporting)
    .option('--all', 'everything that was captured')
    .addHelpText('after', '\nExamples:\n  postern captured export message.eml 07M8QW4T3ZK\n  postern captured export folder --newer-than 1h')
    .action(async (path: string, ids: readonly QueueId[] | undefined, options: ExportOptions, command: Command) => {
      const { exportMessages } = await import('./queue-export.ts')
      await exportMessages(context, command.optsWithGlobals<GlobalOptions>(), { path, ids: ids ?? [], options, within: { relay: 'capture' } })
    })
}
