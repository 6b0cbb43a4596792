/**
 * Sessions that lose their step: TLS closed inside content (S13), half-closed inside the final dot
 * (S14), input across the end (S16), content that comes with DATA (S17), BDAT without an offer.
 */
import net from 'node:net'
import { Duplex } from 'node:stream'
import tls from 'node:tls'
import { readStatus } from './admin.ts'
import { BarClient, beginContent, type ClientOptions } from './client.ts'
import { SECOND } from './sequences.ts'
import type { PosternProcess } from './server.ts'

export interface SessionsResult {
  readonly sessions: number
  /** Honest messages that were sent in between and must have been stored. */
  readonly messages: number
  readonly faults: readonly string[]
}

const FROM = 'smuggled-outer@app.test'
const TO = 'user@rcpt.test'

/** The doors must be without PIPELINING. None of the odd messages may be stored; an honest one after each must be. */
export async function sessionFaults(doors: readonly ClientOptions[], server: PosternProcess, mode: { readonly full: boolean }): Promise<SessionsResult> {
  const before = (await readStatus(server)).sinceStart.accepted
  const faults: string[] = []
  let sessions = 0
  let honest = 0
  for (let round = 0; round < (mode.full ? 10 : 2); round++) {
    for (const door of doors) {
      for (const [name, run] of CASES) {
        sessions++
        const fault = await run(door)
        if (fault !== null) faults.push(`${name} (${door.security}): ${fault}`)
      }
      honest++
      const fault = await sendHonest(door)
      if (fault !== null) faults.push(`honest client after them: ${fault}`)
    }
  }
  const stored = (await readStatus(server)).sinceStart.accepted - before
  if (stored !== honest) faults.push(`${stored} messages stored instead of ${honest}`)
  return { sessions, messages: honest, faults }
}

type Run = (door: ClientOptions) => Promise<string | null>
const CASES: readonly (readonly [name: string, run: Run])[] = [
  ...['body\r\n', 'body\r\n.', 'body\r\n.\r'].map((tail) => [`FIN after ${JSON.stringify(tail)}`, (door: ClientOptions) => halfClosed(door, tail)] as const),
  ['commands behind the final dot', acrossTheEnd],
  ['content with DATA', contentWithData],
  ['DATA behind RCPT', dataBehindRcpt],
  ['BDAT', bdat],
  ['TLS closed inside content', closedTls],
]

async function halfClosed(door: ClientOptions, tail: string): Promise<string | null> {
  const client = await BarClient.open(door)
  await beginContent(client, FROM, TO)
  client.write(`From: a@x.test\r\n\r\n${tail}`)
  client.halfClose()
  const reply = await client.reply()
  client.destroy()
  return /^(?:closed|4|5)/.test(reply) ? null : reply
}

async function acrossTheEnd(door: ClientOptions): Promise<string | null> {
  const client = await BarClient.open(door)
  await beginContent(client, FROM, TO)
  client.write(`From: a@x.test\r\n\r\nx\r\n.\r\n${SECOND}.\r\n`)
  return outOfStep(client)
}

async function contentWithData(door: ClientOptions): Promise<string | null> {
  const client = await BarClient.open(door)
  await client.say(`MAIL FROM:<${FROM}>`)
  await client.say(`RCPT TO:<${TO}>`)
  client.write(`DATA\r\nFrom: a@x.test\r\n\r\n${SECOND}.\r\n`)
  return outOfStep(client)
}

async function dataBehindRcpt(door: ClientOptions): Promise<string | null> {
  const client = await BarClient.open(door)
  await client.say(`MAIL FROM:<${FROM}>`)
  client.write(`RCPT TO:<${TO}>\r\nDATA\r\n`)
  return outOfStep(client)
}

/** 554 5.5.0 and nothing else. */
async function outOfStep(client: BarClient): Promise<string | null> {
  const replies = [await client.reply(), await client.reply()]
  client.destroy()
  return replies[0]?.startsWith('554 5.5.0') === true && replies[1] === 'closed' ? null : replies.join(' | ')
}

async function bdat(door: ClientOptions): Promise<string | null> {
  const client = await BarClient.open({ ...door })
  const ehlo = await client.say('EHLO bar.test')
  await client.say(`MAIL FROM:<${FROM}>`)
  await client.say(`RCPT TO:<${TO}>`)
  const alone = await client.say('BDAT 10 LAST')
  const chunk = `From: a@x.test\r\n\r\n${SECOND}`
  client.write(`BDAT ${chunk.length} LAST\r\n${chunk}`)
  const swallowed = await client.reply()
  client.destroy()
  if (/CHUNKING|BINARYMIME/.test(ehlo)) return `offered: ${ehlo}`
  if (!/^50[02] /.test(alone)) return `BDAT alone: ${alone}`
  return /^5/.test(swallowed) ? null : `BDAT with its chunk: ${swallowed}`
}

/** close_notify in the middle of content, then plain octets on the same connection (Exim's fault of 2026). */
async function closedTls(door: ClientOptions): Promise<string | null> {
  if (door.security !== 'implicit') return null
  const raw = net.connect({ port: door.port, host: '127.0.0.1', noDelay: true })
  let plainHeard = ''
  const wire = new Duplex({
    read: () => {},
    write: (chunk: Buffer, _encoding, written) => void raw.write(chunk, () => written()),
    // No FIN when TLS ends: the connection stays open for what follows in plain.
    final: (ended) => ended(),
  })
  let inTls = true
  raw.on('data', (chunk: Buffer) => {
    if (inTls) wire.push(chunk)
    else plainHeard += chunk.toString('latin1')
  })
  const gone = new Promise<void>((resolve) => raw.on('error', () => {}).on('close', () => resolve()))
  const secure = tls.connect({ socket: wire, rejectUnauthorized: false })
  secure.on('error', () => {})
  const heard = replyReader(secure)
  await heard('220 ')
  for (const [line, code] of [
    ['EHLO bar.test', '250 '],
    [`MAIL FROM:<${FROM}>`, '250 '],
    [`RCPT TO:<${TO}>`, '250 '],
    ['DATA', '354 '],
  ] as const) {
    secure.write(`${line}\r\n`)
    await heard(code)
  }
  await new Promise<void>((resolve) => secure.write('From: a@x.test\r\n\r\nbody', () => resolve()))
  await new Promise<void>((resolve) => secure.end(() => resolve()))
  await new Promise((resolve) => setTimeout(resolve, 5))
  inTls = false
  raw.write(`\r\n.\r\n${SECOND}.\r\n`)
  const late = setTimeout(() => raw.destroy(new Error('late')), 10_000)
  await gone
  clearTimeout(late)
  secure.destroy()
  return /^[23]\d\d[ -]/m.test(plainHeard) ? `answered in plain: ${plainHeard}` : null
}

/** Waits for a reply line that begins so. */
function replyReader(socket: tls.TLSSocket): (start: string) => Promise<void> {
  let text = ''
  let wake = (): void => {}
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    wake()
  })
  return async (start) => {
    for (;;) {
      const lines = text.split('\r\n')
      const at = lines.findIndex((line) => line.startsWith(start))
      if (at !== -1 && at < lines.length - 1) {
        text = lines.slice(at + 1).join('\r\n')
        return
      }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
}

async function sendHonest(door: ClientOptions): Promise<string | null> {
  const client = await BarClient.open(door)
  const refused = await beginContent(client, 'honest@app.test', TO)
  client.write('From: a@x.test\r\n\r\nhonest\r\n.\r\n')
  const reply = refused ?? (await client.reply())
  await client.quit()
  return reply.startsWith('250 ') ? null : reply
}
