/**
 * R13: 60 ways to write a recipient (L01), from a client that may relay, one that may not, and with
 * a right and a wrong login; forged trust; nmap's relay probes from a network namespace.
 *
 * The server trusts 127.0.0.1 alone; 127.0.0.2 is foreign. What a trusted client gets through must
 * arrive for exactly the mailbox that was meant, so that no spelling is read in two ways.
 */
import { hashPassword } from '../../src/intake/password-hash.ts'
import { readStatus, submit } from './support/admin.ts'
import { copyCertificate } from './support/certificate.ts'
import { BarClient } from './support/client.ts'
import { makeNamespace } from './support/namespace.ts'
import { nmapRelay } from './support/nmap.ts'
import { FORGERIES, PLAIN_RECIPIENT, RELAY_RECIPIENTS } from './support/relay-addresses.ts'
import { freePort, makeFolder, removeFolder, startServer } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { runBar, until } from './support/verdict.ts'

type Who = 'trusted' | 'foreign' | 'auth-ok' | 'auth-bad'
const WHO: readonly Who[] = ['trusted', 'foreign', 'auth-ok', 'auth-bad']
const PASSWORD = 'correct horse'
const FOREIGN = '127.0.0.2'

await runBar('R13 relay', async () => {
  const sink = await startSink()
  const folder = makeFolder()
  const namespace = makeNamespace()
  const [port, outerPort] = [await freePort(), await freePort()]
  const listen = [`smtp://127.0.0.1:${port}`, ...(typeof namespace === 'string' ? [] : [`smtp://${namespace.ourAddress}:${outerPort}`])]
  const users = [{ name: 'app', passwordHash: await hashPassword(PASSWORD) }]
  const limits = { errorsPerSession: 10_000, junkPerSession: 10_000, authGuessesPerSession: 100, authGuessesPerClient: 10_000 }
  const server = await startServer({
    port,
    relayPort: sink.port,
    folder,
    config: { listen, networks: ['127.0.0.1/32'], tls: copyCertificate(folder), users, limits },
  })
  const faults: string[] = []
  const accepted: Record<Who, number> = { trusted: 0, foreign: 0, 'auth-ok': 0, 'auth-bad': 0 }
  let nmap = { foreign: typeof namespace === 'string' ? namespace : '', control: '' }
  let forged = 0
  for (const who of WHO) accepted[who] = await tryRecipients(port, who, faults)
  forged = await tryForgeries(port, faults)
  if (typeof namespace !== 'string') {
    forged += await tryPipelined(namespace.ourAddress, outerPort, faults)
    nmap = { foreign: nmapRelay(namespace.inside, { host: namespace.ourAddress, port: outerPort }), control: nmapRelay([], { host: '127.0.0.1', port }) }
  }
  await until('what was accepted arrives', () => sink.received.length >= accepted.trusted + accepted['auth-ok'], 20_000)
  noteWrongRecipients(sink.received, faults)
  // The road for people on this machine is no relay either: its socket is the owner's alone.
  const own = await submit(server, 'a@app.test', [PLAIN_RECIPIENT], 'From: a@app.test\r\n\r\nx\r\n')
  if (own.status !== 200) faults.push(`submission: ${own.body}`)
  const { sinceStart } = await readStatus(server)
  server.kill('SIGTERM')
  const { code } = await server.exited
  await sink.close()
  removeFolder(folder)
  for (const fault of faults.slice(0, 20)) process.stderr.write(`${fault}\n`)
  const wanted = RELAY_RECIPIENTS.filter(([, meant]) => meant !== null).length
  const nmapFine = typeof namespace === 'string' || (nmap.foreign === '0/16' && /^[1-9]\d?\/16$/.test(nmap.control))
  return {
    passed:
      accepted.foreign === 0 &&
      accepted['auth-bad'] === 0 &&
      accepted.trusted === wanted &&
      accepted['auth-ok'] === wanted &&
      forged === 0 &&
      faults.length === 0 &&
      nmapFine &&
      sinceStart.accepted === wanted * 2 + 1 &&
      code === 0,
    figures: {
      addresses: RELAY_RECIPIENTS.length,
      trusted: accepted.trusted,
      foreign: accepted.foreign,
      authOk: accepted['auth-ok'],
      authBad: accepted['auth-bad'],
      forgeries: FORGERIES.length,
      forgedAccepted: forged,
      wrong: faults.length,
      nmapForeign: nmap.foreign,
      nmapTrustedControl: nmap.control,
    },
  }
})

/** Recipients that got as far as a stored message. */
async function tryRecipients(port: number, who: Who, faults: string[]): Promise<number> {
  let accepted = 0
  let client: BarClient | null = null
  for (const [index, [written, meant]] of RELAY_RECIPIENTS.entries()) {
    client = client === null || client.closed ? await login(port, who) : client
    const story = `${who} ${JSON.stringify(written)}`
    const mail = await client.say(`MAIL FROM:<r${index}.${who}@app.test>`)
    const rcpt = await client.say(`RCPT TO:<${written}>`)
    if (!mail.startsWith('250 ')) faults.push(`${story}: MAIL ${mail}`)
    const data = await client.say('DATA')
    if (data.startsWith('354')) {
      const end = await client.say(`From: a@app.test\r\nX-Test-Id: ${who}-${index}\r\n\r\nx\r\n.`)
      if (end.startsWith('250 ')) accepted++
      else faults.push(`${story}: ${end}`)
    } else if (!/^5\d\d 5\./.test(data)) faults.push(`${story}: DATA ${data}`)
    const may = (who === 'trusted' || who === 'auth-ok') && meant !== null
    if (data.startsWith('354') !== may || rcpt.startsWith('250 ') !== may) faults.push(`${story}: RCPT ${rcpt}, DATA ${data}`)
    if (!may && !/^(?:554 5\.7\.1|501 5\.|553 5\.6\.7|500 5\.5\.2)/.test(rcpt)) faults.push(`${story}: refused with ${rcpt}`)
    await client.say('RSET')
  }
  await client?.quit()
  return accepted
}

async function login(port: number, who: Who): Promise<BarClient> {
  const client = await BarClient.open({ port, localAddress: who === 'trusted' ? '127.0.0.1' : FOREIGN })
  if (who === 'trusted' || who === 'foreign') return client
  const secret = Buffer.from(`\0app\0${who === 'auth-ok' ? PASSWORD : 'wrong'}`).toString('base64')
  const reply = await client.say(`AUTH PLAIN ${secret}`)
  if (!reply.startsWith(who === 'auth-ok' ? '235 ' : '535 ')) throw new Error(`${who}: ${reply}`)
  return client
}

/** Trust that a foreign client only claims. */
async function tryForgeries(port: number, faults: string[]): Promise<number> {
  let accepted = 0
  for (const lines of FORGERIES) {
    const client = await BarClient.open({ port, localAddress: FOREIGN, silent: true })
    await client.reply()
    const replies: string[] = []
    for (const line of [...lines, `RCPT TO:<${PLAIN_RECIPIENT}>`, 'DATA']) replies.push(client.closed ? 'closed' : await client.say(line))
    if (replies.at(-1)?.startsWith('354') === true || replies.at(-2)?.startsWith('250 ') === true) {
      accepted++
      faults.push(`${JSON.stringify(lines)}: ${replies.join(' | ')}`)
    }
    client.destroy()
  }
  return accepted
}

/** Envelope, DATA and content in one segment, where that is allowed. */
async function tryPipelined(host: string, port: number, faults: string[]): Promise<number> {
  let accepted = 0
  for (const [written] of RELAY_RECIPIENTS) {
    const client = await BarClient.open({ host, port, localAddress: FOREIGN })
    client.write(Buffer.from(`MAIL FROM:<p@app.test>\r\nRCPT TO:<${written}>\r\nRCPT TO:<postmaster>\r\nDATA\r\n`))
    const replies = [await client.reply(), await client.reply(), await client.reply(), await client.reply()]
    if (replies.slice(1).some((reply) => /^[23]/.test(reply))) {
      accepted++
      faults.push(`pipelined ${JSON.stringify(written)}: ${replies.join(' | ')}`)
    }
    client.destroy()
  }
  return accepted
}

/** Each message has one recipient at the sink, and it is the one that the table says was meant. */
function noteWrongRecipients(received: readonly { readonly id: string; readonly to: readonly string[] }[], faults: string[]): void {
  for (const { id, to } of received) {
    const index = Number(id.slice(id.lastIndexOf('-') + 1))
    const meant = RELAY_RECIPIENTS[index]?.[1] ?? null
    if (to.length !== 1 || to[0] !== meant) faults.push(`${id} went to ${JSON.stringify(to)} instead of ${JSON.stringify(meant)}`)
  }
}
