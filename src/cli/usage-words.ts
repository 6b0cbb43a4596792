/**
 * What was wrong with a command line, in the words of this program instead of those of its parser.
 */
import type { Command } from 'commander'

/** By the beginning of the parser's message; `$1` and so on are what it quotes. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^command-argument value '(.*)' is invalid for argument '(\S+)'\. /s, "<$2> cannot be '$1'. "],
  [/^option '(?:-\w, )?(--\S+)[^']*' argument '(.*)' is invalid\. /s, "$1 cannot be '$2'. "],
  [/^option '(?:-\w, )?(--\S+)( [^']*)' argument missing$/, '$1 needs a value: $1$2'],
  [/^required option '(--[^']+)' not specified$/, '$1 is missing'],
  [/^missing required argument '(\S+)'$/, '<$1> is missing'],
]

/** One line, but for what the user gave. */
export function usageSentence(message: string): string {
  const text = message.replace(/^error: /, '').replace(/\n\(Did you mean (.+)\?\)$/s, '. Did you mean $1?')
  const match = WORDS.find(([pattern]) => pattern.test(text))
  return match === undefined ? text : text.replace(...match)
}

/** The command that was meant as far as it can be known, such as `postern queue list`: its help says more. */
export function commandMeant(program: Command, argv: readonly string[]): string {
  const names = [program.name()]
  let command = program
  for (const word of argv) {
    const below = command.commands.find((one) => one.name() === word)
    if (below === undefined) continue
    names.push(word)
    command = below
  }
  return names.join(' ')
}
