/**
 * Asks before something is done to many messages, and refuses where nobody can answer.
 */
import { createInterface } from 'node:readline/promises'
import { type CliContext, CliError, EXIT } from './context.ts'

/**
 * True to go on after `consequence`, one or two sentences. Without a terminal and without `--yes` it throws: a script that would change many
 * messages must say so.
 */
export async function confirm(context: CliContext, consequence: string, yes: boolean): Promise<boolean> {
  if (yes) return true
  if (!context.isTerminal) {
    throw new CliError(EXIT.usage, `${consequence} Nobody can be asked here, so nothing was changed.`, {
      code: 'not-confirmed',
      hint: 'Add --yes to go on without being asked.',
    })
  }
  const lines = createInterface({ input: context.stdin, output: context.stdout })
  try {
    // An end of input (Ctrl-D) or Ctrl-C is no yes; `question` alone would wait for ever.
    const gone = new Promise<string>((resolve) => lines.once('close', () => resolve('')))
    const answer = await Promise.race([lines.question(`${consequence} Go on? [y/N] `), gone])
    return /^\s*y(es)?\s*$/i.test(answer)
  } finally {
    lines.close()
  }
}
