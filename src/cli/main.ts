/**
 * The `postern` command: builds the command tree, runs one command, turns errors into sentences
 * and exit codes.
 *
 * Knows no command itself. A bug is told with its stack on stderr and exit code 1; everything
 * foreseen is a `CliError`.
 */
import { realpathSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Command, CommanderError } from 'commander'
import type { ErrorAnswer } from '../admin/api-types.ts'
import { asTyped, type CliContext, CliError, EXIT, remark } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { fileRefusal } from './file-refusal.ts'
import { paint } from './format.ts'
import { boundMemory } from './memory-bounds.ts'
import { buildProgram } from './program.ts'
import { createRealContext } from './real-context.ts'
import { commandMeant, usageSentence } from './usage-words.ts'

/** Runs one command to its end. `argv` is without the interpreter and the script. Never rejects. */
export async function main(argv: readonly string[], context: CliContext): Promise<void> {
  const wantsJson = argv.includes('--json')
  const program = await buildProgram(context, argv)
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    report(error instanceof CommanderError ? (asUsage(error, program, argv) ?? error) : error, context, wantsJson)
  }
}

/** Null: help was shown, because it was asked for or no command was given; the parser has done that itself. */
function asUsage({ code, exitCode, message }: CommanderError, program: Command, argv: readonly string[]): CliError | null {
  if (exitCode === 0 || code === 'commander.help') return null
  const hint = `Explained by: ${commandMeant(program, argv)} --help`
  return new CliError(EXIT.usage, escapeText(usageSentence(message)), { code: 'usage', hint })
}

function report(error: unknown, context: CliContext, wantsJson: boolean): void {
  if (error instanceof CommanderError) {
    context.setExitCode(error.exitCode === 0 ? EXIT.ok : EXIT.usage)
    if (wantsJson && error.exitCode !== 0) remark(context, toJson(NO_COMMAND))
    return
  }
  if (error instanceof CliError) {
    context.setExitCode(error.exitCode)
    const { code, message } = error
    const hint = error.hint === null ? null : asTyped(context, error.hint)
    if (wantsJson) remark(context, toJson({ error: { code, message, hint } }))
    else remark(context, `${paint(context, 'red', 'postern:')} ${message}${hint === null ? '' : `\n  ${hint}`}`)
    return
  }
  const refused = fileRefusal(error)
  if (refused !== null) {
    report(refused, context, wantsJson)
    return
  }
  context.setExitCode(EXIT.failed)
  remark(context, `postern: this is a bug, please report it:\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
}

const NO_COMMAND: ErrorAnswer = { error: { code: 'usage', message: 'no command was given', hint: 'Add --help for an explanation.' } }

function isStartedDirectly(): boolean {
  const started = process.argv[1]
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)
}

/** A server that could not start may have left sockets and threads open that would keep it alive. */
async function endIfFailed(): Promise<void> {
  if ((process.exitCode ?? 0) === EXIT.ok) return
  await Promise.all([process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))))
  process.exit()
}

if (isStartedDirectly()) {
  if (process.argv.includes('serve')) boundMemory()
  await main(process.argv.slice(2), createRealContext())
  await endIfFailed()
}
