/**
 * `postern config`: check, show and change the configuration. Works on the file; needs no server.
 *
 * What is right is decided in `app/config*`; here are only options, output and exit codes.
 */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type LoadedConfig, type LoadRequest, loadConfig, readConfigText } from '../app/config.ts'
import { changeConfig } from '../app/config-change.ts'
import { ConfigError, type ConfigProblem, formatProblem } from '../app/config-errors.ts'
import { configJsonSchema, keysAt, schemaAt } from '../app/config-json-schema.ts'
import { CONFIG_NAME, displayPath, findConfigFile } from '../app/config-locate.ts'
import { formatKeyPath, type KeyPath, parseKeyPath, valueAt } from '../app/config-path.ts'
import { asYaml, defaultConfig, differencesFromDefaults, resolvedConfig, shownConfig } from '../app/config-view.ts'
import { writeFileSafely } from '../app/config-write.ts'
import { nearest } from '../app/nearest.ts'
import { type CliContext, CliError, commandName, EXIT, print, remark } from './context.ts'
import { escapeContent, escapeText, toJson } from './escape.ts'
import { registerHashPassword } from './hash-password.ts'

interface Options {
  readonly config?: string
  readonly file?: string
  readonly json?: boolean
  readonly resolved?: boolean
}

export function registerConfigCommands(program: Command, context: CliContext): void {
  const config = program.command('config').description('check, show and change the configuration')
  const add = (usage: string, [text, ...examples]: readonly [string, ...string[]], run: (options: Options, ...words: string[]) => void): Command => {
    const command = config.command(usage).description(text).addHelpText('after', examplesText(examples))
    if (program.options.every((option) => option.long !== '--json')) command.option('--json', 'answer in JSON')
    command.action((...parts: unknown[]) => {
      const words = parts.slice(0, command.registeredArguments.length) as string[]
      run(command.optsWithGlobals<Options>(), ...words)
    })
    return command
  }
  const checkTexts = ['say everything that is wrong with the configuration', 'check', 'check --file new.yaml && mv new.yaml postern.yaml'] as const
  add('check', checkTexts, (options) => check(context, options)).option('--file <path>', 'check this file')
  add('schema', ['print the schema, for editors (JSON Schema)', 'schema > postern.schema.json'], () => print(context, toJson(configJsonSchema(), 2)))
  const getTexts = ['print what is in force, or one key of it', 'get', 'get relays.google --resolved', 'get routes[0]'] as const
  add('get [key]', getTexts, (options, key) => get(context, options, key)).option(
    '--resolved',
    'with all that is implied worked out, and whether secrets are set',
  )
  const setTexts = [
    'change one key in the file; comments stay',
    'set hostname app.example.com',
    'set retry.max 30m',
    "set relays.google.tls '{ level: verify, ca: company-ca.pem }'",
  ] as const
  add('set <key> <value>', setTexts, (options, key = '', value = '') => change(context, options, { key, value }))
  add('unset <key>', ['remove one key from the file', 'unset retry.max'], (options, key = '') => change(context, options, { key, value: null }))
  add('diff', ['print what differs from the defaults', 'diff'], (options) => diff(context, options))
  const defaultsTexts = ['print the defaults, or one of them', 'defaults', 'defaults limits.messageSize'] as const
  add('defaults [key]', defaultsTexts, (options, key) => showKey(context, options, { all: defaultConfig(), key }))
  registerHashPassword(config, context)
}

function examplesText(examples: readonly string[]): string {
  return ['\nExamples:', ...examples.map((example) => `  postern config ${example}`)].join('\n')
}

function requestOf(context: CliContext, options: Options): LoadRequest {
  return { explicitPath: options.file ?? options.config ?? null, env: context.env, cwd: context.cwd }
}

function check(context: CliContext, options: Options): void {
  const request = requestOf(context, options)
  const file = findConfigFile(request)
  let problems: readonly ConfigProblem[]
  try {
    problems = loadConfig(request).warnings
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault
    problems = fault.problems
  }
  const errors = problems.filter(({ severity }) => severity === 'error').length
  if (errors > 0) context.setExitCode(EXIT.failed)
  if (options.json === true) {
    print(context, toJson({ ok: errors === 0, file, problems }))
    return
  }
  for (const problem of problems) print(context, escapeText(`${problem.severity === 'warning' ? 'warning: ' : ''}${formatProblem(problem)}`))
  const name = file === null ? 'no configuration file: the defaults' : escapeText(displayPath(file, context.cwd))
  const warnings = problems.length - errors
  const told = warnings === 0 ? '' : `, ${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`
  print(context, errors === 0 ? `${name}: all right${told}` : `${name}: ${errors} ${errors === 1 ? 'error' : 'errors'}${told}`)
}

function get(context: CliContext, options: Options, key: string | undefined): void {
  const loaded = load(context, options)
  showKey(context, options, { all: options.resolved === true ? resolvedConfig(loaded) : shownConfig(loaded), key })
}

function showKey(context: CliContext, options: Options, { all, key }: { readonly all: unknown; readonly key: string | undefined }): void {
  if (key === undefined) {
    show(context, options, all)
    return
  }
  const path = parseKeyPath(key)
  if (path === null || schemaAt(path) === null) throw noSuchKey(key, path)
  const value = valueAt(all, path)
  if (value === undefined)
    throw new CliError(EXIT.failed, `${escapeText(key)} is not set, and has no default`, {
      code: 'not-set',
      ...(options.resolved === true ? {} : { hint: 'What is implied instead: postern config get --resolved' }),
    })
  show(context, options, value)
}

function noSuchKey(key: string, path: KeyPath | null): CliError {
  const near = nearest(String(path?.at(-1) ?? ''), keysAt(path?.slice(0, -1) ?? []))
  const meant = near === null ? '' : `Did you mean ${formatKeyPath([...(path?.slice(0, -1) ?? []), near])}? `
  return new CliError(EXIT.usage, `there is no key ${escapeText(key)}`, { code: 'no-such-key', hint: `${meant}postern config schema prints all of them.` })
}

function show(context: CliContext, options: Options, value: unknown): void {
  print(context, options.json === true ? toJson(value, 2) : escapeContent(asYaml(value)))
}

function diff(context: CliContext, options: Options): void {
  const differences = differencesFromDefaults(load(context, options))
  if (options.json === true) {
    print(context, toJson(differences, 2))
    return
  }
  if (differences.length === 0) {
    remark(context, 'nothing differs from the defaults')
    return
  }
  for (const { key, value, default: standard } of differences) {
    print(context, escapeText(`${key}: ${inline(value)}${standard === undefined ? '' : `  (default: ${inline(standard)})`}`))
  }
}
function inline(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function change(context: CliContext, options: Options, act: { readonly key: string; readonly value: string | null }): void {
  const request = requestOf(context, options)
  const file = findConfigFile(request) ?? resolve(context.cwd, CONFIG_NAME)
  const shown = escapeText(displayPath(file, context.cwd))
  const text = readOrEmpty(file, context.cwd, options)
  const result = changeConfig(text, file, act, request)
  if (result.kind === 'no-such-key') throw new CliError(EXIT.usage, result.message, { code: 'no-such-key', hint: 'Nothing was changed.' })
  if (result.kind === 'refused') throw invalid(result.problems, 'Nothing was changed.')
  if (result.kind === 'changed') {
    writeFileSafely(file, result.text)
    for (const warning of result.warnings) remark(context, escapeText(`warning: ${formatProblem(warning)}`))
  }
  if (options.json === true) {
    print(context, toJson({ file, key: act.key, changed: result.kind === 'changed' }))
    return
  }
  print(
    context,
    result.kind === 'unchanged'
      ? `${shown}: nothing to change`
      : `${shown}: ${act.value === null ? 'removed' : 'set'} ${escapeText(act.key)}. A running server sees it after: ${commandName(context)} reload`,
  )
}

/** A first key may be set before there is a file, but not where one was named that is not there. */
function readOrEmpty(file: string, cwd: string, options: Options): string {
  try {
    return readConfigText(file, cwd)
  } catch (fault) {
    if (!(fault instanceof ConfigError)) throw fault
    if (fault.problems[0]?.code === 'file-missing' && options.config === undefined && options.file === undefined) return ''
    throw invalid(fault.problems, 'Nothing was changed.')
  }
}

function load(context: CliContext, options: Options): LoadedConfig {
  try {
    return loadConfig({ ...requestOf(context, options), checkFiles: false })
  } catch (fault) {
    if (fault instanceof ConfigError) throw invalid(fault.problems, 'postern config check says all that is wrong.')
    throw fault
  }
}

function invalid(problems: readonly ConfigProblem[], hint: string): CliError {
  const errors = problems.filter(({ severity }) => severity === 'error')
  return new CliError(EXIT.failed, errors.map((problem) => escapeText(formatProblem(problem))).join('\n'), { code: 'config-invalid', hint })
}
