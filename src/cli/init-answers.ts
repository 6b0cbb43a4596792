/**
 * Gathers the answers of `postern init`: from flags first, then by asking, else from defaults.
 *
 * Decides nothing about the file; what is missing and cannot be asked is a usage error that names
 * the flag.
 */

import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { quote } from '../app/config-errors.ts'
import { isLoopback, parseListener, parseNetwork, parseRelayHost } from '../app/config-values.ts'
import { INIT_TYPES, type InitType } from '../app/init-file.ts'
import { whyUnreadable } from '../core/file-words.ts'
import { type CliContext, CliError, EXIT } from './context.ts'
import { escapeText } from './escape.ts'
import { readPassword } from './hash-password.ts'
import type { InitQuestions } from './init-questions.ts'

export interface InitFlags {
  readonly type?: string
  readonly hostname?: string
  readonly relay?: string
  readonly username?: string
  readonly passwordFile?: string
  readonly tls?: string
  readonly listen?: readonly string[]
  readonly networks?: readonly string[]
  readonly data?: string
  readonly root?: string
}
export interface Asking {
  readonly context: CliContext
  readonly questions: InitQuestions
  readonly flags: InitFlags
  /** For a server of the whole machine, as root: the ports and folders of the system. */
  readonly forSystem: boolean
}
export interface GatheredRelay {
  readonly host: string
  readonly tls: Level
  readonly login: { readonly username: string; readonly password: string } | null
  readonly allowPlaintext: boolean
}
export type Level = 'none' | 'may' | 'encrypt' | 'verify'

const TYPES: Readonly<Record<InitType, readonly [label: string, hint: string]>> = {
  smarthost: ['Internet with smarthost', 'mail goes out through a provider or relay, with login'],
  satellite: ['Satellite system', 'all mail goes to the relay of the company, which knows this machine'],
  internet: ['Internet site', "mail goes straight to the recipients' servers"],
  local: ['Local only', 'nothing leaves this machine; mail is kept and can be read'],
  none: ['No configuration', 'write nothing'],
}

export async function gatherType({ context, questions, flags }: Asking): Promise<InitType> {
  if (flags.type !== undefined) return oneOf('--type', flags.type, INIT_TYPES)
  if (!context.isTerminal) throw missing('--type', `One of ${INIT_TYPES.join(', ')}.`)
  return questions.choose(
    'What is Postern to do on this machine?',
    (Object.keys(TYPES) as InitType[]).map((value) => ({ value, label: TYPES[value][0], hint: TYPES[value][1] })),
  )
}

export async function gatherHostname(asking: Asking): Promise<string> {
  const check = (name: string): string | null =>
    /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name) ? null : 'A host name has letters, digits, - and dots.'
  return answer(asking, {
    flag: '--hostname',
    given: asking.flags.hostname,
    message: 'System mail name: the full name of this machine',
    initial: hostname(),
    check,
  })
}

export async function gatherListen(asking: Asking): Promise<readonly string[]> {
  const standard = asking.forSystem ? ['smtp://127.0.0.1:25', 'smtp://[::1]:25'] : ['smtp://127.0.0.1:2525']
  return many(asking, { flag: '--listen', given: asking.flags.listen, message: 'Listen on', initial: standard, check: faultIn(parseListener) })
}

/** Asked only where somebody outside can reach a listener. */
export async function gatherNetworks(asking: Asking, listen: readonly string[]): Promise<readonly string[]> {
  const outside = listen.some((url) => {
    const result = parseListener(url)
    return 'value' in result && !isLoopback(result.value.host)
  })
  if (!outside && asking.flags.networks === undefined) return []
  return many(asking, {
    flag: '--networks',
    given: asking.flags.networks,
    message: 'Networks that may hand mail in, beside this machine',
    initial: [],
    check: faultIn(parseNetwork),
  })
}

/** `withLogin`: a satellite's relay knows it by its address. */
export async function gatherRelay(asking: Asking, withLogin: boolean): Promise<GatheredRelay> {
  const { context, questions, flags } = asking
  const written = await answer(asking, {
    flag: '--relay',
    given: flags.relay,
    message: 'Relay, with port',
    initial: '',
    check: faultIn(parseRelayHost),
    example: 'smtp.example.com:587',
  })
  const username = flags.username ?? (withLogin && context.isTerminal ? await questions.ask('Login name (empty: no login)', '', () => null) : '')
  const host = hasPort(written) ? written : `${written}:${username === '' ? 25 : 587}`
  const tls = await gatherTls(asking, username === '' ? 'may' : 'verify')
  if (username === '') return { host, tls, login: null, allowPlaintext: false }
  const parsed = parseRelayHost(host)
  const onThisMachine = 'value' in parsed && isLoopback(parsed.value.host)
  if (tls === 'none' && !onThisMachine)
    throw new CliError(EXIT.usage, 'a password is not sent without TLS', { hint: 'Choose --tls verify, or a relay on this machine.' })
  return { host, tls, login: { username, password: await gatherPassword(asking, username) }, allowPlaintext: tls === 'none' }
}

async function gatherTls({ context, questions, flags }: Asking, standard: Level): Promise<Level> {
  const levels = ['verify', 'encrypt', 'may', 'none'] as const
  if (flags.tls !== undefined) return oneOf('--tls', flags.tls, levels)
  if (!context.isTerminal) return standard
  const hints = {
    verify: 'TLS with the right certificate, or the mail waits',
    encrypt: 'TLS with any certificate, or the mail waits',
    may: 'TLS if the relay offers it',
    none: 'no TLS',
  }
  const ordered = [standard, ...levels.filter((level) => level !== standard)]
  return questions.choose(
    'TLS to the relay',
    ordered.map((value) => ({ value, label: value, hint: hints[value] })),
  )
}

async function gatherPassword({ context, questions, flags }: Asking, username: string): Promise<string> {
  if (flags.passwordFile === '-') return readPassword({ ...context, isTerminal: false }, '')
  if (flags.passwordFile === undefined) {
    if (!context.isTerminal)
      throw missing(
        '--password-file',
        'A file that holds the password, or - for standard input. Passwords are not taken as arguments: every user of the machine could see them.',
      )
    return oneLine(await questions.secret(`Password of ${username}`))
  }
  const path = resolve(context.cwd, flags.passwordFile)
  try {
    return oneLine(readFileSync(path, 'utf8').replace(/\r?\n$/, ''))
  } catch (fault) {
    if (fault instanceof CliError) throw fault
    throw new CliError(EXIT.usage, `the password file ${escapeText(path)} cannot be read: ${whyUnreadable(fault)}`, {
      code: 'no-password',
      hint: 'Write the password into it as one line, or be asked for it: leave --password-file out, on a terminal.',
      cause: fault,
    })
  }
}
function oneLine(password: string): string {
  if (password === '' || /[\0\r\n]/.test(password)) throw new CliError(EXIT.usage, 'the password must be one line, and not empty', { code: 'no-password' })
  return password
}

interface Question<Value> {
  readonly flag: string
  readonly given: Value | undefined
  readonly message: string
  readonly initial: Value
  readonly check: (answer: string) => string | null
  readonly example?: string
}

async function answer({ context, questions }: Asking, question: Question<string>): Promise<string> {
  const { flag, given, message, initial, check, example } = question
  if (given === undefined && context.isTerminal) return questions.ask(example === undefined ? message : `${message}, for example ${example}`, initial, check)
  const value = given ?? initial
  if (given === undefined && initial === '') throw missing(flag, example === undefined ? message : `For example ${flag} ${example}.`)
  const fault = check(value)
  if (fault !== null) throw new CliError(EXIT.usage, `${flag}: ${fault}`, { code: 'bad-answer' })
  return value
}

async function many(asking: Asking, question: Question<readonly string[]>): Promise<readonly string[]> {
  const split = (text: string): string[] => text.split(/[\s,]+/).filter((part) => part !== '')
  const check = (text: string): string | null =>
    split(text)
      .map(question.check)
      .find((fault) => fault !== null) ?? null
  const given = question.given?.join(' ')
  if (given === undefined && !asking.context.isTerminal) return question.initial
  return split(await answer(asking, { ...question, given, initial: question.initial.join(', '), check }))
}

function faultIn(
  parse: (text: string) => { readonly value: unknown } | { readonly fault: { readonly message: string; readonly allowed?: string } },
): (text: string) => string | null {
  return (text) => {
    const result = parse(text)
    return 'value' in result ? null : `${result.fault.message}${result.fault.allowed === undefined ? '' : `; ${result.fault.allowed}`}`
  }
}
function hasPort(host: string): boolean {
  return /(?:^|\]|[^:]):[a-z0-9]+$/.test(host)
}
function oneOf<Value extends string>(flag: string, given: string, choices: readonly Value[]): Value {
  const found = choices.find((choice) => choice === given)
  if (found === undefined) throw new CliError(EXIT.usage, `${flag} ${quote(given)} is not allowed; one of ${choices.join(', ')}`, { code: 'bad-answer' })
  return found
}
function missing(flag: string, hint: string): CliError {
  return new CliError(EXIT.usage, `${flag} is missing, and nobody can be asked here`, { code: 'missing-answer', hint })
}
