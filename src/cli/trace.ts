/**
 * `postern trace`: what became of a message, and live SMTP dialogue. Names and options; the rest is
 * in `trace-story` and `trace-live`.
 */
import type { Command } from 'commander'
import { type CliContext, CliError, EXIT } from './context.ts'
import type { GlobalOptions } from './socket-path.ts'

interface TraceOptions {
  readonly live?: boolean
  readonly relay?: string
  readonly from?: string
  readonly to?: string
}

const EXAMPLES = `
Examples:
  postern trace 07M8QW4T3ZK               the whole story of one message
  postern trace you@example.com           the newest messages from or to an address, and the last one's story
  postern trace --live --relay google     the SMTP dialogue as it happens, without secrets; Ctrl-C ends it
  postern trace --live --relay mx         the same with the recipients' own servers`

export function registerTrace(program: Command, context: CliContext): void {
  program
    .command('trace')
    .description("Tell a message's story: every attempt, the replies word for word, why it waits.")
    .argument('[id-or-address]', 'queue id, or an address that sent or got mail')
    .option('--live', 'print SMTP dialogue as it happens')
    .option('--relay <name>', 'live: only with this relay or listener')
    .option('--from <address>', 'live: only of this sender; * stands for anything')
    .option('--to <address>', 'live: only for this recipient; * stands for anything')
    .addHelpText('after', EXAMPLES)
    .action(async (subject: string | undefined, options: TraceOptions, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>()
      if (options.live === true) {
        const { traceLive } = await import('./trace-live.ts')
        await traceLive(context, globals, { relay: options.relay ?? null, from: options.from ?? null, to: options.to ?? null, subject: subject ?? null })
        return
      }
      if (subject === undefined) throw new CliError(EXIT.usage, 'whose story?', { hint: 'Name a queue id or an address, or add --live.' })
      if ([options.relay, options.from, options.to].some((one) => one !== undefined))
        throw new CliError(EXIT.usage, '--relay, --from and --to go with --live only')
      const { traceStory } = await import('./trace-story.ts')
      await traceStory(context, globals, subject)
    })
}
