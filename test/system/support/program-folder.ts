/**
 * A folder that a server of another user can work in, and the commands of an operator in it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder, NODE, ROOT, removeFolder } from '../../bars/support/server.ts'
import { until } from '../../bars/support/verdict.ts'
import { type ProgramEnd, runProgram } from './clients/run-program.ts'

const MAIN = join(ROOT, 'src/cli/main.ts')

export interface Operator {
  readonly folder: string
  readonly configPath: string
  /** Runs `postern ARGS` in the folder, without a terminal. */
  run(args: readonly string[], input?: string): Promise<ProgramEnd>
  /** The same; rejects unless it ends with 0. */
  succeed(args: readonly string[], input?: string): Promise<string>
  remove(): void
}

export function makeOperator(): Operator {
  const folder = makeFolder()
  // Others may pass through, as through /etc and /var/lib.
  chmodSync(folder, 0o711)
  const configPath = join(folder, 'postern.yaml')
  const run = (args: readonly string[], input = ''): Promise<ProgramEnd> =>
    runProgram([NODE, MAIN, ...args, '--config', configPath], { cwd: folder, input: Buffer.from(input) })
  return {
    folder,
    configPath,
    run,
    async succeed(args, input) {
      const end = await run(args, input)
      if (end.code !== 0) throw new Error(`postern ${args.join(' ')} ended with ${end.code}: ${end.output}${end.errors}`)
      return end.output
    },
    remove: () => removeFolder(folder),
  }
}

export interface ServeRun {
  readonly pid: number
  readonly child: ChildProcess
  readonly exited: Promise<number | null>
  /** Output and errors so far. */
  output(): string
  /** Ends it in order. */
  stop(): Promise<void>
}

/** Runs `postern serve` until it says that it is ready, or rejects with what it said. `wrap` stands in front of the command: setpriv ... */
export async function startServe(operator: Operator, args: readonly string[] = [], wrap: readonly string[] = []): Promise<ServeRun> {
  const run = spawnServe(operator, args, wrap)
  let ended = false
  void run.exited.then(() => (ended = true))
  await until('the server is ready', () => ended || /"ready"|\bready\b/.test(run.output()), 20_000)
  if (ended) throw new Error(`postern serve ended: ${run.output()}`)
  return run
}

export function spawnServe(operator: Operator, args: readonly string[] = [], wrap: readonly string[] = []): ServeRun {
  const path = join(operator.folder, `serve-${performance.now()}.log`)
  const out = openSync(path, 'a')
  const [program = NODE, ...words] = [...wrap, NODE, MAIN, 'serve', '--config', operator.configPath, ...args]
  const child = spawn(program, words, { cwd: operator.folder, stdio: ['ignore', out, out] })
  closeSync(out)
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    pid: child.pid ?? 0,
    child,
    exited,
    output: () => readFileSync(path, 'utf8'),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
