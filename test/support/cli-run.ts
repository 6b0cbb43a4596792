/**
 * Runs `postern` in-process: what it wrote, and its exit code. With a running fake server behind a
 * real admin socket, if a test wants one.
 */
import { PassThrough, Writable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { createAdminServer } from '../../src/admin/server.ts'
import type { CliContext } from '../../src/cli/context.ts'
import { main } from '../../src/cli/main.ts'
import type { EpochMs } from '../../src/core/brand.ts'
import type { Clock } from '../../src/core/clock.ts'
import { createFakeControl, createFakeJournal, type FakeControl } from './fake-control.ts'
import { NOON } from './make-message.ts'
import { createMemoryStore, type MemoryStore } from './memory-store.ts'
import { makeTempFolder } from './temp-folder.ts'

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Both ends are a terminal of this width, without colours. */
  readonly terminal?: number
  readonly colour?: boolean
  /** Typed by the user. */
  readonly input?: string
  readonly clock: Clock
  readonly interrupt?: AbortController
  /** Called with all output so far, at every write. */
  readonly onOutput?: (text: string) => void
}
export interface Ran {
  readonly stdout: string
  readonly stderr: string
  readonly exitCode: number
  /** Lines of stdout without the last line end. */
  readonly lines: readonly string[]
}

export async function runCli(argv: readonly string[], options: RunOptions): Promise<Ran> {
  let exitCode = 0
  const stdout = collect(options.onOutput)
  const stderr = collect()
  const stdin = new PassThrough()
  if (options.input !== undefined) stdin.end(options.input)
  const context: CliContext = {
    stdin,
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: options.env ?? {},
    cwd: options.cwd ?? '/nonexistent',
    isTerminal: options.terminal !== undefined,
    outputIsTerminal: options.terminal !== undefined,
    columns: options.terminal ?? 80,
    colour: options.colour ?? false,
    clock: options.clock,
    interrupted: (options.interrupt ?? new AbortController()).signal,
    setExitCode: (code) => {
      exitCode = code
    },
  }
  await main(argv, context)
  return { stdout: stdout.text(), stderr: stderr.text(), exitCode, lines: stdout.text().replace(/\n$/, '').split('\n') }
}

/** Time passes only when somebody waits, and then at once. */
export function createEagerClock(startAt: EpochMs = NOON): Clock {
  let passed = 0
  return {
    now: () => (startAt + passed) as EpochMs,
    monotonicMs: () => passed,
    after(delayMs, callback) {
      const turn = setImmediate(() => {
        passed += delayMs
        callback()
      })
      return () => clearImmediate(turn)
    },
  }
}

export interface CliServer {
  readonly store: MemoryStore
  readonly control: FakeControl
  readonly clock: Clock
  readonly socketPath: string
  /** Working folder of the commands; removed after the test. */
  readonly folder: string
  run(argv: readonly string[], options?: Partial<RunOptions>): Promise<Ran>
}

/** A real admin server on a temporary socket, over the store in memory; stopped when the test has finished. */
export async function startCliServer(clock: Clock = createEagerClock()): Promise<CliServer> {
  const folder = makeTempFolder()
  const socketPath = `${folder}/p.sock`
  const store = createMemoryStore({ now: () => clock.now() })
  const control = createFakeControl(store, () => clock.now())
  const server = createAdminServer({ control, queue: store.admin, clock, journal: createFakeJournal(), socketPath })
  await server.start()
  onTestFinished(() => server.stop())
  return {
    store,
    control,
    clock,
    socketPath,
    folder,
    run: (argv, options = {}) => runCli(['--socket', socketPath, ...argv], { clock, cwd: folder, ...options }),
  }
}

function collect(onOutput: (text: string) => void = () => undefined): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = []
  const text = (): string => Buffer.concat(chunks).toString('utf8')
  const stream = new Writable({
    decodeStrings: true,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk)
      done()
      onOutput(text())
    },
  })
  return { stream, text }
}
