/**
 * Where the configuration, the queue and the admin socket are.
 *
 * `--config`, then `POSTERN_CONFIG`, then `./postern.yaml`, then `/etc/postern/postern.yaml`;
 * else there is no file and the defaults hold.
 */
import { existsSync } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import process from 'node:process'

export interface ConfigRequest {
  /** `--config`; null: look where it usually is. */
  readonly explicitPath: string | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /** For tests; null: do not look there. */
  readonly systemPath?: string | null
}
export const SYSTEM_CONFIG_PATH = '/etc/postern/postern.yaml'
export const CONFIG_NAME = 'postern.yaml'

/** An absolute path; null: there is no file. A path that was asked for is answered whether it exists or not. */
export function findConfigFile(request: ConfigRequest): string | null {
  const { env, cwd } = request
  const asked = request.explicitPath ?? env.POSTERN_CONFIG ?? ''
  if (asked !== '') return resolve(cwd, asked)
  const system = request.systemPath === undefined ? SYSTEM_CONFIG_PATH : request.systemPath
  return [join(cwd, CONFIG_NAME), ...(system === null ? [] : [system])].find((path) => existsSync(path)) ?? null
}

/** As people see it: relative where that is shorter. */
export function displayPath(path: string, cwd: string): string {
  const short = relative(cwd, path)
  return short.startsWith('..') || isAbsolute(short) || short === '' ? path : short
}

/** What relative paths of the configuration start from. */
export function baseFolder(file: string | null, cwd: string): string {
  return file === null ? cwd : dirname(file)
}

export function dataFolderOf(written: string | undefined, file: string | null, cwd: string): string {
  if (written !== undefined) return resolve(baseFolder(file, cwd), written)
  return file?.startsWith('/etc/') === true ? '/var/lib/postern' : join(baseFolder(file, cwd), 'var')
}

export function adminSocketOf(written: string | undefined, dataFolder: string, file: string | null, cwd: string): string {
  return written === undefined ? join(dataFolder, 'postern.sock') : resolve(baseFolder(file, cwd), written)
}

/** Linux takes 107 octets and a zero, macOS 103. */
export const SOCKET_PATH_OCTETS_MAX = process.platform === 'linux' ? 107 : 103
