/**
 * Runs `postern init` in-process, with answers to its questions by a part of their text.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { Command } from 'commander'
import { expect } from 'vitest'
import { loadConfig } from '../../src/app/config.ts'
import type { SystemUser } from '../../src/app/privileges.ts'
import { type CliContext, CliError } from '../../src/cli/context.ts'
import { registerInit } from '../../src/cli/init.ts'
import type { InitQuestions } from '../../src/cli/init-questions.ts'
import { createFakeClock } from '../support/fake-clock.ts'

export interface Ran {
  readonly stdout: string
  readonly fault: CliError | null
}
const findUser = (name: string): SystemUser | null => USERS.find((user) => user.name === name) ?? null
const USERS: readonly SystemUser[] = [
  { name: 'bob', uid: 1000, gid: 1000 },
  { name: 'root', uid: 0, gid: 0 },
  { name: 'nobody', uid: 65_534, gid: 65_534 },
]

/** Answers by a part of the question; an answer that is never asked for fails the test. */
export async function runInit(
  cwd: string,
  argv: readonly string[],
  answers: Readonly<Record<string, string>> | null = null,
  options: { readonly asRoot?: boolean; readonly input?: string; readonly env?: Readonly<Record<string, string>>; readonly aliases?: string } = {},
): Promise<Ran> {
  const chunks: string[] = []
  const stdout = new PassThrough()
  stdout.on('data', (chunk) => chunks.push(String(chunk)))
  const stdin = new PassThrough()
  stdin.end(options.input ?? '')
  const context: CliContext = {
    stdin,
    stdout,
    stderr: new PassThrough(),
    env: options.env ?? {},
    cwd,
    isTerminal: answers !== null,
    outputIsTerminal: false,
    columns: 80,
    colour: false,
    clock: createFakeClock(),
    interrupted: new AbortController().signal,
    setExitCode: () => undefined,
  }
  const left = new Map(Object.entries(answers ?? {}))
  const program = new Command('postern').option('--config <path>').option('--json').exitOverride()
  registerInit(program, context, { questions: scripted(left), asRoot: options.asRoot ?? false, aliasesFile: options.aliases ?? null, findUser })
  try {
    await program.parseAsync(['init', ...argv], { from: 'user' })
  } catch (fault) {
    if (!(fault instanceof CliError)) throw fault
    return { stdout: chunks.join(''), fault }
  }
  expect([...left.keys()]).toEqual([])
  return { stdout: chunks.join(''), fault: null }
}

function scripted(left: Map<string, string>): InitQuestions {
  const take = (message: string): string => {
    const key = [...left.keys()].find((part) => message.includes(part))
    if (key === undefined) throw new Error(`not expected: ${message}`)
    const answer = left.get(key) ?? ''
    left.delete(key)
    return answer
  }
  return {
    async choose(message, choices) {
      const answer = take(message)
      const found = choices.find(({ value }) => value === answer)
      if (found === undefined) throw new Error(`${answer} is no choice of: ${message}`)
      return found.value
    },
    async ask(message, initial, check) {
      const answer = take(message)
      const given = answer === '(enter)' ? initial : answer
      expect(check(given)).toBeNull()
      return given
    },
    secret: async (message) => take(message),
    confirm: async (message) => take(message) === 'yes',
  }
}

export const read = (cwd: string, name = 'postern.yaml'): string => readFileSync(join(cwd, name), 'utf8')
export const warningsOf = (cwd: string, explicitPath: string | null = null): readonly string[] =>
  loadConfig({ explicitPath, env: {}, cwd })
    .warnings.map(({ code }) => code)
    .filter((code) => code !== 'owner-differs')
