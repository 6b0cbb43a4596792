/**
 * `postern completion`: completion scripts for bash, zsh and fish, made from the command tree.
 *
 * The scripts hold all words, so that a Tab never starts the program.
 */
import { Argument, type Command, Option } from 'commander'
import { type CliContext, print } from './context.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof SHELLS)[number]

/** One place in the tree: `queue list` and the words that may follow it. */
interface Place {
  /** `postern queue list`. */
  readonly path: string
  /** Commands below it, and what its arguments may be. */
  readonly commands: readonly Word[]
  readonly options: readonly Word[]
}
interface Word {
  readonly word: string
  readonly meaning: string
}

export function registerCompletion(program: Command, context: CliContext): void {
  program
    .command('completion')
    .description('Print a completion script for your shell.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nExamples:\n  postern completion bash > /etc/bash_completion.d/postern\n  postern completion zsh > ~/.zfunc/_postern\n  postern completion fish > ~/.config/fish/completions/postern.fish',
    )
    .action((shell: Shell) => {
      print(context, completionScript(program, shell))
    })
}

export function completionScript(program: Command, shell: Shell): string {
  const places = placesOf(program, program.name(), optionsOf(program))
  const write = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell]
  return write(places)
}

/** Options of the program itself may stand anywhere. */
function placesOf(command: Command, path: string, everywhere: readonly Word[]): readonly Place[] {
  const commands = command.commands.map((one) => ({ word: one.name(), meaning: one.description() }))
  const own = command.parent === null ? [] : optionsOf(command)
  const choices = command.registeredArguments.flatMap(({ argChoices, description }) => (argChoices ?? []).map((word) => ({ word, meaning: description })))
  const place = { path, commands: [...commands, ...choices], options: [...own, ...everywhere] }
  return [place, ...command.commands.flatMap((one) => placesOf(one, `${path} ${one.name()}`, everywhere))]
}

function optionsOf(command: Command): readonly Word[] {
  const help = new Option('--help', 'explain a command')
  return [...command.options, ...(command.parent === null ? [help] : [])].map(({ long, short, description }) => ({
    word: long ?? short ?? '',
    meaning: description,
  }))
}

function wordsOf({ commands, options }: Place): string {
  return [...commands, ...options].map(({ word }) => word).join(' ')
}

/** Walks the words typed so far as long as they are commands, then offers what may follow there. */
function bashScript(places: readonly Place[]): string {
  const cases = places.map((place) => `    '${place.path}') words='${wordsOf(place)}' ;;`)
  const known = places.map(({ path }) => `'${path}'`).join('|')
  return `# bash completion for postern; made by: postern completion bash
_postern() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path=postern words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path \${COMP_WORDS[i]}" in
      ${known}) path="$path \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [ "\${#COMPREPLY[@]}" -eq 0 ] && compopt -o default 2>/dev/null
  return 0
}
complete -F _postern postern`
}

function zshScript(places: readonly Place[]): string {
  const described = (words: readonly Word[]): string => words.map(({ word, meaning }) => quoted(`${word.replaceAll(':', '\\:')}:${meaning}`)).join(' ')
  const known = places.map(({ path }) => `'${path}'`).join('|')
  const cases = places.map((place) => `    '${place.path}') entries=(${described([...place.commands, ...place.options])}) ;;`)
  return `#compdef postern
# zsh completion for postern; made by: postern completion zsh
_postern() {
  local at=postern i
  local -a entries
  for ((i = 2; i < CURRENT; i++)); do
    case "$at \${words[i]}" in
      ${known}) at="$at \${words[i]}" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  _describe 'postern' entries || _files
}
if [ "\${funcstack[1]}" = _postern ]; then _postern "$@"; else compdef _postern postern; fi`
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options }) => {
    const condition = `-n ${quoted(`test "$(__postern_at)" = "${path}"`)}`
    return [
      ...commands.map(({ word, meaning }) => `complete -c postern ${condition} -f -a ${word} -d ${quoted(meaning)}`),
      ...options
        .filter(({ word }) => word.startsWith('--'))
        .map(({ word, meaning }) => `complete -c postern ${condition} -l ${word.slice(2)} -d ${quoted(meaning)}`),
    ]
  })
  const known = places.map(({ path }) => `"${path}"`).join(' ')
  return `# fish completion for postern; made by: postern completion fish
function __postern_at
  set -l at postern
  for word in (commandline -opc)[2..-1]
    if contains -- "$at $word" ${known}
      set at "$at $word"
    end
  end
  echo $at
end
${lines.join('\n')}`
}

/** For a shell, in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '')}'`
}
