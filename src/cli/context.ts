/**
 * What a command knows of the outside: streams, environment, clock, terminal, exit code.
 *
 * Commands take it as an argument and touch nothing else of the running program, so that a test
 * runs them in-process. The real one is made in `cli/real-context.ts`. Also here: the exit codes
 * (documented in `docs/cli.md`) and the one error that commands throw at people.
 */
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '../core/clock.ts'

/** The same for every command; `docs/cli.md` explains them. */
export const EXIT = {
  ok: 0,
  /** It was done or asked, and the answer is no: undelivered, invalid, something is wrong. */
  failed: 1,
  /** Wrong arguments, or a question that needs a terminal or `--yes`. */
  usage: 2,
  /** No running server answers on the socket. */
  notRunning: 3,
  /** The server refused, or there is no such message. */
  refused: 4,
  /** Not finished within the time given. */
  waiting: 5,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

export interface CliContext {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** Somebody sits at both ends: questions may be asked. */
  readonly isTerminal: boolean
  /** stdout is a terminal: tables are fitted and coloured. */
  readonly outputIsTerminal: boolean
  /** Width of the terminal, 80 if unknown. */
  readonly columns: number
  /** Colours are wanted on stdout: a terminal, and no NO_COLOR. */
  readonly colour: boolean
  readonly clock: Clock
  /** Aborted by Ctrl-C, SIGTERM, or when nobody reads our output any more. */
  readonly interrupted: AbortSignal
  setExitCode(code: ExitCode): void
}

/** Ends a command with a sentence for people, what to do about it, and an exit code. */
export class CliError extends Error {
  readonly exitCode: ExitCode
  /** What to do; null: nothing to add. */
  readonly hint: string | null
  /** Stable name for `--json`, as in the admin API's catalogue. */
  readonly code: string

  constructor(exitCode: ExitCode, message: string, options: { readonly hint?: string; readonly code?: string; readonly cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'CliError'
    this.exitCode = exitCode
    this.hint = options.hint ?? null
    this.code = options.code ?? 'failed'
  }
}

/** How the command is called here. npm sets its variable for `npx postern` and `npm start`: then there is no `postern` on the path. */
export function commandName({ env }: Pick<CliContext, 'env'>): string {
  return env.npm_command === undefined ? 'postern' : 'npx postern'
}

/** A sentence of ours, with the commands in it as they must be typed here. Never for foreign text. */
export function asTyped(context: Pick<CliContext, 'env'>, sentence: string): string {
  return sentence.replace(/(?<=^|[\s`])(?<!npx )postern (?=[a-z])/g, `${commandName(context)} `)
}

/** Writes one line to stdout. The text must be ours or escaped: see `cli/escape.ts`. */
export function print(context: CliContext, line: string): void {
  context.stdout.write(`${line}\n`)
}

/** Writes one line to stderr: remarks that must not mix with what a script reads. */
export function remark(context: CliContext, line: string): void {
  context.stderr.write(`${line}\n`)
}
