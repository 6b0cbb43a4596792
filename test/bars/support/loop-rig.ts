/**
 * What the scenes of R20 share: servers with aliases and tables, a sink that refuses by name, and
 * counting: how many notices each cause has made.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ask, readStatus, untilDrained } from './admin.ts'
import { BarClient } from './client.ts'
import { freePort, makeFolder, type PosternProcess, startServer } from './server.ts'
import type { Sink } from './sink.ts'

export interface LoopRig {
  readonly server: PosternProcess
  readonly port: number
  readonly sink: Sink
  readonly full: boolean
  /** Things that are not as they should be. */
  readonly faults: string[]
}
export interface Mail {
  readonly from: string
  readonly to: readonly string[]
  readonly header?: string
  /** Behind each RCPT. */
  readonly parameters?: string
}

/** A local part that begins so is refused by the sink, and so is everybody at this domain. */
const REFUSED = /^RCPT TO:<(?:refused|[^>]*@refused\.test)/i

/** What the sink answers to RCPT. */
export function answerRcpt(line: string): string | null {
  return REFUSED.test(line) ? '550 5.1.1 No such user' : null
}

export async function startLoopServer(
  sink: Sink,
  files: Readonly<Record<string, string>>,
  config: Record<string, unknown>,
): Promise<{ readonly server: PosternProcess; readonly port: number }> {
  const folder = makeFolder()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text.replaceAll('FOLDER', folder))
  const port = await freePort()
  const server = await startServer({ port, relayPort: sink.port, folder, config })
  return { server, port }
}

/** The reply to its end, or the first that refuses it. */
export async function offer(port: number, mail: Mail, localAddress?: string): Promise<string> {
  const client = await BarClient.open({ port, ...(localAddress === undefined ? {} : { localAddress }) })
  try {
    for (const line of [`MAIL FROM:<${mail.from}>`, ...mail.to.map((to) => `RCPT TO:<${to}>${mail.parameters ?? ''}`), 'DATA']) {
      const reply = await client.say(line)
      if (!/^[23]/.test(reply)) return reply
    }
    return await client.say(`${mail.header ?? 'From: app@app.test\r\nSubject: loops\r\n'}\r\nx\r\n.`)
  } finally {
    client.destroy()
  }
}

/** Queue id of a mail that must be taken; null, and a fault, if it is not. */
export async function send(rig: LoopRig, mail: Mail): Promise<string | null> {
  const reply = await offer(rig.port, mail)
  const queueId = /^250 2\.0\.0 queued as (\S+)/.exec(reply)?.[1] ?? null
  if (queueId === null) rig.faults.push(`from ${mail.from} to ${mail.to.join()}: ${reply}`)
  return queueId
}

export async function expectReply(rig: LoopRig, mail: Mail, wanted: RegExp, localAddress?: string): Promise<void> {
  const reply = await offer(rig.port, mail, localAddress)
  if (!wanted.test(reply)) rig.faults.push(`from ${mail.from} to ${mail.to.join()}: ${reply} instead of ${wanted}`)
}

export interface Story {
  readonly states: readonly string[]
  readonly kinds: readonly string[]
}
export async function storyOf(server: PosternProcess, queueId: string): Promise<Story> {
  const { body } = await ask(server, 'GET', `/v1/messages/${queueId}`)
  const { recipients, history } = JSON.parse(body) as { recipients: { state: string }[]; history: { kind: string }[] }
  return { states: recipients.map(({ state }) => state), kinds: history.map(({ kind }) => kind) }
}

export async function drained(server: PosternProcess): Promise<void> {
  await untilDrained(server, 120_000)
}

/** Mails whose story must hold so many `dsn-queued` lines once all is done. */
export class Causes {
  readonly #expected = new Map<string, readonly [about: string, notices: number]>()

  add(queueId: string | null, about: string, notices: number): void {
    if (queueId !== null) this.#expected.set(queueId, [about, notices])
  }

  get size(): number {
    return this.#expected.size
  }

  /** Compares; answers with the sum, and the most that one cause has made. */
  async check(rig: LoopRig): Promise<{ readonly notices: number; readonly most: number }> {
    let notices = 0
    let most = 0
    for (const [queueId, [about, wanted]] of this.#expected) {
      const { kinds } = await storyOf(rig.server, queueId)
      // One notice may tell of several recipients of a mail: each has a line, with the same id.
      const made = await noticesOf(rig.server, queueId)
      notices += made
      most = Math.max(most, made)
      if (made !== wanted) rig.faults.push(`${about}: ${made} notices instead of ${wanted}: ${kinds.join()}`)
    }
    return { notices, most }
  }
}

async function noticesOf(server: PosternProcess, queueId: string): Promise<number> {
  const { body } = await ask(server, 'GET', `/v1/messages/${queueId}`)
  const { history } = JSON.parse(body) as { history: { kind: string; detail: { noticeId?: string } }[] }
  return new Set(history.filter(({ kind }) => kind === 'dsn-queued').map(({ detail }) => detail.noticeId)).size
}

/** Nothing is accepted, tried or sent any more, for that long. */
export async function isQuiet(rig: Pick<LoopRig, 'server' | 'sink'>, ms: number): Promise<boolean> {
  const look = async (): Promise<string> => {
    const { queue, sinceStart } = await readStatus(rig.server)
    return JSON.stringify([queue.queued, queue.leased, sinceStart, rig.sink.counts.messages, rig.sink.counts.commands])
  }
  const before = await look()
  await new Promise((resolve) => setTimeout(resolve, ms))
  return (await look()) === before
}
