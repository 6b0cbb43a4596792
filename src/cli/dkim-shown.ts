/**
 * DKIM keys as `postern dkim` shows them, to people and to programs; and what its commands share.
 */
import { dirname } from 'node:path'
import { type LoadedConfig, type LoadRequest, loadConfig } from '../app/config.ts'
import { ConfigError, type ConfigProblem, formatProblem } from '../app/config-errors.ts'
import { CONFIG_NAME, displayPath, findConfigFile, SYSTEM_CONFIG_PATH } from '../app/config-locate.ts'
import { addKeys, type KeysChange, type ListedKey, listKeys, type NewKey } from '../app/dkim-keys.ts'
import { goneAt, type KeyState } from '../app/dkim-plan.ts'
import type { RecordText } from '../app/dkim-record-text.ts'
import { DEFAULT_USER } from '../app/service-user.ts'
import { asciiDomain } from '../core/ascii-domain.ts'
import { type CliContext, CliError, commandName, EXIT } from './context.ts'
import { escapeText } from './escape.ts'
import { paint } from './format.ts'

export interface DkimOptions {
  readonly config?: string
  readonly json?: boolean
}

/** The configuration in a file: keys stand beside it. */
export interface Opened {
  readonly loaded: LoadedConfig
  readonly file: string
  readonly request: LoadRequest
}

export function openConfig(context: CliContext, options: DkimOptions): Opened {
  const request: LoadRequest = { explicitPath: options.config ?? null, env: context.env, cwd: context.cwd, checkFiles: false }
  const file = findConfigFile(request)
  if (file === null)
    throw new CliError(EXIT.failed, 'there is no configuration file', { code: 'no-config', hint: `Make one first: ${commandName(context)} init` })
  try {
    return { loaded: loadConfig(request), file, request }
  } catch (fault) {
    if (fault instanceof ConfigError) throw refusedBy(fault.problems, 'postern config check says all that is wrong.')
    throw fault
  }
}

export function refusedBy(problems: readonly ConfigProblem[], hint: string): CliError {
  const errors = problems.filter(({ severity }) => severity === 'error')
  return new CliError(EXIT.failed, errors.map((problem) => escapeText(formatProblem(problem))).join('\n'), { code: 'config-invalid', hint })
}

/** What was changed; a refusal and a fault of the file system are sentences. */
export function changeFile(change: () => KeysChange): void {
  let result: KeysChange
  try {
    result = change()
  } catch (fault) {
    const { code, message } = fault as NodeJS.ErrnoException
    if (fault instanceof ConfigError) throw refusedBy(fault.problems, NOTHING_CHANGED)
    if (code === 'EEXIST' && !('syscall' in (fault as Error)))
      throw new CliError(EXIT.failed, escapeText(message), {
        code: 'file-exists',
        hint: `${NOTHING_CHANGED} Name another with --selector, or move that file away.`,
      })
    throw fault
  }
  if (result.kind === 'refused') throw refusedBy(result.problems, NOTHING_CHANGED)
}
const NOTHING_CHANGED = 'Nothing was changed.'

/** Throws if it is none. */
export function readDomain(text: string): string {
  const domain = asciiDomain(text)
  if (domain?.includes('.') === true) return domain
  throw new CliError(EXIT.usage, `${escapeText(text)} is no mail domain`, { code: 'bad-domain', hint: 'Give what stands behind the @ in From: example.com' })
}

/** The keys of that domain, or all. Throws if there are none. */
export function keysOf(context: CliContext, { loaded }: Opened, domain: string | undefined): readonly ListedKey[] {
  const wanted = domain === undefined ? null : readDomain(domain)
  const keys = listKeys(loaded, context.clock.now()).filter((key) => wanted === null || key.domain === wanted)
  if (keys.length > 0) return keys
  throw new CliError(EXIT.failed, wanted === null ? 'there are no DKIM keys' : `there is no DKIM key of ${wanted}`, {
    code: 'no-keys',
    hint: `Make one: ${commandName(context)} dkim create ${wanted ?? 'DOMAIN'}`,
  })
}

/** How the command is called here, with the file if that is none of the usual ones. */
export function commandFor(context: CliContext, file: string): string {
  const isUsual = file === `${context.cwd}/${CONFIG_NAME}` || file === SYSTEM_CONFIG_PATH
  return `${commandName(context)}${isUsual ? '' : ` --config ${displayPath(file, context.cwd)}`}`
}

/** Puts keys into the configuration; they come back as it has them now. */
export function makeKeys(
  context: CliContext,
  opened: Opened,
  to: { readonly domain: string; readonly before: readonly ListedKey[]; readonly options: DkimOptions },
  keys: readonly NewKey[],
): readonly ListedKey[] {
  const { domain, before, options } = to
  const user = opened.loaded.config.user ?? DEFAULT_USER
  changeFile(() => addKeys(opened.file, { domainKey: before[0]?.domainKey ?? domain, domain, before: before.length, keys, user }, opened.request))
  const names = new Set(keys.map(({ selector }) => selector))
  return listKeys(openConfig(context, options).loaded, context.clock.now()).filter((key) => key.domain === domain && names.has(key.selector))
}

const STATES: Readonly<Record<KeyState, string>> = {
  signs: 'signs',
  waits: 'waits until its record is published',
  later: 'does not sign yet',
  spare: 'a newer key signs in its place',
  ended: 'does not sign any more',
}

/** `RSA 2048`, `Ed25519`. */
export function typeText({ type, bits }: Pick<ListedKey, 'type' | 'bits'>): string {
  if (type === null) return 'unreadable'
  return type === 'ed25519' ? 'Ed25519' : `RSA ${bits}`
}

/** `example.com, selector s202611 (RSA 2048): signs`. */
export function describeKey(context: CliContext, key: ListedKey): string {
  const bounds = [
    key.config.notBefore === undefined ? '' : `from ${key.config.notBefore}`,
    key.config.notAfter === undefined ? '' : `until ${key.config.notAfter}`,
  ]
  const time = bounds.filter((text) => text !== '').join(' ')
  const head = paint(context, 'bold', escapeText(`${key.domain}, selector ${key.selector}`))
  const gone = key.state === 'ended' ? `; its record can go after ${day(goneAt(key))}` : ''
  return `${head} (${typeText(key)}): ${STATES[key.state]}${time === '' ? '' : ` (${escapeText(time)})`}${gone}`
}

export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** The record for a form and for a zone file, indented. */
export function describeRecord(record: RecordText): readonly string[] {
  const { name, type, ttl, value, zoneLine } = record
  return [
    `   Name   ${name}   (forms that add the domain: ${name.slice(0, name.indexOf('_domainkey') + '_domainkey'.length)})`,
    `   Type   ${type}`,
    `   TTL    ${ttl}`,
    `   Value  ${value}`,
    '',
    '   The same as a line of a zone file:',
    ...zoneLine.split('\n').map((line) => `   ${line}`),
  ]
}

/** For programs; the key itself is not in it. */
export function keyAnswer(key: ListedKey) {
  const { domain, selector, type, bits, state, where, record, fault, config } = key
  const times = { notBefore: config.notBefore ?? null, notAfter: config.notAfter ?? null }
  return { domain, selector, type, bits, state, ...times, key: where, record, fault: fault === null ? null : fault.message }
}

/** A path beside the configuration, as people see it. */
export function beside(context: CliContext, file: string, name: string): string {
  return escapeText(displayPath(`${dirname(file)}/${name}`, context.cwd))
}
