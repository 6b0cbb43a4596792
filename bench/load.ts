/**
 * Both ends of a measurement: Debian's smtp-source in front, a counting sink behind.
 *
 * The sink is Debian's smtp-sink, or `late-sink.ts` where it has to answer as from a distance.
 */
import type { ChildProcess } from 'node:child_process'
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seconds, sleep } from './numbers.ts'
import { ProcessGroup } from './process-group.ts'

const COUNTER_OCTETS_MAX = 200

export interface Sink {
  readonly port: number
  readonly group: ProcessGroup
  /** Messages taken so far. */
  count(): number
  /** Most connections at once; only `late-sink.ts` says it, else 0. */
  peakConnections(): number
  stop(): Promise<void>
}

/** `lateMs` null: smtp-sink, else each reply is that much late. */
export async function startSink(folder: string, port: number, lateMs: number | null, host = '127.0.0.1'): Promise<Sink> {
  const file = join(folder, `sink-${port}.out`)
  const group = new ProcessGroup('sink')
  const out = openSync(file, 'w')
  const late = fileURLToPath(new URL('late-sink.ts', import.meta.url))
  if (lateMs === null) group.spawn('/usr/sbin/smtp-sink', ['-u', 'nobody', '-c', '-m', '1000', `${host}:${port}`, '1000'], { stdio: ['ignore', out, 'ignore'] })
  else group.spawn(process.execPath, [late, String(port), String(lateMs)], { stdio: ['ignore', out, 'inherit'] })
  closeSync(out)
  await waitForGreeting(port, 20_000)
  const descriptor = openSync(file, 'r')
  const last = (name: string): number => {
    const size = fstatSync(descriptor).size
    const buffer = Buffer.alloc(Math.min(size, COUNTER_OCTETS_MAX))
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length)
    return Number([...buffer.toString('latin1').matchAll(new RegExp(`${name}=(\\d+)[^\\r]*\\r`, 'g'))].at(-1)?.[1] ?? 0)
  }
  return {
    port,
    group,
    count: () => last('mesg'),
    peakConnections: () => last('peak'),
    async stop() {
      closeSync(descriptor)
      await group.stop('SIGKILL')
    },
  }
}

/** Resolves when something greets with 220; rejects after the deadline, or when the program has ended. */
export async function waitForGreeting(port: number, deadlineMs: number, program: Program | null = null): Promise<void> {
  const until = Date.now() + deadlineMs
  while (!(await greets(port))) {
    const hasEnded = program !== null && (program.child.exitCode !== null || program.child.signalCode !== null)
    if (hasEnded || Date.now() > until) {
      const said = program === null ? '' : `; it said: ${readFileSync(program.output, 'utf8').trim().slice(-500)}`
      throw new Error(`nothing greets on port ${port}${said}`)
    }
    await sleep(10)
  }
}
export interface Program {
  readonly child: ChildProcess
  /** File with what it wrote. */
  readonly output: string
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(5000, () => socket.destroy())
    socket.once('data', (chunk) => {
      resolve(chunk.toString('latin1').startsWith('220'))
      socket.end('QUIT\r\n')
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}

export interface Load {
  readonly port: number
  readonly messages: number
  readonly sizeOctets: number
  readonly sessions: number
  /** Many messages in one session, or a connection for each. */
  readonly keep: boolean
}
export interface LoadResult {
  readonly fault: string | null
  readonly seconds: number
  readonly cpuSeconds: number
}

/** Runs smtp-source to its end. */
export async function runSource(load: Load, limitS = 900): Promise<LoadResult> {
  const group = new ProcessGroup('source')
  const argv = ['-s', String(load.sessions), '-m', String(load.messages), '-l', String(load.sizeOctets), '-M', 'app.example.test']
  argv.push('-f', 'jira@app.example.test', '-t', 'user@example.test', ...(load.keep ? ['-d'] : []), `127.0.0.1:${load.port}`)
  const from = seconds()
  const child = group.spawn('/usr/sbin/smtp-source', argv, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(0, 300)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), limitS * 1000)
  const ended = await new Promise<string | null>((resolve) => {
    child.on('exit', (code, signal) => resolve(code === 0 ? null : said.trim() || String(signal ?? `exit status ${code}`)))
  })
  clearTimeout(timer)
  const result = { fault: ended, seconds: seconds() - from, cpuSeconds: group.cpuSeconds() }
  await group.stop('SIGKILL')
  return result
}
