/**
 * Content that is refused before it ends (S05): too large, a refused header, too many hops, a line
 * too long, NUL, a disk that fills up. What is left of it looks like commands, and is not run.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { countStored, readStatus } from './admin.ts'
import { copyCertificate } from './certificate.ts'
import { BarClient, beginContent, inParallel } from './client.ts'
import { SECOND } from './sequences.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './server.ts'
import type { Sink } from './sink.ts'
import { seeded, until } from './verdict.ts'

export interface OverflowResult {
  readonly sessions: number
  readonly faults: readonly string[]
  /** Sessions that met a full disk, or why there were none. */
  readonly diskFull: number | string
}
interface Case {
  readonly name: string
  readonly content: string
  readonly wanted: RegExp
}

const HEAD = 'From: a@x.test\r\nSubject: s\r\n'
const MAIL_LINES = SECOND.replace('x\r\n', '')
const MESSAGE_OCTETS_MAX = 400_000

const CASES: readonly Case[] = [
  { name: 'too large', content: `${HEAD}\r\n${repeated(MESSAGE_OCTETS_MAX + 60_000)}`, wanted: /^552 5\.3\.4/ },
  { name: 'two From fields, small', content: `From: b@x.test\r\n${HEAD}\r\n${repeated(2_000)}`, wanted: /^550 5\.6\.0/ },
  { name: 'two From fields, streamed', content: `From: b@x.test\r\n${HEAD}\r\n${repeated(390_000)}`, wanted: /^550 5\.6\.0/ },
  { name: 'too many hops', content: `${'Received: from a by b; x\r\n'.repeat(20)}${HEAD}\r\n${repeated(2_000)}`, wanted: /^554 5\.4\.6/ },
  { name: 'too many hops, streamed', content: `${'Received: from a by b; x\r\n'.repeat(20)}${HEAD}\r\n${repeated(390_000)}`, wanted: /^554 5\.4\.6/ },
  { name: 'header too large', content: `${HEAD}${`X-A: ${'a'.repeat(60)}\r\n`.repeat(400)}\r\n${repeated(2_000)}`, wanted: /^552 5\.3\.4/ },
  { name: 'header without end', content: `${HEAD}${`X-A: ${'a'.repeat(60)}\r\n`.repeat(5_000)}${repeated(2_000)}`, wanted: /^552 5\.3\.4/ },
  { name: 'line too long', content: `${HEAD}\r\n${'a'.repeat(5_000)}\r\n${repeated(2_000)}`, wanted: /^550 5\.6\.0/ },
  { name: 'line too long, then too large', content: `${HEAD}\r\n${'a'.repeat(5_000)}\r\n${repeated(MESSAGE_OCTETS_MAX + 60_000)}`, wanted: /^55[02] 5\./ },
  { name: 'NUL', content: `${HEAD}\r\na\0b\r\n${repeated(2_000)}`, wanted: /^550 5\.6\.0/ },
  { name: 'NUL, streamed', content: `${HEAD}\r\n${repeated(300_000)}a\0b\r\n${repeated(2_000)}`, wanted: /^550 5\.6\.0/ },
]

export async function overflowFaults(sink: Sink, mode: { readonly full: boolean; readonly seed: number }): Promise<OverflowResult> {
  const folder = makeFolder()
  const [port, securePort] = [await freePort(), await freePort()]
  const limits = { messageSize: MESSAGE_OCTETS_MAX, header: 20_000, hops: 10, textLine: 2_000 }
  const listen = [`smtp://127.0.0.1:${port}`, `smtps://127.0.0.1:${securePort}`]
  const server = await startServer({ port, relayPort: sink.port, folder, config: { listen, tls: copyCertificate(folder), limits } })
  const random = seeded(mode.seed)
  const faults: string[] = []
  const runs = Array.from({ length: mode.full ? 8 : 1 }, () => CASES).flat()
  let sessions = 0
  await inParallel(runs, 4, async (one) => {
    for (const door of [{ port, security: 'plain' } as const, { port: securePort, security: 'implicit' } as const]) {
      sessions++
      const fault = await runCase(one, await BarClient.open(door), random)
      if (fault !== null) faults.push(`overflow ${one.name} (${door.security}): ${fault}`)
    }
  })
  await noteStored(server, faults)
  server.kill('SIGTERM')
  await server.exited
  removeFolder(folder)
  const full = await onFullDisk(sink, mode, faults)
  return { sessions: sessions + (typeof full === 'number' ? full : 0), faults, diskFull: full }
}

/** One reply at the true end, and the session goes on in step. */
async function runCase(one: Case, client: BarClient, random: () => number): Promise<string | null> {
  try {
    const refused = await beginContent(client, 'smuggled-outer@app.test', 'user@rcpt.test')
    if (refused !== null) return `not taken: ${refused}`
    const wire = Buffer.from(`${one.content}.\r\n`, 'latin1')
    const size = random() < 0.3 ? wire.length : 1_000 + Math.floor(random() * 60_000)
    for (let at = 0; at < wire.length; at += size) {
      client.write(wire.subarray(at, at + size))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const reply = await client.reply()
    if (!one.wanted.test(reply)) return `${reply} instead of ${one.wanted.source}`
    const next = await client.say('NOOP')
    const last = await client.quit()
    return next.startsWith('250 ') && last.length === 1 && last[0]?.startsWith('221 ') === true ? null : `${reply} | ${next} | ${last.join(' | ')}`
  } finally {
    client.destroy()
  }
}

/** 452 in the middle of the content: the rest of it is read and dropped. */
async function onFullDisk(sink: Sink, mode: { readonly full: boolean; readonly seed: number }, faults: string[]): Promise<number | string> {
  if (process.getuid?.() !== 0) return 'not-root'
  const folder = makeFolder()
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'none', disk])
  const port = await freePort()
  const server = await startServer({ port, relayPort: sink.port, folder: join(folder, 'run'), config: { data: join(disk, 'data') } })
  const random = seeded(mode.seed)
  const sessions = mode.full ? 4 : 2
  try {
    const one = { name: 'disk full', content: `${HEAD}\r\n${repeated(40_000_000)}`, wanted: /^452 4\.3\.1/ }
    for (let i = 0; i < sessions; i++) {
      // After the disk was full new mail is refused at MAIL until there is room again.
      await until('intake is back', () => takesMail(port), 60_000)
      const fault = await runCase(one, await BarClient.open({ port }), random)
      if (fault !== null) faults.push(`disk full: ${fault}`)
    }
    await noteStored(server, faults)
  } finally {
    server.kill('SIGTERM')
    await server.exited
    execFileSync('umount', [disk])
    removeFolder(folder)
  }
  return sessions
}

async function takesMail(port: number): Promise<boolean> {
  const client = await BarClient.open({ port })
  const reply = await client.say('MAIL FROM:<a@app.test>')
  await client.quit()
  return reply.startsWith('250 ')
}

async function noteStored(server: PosternProcess, faults: string[]): Promise<void> {
  const { accepted } = (await readStatus(server)).sinceStart
  if (accepted !== 0) faults.push(`overflow: ${accepted} messages stored`)
  if ((await countStored(server, 'sender', 'smuggled')) > 0) faults.push('overflow: a smuggled sender is in the queue')
}

function repeated(octets: number): string {
  return MAIL_LINES.repeat(Math.ceil(octets / MAIL_LINES.length))
}
