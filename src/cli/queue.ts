/**
 * `postern queue`: the commands, their options and help. What they do is in `queue-list`,
 * `queue-show`, `queue-acts` and `queue-export`.
 */
import { Argument, type Command, Option } from 'commander'
import type { QueueId } from '../core/brand.ts'
import type { CliContext } from './context.ts'
import { addFilterOptions, collectIds, parseIdArgument, parseLimit } from './filters.ts'
import type { ActOptions } from './queue-acts.ts'
import type { ExportOptions } from './queue-export.ts'
import type { ListOptions } from './queue-list.ts'
import type { ShowOptions } from './queue-show.ts'
import type { GlobalOptions } from './socket-path.ts'

const IDS = 'queue ids; or filters instead'

export function registerQueue(program: Command, context: CliContext): void {
  const queue = program.command('queue').description('Look at the queue and change it.')
  registerList(queue, context)
  registerShow(queue, context)
  registerFlush(queue, context)
  registerActs(queue, context)
  registerExport(queue, context)
}

function registerList(queue: Command, context: CliContext): void {
  const list = queue.command('list').description('List recipients that wait, oldest first; with --state also finished ones.')
  addFilterOptions(list)
    .addOption(new Option('--limit <number>', 'at most this many, or all').argParser(parseLimit).default(100))
    .option('--after <cursor>', 'go on after an earlier page, which names its cursor')
    .option('--csv', 'as a CSV file with a heading')
    .addHelpText(
      'after',
      '\nExamples:\n  postern queue list --deferred --relay google\n  postern queue list --state failed --newer-than 1d --json\n  postern queue list --sender "*@jira.example.com" --limit all',
    )
    .action(async (options: ListOptions, command: Command) => {
      const { listQueue } = await import('./queue-list.ts')
      await listQueue(context, globalsOf(command), options)
    })
}

function registerShow(queue: Command, context: CliContext): void {
  queue
    .command('show')
    .description('Show one message: envelope, header, recipients.')
    .addArgument(new Argument('<id>', 'queue id').argParser(parseIdArgument))
    .option('--content', 'print the message itself, as it is sent')
    .addHelpText('after', '\nExamples:\n  postern queue show 07M8QW4T3ZK\n  postern queue show 07M8QW4T3ZK --content > message.eml')
    .action(async (id: QueueId, options: ShowOptions, command: Command) => {
      const { showMessage } = await import('./queue-show.ts')
      await showMessage(context, globalsOf(command), { id, ...options })
    })
}

function registerFlush(queue: Command, context: CliContext): void {
  queue
    .command('flush')
    .description('Try everything that waits now, and open suspended lanes.')
    .option('--relay <name>', 'only this relay or lane')
    .addHelpText('after', '\nExamples:\n  postern queue flush\n  postern queue flush --relay google')
    .action(async (options: { readonly relay?: string }, command: Command) => {
      const { flushQueue } = await import('./queue-acts.ts')
      await flushQueue(context, globalsOf(command), options.relay ?? null)
    })
}

const ACT_COMMANDS = [
  { name: 'hold', act: 'hold', description: 'Keep mail from being sent until it is released.', example: '--sender "*@crm.example.com"' },
  { name: 'release', act: 'resume', description: 'Let held mail be sent.', example: '--all' },
  { name: 'retry', act: 'retry', description: 'Try mail now instead of at its time.', example: '--reply "mailbox full"' },
  { name: 'delete', act: 'cancel', description: 'Take mail out of the queue for good; nobody is told.', example: '--deferred --older-than 2d' },
] as const

function registerActs(queue: Command, context: CliContext): void {
  for (const { name, act, description, example } of ACT_COMMANDS) {
    const command = queue.command(name).description(description).addArgument(new Argument('[ids...]', IDS).argParser(collectIds))
    addFilterOptions(command)
      .option('--all', 'everything that this can be done to')
      .option('--yes', 'go on without being asked')
      .addHelpText(
        'after',
        `\nExamples:\n  postern queue ${name} 07M8QW4T3ZK\n  postern queue ${name} ${example}\n\nWith a filter it says first how many messages that are, and asks.`,
      )
      .action(async (ids: readonly QueueId[] | undefined, options: ActOptions, command: Command) => {
        const { actOnQueue } = await import('./queue-acts.ts')
        await actOnQueue(context, globalsOf(command), { act, ids: ids ?? [], options })
      })
  }
}

function registerExport(queue: Command, context: CliContext): void {
  const command = queue
    .command('export')
    .description('Write messages to files: one to a file, several to a folder as ID.eml.')
    .argument('<path>', 'a new file for one message, or a folder')
    .addArgument(new Argument('[ids...]', IDS).argParser(collectIds))
  addFilterOptions(command)
    .option('--all', 'everything in the queue')
    .addHelpText(
      'after',
      '\nExamples:\n  postern queue export message.eml 07M8QW4T3ZK\n  postern queue export backup-folder --state held\n\nFiles are readable by you alone; nothing is overwritten.',
    )
    .action(async (path: string, ids: readonly QueueId[] | undefined, options: ExportOptions, command: Command) => {
      const { exportMessages } = await import('./queue-export.ts')
      await exportMessages(context, globalsOf(command), { path, ids: ids ?? [], options })
    })
}

function globalsOf(command: Command): GlobalOptions {
  return command.optsWithGlobals<GlobalOptions>()
}
