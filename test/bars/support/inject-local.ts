/**
 * Hostile text by the roads of this machine: the submission API, and arguments of the command.
 *
 * Commands run in this process for speed, some as real processes. All they print is kept: it is
 * what an operator's terminal gets.
 */
import { spawn } from 'node:child_process'
import { PassThrough, Writable } from 'node:stream'
import { createRealClock } from '../../../src/app/real-clock.ts'
import type { CliContext } from '../../../src/cli/context.ts'
import { main } from '../../../src/cli/main.ts'
import { ask, submit } from './admin.ts'
import { inParallel } from './client.ts'
import { hostileText } from './hostile-strings.ts'
import type { Tried } from './inject-smtp.ts'
import { NODE, type PosternProcess, ROOT } from './server.ts'
import { seeded } from './verdict.ts'

export interface Printed {
  readonly argv: readonly string[]
  readonly text: string
  readonly exitCode: number
}
interface About {
  readonly count: number
  readonly seed: number
}

export async function tryApi(server: PosternProcess, field: 'from' | 'to', { count, seed }: About): Promise<Tried> {
  const tried: Tried = { strings: 0, accepted: 0, refused: 0, faults: [] }
  const random = seeded(seed)
  await inParallel(range(count), 16, async (number) => {
    const text = hostileText(random)
    const written = number % 5 === 0 ? text : number % 3 === 0 ? `"q${text}"` : `q${text}`
    const from = field === 'from' ? `${written}@app.test` : 'a@app.test'
    const to = field === 'to' ? `${written}@y.test` : 'b@y.test'
    const answer = await submit(server, from, [to], `From: a@app.test\r\nX-Test-Id: api${field}-${number}\r\nSubject: s\r\n\r\nbody\r\n`)
    tried.strings++
    if (answer.status === 200) tried.accepted++
    else if (answer.status === 400 || answer.status === 422) tried.refused++
    else tried.faults.push(`api ${field} ${JSON.stringify(text)}: ${answer.status} ${answer.body}`)
  })
  return tried
}

/** A name of a relay that an operator asks for, and that there is not. */
export async function tryLane(server: PosternProcess, { count, seed }: About): Promise<Tried> {
  const tried: Tried = { strings: 0, accepted: 0, refused: 0, faults: [] }
  const random = seeded(seed)
  for (let i = 0; i < count; i++) {
    const answer = await ask(server, 'POST', '/v1/flush', { lane: hostileText(random) })
    tried.strings++
    if (answer.status === 200) tried.accepted++
    else if (answer.status === 400 || answer.status === 404) tried.refused++
    else tried.faults.push(`lane: ${answer.status} ${answer.body}`)
  }
  return tried
}

/** `postern test` with the text as its subject. */
export async function trySubject(server: PosternProcess, { count, seed }: About, printed: Printed[]): Promise<Tried> {
  const random = seeded(seed)
  return runCommands(server, { count, printed }, (number) => [
    'test',
    '--from',
    `subject-${number}@app.test`,
    '--to',
    'b@y.test',
    `--subject=${hostileText(random)}`,
    '--timeout',
    '10s',
  ])
}

/** The text wherever a command takes one. Commands that write files or change the queue are left out. */
export async function tryArguments(server: PosternProcess, { count, seed }: About, printed: Printed[]): Promise<Tried> {
  const random = seeded(seed)
  return runCommands(server, { count, printed }, (number) => argumentsWith(number, hostileText(random)))
}

function argumentsWith(number: number, text: string): readonly string[] {
  const forms: readonly (readonly string[])[] = [
    ['trace', text],
    ['trace', '--', text],
    ['queue', 'list', `--sender=${text}`, '--state', 'all', '--limit', '5'],
    ['queue', 'list', `--recipient=${text}`, '--state', 'all', '--limit', '5'],
    ['queue', 'list', `--reply=${text}`, '--limit', '5'],
    ['queue', 'list', `--relay=${text}`, '--limit', '5'],
    ['queue', 'list', `--state=${text}`],
    ['queue', 'list', `--after=${text}`],
    ['queue', 'show', text],
    ['queue', 'hold', text, '--yes'],
    ['queue', 'flush', `--relay=${text}`],
    ['captured', 'list', `--recipient=${text}`],
    ['route', 'explain', `q${text}@app.test`, 'b@y.test'],
    ['route', 'explain', 'a@app.test', `q${text}@y.test`],
    ['route', 'explain', 'a@app.test', 'b@y.test', `--header=${text}`],
    ['route', 'explain', 'a@app.test', 'b@y.test', `--submitter=${text}`],
    ['test', `--from=q${text}@app.test`, '--to=b@y.test', '--timeout', '10s'],
    ['test', '--from=a@app.test', `--to=q${text}@y.test`, '--timeout', '10s'],
    ['test', '--from=a@app.test', '--to=b@y.test', `--timeout=${text}`],
    ['log', text],
    ['config', 'get', text],
    [text],
    [`--${text}`],
  ]
  return forms[number % forms.length] ?? []
}

async function runCommands(
  server: PosternProcess,
  about: { readonly count: number; readonly printed: Printed[] },
  argvOf: (number: number) => readonly string[],
): Promise<Tried> {
  const tried: Tried = { strings: 0, accepted: 0, refused: 0, faults: [] }
  await inParallel(range(about.count), 16, async (number) => {
    const globals = ['--socket', `${server.folder}/postern.sock`, ...(number % 5 === 0 ? ['--json'] : [])]
    const argv = [...globals, ...argvOf(number)]
    // A real process every so often; a NUL cannot be among its arguments.
    const real = number % 400 === 7 && !argv.some((text) => text.includes('\0'))
    const ran = real ? await runProcess(argv) : await runHere(argv, number % 2 === 0)
    about.printed.push(ran)
    tried.strings++
    if (ran.exitCode === 0) tried.accepted++
    else tried.refused++
    if (/this is a bug|^\s+at .*\.ts:\d+/m.test(ran.text)) tried.faults.push(`${JSON.stringify(argv)}: ${ran.text}`)
  })
  return tried
}

/** All that an operator looks at, as a terminal and as a program gets it. */
export async function lookAtEverything(server: PosternProcess, sample: number): Promise<readonly Printed[]> {
  const socket = ['--socket', `${server.folder}/postern.sock`]
  const commands: (readonly string[])[] = [
    ['status'],
    ['queue', 'list', '--state', 'all', '--limit', 'all'],
    ['queue', 'list', '--state', 'all', '--limit', 'all', '--csv'],
    ['queue', 'list', '--state', 'all', '--limit', '1000', '--json'],
    ['log', '--limit', '1000'],
    ['log', '--limit', '1000', '--json'],
    ['trace', 'a@app.test'],
  ]
  // Beside the rows it says how many there are in all.
  const listed = (await runHere([...socket, ...(commands[3] ?? [])], false)).text
  const rows = JSON.parse(listed.slice(0, listed.lastIndexOf(']') + 1)) as readonly { readonly queueId: string }[]
  const step = Math.max(1, Math.floor(rows.length / sample))
  for (let i = 0; i < rows.length; i += step) for (const command of [['trace'], ['queue', 'show']]) commands.push([...command, rows[i]?.queueId ?? ''])
  const printed: Printed[] = []
  for (const command of commands) for (const terminal of [true, false]) printed.push(await runHere([...socket, ...command], terminal))
  return printed
}

/** What `trace --live` prints while the work goes on. */
export async function watchLive(server: PosternProcess, work: () => Promise<void>): Promise<Printed> {
  const argv = ['trace', '--live', '--socket', `${server.folder}/postern.sock`]
  const child = spawn(NODE, [`${ROOT}src/cli/main.ts`, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  const begun = new Promise((resolve) => child.stderr.once('data', resolve))
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
  await Promise.race([begun, new Promise((resolve) => setTimeout(resolve, 2_000))])
  await work()
  const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  child.kill('SIGINT')
  return { argv, text, exitCode: await ended }
}

async function runHere(argv: readonly string[], terminal: boolean): Promise<Printed> {
  let text = ''
  let exitCode = 0
  const output = new Writable({
    write(chunk: Buffer, _encoding, written) {
      text += chunk.toString('utf8')
      written()
    },
  })
  const stdin = new PassThrough()
  stdin.end()
  const context: CliContext = {
    stdin,
    stdout: output,
    stderr: output,
    env: {},
    cwd: '/nonexistent',
    isTerminal: false,
    outputIsTerminal: terminal,
    columns: 80,
    colour: false,
    clock: createRealClock(),
    interrupted: new AbortController().signal,
    setExitCode: (code) => {
      exitCode = code
    },
  }
  await main(argv, context)
  return { argv, text, exitCode }
}

function runProcess(argv: readonly string[]): Promise<Printed> {
  const child = spawn(NODE, [`${ROOT}src/cli/main.ts`, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
  return new Promise((resolve) => child.once('close', (code) => resolve({ argv, text, exitCode: code ?? -1 })))
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}
