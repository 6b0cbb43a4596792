/**
 * Small commands to the running server: `route explain`, `reload`, `backup`.
 */
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { BackupAnswer, ReloadResult, RewriteExplanation, RouteExplanation } from '../admin/api-types.ts'
import { type CliContext, EXIT, print } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { counted, paint, size } from './format.ts'
import { describeRewriting } from './rewrite.ts'
import type { GlobalOptions } from './socket-path.ts'

interface RouteOptions {
  readonly header?: readonly string[]
  readonly submitter?: string
}

export function registerServer(program: Command, context: CliContext): void {
  registerReload(program, context)
  registerBackup(program, context)
}

export function registerRoute(program: Command, context: CliContext): void {
  program
    .command('route')
    .description('Ask which way mail goes.')
    .command('explain')
    .description('Say which rule decides for a mail, and why those before it do not.')
    .argument('<from>', 'sender; <> for none')
    .argument('<to>', 'recipient')
    .addOption(new Option('--header <field>', 'a header field of the mail, `Name: value`; may be given again').argParser(collectHeader))
    .option('--submitter <name>', 'who hands it in: login:jira')
    .addHelpText(
      'after',
      '\nExamples:\n  postern route explain jira@example.com you@example.org\n  postern route explain app@example.com you@example.org --header "Precedence: bulk"',
    )
    .action(async (from: string, to: string, options: RouteOptions, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      const client = await connect(context, globals)
      const answer = await client.get<RouteExplanation>('/v1/route', { from, to, header: options.header, submitter: options.submitter })
      if (globals.json === true) print(context, toJson(answer, 2))
      else for (const line of describeRoute(context, answer)) print(context, line)
    })
}

function describeRoute(context: CliContext, explanation: RouteExplanation): readonly string[] {
  const { from, to, steps, decision, lane, credential, hosts, closed = [], tlsDemand, obstacle, rewriting, others = [] } = explanation
  return [
    ...(rewriting === undefined || !changes(rewriting) ? [] : [...describeRewriting(context, rewriting), '']),
    `From ${escapeText(from === '' ? '<>' : from)} to ${escapeText(to)}`,
    ...steps.map(
      ({ rule, matched, why }) =>
        `  ${matched ? paint(context, 'green', 'yes') : paint(context, 'dim', 'no ')}  ${escapeText(rule)}${why === '' ? '' : `: ${escapeText(why)}`}`,
    ),
    `${paint(context, 'bold', 'Decision:')} ${escapeText(decision)}`,
    `Lane ${escapeText(lane)}${credential === null ? '' : `, credential ${escapeText(credential)}`}`,
    ...(tlsDemand === undefined ? [] : [`TLS for this mail: ${describeDemand(tlsDemand)}`]),
    ...(hosts === null ? [] : ['Servers, in the order to try:', ...hosts.map(describeHost)]),
    ...(closed.length === 0 ? [] : ['Servers that are not used for this domain:', ...closed.map(describeClosed)]),
    ...(obstacle === null ? [] : [`${paint(context, 'yellow', 'No server:')} ${escapeText(obstacle)}`]),
    ...others.flatMap((other) => ['', ...describeRoute(context, other)]),
  ]
}

/** Addresses that stay as they are need no words. */
function changes({ recipient, refusal, sender }: RewriteExplanation): boolean {
  return recipient.kind !== 'mailbox' || refusal !== null || sender.length > 0
}

function describeHost({ name, preference, addresses, tls }: NonNullable<RouteExplanation['hosts']>[number]): string {
  return `  ${String(preference).padStart(5)}  ${escapeText(name)}  ${addresses.map(escapeText).join(', ')}  TLS: ${tls}`
}

function describeClosed({ name, preference, reason }: NonNullable<RouteExplanation['closed']>[number]): string {
  return `  ${String(preference).padStart(5)}  ${escapeText(name)}  ${escapeText(reason)}`
}

function describeDemand(demand: NonNullable<RouteExplanation['tlsDemand']>): string {
  return demand === 'relaxed' ? 'no policy counts (TLS-Required: No)' : `${demand} at least (tlsPolicy.require)`
}

function registerReload(program: Command, context: CliContext): void {
  program
    .command('reload')
    .description('Let the server read its configuration again: all of it, or nothing if something is wrong.')
    .addHelpText('after', '\nExamples:\n  postern reload\n  postern config check && postern reload')
    .action(async (_options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      const client = await connect(context, globals)
      const answer = await client.post<ReloadResult>('/v1/reload', {})
      if (globals.json === true) {
        print(context, toJson(answer, 2))
        return
      }
      print(context, whatChanged(answer))
      if (answer.needsRestart.length > 0)
        print(context, paint(context, 'yellow', `Takes effect after a restart only: ${answer.needsRestart.map(escapeText).join(', ')}`))
      for (const warning of answer.warnings) print(context, `warning: ${escapeText(warning)}`)
    })
}

function whatChanged({ changed, configFile }: ReloadResult): string {
  if (changed.length > 0) return `Changed: ${changed.map(escapeText).join(', ')}`
  if (configFile === null) return 'There is no configuration file: the built-in defaults stay in force.'
  return `Read ${escapeText(configFile)} again: nothing in it has changed.`
}

function registerBackup(program: Command, context: CliContext): void {
  program
    .command('backup')
    .description('Write a consistent copy of the whole queue to a new file while the server runs.')
    .argument('<file>', 'must not exist yet; written by the server, with its rights')
    .addHelpText(
      'after',
      '\nExamples:\n  postern backup /var/backups/postern-monday.db\n\nTo restore: stop the server, put the file into an empty data folder under the name queue.db, start again.\nNever beside a queue.db-wal that is there: what that log holds would be laid over the copy.',
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      const client = await connect(context, globals)
      const answer = await client.post<BackupAnswer>('/v1/backup', { path: resolve(context.cwd, file) })
      if (globals.json === true) print(context, toJson(answer, 2))
      else print(context, `${counted(answer.messages, 'message')} copied to ${escapeText(answer.path)}, ${size(answer.octets)}.`)
      context.setExitCode(EXIT.ok)
    })
}

async function connect(context: CliContext, globals: GlobalOptions) {
  const { connectClient } = await import('./client.ts')
  return connectClient(context, globals)
}

function collectHeader(text: string, before: readonly string[] | undefined): readonly string[] {
  if (!/^[\x21-\x39\x3b-\x7e]+:/.test(text)) throw new InvalidArgumentError('A header field is written as `Name: value`.')
  return [...(before ?? []), text]
}
