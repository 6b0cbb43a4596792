/**
 * Runs a program to its end and keeps what it said.
 */
import { spawn } from 'node:child_process'

export interface ProgramEnd {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

export async function runProgram(
  command: readonly [string, ...string[]],
  options: { readonly input?: Buffer; readonly cwd?: string; readonly limitMs?: number } = {},
): Promise<ProgramEnd> {
  const [name, ...args] = command
  const child = spawn(name, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    timeout: options.limitMs ?? 60_000,
  })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  // A program that ends early leaves its input unread.
  child.stdin.on('error', () => {})
  child.stdin.end(options.input ?? Buffer.alloc(0))
  const code = await new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve))
  return { code, output, errors }
}

/** So many at once, answers in the order of the items. */
export async function inParallel<Item, Answer>(items: readonly Item[], width: number, run: (item: Item) => Promise<Answer>): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let at = next++; at < items.length; at = next++) answers[at] = await run(items[at] as Item)
    }),
  )
  return answers
}
