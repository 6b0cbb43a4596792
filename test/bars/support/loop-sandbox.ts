/**
 * The sandbox of R20, K10: a catch-all whose table is missing, whose mailbox refuses, is down, or is
 * ourselves. Whatever happens, the relay hears of no address but the catch-all's.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, readStatus } from './admin.ts'
import { drained, expectReply, isQuiet, type LoopRig, send, startLoopServer, storyOf } from './loop-rig.ts'
import { removeFolder } from './server.ts'
import { startSink } from './sink.ts'
import { until } from './verdict.ts'

const CATCH_ALL = '# Reroute all email\n/.*@.*/        catch@catch.test\n'
const CATCHER = 'catch@catch.test'

export interface SandboxFigures {
  readonly mails: number
  readonly heldAgain: number
  /** Recipients at the relay that are not the catch-all. */
  readonly leaked: number
  readonly notices: number
  readonly quiet: boolean
}

export async function catchAll(main: Pick<LoopRig, 'full' | 'faults'>): Promise<SandboxFigures> {
  const heard = new Set<string>()
  let answer: string | null = null
  const onCommand = (verb: string, line: string): string | null => {
    if (verb !== 'RCPT') return null
    heard.add(/<(.*?)>/.exec(line)?.[1] ?? line)
    return answer
  }
  const sink = await startSink({ onCommand })
  const config = {
    rewrite: { recipients: [{ file: 'virtual_alias', format: 'regexp' }] },
    local: { domains: ['postern.test'], users: ['root'] },
    aliases: 'aliases',
  }
  const { server, port } = await startLoopServer(sink, { aliases: 'catchall: dev@corp.test\n' }, config)
  const rig: LoopRig = { server, port, sink, full: main.full, faults: main.faults }
  const table = join(server.folder, 'virtual_alias')
  const mails = main.full ? 200 : 20
  const ids = await sendAll(rig, mails)
  await until('all of it is held', async () => (await readStatus(server)).queue.held === mails * 2, 20_000)
  await release(rig)
  await until('all of it is held again', async () => (await readStatus(server)).queue.held === mails * 2, 20_000)
  const first = ids[0] === undefined || ids[0] === null ? null : await storyOf(server, ids[0])
  const heldAgain = first === null ? 0 : first.kinds.filter((kind) => kind === 'held').length / first.states.length
  writeFileSync(table, CATCH_ALL)
  await until('the table is read', async () => (await ask(server, 'GET', '/v1/rewrite?address=a%40b.test')).body.includes(CATCHER), 20_000)
  await release(rig)
  await drained(server)
  if (sink.received.length !== mails) rig.faults.push(`K10: ${sink.received.length} of ${mails} held mails arrived at the catch-all`)
  answer = '550 5.1.1 No such user'
  const before = await nullSenders(rig)
  await sendAll(rig, mails)
  await drained(server)
  const notices = (await nullSenders(rig)) - before
  // The report is for the catch-all, too, and nobody is told that it failed.
  if (notices > mails) rig.faults.push(`K10: ${notices} notices of ${mails} mails that the catch-all refused`)
  answer = null
  await sink.down()
  await sendAll(rig, mails)
  await new Promise((resolve) => setTimeout(resolve, 3_000))
  await sink.up()
  await drained(server)
  writeFileSync(table, '/.*@.*/ catchall\n')
  await until('the table is read', async () => (await ask(server, 'GET', '/v1/rewrite?address=a%40b.test')).body.includes('corp.test'), 20_000)
  await expectReply(rig, { from: 'app@app.test', to: ['real@real.test'] }, /^554 5\.4\.6/)
  const quiet = await isQuiet(rig, 2_000)
  server.kill('SIGTERM')
  await server.exited
  await sink.close()
  removeFolder(server.folder)
  return { mails, heldAgain, leaked: [...heard].filter((address) => address !== CATCHER).length, notices, quiet }
}

async function sendAll(rig: LoopRig, mails: number): Promise<readonly (string | null)[]> {
  const ids: (string | null)[] = []
  for (let i = 0; i < mails; i++) ids.push(await send(rig, { from: `k10-${i}@app.test`, to: [`real-${i}@real.test`, `other-${i}@real.test`] }))
  return ids
}

async function release(rig: LoopRig): Promise<void> {
  const { status, body } = await ask(rig.server, 'POST', '/v1/queue/act', { act: 'resume', filter: { states: ['held'] }, by: 'bar' })
  if (status !== 200) rig.faults.push(`K10: release: ${body}`)
  // Held again at once: the counts are looked at when it has had its turn.
  await new Promise((resolve) => setTimeout(resolve, 500))
}

async function nullSenders(rig: LoopRig): Promise<number> {
  const { body } = await ask(rig.server, 'GET', '/v1/queue/count?sender=%3C%3E')
  return (JSON.parse(body) as { count: number }).count
}
