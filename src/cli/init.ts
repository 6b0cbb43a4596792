/**
 * `postern init`: asks what Debian's Postfix package asks, and writes a commented configuration.
 *
 * What is written passes `postern config check`, or nothing is written. Never overwrites without
 * `--force`; the password goes into a file of its own, mode 0600.
 */
import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { loadConfigText } from '../app/config.ts'
import { ConfigError, formatProblem } from '../app/config-errors.ts'
import { CONFIG_NAME, displayPath, SYSTEM_CONFIG_PATH } from '../app/config-locate.ts'
import { writeFileSafely } from '../app/config-write.ts'
import { composeConfigFile, INIT_RELAY, INIT_TYPES, type InitAnswers } from '../app/init-file.ts'
import { findUser, isRoot } from '../app/privileges.ts'
import { asTyped, type CliContext, CliError, commandName, EXIT, print } from './context.ts'
import { escapeText, toJson } from './escape.ts'
import { type Asking, type GatheredRelay, gatherHostname, gatherListen, gatherNetworks, gatherRelay, gatherType, type InitFlags } from './init-answers.ts'
import { type InitQuestions, terminalQuestions } from './init-questions.ts'
import { gatherLocal, type InitMachine } from './init-root.ts'

interface InitOptions extends InitFlags {
  readonly output?: string
  readonly config?: string
  readonly force?: boolean
  readonly json?: boolean
}
export interface InitSurroundings extends InitMachine {
  readonly questions: InitQuestions
  readonly asRoot: boolean
}

const EXAMPLES = `
Examples:
  postern init                                         asks
  postern init --type smarthost --relay smtp.example.com:587 --username app@example.com
  postern init --type satellite --relay mail.example.com --hostname app17.example.com
  postern init --type internet --hostname app.example.com

Types:
  internet    straight to the recipients' servers
  smarthost   through a relay, with login
  satellite   through a relay that knows this machine
  local       nothing leaves, all is kept
  none        writes nothing`

export function registerInit(program: Command, context: CliContext, surroundings?: InitSurroundings): void {
  const command = program
    .command('init')
    .description('ask a few questions and write a configuration file')
    .option('--type <type>', `what for: ${INIT_TYPES.join(', ')}`)
    .option('--hostname <name>', 'full name of this machine')
    .option('--relay <host:port>', 'the smarthost')
    .option('--username <name>', 'login at the smarthost')
    .option('--password-file <path>', 'file that holds the password, - for standard input')
    .option('--tls <level>', 'none, may, encrypt or verify')
    .option('--listen <url...>', 'where applications hand mail in')
    .option('--networks <cidr...>', 'who may hand mail in, beside this machine')
    .option('--root <address>', "who gets root's mail, such as cron's: an address, or a user of this machine")
    .option('--data <folder>', 'folder of the queue')
    .option('--output <path>', 'file to write')
    .option('--force', 'overwrite a file that is there')
    .addHelpText('after', EXAMPLES)
  if (program.options.every((option) => option.long !== '--json')) command.option('--json', 'answer in JSON')
  command.action(async () => {
    const around = surroundings ?? { questions: terminalQuestions(context), asRoot: isRoot(), aliasesFile: '/etc/aliases', findUser }
    await init(context, command.optsWithGlobals<InitOptions>(), around)
  })
}

const NOTHING = 'Nothing was written. Without a configuration Postern listens on smtp://127.0.0.1:2525, and nothing leaves the machine: postern serve'

async function init(context: CliContext, options: InitOptions, around: InitSurroundings): Promise<void> {
  const output = options.output ?? options.config
  // npm sets it for `npx postern`: somebody tries Postern in a clone, and nothing goes into the system.
  const trying = context.env.npm_command !== undefined && output === undefined
  const asking: Asking = { context, questions: around.questions, flags: options, forSystem: around.asRoot && !trying }
  const type = await gatherType(asking)
  if (type === 'none') {
    finish(context, options, { type, file: null, secret: null, next: [asTyped(context, NOTHING)] })
    return
  }
  refuseRelayFlags(type, options)
  const file = output === undefined ? (asking.forSystem ? SYSTEM_CONFIG_PATH : join(context.cwd, CONFIG_NAME)) : resolve(context.cwd, output)
  await mayWrite(asking, file, options)
  const hostname = await gatherHostname(asking)
  const relay = type === 'smarthost' || type === 'satellite' ? await gatherRelay(asking, type === 'smarthost') : null
  const local = await gatherLocal(asking, { type, hostname, relay }, around)
  const listen = await gatherListen(asking)
  const networks = await gatherNetworks(asking, listen)
  const dataFolder = options.data === undefined ? (file.startsWith('/etc/') ? '/var/lib/postern' : null) : resolve(context.cwd, options.data)
  const place = { listen, networks, dataFolder, asRoot: around.asRoot && trying }
  const answers: InitAnswers = { type, hostname, relay: relay === null ? null : written(relay), local, ...place }
  const text = composeConfigFile(answers)
  checkBeforeWriting(text, file, context)
  const secret = relay?.login === null || relay === null ? null : writeSecret(file, relay.login.password, around.asRoot && !trying)
  writeFileSafely(file, text)
  finish(context, options, { type, file, secret, next: nextSteps(context, file, answers, around) })
}

/** A relay that is named and not used would be found out by the first mail. */
function refuseRelayFlags(type: InitAnswers['type'], { relay, username, passwordFile, tls }: InitOptions): void {
  if (type === 'smarthost' || type === 'satellite') return
  const given = { '--relay': relay, '--username': username, '--password-file': passwordFile, '--tls': tls }
  const flag = Object.entries(given).find(([, value]) => value !== undefined)?.[0]
  if (flag === undefined) return
  const hint = 'Types with a relay: smarthost, satellite.'
  throw new CliError(EXIT.usage, `${flag} means nothing with --type ${type}`, { code: 'bad-answer', hint })
}

function written({ host, tls, login, allowPlaintext }: GatheredRelay): InitAnswers['relay'] {
  return { host, tls, login: login === null ? null : { username: login.username, passwordFile: `secrets/${INIT_RELAY}` }, allowPlaintext }
}

/** A file that is there is somebody's work. */
async function mayWrite({ context, questions }: Asking, file: string, options: InitOptions): Promise<void> {
  if (!existsSync(file) || options.force === true) return
  const shown = escapeText(displayPath(file, context.cwd))
  if (context.isTerminal && (await questions.confirm(`${shown} is there already. Overwrite it?`))) return
  throw new CliError(EXIT.usage, `${shown} is there already; nothing was written`, {
    code: 'file-exists',
    hint: 'Overwrite it with --force, or write another with --output PATH.',
  })
}

function checkBeforeWriting(text: string, file: string, context: CliContext): void {
  try {
    loadConfigText(text, file, { explicitPath: file, env: context.env, cwd: context.cwd, checkFiles: false })
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault
    const errors = fault.problems.filter(({ severity }) => severity === 'error')
    throw new CliError(EXIT.usage, errors.map((problem) => escapeText(formatProblem({ ...problem, file: null }))).join('\n'), {
      code: 'config-invalid',
      hint: 'Nothing was written.',
    })
  }
}

/** As root it is handed to the user that the server will become, so that it can read it then. */
function writeSecret(file: string, password: string, asRoot: boolean): string {
  const folder = join(dirname(file), 'secrets')
  const path = join(folder, INIT_RELAY)
  const isNew = mkdirSync(folder, { recursive: true }) !== undefined
  // To pass through, not to list: the files in it are closed, and their owner may be another user.
  if (isNew) chmodSync(folder, 0o711)
  writeFileSafely(path, `${password}\n`, { always: 0o600 })
  const user = asRoot ? findUser('postern') : null
  if (user !== null) chownSync(path, user.uid, user.gid)
  return path
}

function nextSteps(context: CliContext, file: string, answers: InitAnswers, around: InitSurroundings): readonly string[] {
  const isUsual = file === join(context.cwd, CONFIG_NAME) || file === SYSTEM_CONFIG_PATH
  const flag = isUsual ? '' : ` --config ${displayPath(file, context.cwd)}`
  const command = `${commandName(context)}${flag}`
  const [first = ''] = answers.listen
  return [
    `Check it:          ${command} config check`,
    ...(around.asRoot && !answers.asRoot && findUser('postern') === null ? ['Make its user:     useradd --system postern'] : []),
    ...(answers.type === 'internet' ? [`Sign your mail:    ${command} dkim create DOMAIN`, `What others see:   ${command} doctor --domain DOMAIN`] : []),
    ...(answers.local.root.kind === 'kept' && !answers.local.hostnameIsMailDomain
      ? [`Give root's mail:  ${command} config set local.root WHOM   (until then it is kept here)`]
      : []),
    `Start the server:  ${command} serve`,
    `Send a first mail: ${command} test --from ${senderThatIsTaken(answers)} --to you@example.com`,
    `Point your applications at ${first.replace(/^smtps?:\/\//, '')}.`,
  ]
}

/** Relays often take nothing but the address of the login. */
function senderThatIsTaken({ relay, hostname }: InitAnswers): string {
  const username = relay?.login?.username ?? ''
  return /^[\w.+-]+@[\w.-]+$/.test(username) ? username : `you@${hostname}`
}

function finish(
  context: CliContext,
  options: InitOptions,
  done: { readonly type: string; readonly file: string | null; readonly secret: string | null; readonly next: readonly string[] },
): void {
  if (options.json === true) {
    print(context, toJson({ type: done.type, file: done.file, secretFile: done.secret, next: done.next }))
    return
  }
  if (done.file !== null) print(context, `Wrote ${escapeText(displayPath(done.file, context.cwd))}`)
  if (done.secret !== null) print(context, `Wrote ${escapeText(displayPath(done.secret, context.cwd))} (the password, mode 0600)`)
  for (const line of done.next) print(context, escapeText(line))
}
