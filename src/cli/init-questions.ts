/**
 * The questions of `postern init` on a terminal, in the words of Debian's Postfix package.
 *
 * An interface, so that tests answer them; the real one asks with clack, on stderr.
 */
import { confirm, isCancel, password, select, text } from '@clack/prompts'
import { type CliContext, CliError, EXIT } from './context.ts'

export interface Choice<Value> {
  readonly value: Value
  readonly label: string
  readonly hint?: string
}
export interface InitQuestions {
  choose<Value extends string>(message: string, choices: readonly Choice<Value>[]): Promise<Value>
  /** `check` answers what is wrong, or null. */
  ask(message: string, initial: string, check: (answer: string) => string | null): Promise<string>
  secret(message: string): Promise<string>
  confirm(message: string): Promise<boolean>
}

export function terminalQuestions(context: CliContext): InitQuestions {
  const streams = { input: context.stdin, output: context.stderr, signal: context.interrupted }
  const answered = <Value>(answer: Value): Exclude<Value, symbol | undefined> => {
    if (isCancel(answer) || answer === undefined) throw new CliError(EXIT.usage, 'given up; nothing was written', { code: 'cancelled' })
    return answer as Exclude<Value, symbol | undefined>
  }
  return {
    async choose(message, choices) {
      const options = choices.map(({ value, label, hint }) => (hint === undefined ? { value, label } : { value, label, hint }))
      // The library's type of an option depends on the kind of its value; ours is always text.
      return answered(await select<string>({ message, options, ...streams })) as (typeof choices)[number]['value']
    },
    async ask(message, initial, check) {
      return answered(await text({ message, initialValue: initial, validate: (answer) => check((answer ?? '').trim()) ?? undefined, ...streams })).trim()
    },
    async secret(message) {
      return answered(await password({ message, ...streams }))
    },
    async confirm(message) {
      return answered(await confirm({ message, initialValue: false, ...streams }))
    },
  }
}
