/**
 * `postern config hash-password`: reads a password, prints the hash that `users:` wants.
 *
 * The password comes from a prompt or from standard input, never from an argument: arguments can
 * be read by every user of the machine.
 */
import { password as askPassword, isCancel } from '@clack/prompts'
import type { Command } from 'commander'
import { hashPassword } from '../app/settings-intake.ts'
import { type CliContext, CliError, EXIT, print } from './context.ts'
import { toJson } from './escape.ts'

const PASSWORD_OCTETS_MAX = 1024

export function registerHashPassword(config: Command, context: CliContext): void {
  const command = config.command('hash-password').description('read a password (prompt or standard input) and print its hash for users')
  command.addHelpText('after', '\nExamples:\n  postern config hash-password\n  postern config hash-password < FILE')
  command.action(async () => {
    const { json } = command.optsWithGlobals<{ readonly json?: boolean }>()
    const hash = await hashPassword(await readPassword(context, 'Password'))
    print(context, json === true ? toJson({ passwordHash: hash }) : hash)
  })
}

/** Throws `CliError` if there is none, or somebody thought better of it. */
export async function readPassword(context: CliContext, question: string): Promise<string> {
  const answer = context.isTerminal ? await ask(context, question) : await readLine(context)
  if (answer === '' || /[\0\r\n]/.test(answer))
    throw new CliError(EXIT.usage, 'a password of one line is needed', { code: 'no-password', hint: 'For example: postern config hash-password < FILE' })
  return answer
}

async function ask(context: CliContext, question: string): Promise<string> {
  const options = { input: context.stdin, output: context.stderr, signal: context.interrupted }
  const answer = await askPassword({ message: question, ...options })
  if (isCancel(answer) || answer === undefined) throw new CliError(EXIT.usage, 'given up', { code: 'cancelled' })
  return answer
}

async function readLine(context: CliContext): Promise<string> {
  let text = ''
  for await (const chunk of context.stdin) {
    text += String(chunk)
    if (text.length > PASSWORD_OCTETS_MAX)
      throw new CliError(EXIT.usage, `the password has more than ${PASSWORD_OCTETS_MAX} characters`, { code: 'no-password' })
  }
  return text.replace(/\r?\n$/, '')
}
