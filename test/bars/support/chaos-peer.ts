/**
 * An SMTP peer that answers at random: right, wrong, late, twice, not at all, for ever.
 *
 * A share of its sessions behaves, so that mail gets through. Everything it reads and writes goes to a
 * `DialogueOracle`, which says what a client may believe.
 */
import net from 'node:net'
import tls from 'node:tls'
import { resetSocket } from '../../support/reset-socket.ts'
import { FAULT_LIST, type Fault, TEXTS, WEIRD_CODES } from './chaos-faults.ts'
import { DialogueOracle, type Ledger } from './dialogue-oracle.ts'

export interface ChaosPeer {
  readonly port: number
  close(): Promise<void>
}
export interface ChaosCounts {
  sessions: number
  open: number
  longestSessionMs: number
  readonly faults: Map<string, number>
}
export interface ChaosOptions {
  readonly random: () => number
  readonly ledger: Ledger
  readonly counts: ChaosCounts
  /** For STARTTLS. */
  readonly certificate: { readonly cert: string; readonly key: string }
}

const ENDLESS_OCTETS = 1_000_000

class Gone extends Error {}

export async function startChaosPeer(options: ChaosOptions): Promise<ChaosPeer> {
  const { counts } = options
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    const from = performance.now()
    counts.sessions++
    counts.open++
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      counts.open--
      sockets.delete(socket)
      counts.longestSessionMs = Math.max(counts.longestSessionMs, performance.now() - from)
    })
    const session = new ChaosSession(socket, options)
    session.run().catch((fault: unknown) => {
      session.over()
      socket.destroy()
      if (!(fault instanceof Gone)) throw fault
    })
  })
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', 1000, resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

class ChaosSession {
  readonly #options: ChaosOptions
  readonly #oracle: DialogueOracle
  /** Chance of a fault at each reply; 0 in a session that behaves. */
  readonly #wildness: number
  /** The TCP socket, TLS or not. */
  readonly #raw: net.Socket
  #socket: net.Socket
  #buffer: Buffer = Buffer.alloc(0)
  #wake: (() => void) | null = null
  #ended = false
  #recipients = 0

  constructor(socket: net.Socket, options: ChaosOptions) {
    this.#raw = socket
    this.#socket = socket
    this.#options = options
    this.#oracle = new DialogueOracle(options.ledger)
    const draw = options.random()
    this.#wildness = draw < 0.35 ? 0 : draw < 0.75 ? 0.08 : 0.35
    this.#listen(socket)
  }

  over(): void {
    this.#oracle.ended()
  }

  async run(): Promise<void> {
    this.#oracle.saw({ kind: 'other' })
    await this.#answer('220 chaos.test ESMTP')
    for (;;) {
      const line = await this.#line()
      const verb = line.slice(0, 4).toUpperCase()
      if (verb === 'DATA') await this.#takeContent()
      else if (verb === 'AUTH') await this.#takeLogin(line)
      else if (verb === 'STAR') await this.#takeTls()
      else await this.#takeCommand(verb, line)
      if (verb === 'QUIT') break
    }
    if (this.#chance(0.1)) await this.#write('250 one more thing\r\n'.repeat(500))
    if (this.#chance(0.9)) this.#socket.end()
    await this.#untilGone()
  }

  async #takeCommand(verb: string, line: string): Promise<void> {
    const path = /<(.*?)>/.exec(line)?.[1] ?? ''
    if (verb === 'MAIL') this.#recipients = 0
    if (verb === 'RCPT') this.#oracle.saw({ kind: 'rcpt', to: path })
    else this.#oracle.saw({ kind: verb === 'MAIL' ? 'mail' : verb === 'RSET' ? 'reset' : 'other' })
    if (verb === 'EHLO') await this.#answer(this.#ehloReply())
    else if (verb === 'QUIT') await this.#answer('221 2.0.0 bye')
    else if (verb === 'RCPT' && this.#wildness > 0 && this.#chance(0.1))
      await this.#answer(this.#pick(['450 4.2.1 later', '550 5.1.1 no such user', '452 4.5.3 too many recipients']))
    else {
      if (verb === 'RCPT') this.#recipients++
      await this.#answer('250 2.0.0 ok')
    }
  }

  async #takeContent(): Promise<void> {
    this.#oracle.saw({ kind: 'data' })
    if (this.#recipients === 0 && this.#chance(0.7)) return void (await this.#answer('554 5.5.1 no valid recipients'))
    if (!(await this.#answerData())) return
    const id = await this.#content()
    this.#oracle.saw({ kind: 'dot', id })
    this.#recipients = 0
    await this.#answer('250 2.0.0 stored')
    if (this.#wildness > 0 && this.#chance(0.1)) await this.#write('421 4.4.2 closing after idle\r\n')
    if (this.#wildness > 0 && this.#chance(0.05)) throw new Gone()
  }

  /** False: content is not expected. */
  async #answerData(): Promise<boolean> {
    const fault = this.#fault()
    if (fault === 'early') {
      this.#note(fault)
      await this.#write('354 go ahead\r\n250 2.0.0 stored already\r\n')
      return true
    }
    const sent = await this.#reply('354 go ahead', fault)
    return sent.includes('354') || fault === 'missing'
  }

  async #takeLogin(line: string): Promise<void> {
    this.#oracle.saw({ kind: 'other' })
    const [, mechanism = '', initial] = line.split(' ')
    const challenges =
      mechanism.toUpperCase() === 'LOGIN' ? ['VXNlcm5hbWU6', 'UGFzc3dvcmQ6'] : initial === undefined ? [Buffer.from('<1.2@chaos.test>').toString('base64')] : []
    for (const challenge of challenges) {
      const sent = await this.#answer(`334 ${challenge}`)
      if (!sent.startsWith('334')) return
      const answer = await this.#line()
      this.#oracle.saw({ kind: 'other' })
      if (answer === '*') return void (await this.#answer('501 5.7.0 given up'))
    }
    await this.#answer(this.#chance(0.1) ? '535 5.7.8 no' : '235 2.7.0 welcome')
  }

  async #takeTls(): Promise<void> {
    this.#oracle.saw({ kind: 'other' })
    const draw = this.#options.random()
    if (draw < 0.15) {
      this.#note('tls-garbage')
      await this.#write('220 go\r\n')
      await this.#write(this.#noise(200))
      throw new Gone()
    }
    if (draw < 0.25) {
      this.#note('tls-injection')
      await this.#write('220 go\r\n250 injected\r\n')
      return this.#untilGone()
    }
    const sent = await this.#answer('220 go')
    if (!/^220[^\r\n]*\r\n$/.test(sent)) return
    const secure = new tls.TLSSocket(this.#socket, { isServer: true, secureContext: tls.createSecureContext(this.#options.certificate) })
    this.#socket.removeAllListeners('data')
    this.#buffer = Buffer.alloc(0)
    this.#socket = secure
    this.#listen(secure)
  }

  #ehloReply(): string {
    const offers = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES', 'AUTH PLAIN LOGIN CRAM-MD5', 'STARTTLS', 'SIZE 10000000']
    const odd = ['SIZE', 'SIZE 0', 'SIZE 1e30', 'size 40', 'AUTH', 'AUTH=LOGIN', 'XXXXXXXA', 'pipelining', 'X'.repeat(300), 'STARTTLS now']
    const said = offers.filter((offer) => this.#chance(offer === 'STARTTLS' ? 0.3 : 0.8))
    if (this.#wildness > 0 && this.#chance(0.2)) said.push(this.#pick(odd))
    const lines = ['chaos.test', ...said]
    return lines.map((text, index) => `250${index === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n')
  }

  #answer(usual: string): Promise<string> {
    return this.#reply(usual, this.#fault())
  }

  #fault(): Fault | null {
    return this.#wildness > 0 && this.#chance(this.#wildness) ? this.#pick(FAULT_LIST) : null
  }

  #note(fault: string): void {
    const { faults } = this.#options.counts
    faults.set(fault, (faults.get(fault) ?? 0) + 1)
  }

  /** Says the usual reply, or what the fault makes of it; answers what was said. */
  async #reply(usual: string, fault: Fault | null): Promise<string> {
    if (fault !== null) this.#note(fault)
    const text = this.#pick(TEXTS)
    switch (fault) {
      case null:
      case 'early':
        return this.#write(`${usual}\r\n`)
      case 'refuse4':
        return this.#write(`${this.#pick(['450', '451', '452', '421', '432', '454'])} ${text}\r\n`)
      case 'refuse5':
        return this.#write(`${this.#pick(['550', '552', '554', '500', '502', '503', '530', '535', '571'])} ${text}\r\n`)
      case 'bye421':
        await this.#write(`421 ${text}\r\n`)
        throw new Gone()
      case 'garbage':
        return this.#write(`${this.#pick(['what?', 'SSH-2.0-OpenSSH', 'HTTP/1.1 400 Bad Request', '', ' 250 ok', '250_ok', '25', '2x0 ok'])}\r\n`)
      case 'binary':
        return this.#write(this.#noise(60))
      case 'extra':
        return this.#write(`${usual}\r\n${usual}\r\n`)
      case 'missing':
        return ''
      case 'drop':
        this.#socket.end()
        return this.#untilGone()
      case 'reset':
        return this.#reset()
      case 'differing':
        return this.#write(`${usual.slice(0, 3)}-one\r\n${this.#pick(['421', '550', '251', '354', '450'])} two\r\n`)
      case 'several':
        return this.#write(`${usual.slice(0, 3)}-one\r\n${usual.slice(0, 3)}-two\r\n${usual}\r\n`)
      case 'endlessLine':
        return this.#endless(`${usual} ${'x'.repeat(8_000)}`, 'x'.repeat(16_000))
      case 'endlessLines':
        return this.#endless('', `${usual.slice(0, 3)}-and so on\r\n`.repeat(400))
      case 'flood':
        await this.#write(`${usual}\r\n`.repeat(200))
        return this.#untilGone()
      case 'weirdCode':
        return this.#write(`${this.#pick(WEIRD_CODES)} ${text}\r\n`)
      case 'silence':
        return this.#untilGone()
      case 'half':
        await this.#write(usual.slice(0, Math.floor(this.#options.random() * usual.length)))
        throw new Gone()
      case 'halfAndStay':
        await this.#write(`${usual.slice(0, 3)}-more\r\n`)
        return this.#untilGone()
      case 'bareLf':
        return this.#write(`${usual.replace(/\r/g, '')}\n`)
      case 'bareCr':
        return this.#write(`${usual.replace(/\n/g, '')}\r`)
      case 'split':
        for (const octet of `${usual}\r\n`) {
          await this.#write(octet)
          await new Promise((resolve) => setImmediate(resolve))
        }
        return `${usual}\r\n`
      case 'contradict':
        return this.#write(`${usual.slice(0, 3)} ${this.#pick(['4.7.1', '5.1.1', '2.0.0', '9.9.9'])} contradiction\r\n`)
    }
  }

  async #endless(first: string, piece: string): Promise<string> {
    await this.#write(first)
    for (let sent = 0; sent < ENDLESS_OCTETS && !this.#ended && !this.#socket.destroyed; sent += piece.length) {
      await this.#write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    return this.#untilGone()
  }

  #write(text: string): Promise<string> {
    if (this.#ended || this.#socket.destroyed) throw new Gone()
    this.#oracle.said(text)
    this.#socket.write(text, 'latin1')
    return Promise.resolve(text)
  }

  /** Reads up to the final dot; answers which message it was. Now and then something goes wrong on the way. */
  async #content(): Promise<string> {
    const wild = this.#wildness > 0 && this.#chance(this.#wildness / 2)
    const act = wild ? this.#pick(['drop', 'reset', 'refuse', 'stop-reading', 'pause'] as const) : null
    let head = ''
    for (;;) {
      const empty = head === '' && this.#buffer.subarray(0, 3).toString('latin1') === '.\r\n'
      const at = empty ? 0 : this.#buffer.indexOf('\r\n.\r\n')
      if (at !== -1) {
        head += this.#buffer.toString('latin1', 0, Math.min(at, 2_000))
        this.#buffer = this.#buffer.subarray(at + (empty ? 3 : 5))
        return /^X-Queue-Id: (\S+)/m.exec(head)?.[1] ?? ''
      }
      if (act !== null && this.#buffer.length > 0) await this.#disturb(act)
      if (this.#buffer.length > 20_000) {
        if (head === '') head = this.#buffer.toString('latin1', 0, 2_000)
        this.#buffer = this.#buffer.subarray(-4)
      }
      await this.#more()
    }
  }

  async #disturb(act: 'drop' | 'reset' | 'refuse' | 'stop-reading' | 'pause'): Promise<void> {
    this.#note(`content-${act}`)
    if (act === 'drop') throw new Gone()
    if (act === 'reset') this.#reset()
    if (act === 'refuse') await this.#write('552 5.3.4 too much\r\n')
    if (act === 'pause') await new Promise((resolve) => setTimeout(resolve, 20))
    if (act === 'stop-reading') {
      this.#socket.pause()
      await new Promise((resolve) => setTimeout(resolve, 1_000))
      this.#socket.resume()
    }
  }

  #listen(socket: net.Socket): void {
    socket.on('data', (chunk) => {
      this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk])
      this.#wake?.()
    })
    socket.on('error', () => {})
    const over = (): void => {
      if (socket !== this.#socket) return
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', over)
    socket.on('close', over)
  }

  async #more(): Promise<void> {
    if (this.#ended) throw new Gone()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    this.#wake = null
  }

  async #line(): Promise<string> {
    for (;;) {
      const at = this.#buffer.indexOf('\r\n')
      if (at !== -1) {
        const line = this.#buffer.toString('utf8', 0, at)
        this.#buffer = this.#buffer.subarray(at + 2)
        return line
      }
      await this.#more()
    }
  }

  /** Says nothing more, reads and forgets until the client goes. */
  async #untilGone(): Promise<never> {
    for (;;) {
      this.#buffer = Buffer.alloc(0)
      await this.#more()
    }
  }

  #reset(): never {
    // Under TLS, too: its own end has ended the TCP socket below it.
    if (this.#socket.writableEnded) this.#raw.destroy()
    else resetSocket(this.#raw)
    throw new Gone()
  }

  #noise(count: number): string {
    return Array.from({ length: count }, () => String.fromCharCode(Math.floor(this.#options.random() * 256))).join('')
  }
  #chance(share: number): boolean {
    return this.#options.random() < share
  }
  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#options.random() * list.length)] as T
  }
}
