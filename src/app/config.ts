/**
 * Loads the configuration: finds the file, reads it as YAML, checks it, and says all that is wrong.
 *
 * Without a file the defaults hold, under which nothing leaves the machine. A file with an error
 * gives no configuration at all: the caller keeps the old one, or does not start.
 */

import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { whyUnreadable } from '../core/file-words.ts'
import { checkConfig } from './config-checks.ts'
import { checkFiles } from './config-checks-files.ts'
import { CONFIG_PROBLEMS, ConfigError, type ConfigProblem, type ConfigProblemCode } from './config-errors.ts'
import { baseFolder, type ConfigRequest, displayPath, findConfigFile } from './config-locate.ts'
import { faultsOf, type KeyedFault, problemAt, valueFault } from './config-problems.ts'
import { type Config, configSchema } from './config-schema.ts'
import { type ConfigSource, parseConfigText } from './config-yaml.ts'
import { createRealClock } from './real-clock.ts'

export interface LoadRequest extends ConfigRequest {
  /** False: look at no secret and no certificate (for commands that only show or edit). */
  readonly checkFiles?: boolean
  /** At a reload: what only root could read at the start stays as it is, with a warning. */
  readonly keepUnreadable?: boolean
}
export interface LoadedConfig {
  readonly config: Config
  /** Absolute; null: there is no file and the defaults hold. */
  readonly file: string | null
  /** What relative paths start from. */
  readonly folder: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** The values as written, without defaults. */
  readonly written: unknown
  readonly warnings: readonly ConfigProblem[]
}
const FILE_OCTETS_MAX = 1024 * 1024

/** Throws `ConfigError` with every problem found. */
export function loadConfig(request: LoadRequest): LoadedConfig {
  const file = findConfigFile(request)
  const text = file === null ? '' : readConfigText(file, request.cwd)
  return loadConfigText(text, file, request)
}

/** The same for a text that is not on disk (yet): what `config set` is about to write. */
export function loadConfigText(text: string, file: string | null, request: LoadRequest): LoadedConfig {
  const { config, written, problems } = examine(text, file, request)
  if (config === null || problems.some(({ severity }) => severity === 'error')) throw new ConfigError(problems)
  return { config, file, folder: baseFolder(file, request.cwd), cwd: request.cwd, env: request.env, written, warnings: problems }
}

/** All problems of a text, errors before warnings and each in the order of the file. */
export function examine(
  text: string,
  file: string | null,
  request: LoadRequest,
): { readonly config: Config | null; readonly written: unknown; readonly problems: readonly ConfigProblem[] } {
  const shown = file === null ? null : displayPath(file, request.cwd)
  const source = parseConfigText(text)
  if (source.faults.length > 0) {
    const problems = source.faults.map(({ fault, line, column }) => ({ ...problemAt(valueFault([], fault), shown, null), line, column }))
    return { config: null, written: null, problems }
  }
  const written = source.values ?? {}
  const result = configSchema.safeParse(written)
  const faults = result.success ? faultsBeyondSchema(result.data, file, request) : faultsOf(result.error.issues, written)
  return { config: result.success ? result.data : null, written, problems: inOrder(faults, shown, file === null ? null : source) }
}

function faultsBeyondSchema(config: Config, file: string | null, request: LoadRequest): readonly KeyedFault[] {
  const faults = checkConfig(config)
  if (request.checkFiles === false) return faults
  const places = { folder: baseFolder(file, request.cwd), env: request.env, file, cwd: request.cwd, nowMs: createRealClock().now() }
  const found = checkFiles(config, places)
  return [...faults, ...(request.keepUnreadable === true ? found.map(kept) : found)]
}

/** Root was given up since the file was read: what was read then is still good. */
function kept(keyed: KeyedFault): KeyedFault {
  if (keyed.fault.code !== 'secret-unreadable' && keyed.fault.code !== 'tls-unreadable') return keyed
  return {
    ...keyed,
    fault: {
      code: 'kept-unreadable',
      message: `${keyed.fault.message}; what was read at the start stays`,
      remedy: 'Restart to read it again, or let the user that Postern runs as read it.',
    },
  }
}

function inOrder(faults: readonly KeyedFault[], shown: string | null, source: ConfigSource | null): readonly ConfigProblem[] {
  const rank = (problem: ConfigProblem): number => (problem.severity === 'error' ? 0 : 1)
  const place = (problem: ConfigProblem): number => (problem.line ?? 0) * 10_000 + (problem.column ?? 0)
  return faults.map((fault) => problemAt(fault, shown, source)).sort((a, b) => rank(a) - rank(b) || place(a) - place(b))
}

/** Throws `ConfigError` if it cannot be read. */
export function readConfigText(file: string, cwd: string): string {
  const fail = (code: ConfigProblemCode, message: string, remedy: string | null): never => {
    throw new ConfigError([
      { code, severity: CONFIG_PROBLEMS[code][0], file: displayPath(file, cwd), line: null, column: null, key: '', message, allowed: null, remedy },
    ])
  }
  let descriptor: number | null = null
  try {
    descriptor = openSync(file, 'r')
    const stat = fstatSync(descriptor)
    if (stat.size > FILE_OCTETS_MAX) return fail('file-too-large', `the file has ${stat.size} octets; at most ${FILE_OCTETS_MAX} are read`, null)
    return readFileSync(descriptor, 'utf8')
  } catch (fault) {
    if (fault instanceof ConfigError) throw fault
    if ((fault as NodeJS.ErrnoException).code === 'ENOENT') return fail('file-missing', 'there is no such file', 'Make one with: postern init')
    return fail('file-unreadable', `the file cannot be read: ${whyUnreadable(fault)}`, 'Check its owner and mode.')
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}
