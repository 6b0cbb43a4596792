/**
 * The README's first minute on a fresh machine: a clone, `npm start` with whatever Node is there, a
 * mail by curl, the mail shown. The packages come from npm's cache where it has them.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeFolder, ROOT, removeFolder } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { freePort, isFree } from '../support/free-port.ts'
import { runProgram } from './support/clients/run-program.ts'

const LIMIT_MS = 90_000
const DEFAULT_PORT = 2525

let folder: string
let clone: string
let env: NodeJS.ProcessEnv
let child: ChildProcess | null = null
let output = ''
let port = DEFAULT_PORT

beforeAll(() => {
  folder = makeFolder()
  clone = join(folder, 'postern')
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', ROOT, clone], { stdio: ['ignore', 'ignore', 'pipe'] })
  env = machineEnvironment()
})
afterAll(async () => {
  await stop()
  if (folder !== undefined) removeFolder(folder)
})

describe('a fresh clone', () => {
  it(
    'reaches its ready text by `npm start` alone, and says how to send a first mail',
    async () => {
      expect(existsSync(join(clone, 'node_modules'))).toBe(false)
      if (!(await isFree(port))) port = await moveAside()
      const from = performance.now()
      await start()
      console.log(`setup: from npm start to the ready text ${((performance.now() - from) / 1000).toFixed(1)} s, machine's Node ${machineNode()}`)
      expect(output).toContain(`smtp://127.0.0.1:${port}`)
      expect(output).toContain('curl')
      expect(existsSync(join(clone, 'var/queue.db'))).toBe(true)
      if (port === DEFAULT_PORT) expect(execFileSync('git', ['status', '--porcelain'], { cwd: clone, encoding: 'utf8' })).toBe('')
    },
    LIMIT_MS,
  )

  it('takes a mail from curl, captures it and shows it', async () => {
    const mail = join(folder, 'message.eml')
    writeFileSync(mail, 'From: jira@example.com\r\nTo: you@example.com\r\nSubject: first mail\r\n\r\nIt works.\r\n')
    const sent = await runProgram([
      'curl',
      '--silent',
      '--show-error',
      `smtp://127.0.0.1:${port}`,
      '--mail-from',
      'jira@example.com',
      '--mail-rcpt',
      'you@example.com',
      '-T',
      mail,
    ])
    expect(sent.errors).toBe('')
    expect(sent.code).toBe(0)
    await until('it is captured', () => postern(['captured', 'list']).includes('first mail'), 20_000)
    const shown = postern(['captured', 'show'])
    expect(shown).toContain('Subject: first mail')
    expect(shown).toContain('It works.')
    expect(postern(['trace', 'you@example.com'])).toContain('captured')
  })

  it('tests its own way with `npx postern test` and ends in order', async () => {
    expect(postern(['test', '--from', 'jira@example.com', '--to', 'you@example.com'])).toContain('Captured')
    await stop()
    expect(await isFree(port)).toBe(true)
    expect(existsSync(join(clone, 'var/postern.sock'))).toBe(false)
  })

  it(
    'ends in order when npm alone is told to, as a service or a script does it',
    async () => {
      await start()
      await stop('npm alone')
      expect(await isFree(port)).toBe(true)
      expect(existsSync(join(clone, 'var/postern.sock'))).toBe(false)
    },
    LIMIT_MS,
  )
})

async function start(): Promise<void> {
  output = ''
  child = spawn('npm', ['start'], { cwd: clone, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exited = new Promise<never>((_resolve, reject) => child?.once('exit', (code) => reject(new Error(`npm start ended with ${code}: ${output}`))))
  await Promise.race([until('the ready text', () => output.includes('Postern is running'), LIMIT_MS), exited])
}

/** Where something else has the default port already, Postern is told another one, and nothing else. */
async function moveAside(): Promise<number> {
  const other = await freePort()
  writeFileSync(join(clone, 'postern.yaml'), `listen: [smtp://127.0.0.1:${other}]\nuser: root\n`)
  console.log(`setup: port ${DEFAULT_PORT} is taken on this machine, so this run listens on ${other} by a postern.yaml of two lines`)
  return other
}

/** As in a terminal of the user: no Node of the project in front, nothing of npm and vitest in it. */
function machineEnvironment(): NodeJS.ProcessEnv {
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => !entry.includes('node_modules'))
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_(?!config_)|NODE_|VITEST|POSTERN_|INIT_CWD)/i.test(name))
  return { ...Object.fromEntries(kept), PATH: path.join(delimiter) }
}

function machineNode(): string {
  return execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim()
}

function postern(args: readonly string[]): string {
  return execFileSync('npx', ['postern', ...args], { cwd: clone, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** As Ctrl-C does it, to the whole group, or to npm alone. npm may end before the server does; `close` comes when the last has let go of the output. */
async function stop(whom: 'the group' | 'npm alone' = 'the group'): Promise<void> {
  const running = child
  child = null
  if (running?.pid === undefined || running.exitCode !== null) return
  const gone = new Promise((resolve) => running.once('close', resolve))
  if (whom === 'npm alone') running.kill('SIGTERM')
  else process.kill(-running.pid, 'SIGINT')
  await gone
}
