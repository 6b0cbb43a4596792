/**
 * A store in a process of its own, for tests that kill it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export interface StoreChildOptions {
  readonly folder: string
  /** Name of a scenario in `store-child-main.ts`; none: it opens the store and waits. */
  readonly scenario?: string
  readonly crashAt?: string
}
export interface StoreChild {
  readonly pid: number
  /** The next line it says; rejects if it ends without one. */
  next(): Promise<string>
  /** Everything it says until it ends, and the signal that ended it. */
  end(): Promise<{ readonly lines: readonly string[]; readonly signal: string | null }>
  kill(): Promise<void>
}

export function startStoreChild({ folder, scenario = 'wait', crashAt = '' }: StoreChildOptions): StoreChild {
  const main = fileURLToPath(new URL('./store-child-main.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, folder, scenario, crashAt], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>
  return {
    pid: child.pid ?? 0,
    async next() {
      const { value, done } = await lines.next()
      if (done === true) throw new Error('the child ended without a word')
      return value
    },
    async end() {
      const said: string[] = []
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) said.push(line.value)
      return { lines: said, signal: (await ended)[1] }
    },
    kill: () => killAndWait(child, ended),
  }
}

async function killAndWait(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGKILL')
  await ended
}
