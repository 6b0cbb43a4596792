/**
 * Hostile text in every field that an SMTP client can fill, and in what a peer answers.
 *
 * Each text goes in one write, as a careless application would send it. Where it is taken, the
 * transaction is brought to its end, so that it reaches the sink, the log and the reports.
 */
import type net from 'node:net'
import { BarClient, inParallel } from './client.ts'
import { asOctets, hostileText } from './hostile-strings.ts'
import { type Sink, startSink } from './sink.ts'
import { seeded } from './verdict.ts'

export type SmtpField = 'ehlo' | 'mail' | 'rcpt' | 'auth' | 'orcpt' | 'envid' | 'header'
export const SMTP_FIELDS: readonly SmtpField[] = ['ehlo', 'mail', 'rcpt', 'auth', 'orcpt', 'envid', 'header']

export interface Tried {
  strings: number
  accepted: number
  refused: number
  readonly faults: string[]
}
const WIDTH = 24

export async function trySmtpField(port: number, field: SmtpField, about: { readonly count: number; readonly seed: number }): Promise<Tried> {
  const tried: Tried = { strings: 0, accepted: 0, refused: 0, faults: [] }
  const random = seeded(about.seed)
  const numbers = Array.from({ length: about.count }, (_, index) => index)
  const idle: BarClient[] = []
  await inParallel(numbers, WIDTH, async (number) => {
    const text = hostileText(random)
    const client = idle.pop() ?? (await BarClient.open({ port }))
    const reply = await tryOne(client, { field, number, text, octets: (written) => asOctets(written, random) })
    tried.strings++
    if (reply.startsWith('250 ')) tried.accepted++
    else tried.refused++
    if (!/^(?:250 2|250 postern|250-|4|5|closed)/.test(reply)) tried.faults.push(`${field} ${JSON.stringify(text)}: ${reply}`)
    if (client.closed) return
    await client.say('RSET')
    idle.push(client)
  })
  for (const client of idle) client.destroy()
  return tried
}

interface Attempt {
  readonly field: SmtpField
  readonly number: number
  readonly text: string
  readonly octets: (text: string) => Buffer
}

/** The reply to the field itself, or to the end of content. */
async function tryOne(client: BarClient, { field, number, text, octets }: Attempt): Promise<string> {
  const utf8 = number % 2 === 0 ? ' SMTPUTF8' : ''
  const quoted = number % 5 === 0 ? text : number % 3 === 0 ? `"q${text}"` : `q${text}`
  // Every fourth is refused at the sink, so that a report quotes what was said here.
  const to = number % 4 === 0 ? 'refused@y.test' : 'b@y.test'
  const sent = field === 'header' ? text.replaceAll('\r\n', number % 2 === 0 ? '\r' : '\n') : text
  const lines: readonly (readonly [SmtpField | null, string])[] = [
    field === 'ehlo' ? ['ehlo', `EHLO ${text}`] : [null, 'NOOP'],
    field === 'mail'
      ? ['mail', `MAIL FROM:<${quoted}@app.test>${utf8}`]
      : field === 'auth'
        ? ['auth', `MAIL FROM:<a@app.test> AUTH=${text}`]
        : field === 'envid'
          ? ['envid', `MAIL FROM:<a@app.test> ENVID=${text}`]
          : [null, `MAIL FROM:<a@app.test>${utf8}`],
    field === 'rcpt'
      ? ['rcpt', `RCPT TO:<${quoted}@y.test>`]
      : field === 'orcpt'
        ? ['orcpt', `RCPT TO:<${to}> ORCPT=rfc822;${text}`]
        : [null, `RCPT TO:<${to}>`],
    [null, 'DATA'],
  ]
  for (const [own, line] of lines) {
    client.write(Buffer.concat([own === null ? Buffer.from(line) : octets(line), Buffer.from('\r\n')]))
    const reply = await client.reply()
    // After a text that is a line break, what was taken may be no more than its first half: that is an extra command.
    if (own !== null && /^2/.test(reply) && line.includes('\r\n')) return `ran on: ${reply}`
    if (!/^[23]/.test(reply)) return own === null && !/^(?:closed|554 5\.5\.0)/.test(reply) ? `odd: ${line}: ${reply}` : reply
  }
  const head = `From: a@app.test\r\nX-Test-Id: ${field}-${number}\r\nSubject: `
  client.write(Buffer.concat([Buffer.from(head), field === 'header' ? octets(sent) : Buffer.from('s'), Buffer.from('\r\n\r\nbody\r\n.\r\n')]))
  return client.reply()
}

const XTEXT_REFUSED = ['+00', '+0D+0A', '+0d+0a', 'a+0Ab', '+', 'a+', '+2', '+GG', '+2g', '+7F', '+80', 'a=b', 'a\x7f', 'a b', 'x'.repeat(501), '']
/** Taken, and passed on octet by octet. */
export const XTEXT_TAKEN = ['a+2Bb', 'a+3Db', 'a+20b', 'QQ314159', 'a/b;c', '+5C+22']

/** I08: encoded control characters and broken encodings are refused. Answers what was not as it should be. */
export async function tryXtext(port: number): Promise<readonly string[]> {
  const faults: string[] = []
  const client = await BarClient.open({ port })
  for (const value of [...XTEXT_REFUSED, ...XTEXT_TAKEN]) {
    const wanted = XTEXT_TAKEN.includes(value) ? '250 ' : '5'
    const mail = await client.say(`MAIL FROM:<a@app.test> ENVID=${value}`)
    if (!mail.startsWith(wanted)) faults.push(`ENVID=${value}: ${mail}`)
    await client.say('RSET')
    await client.say('MAIL FROM:<a@app.test>')
    const rcpt = await client.say(`RCPT TO:<b@y.test> ORCPT=rfc822;${value}`)
    if (!rcpt.startsWith(wanted)) faults.push(`ORCPT=rfc822;${value}: ${rcpt}`)
    await client.say('RSET')
    if (wanted === '5') continue
    for (const line of [`MAIL FROM:<a@app.test> ENVID=${value}`, `RCPT TO:<b@y.test> ORCPT=rfc822;${value}`, 'DATA']) await client.say(line)
    await client.say('From: a@app.test\r\n\r\nxtext\r\n.')
  }
  await client.quit()
  return faults
}

/** The JavaMail case of 2025: one address that is two commands, in one write. Null: refused, nothing of it was run. */
export async function tryJavaMail(port: number): Promise<string | null> {
  const client = await BarClient.open({ port })
  await client.say('MAIL FROM:<a@app.test>')
  client.write('RCPT TO:<b@y.test>\r\nRCPT TO:<evil@z.test>\r\n')
  const replies = [await client.reply(), await client.reply()]
  client.destroy()
  return replies[0]?.startsWith('554 5.5.0') === true && replies[1] === 'closed' ? null : replies.join(' | ')
}

/** A peer that answers each message `p-N@app.test` once with hostile text, at one of four commands; then it takes it. */
export function startHostilePeer(seed: number): Promise<Sink> {
  const random = seeded(seed)
  const current = new WeakMap<net.Socket, number>()
  const answered = new Set<number>()
  const answerFor = (number: number | undefined, phase: number): string | null => {
    if (number === undefined || number % 4 !== phase || answered.has(number)) return null
    answered.add(number)
    const code = ['550', '550 5.1.1', '450', phase === 2 ? '554' : '250'][Math.floor(random() * 4)] ?? '550'
    // Now and then as much as a reply may be.
    return `${code} ${number % 500 === 1 ? 'x'.repeat(60_000) : hostileText(random)}`
  }
  const phases = ['MAIL', 'RCPT', 'DATA']
  return startSink({
    onCommand(verb, line, socket) {
      const number = /^MAIL FROM:<p-(\d+)@/.exec(line)?.[1]
      if (number !== undefined) current.set(socket, Number(number))
      const phase = phases.indexOf(verb)
      return phase === -1 ? null : answerFor(current.get(socket), phase)
    },
    onFinalDot(_message, socket) {
      const reply = answerFor(current.get(socket), 3)
      return reply === null ? 'accept' : { reply }
    },
  })
}

/** Honest messages to the hostile peer. */
export async function sendToPeer(port: number, count: number): Promise<number> {
  let accepted = 0
  const idle: BarClient[] = []
  await inParallel(
    Array.from({ length: count }, (_, index) => index),
    WIDTH,
    async (number) => {
      const client = idle.pop() ?? (await BarClient.open({ port }))
      for (const line of [`MAIL FROM:<p-${number}@app.test>`, 'RCPT TO:<b@peer.test>', 'DATA']) await client.say(line)
      client.write(`From: a@app.test\r\nX-Test-Id: peer-${number}\r\nSubject: s\r\n\r\nbody\r\n.\r\n`)
      if ((await client.reply()).startsWith('250 ')) accepted++
      idle.push(client)
    },
  )
  for (const client of idle) client.destroy()
  return accepted
}
