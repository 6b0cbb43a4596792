/**
 * A Postern process under test: its configuration, its life, its death.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'

export { freePort } from '../../support/free-port.ts'

export const ROOT = new URL('../../../', import.meta.url).pathname
export const NODE = join(ROOT, 'node_modules/node/bin/node')
const MAIN = join(ROOT, 'bin/postern.mjs')

export interface ServerOptions {
  readonly port: number
  /** Made if not given; data and log live in it. */
  readonly folder?: string
  readonly relayPort: number
  /** The configuration file of an earlier start in this folder stays as it is. */
  readonly keepConfig?: boolean
  /** Merged over the configuration, deeply. */
  readonly config?: Record<string, unknown>
  readonly env?: Record<string, string>
  /** Put before the command: strace, prlimit ... */
  readonly wrap?: readonly string[]
}
export interface PosternProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** From the start of the process to its first 220. */
  readonly listeningMs: number
  readonly folder: string
  readonly configPath: string
  readonly logPath: string
  readonly exited: Promise<{ readonly code: number | null; readonly signal: string | null }>
  kill(signal: NodeJS.Signals): void
  /** Runs a CLI command against this server; rejects unless its exit code is expected. */
  cli(args: readonly string[], codes?: readonly number[]): Promise<string>
  log(): string
}

/** Quick retries, so that a bar does not wait for minutes. */
export function barConfig(port: number, relayPort: number, folder: string): Record<string, unknown> {
  return {
    hostname: 'postern.test',
    listen: [`smtp://127.0.0.1:${port}`],
    data: join(folder, 'data'),
    admin: join(folder, 'postern.sock'),
    user: 'root',
    relays: { sink: { host: `127.0.0.1:${relayPort}`, tls: 'none' } },
    routes: [{ via: 'sink' }],
    retry: { min: '1s', max: '2s', factor: 1, jitter: 0.1 },
    queue: { suspend: { min: '1s', max: '1s' }, credentialPause: { min: '1s', max: '1s' } },
    log: { level: 'info', format: 'json', file: join(folder, 'postern.log') },
  }
}

export function makeFolder(): string {
  return mkdtempSync(join(tmpdir(), 'postern-bar-'))
}

export async function startServer(options: ServerOptions): Promise<PosternProcess> {
  const folder = options.folder ?? makeFolder()
  mkdirSync(folder, { recursive: true })
  const configPath = join(folder, 'postern.yaml')
  if (options.keepConfig !== true)
    writeFileSync(configPath, stringify(merge(barConfig(options.port, options.relayPort, folder), options.config ?? {})), { mode: 0o600 })
  const out = openSync(join(folder, 'output.log'), 'a')
  const command = [...(options.wrap ?? []), NODE, MAIN, 'serve', '--config', configPath]
  const child = spawn(command[0] ?? NODE, command.slice(1), { cwd: folder, stdio: ['ignore', out, out], env: { ...process.env, ...options.env } })
  closeSync(out)
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  const server: { -readonly [K in keyof PosternProcess]: PosternProcess[K] } = {
    child,
    pid: child.pid ?? 0,
    listeningMs: 0,
    folder,
    configPath,
    logPath: join(folder, 'postern.log'),
    exited,
    kill: (signal) => void child.kill(signal),
    cli: (args, codes = [0]) => runCli([...args, '--socket', join(folder, 'postern.sock')], codes),
    log: () => readFileSync(join(folder, 'output.log'), 'utf8'),
  }
  server.listeningMs = await Promise.race([
    untilListening(options.port, 20_000),
    exited.then(({ code, signal }) => {
      throw new Error(`postern ended with ${code ?? signal} before it listened:\n${server.log()}`)
    }),
  ])
  return server
}

/** Resolves at the first 220 on that port. */
export async function untilListening(port: number, limitMs: number): Promise<number> {
  const from = performance.now()
  while (performance.now() - from < limitMs) {
    const greeted = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1')
      const done = (answer: boolean): void => {
        socket.destroy()
        resolve(answer)
      }
      socket.setTimeout(1_000, () => done(false))
      socket
        .once('error', () => done(false))
        .once('close', () => done(false))
        .once('data', (chunk) => done(chunk.toString().startsWith('220')))
    })
    if (greeted) return performance.now() - from
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`nothing greets on port ${port}`)
}

export async function runCli(args: readonly string[], codes: readonly number[] = [0]): Promise<string> {
  const child = spawn(NODE, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  if (!codes.includes(code ?? -1)) throw new Error(`postern ${args.join(' ')} ended with ${code}: ${out}${err}`)
  return out
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

function merge(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const result = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = result[key]
    const both = isRecord(below) && isRecord(value)
    result[key] = both ? merge(below, value) : value
  }
  return result
}
function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
