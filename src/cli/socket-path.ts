/**
 * Finds the admin socket of the server that is meant.
 *
 * In this order: `--socket`, POSTERN_SOCKET, the configuration file (its `admin`, else postern.sock
 * in its `data` folder), ./var/postern.sock, /run/postern/postern.sock, /var/lib/postern/postern.sock.
 * What was named is taken as it is; of the usual places the first that exists.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { adminSocketOf, dataFolderOf, findConfigFile } from '../app/config-locate.ts'
import { type CliContext, CliError, EXIT } from './context.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly socket?: string
  readonly config?: string
  readonly json?: boolean
}

const USUAL_PLACES = ['var/postern.sock', '/run/postern/postern.sock', '/var/lib/postern/postern.sock']

export async function locateSocket(context: Pick<CliContext, 'env' | 'cwd'>, globals: GlobalOptions): Promise<string> {
  const { env, cwd } = context
  const named = globals.socket ?? env.POSTERN_SOCKET ?? ''
  if (named !== '') return resolve(cwd, named)
  const configNamed = globals.config ?? env.POSTERN_CONFIG ?? ''
  const file = findConfigFile({ explicitPath: globals.config ?? null, env, cwd })
  const configured = file === null ? null : await socketFromConfig(file, cwd, configNamed !== '')
  if (configured !== null && configNamed !== '') return configured
  const candidates = [...(configured === null ? [] : [configured]), ...USUAL_PLACES.map((place) => resolve(cwd, place))]
  return candidates.find((candidate) => existsSync(candidate)) ?? candidates[0] ?? resolve(cwd, 'postern.sock')
}

/** Null if the file cannot be read and was not asked for by name: a server may run without it. */
async function socketFromConfig(file: string, cwd: string, wasNamed: boolean): Promise<string | null> {
  try {
    const text = await readFile(file, 'utf8')
    const admin = await topLevelText(text, 'admin')
    const folder = admin === null ? await topLevelText(text, 'data') : null
    return adminSocketOf(admin ?? undefined, dataFolderOf(folder ?? undefined, file, cwd), file, cwd)
  } catch (error) {
    if (!wasNamed) return null
    const code = (error as NodeJS.ErrnoException).code
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'it is not valid YAML'})`
    throw new CliError(EXIT.usage, `the configuration file ${file} ${reason}`, { hint: 'Name the socket itself with --socket PATH.', cause: error })
  }
}

/**
 * A text at the top level of the file. Plain and simply quoted ones are read off their line, so
 * that asking a server does not load a YAML parser; anything else is left to the parser.
 */
async function topLevelText(text: string, key: string): Promise<string | null> {
  const line = new RegExp(`^${key}:(.*)$`, 'm').exec(text)
  if (line === null) return text.includes(key) && /^[{"'?%-]/m.test(text) ? parsedText(text, key) : null
  const value = (line[1] ?? '').replace(/[ \t]#.*$/, '').trim()
  const simple = /^(?:'([^'\\]*)'|"([^"\\]*)"|([\w./~-][^:#'"{}[\]&*!|>%@`]*))$/.exec(value)
  return simple === null ? parsedText(text, key) : (simple[1] ?? simple[2] ?? simple[3] ?? null)
}

async function parsedText(text: string, key: string): Promise<string | null> {
  const [{ parseConfigText }, { valueAt }] = await Promise.all([import('../app/config-yaml.ts'), import('../app/config-path.ts')])
  const value = valueAt(parseConfigText(text).values, [key])
  return typeof value === 'string' ? value : null
}
