/**
 * `postern test`: its options. What it does is in `test-mail`.
 */
import { type Command, Option } from 'commander'
import type { CliContext } from './context.ts'
import { parseAge } from './filters.ts'
import type { GlobalOptions } from './socket-path.ts'
import type { TestOptions } from './test-mail.ts'

const TIMEOUT_DEFAULT_MS = 60_000

export function registerTest(program: Command, context: CliContext): void {
  program
    .command('test')
    .description('Send a test mail and follow it to its end, saying each step.')
    .requiredOption('--from <address>', 'sender; must be one that your relay, or the receivers, take')
    .requiredOption('--to <address>', 'recipient')
    .option('--subject <text>', 'subject', 'Test mail from Postern')
    .addOption(new Option('--timeout <duration>', 'follow it so long').argParser(parseAge).default(TIMEOUT_DEFAULT_MS, '1m'))
    .addHelpText(
      'after',
      '\nExamples:\n  postern test --from jira@example.com --to you@example.com\n\nEnds with 0 if it was delivered or captured, 1 if it failed, 5 if it still waits.',
    )
    .action(async (options: TestOptions, command: Command) => {
      const { sendTestMail } = await import('./test-mail.ts')
      await sendTestMail(context, command.optsWithGlobals<GlobalOptions>(), options)
    })
}
