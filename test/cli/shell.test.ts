/**
 * The command as a process of its own, and its completion scripts in the shells themselves.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRealClock } from '../../src/app/real-clock.ts'
import { runCli, startCliServer } from '../support/cli-run.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeAcceptance } from '../support/make-message.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** `whenSaid` is called once with the child when something stands on stderr. */
function start(argv: readonly string[], options: { readonly cwd?: string; readonly whenSaid?: (stop: () => void) => void } = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...argv], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    if (stderr === '') options.whenSaid?.(() => child.kill('SIGINT'))
    stderr += String(chunk)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
}

describe('the command in a shell', () => {
  it('asks the server, writes to its streams and ends with its exit code', async () => {
    const server = await startCliServer(createRealClock())
    const good = await start(['--socket', server.socketPath, 'status', '--json'])
    expect(good).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(good.stdout)).toMatchObject({ hostname: 'app.example.com' })
    expect(await start(['--socket', server.socketPath, 'queue', 'show', '00000000000'])).toMatchObject({ code: 4, stdout: '' })
    const cwd = makeTempFolder()
    expect(await start(['status'], { cwd })).toMatchObject({ code: 3, stderr: expect.stringContaining(`nothing answers on ${cwd}/var/postern.sock`) })
    expect(await start(['nonsense'])).toMatchObject({ code: 2 })
  })

  it('finds the socket by the configuration in the working folder', async () => {
    const server = await startCliServer(createRealClock())
    const cwd = makeTempFolder()
    writeFileSync(`${cwd}/postern.yaml`, `admin: ${server.socketPath}\n`)
    expect(await start(['status'], { cwd })).toMatchObject({ code: 0, stdout: expect.stringContaining('All is well.') })
  })

  it('asks whether the server runs already where its port is taken', async () => {
    const cwd = makeTempFolder()
    const taken = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void taken.close())
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo
    writeFileSync(`${cwd}/postern.yaml`, `user: root\nlisten: [ "smtp://127.0.0.1:${port}" ]\n`)
    const { code, stderr } = await start(['serve'], { cwd })
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `postern: cannot listen on smtp://127.0.0.1:${port}: something else listens there already
  Is this Postern running already? Ask it: postern status
  Else stop the program that listens there, or set another address under \`listen\`.\n`,
    })
  })

  it('ends quietly when its reader goes away', async () => {
    const server = await startCliServer(createRealClock())
    for (let i = 0; i < 2500; i++) await server.store.queue.enqueue(makeAcceptance({ subject: 'x'.repeat(100) }))
    const script = `"${process.execPath}" "${MAIN}" --socket "${server.socketPath}" queue list --limit all --json | head -n 1`
    const child = spawn('bash', ['-o', 'pipefail', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += String(chunk)
    })
    child.stdout.resume()
    await new Promise((resolve) => child.on('close', resolve))
    expect(stderr).toBe('')
  })

  it('ends a live trace at Ctrl-C as a success', async () => {
    const server = await startCliServer(createRealClock())
    const ended = await start(['--socket', server.socketPath, 'trace', '--live'], { whenSaid: (stop) => stop() })
    expect(ended).toMatchObject({ code: 0, stdout: '' })
  })
})

describe('completion', () => {
  const script = async (shell: string): Promise<string> => (await runCli(['completion', shell], { clock: createFakeClock() })).stdout

  it('completes commands and options in bash', async () => {
    const text = await script('bash')
    const complete = (...words: string[]): string => {
      const list = words.map((word) => `'${word}'`).join(' ')
      return execFileSync('bash', ['-c', `${text}\nCOMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _postern 2>/dev/null; echo "\${COMPREPLY[@]}"`], {
        encoding: 'utf8',
      }).trim()
    }
    expect(complete('postern', 'qu')).toBe('queue')
    expect(complete('postern', 'queue', 'de')).toBe('delete')
    expect(complete('postern', '--json', 'queue', 'list', '--rec')).toBe('--recipient')
    expect(complete('postern', 'route', 'explain', '--sub')).toBe('--submitter')
    expect(complete('postern', 'config', '').split(' ')).toContain('check')
    expect(complete('postern', 'log', 'level', 'deb')).toBe('debug')
    expect(complete('postern', 'log', 'level', 'debug', 'tr')).toBe('transport')
  })

  it('knows every command and long option in every shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const text = await script(shell)
      for (const word of ['captured', 'explain', 'backup', 'hold', 'newer-than', 'submitter', 'socket', 'init'])
        expect(text, `${shell} ${word}`).toContain(word)
    }
  })
})
