/**
 * Started by root: a privileged port is bound, then nothing of root is left, in no thread and in no
 * file. And of two servers for one queue only one runs.
 */

import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { freePort, makeFolder, type PosternProcess, removeFolder, runCli, startServer } from '../bars/support/server.ts'
import { type Sink, startSink } from '../bars/support/sink.ts'
import { until } from '../bars/support/verdict.ts'
import { makeOperator, spawnServe, startServe } from './support/program-folder.ts'
import { sendMail } from './support/send-mail.ts'

const USER = 'nobody'
/** An address of loopback that no other mail server of this machine has taken. */
const LOW_ADDRESS = '127.0.77.25'

const ended: (() => Promise<void> | void)[] = []
afterAll(async () => {
  for (const end of ended.reverse()) await end()
})

describe('a server that root starts', () => {
  it('binds port 25, then runs as its user in every thread, with files that only the user reads', async () => {
    const uid = Number(execFileSync('id', ['-u', USER], { encoding: 'utf8' }))
    const { postern, sink } = await startOnPort25()
    const from = readdirSync(`/proc/${postern.pid}/task`).map((task) => statusOf(postern.pid, task))
    expect(from.length).toBeGreaterThan(3)
    for (const status of from) {
      expect(status.uids).toEqual([uid, uid, uid, uid])
      expect(status.gids.includes(0)).toBe(false)
      expect(status.groups.includes(0)).toBe(false)
      expect(status.capabilities).toBe(0n)
    }
    await sendMail(25, { from: 'app@app.test', to: ['user@rcpt.test'], content: 'Subject: low port\r\n\r\nhello\r\n', host: LOW_ADDRESS })
    await until('the mail is at the relay', () => sink.counts.messages === 1, 10_000)
    const data = join(postern.folder, 'data')
    expect(statSync(data).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(data)) {
      const stat = statSync(join(data, name))
      expect([name, stat.uid, stat.mode & 0o077]).toEqual([name, uid, 0])
    }
    const socket = statSync(join(postern.folder, 'data/postern.sock'))
    expect([socket.uid, socket.mode & 0o777]).toEqual([uid, 0o600])
  })

  it('reloads as its user, into the new log file after logrotate, and keeps the port', async () => {
    const { postern } = await startOnPort25()
    const socket = join(postern.folder, 'data/postern.sock')
    const uid = statSync(postern.logPath).uid
    expect(uid).toBe(statSync(socket).uid)
    writeFileSync(postern.configPath, readFileSync(postern.configPath, 'utf8').replace('drainTime: 1s', 'drainTime: 2s'))
    renameSync(postern.logPath, `${postern.logPath}.1`)
    writeFileSync(postern.logPath, '')
    chownSync(postern.logPath, uid, uid)
    expect(await runCli(['reload', '--socket', socket])).toContain('drain')
    await until('the log goes on in the new file', () => readFileSync(postern.logPath, 'utf8').includes('configuration reloaded'), 5_000)
    expect(await greeting(LOW_ADDRESS, 25)).toMatch(/^220 /)
  })

  it('leaves a folder alone that its socket shares with others', async () => {
    const operator = makeOperator()
    ended.push(() => operator.remove())
    const shared = join(operator.folder, 'run')
    mkdirSync(shared)
    chmodSync(shared, 0o777)
    writeFileSync(join(shared, 'other.pid'), '1')
    writeFileSync(operator.configPath, `listen: [smtp://127.0.0.1:0]\nuser: ${USER}\nadmin: ${shared}/postern.sock\n`)
    const run = await startServe(operator)
    expect([statSync(shared).uid, statSync(join(shared, 'other.pid')).uid]).toEqual([0, 0])
    expect(statSync(join(shared, 'postern.sock')).uid).not.toBe(0)
    await run.stop()
  })

  it('refuses to stay root by accident', async () => {
    const operator = makeOperator()
    ended.push(() => operator.remove())
    writeFileSync(operator.configPath, `listen: [smtp://127.0.0.1:${await freePort()}]\nuser: no-such-user\n`)
    const run = spawnServe(operator)
    expect(await run.exited).toBe(1)
    expect(run.output()).toContain('useradd --system no-such-user')
  })
})

describe('two servers for one queue', () => {
  it('the second refuses and names the process that has it; once that has gone it starts', async () => {
    const operator = makeOperator()
    ended.push(() => operator.remove())
    writeFileSync(operator.configPath, `listen: [smtp://127.0.0.1:0]\nuser: ${USER}\n`)
    const first = await startServe(operator)
    const second = spawnServe(operator)
    expect(await second.exited).toBe(1)
    expect(second.output()).toContain(`process ${first.pid}`)
    const [status] = JSON.parse(`[${await runCli(['status', '--json', '--config', operator.configPath])}]`) as [{ pid: number }]
    expect(status.pid).toBe(first.pid)
    first.child.kill('SIGKILL')
    await first.exited
    const third = await startServe(operator)
    await third.stop()
  })

  it('of two started at the same moment exactly one runs', async () => {
    const operator = makeOperator()
    ended.push(() => operator.remove())
    writeFileSync(operator.configPath, `listen: [smtp://127.0.0.1:0]\nuser: ${USER}\n`)
    for (let round = 0; round < 3; round++) {
      const both = [spawnServe(operator), spawnServe(operator)]
      const loser = await Promise.race(both.map((run) => run.exited.then((code) => ({ run, code }))))
      expect(loser.code).toBe(1)
      expect(loser.run.output()).toContain('is in use by')
      const winner = both.find((run) => run !== loser.run)
      await until('the other is ready', () => winner?.output().includes('"ready"') === true, 20_000).catch((fault: Error) => {
        throw new Error(`${fault.message}; it said: ${winner?.output()}; the first: ${loser.run.output()}`)
      })
      await winner?.stop()
    }
  })
})

async function startOnPort25(): Promise<{ postern: PosternProcess; sink: Sink }> {
  const sink = await startSink()
  const port = await freePort()
  const folder = makeFolder()
  chmodSync(folder, 0o711)
  writeFileSync(join(folder, 'postern.log'), '')
  const postern = await startServer({
    port,
    relayPort: sink.port,
    folder,
    config: { user: USER, admin: join(folder, 'data/postern.sock'), listen: [`smtp://127.0.0.1:${port}`, `smtp://${LOW_ADDRESS}:25`], drainTime: '1s' },
  })
  chmodSync(postern.configPath, 0o644)
  onTestFinished(async () => {
    postern.kill('SIGTERM')
    await postern.exited
    await sink.close()
    removeFolder(folder)
  })
  return { postern, sink }
}

function statusOf(pid: number, task: string) {
  const text = readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? ''
  const numbers = (name: string): readonly number[] => field(name).split(/\s+/).filter(Boolean).map(Number)
  return {
    uids: numbers('Uid'),
    gids: numbers('Gid'),
    groups: numbers('Groups'),
    capabilities: BigInt(`0x${field('CapEff')}`) | BigInt(`0x${field('CapPrm')}`),
  }
}

function greeting(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host)
    socket.once('error', reject).once('data', (chunk) => {
      socket.destroy()
      resolve(chunk.toString())
    })
  })
}
