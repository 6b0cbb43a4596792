/**
 * Clients that inject, stall, renegotiate or forget STARTTLS, at listeners of a real server (T01 to T05, T07 to T09,
 * T11, T12).
 */
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import { countStored } from './admin.ts'
import { copyCertificate } from './certificate.ts'
import { BarClient } from './client.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './server.ts'
import type { CaseResult } from './starttls-client.ts'

interface Scene {
  readonly server: PosternProcess
  readonly folder: string
  readonly ports: { readonly open: number; readonly strict: number; readonly login: number; readonly implicit: number; readonly second: number }
}
type ServerCase = readonly [name: string, run: (scene: Scene) => Promise<string | null>]

const HASH_PASSWORD = 'secret-canary'
const INJECTED = ['EHLO inj', 'NOOP', 'RSET', 'MAIL FROM:<smuggled@x.test>', `HELP ${'x'.repeat(16_000)}`]

const CASES: readonly ServerCase[] = [
  ...INJECTED.map((line): ServerCase => [`T01 ${line.slice(0, 30)} behind STARTTLS in one write`, ({ ports }) => injectTogether(ports.open, line)]),
  ['T02 plain commands instead of a handshake', ({ ports }) => injectApart(ports.open)],
  ['T03 everything of before TLS is forgotten', ({ ports }) => forgets(ports.open)],
  ['T04 STARTTLS twice', ({ ports }) => replies(ports.open, ['STARTTLS'], ['503'], 'starttls')],
  ['T04 STARTTLS with a parameter', ({ ports }) => replies(ports.open, ['STARTTLS now'], ['501'])],
  ['T04 STARTTLS in a transaction', ({ ports }) => replies(ports.open, ['MAIL FROM:<a@b.test>', 'STARTTLS'], ['250', '503'])],
  ['T04 STARTTLS after a login', ({ ports }) => replies(ports.login, [authPlain(), 'STARTTLS'], ['235', '503'])],
  ['T05 garbage instead of a handshake', ({ ports }) => closedBy(ports.open, Buffer.from('this is no TLS at all\r\n\r\n'))],
  ['T05 TLS 1.1 at most', ({ ports }) => handshake(ports.implicit, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }, 'refused')],
  ['T05 an unknown name in SNI', ({ ports }) => handshake(ports.implicit, { servername: 'nobody.example' }, 'taken')],
  ['T05 a name of 255 octets in SNI', ({ ports }) => handshake(ports.implicit, { servername: `${'a.'.repeat(126)}abc` }, 'either')],
  ['T06 renegotiation', ({ ports }) => renegotiates(ports.implicit)],
  ['T07 no login before TLS', ({ ports }) => noLoginBeforeTls(ports.strict)],
  ['T08 nothing before TLS where it is demanded', ({ ports }) => demandsTls(ports.strict)],
  [
    'T10 RC4, 3DES, export, or CBC with SHA-1',
    ({ ports }) => handshake(ports.implicit, { maxVersion: 'TLSv1.2', ciphers: 'RC4:3DES:EXPORT:AES128-SHA:AES256-SHA@SECLEVEL=0' }, 'refused'),
  ],
  ['T10 no forward secrecy', ({ ports }) => handshake(ports.implicit, { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:AES256-GCM-SHA384' }, 'refused')],
  ['T11 plain text to a port of TLS', ({ ports }) => closedBy(ports.implicit, Buffer.from('EHLO bar.test\r\nMAIL FROM:<smuggled@x.test>\r\n'), false)],
  ['T11 TLS to a plain port', ({ ports }) => handshake(ports.open, {}, 'refused')],
  ['T12 a ticket of one listener at another', ({ ports }) => ticketElsewhere(ports)],
  ['T09 a key of another certificate', brokenPair],
]

export async function runServerCases(): Promise<readonly CaseResult[]> {
  const folder = makeFolder()
  const ports = { open: await freePort(), strict: await freePort(), login: await freePort(), implicit: await freePort(), second: await freePort() }
  const certificate = copyCertificate(folder)
  writeFileSync(join(folder, 'password'), `${HASH_PASSWORD}\n`, { mode: 0o600 })
  const server = await startServer({
    port: ports.open,
    relayPort: 1,
    folder,
    config: {
      tls: certificate,
      users: [{ name: 'app', password: { file: 'password' } }],
      routes: [{ via: 'capture' }],
      limits: { errorsPerSession: 50 },
      listen: [
        `smtp://127.0.0.1:${ports.open}`,
        { url: `smtp://127.0.0.1:${ports.strict}`, requireTls: true, authWithoutTls: false },
        `smtp://127.0.0.1:${ports.login}`,
        `smtps://127.0.0.1:${ports.implicit}`,
        `smtps://127.0.0.1:${ports.second}`,
      ],
    },
  })
  const results: CaseResult[] = []
  for (const [name, run] of CASES) {
    const before = await countStored(server, 'sender', 'smuggled')
    const fault = (await run({ server, folder, ports }).catch((error: unknown) => String(error))) ?? (await stillServes(ports.open))
    const injectedUsed = (await countStored(server, 'sender', 'smuggled')) - before
    results.push({ name, fault, leaks: 0, injectedUsed })
  }
  server.kill('SIGTERM')
  await server.exited
  removeFolder(folder)
  return results
}

function authPlain(): string {
  return `AUTH PLAIN ${Buffer.from(`\0app\0${HASH_PASSWORD}`).toString('base64')}`
}

async function stillServes(port: number): Promise<string | null> {
  const client = await BarClient.open({ port })
  const reply = await client.say('NOOP')
  client.destroy()
  return reply.startsWith('250') ? null : `the next client is told ${reply}`
}

async function replies(port: number, lines: readonly string[], wanted: readonly string[], security: 'plain' | 'starttls' = 'plain'): Promise<string | null> {
  const client = await BarClient.open({ port, security })
  const codes: string[] = []
  for (const line of lines) codes.push((await client.say(line)).slice(0, 3))
  client.destroy()
  return codes.join() === wanted.join() ? null : `${codes.join()}, not ${wanted.join()}`
}

/** What is read in plain text must never be answered inside TLS. */
async function injectTogether(port: number, line: string): Promise<string | null> {
  const raw = await greeted(port)
  raw.socket.write(`STARTTLS\r\n${line}\r\n`)
  const [first = ''] = (await raw.until(/\r\n/)).split('\r\n')
  if (first.startsWith('554') || first === '') return done(raw, null)
  if (!first.startsWith('220')) return done(raw, `STARTTLS is answered by ${first}`)
  raw.socket.removeAllListeners('data')
  const secure = tls.connect({ socket: raw.socket, rejectUnauthorized: false })
  let heard = ''
  secure.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  const ended = await new Promise<string>((resolve) => {
    secure.once('error', () => resolve('refused'))
    secure.once('close', () => resolve('refused'))
    secure.once('secureConnect', () => setTimeout(() => resolve('inside'), 100))
  })
  secure.destroy()
  return heard === '' ? null : `${ended}, and inside TLS the server says ${JSON.stringify(heard.slice(0, 60))}`
}

async function injectApart(port: number): Promise<string | null> {
  const raw = await greeted(port)
  raw.socket.write('STARTTLS\r\n')
  await raw.until(/220 /)
  raw.socket.write('MAIL FROM:<smuggled@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n')
  const heard = await raw.untilClosed()
  return /250|354/.test(heard) ? `the server answers ${JSON.stringify(heard.slice(0, 60))}` : null
}

async function forgets(port: number): Promise<string | null> {
  const raw = await greeted(port)
  raw.socket.write('STARTTLS\r\n')
  await raw.until(/220 /)
  raw.socket.removeAllListeners('data')
  const secure = tls.connect({ socket: raw.socket, rejectUnauthorized: false })
  const reply = await new Promise<string>((resolve) => {
    secure.once('data', (chunk: Buffer) => resolve(chunk.toString('latin1')))
    secure.once('error', (error) => resolve(String(error)))
    secure.once('secureConnect', () => secure.write('MAIL FROM:<smuggled@x.test>\r\n'))
  })
  secure.destroy()
  return reply.startsWith('503') ? null : `MAIL without EHLO inside TLS: ${reply.slice(0, 60)}`
}

async function closedBy(port: number, octets: Buffer, afterStartTls = true): Promise<string | null> {
  if (!afterStartTls) {
    const socket = net.connect(port, '127.0.0.1')
    const raw = watch(socket)
    socket.write(octets)
    const heard = await raw.untilClosed()
    return /^(?:220|250)/.test(heard) ? `the server says ${heard.slice(0, 40)}` : null
  }
  const raw = await greeted(port)
  raw.socket.write('STARTTLS\r\n')
  await raw.until(/220 /)
  raw.socket.write(octets)
  await raw.untilClosed()
  return null
}

async function handshake(port: number, options: tls.ConnectionOptions, wanted: 'taken' | 'refused' | 'either'): Promise<string | null> {
  const end = await connectTls(port, options)
  end.socket.destroy()
  if (wanted === 'either') return null
  return end.secure === (wanted === 'taken') ? null : `the handshake is ${end.secure ? 'taken' : 'refused'}`
}

function connectTls(port: number, options: tls.ConnectionOptions): Promise<{ readonly secure: boolean; readonly socket: tls.TLSSocket }> {
  return new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options })
    socket.once('error', () => resolve({ secure: false, socket }))
    socket.once('secureConnect', () => resolve({ secure: true, socket }))
    socket.setTimeout(5_000, () => resolve({ secure: false, socket }))
  })
}

async function renegotiates(port: number): Promise<string | null> {
  const { socket, secure } = await connectTls(port, { maxVersion: 'TLSv1.2' })
  if (!secure) return 'no handshake'
  socket.on('error', () => undefined)
  const taken = await new Promise<boolean>((resolve) => {
    socket.once('close', () => resolve(false))
    socket.once('error', () => resolve(false))
    socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null))
    setTimeout(() => resolve(false), 2_000)
  })
  socket.destroy()
  return taken ? 'a renegotiation is taken' : null
}

async function noLoginBeforeTls(port: number): Promise<string | null> {
  const client = await BarClient.open({ port })
  const ehlo = client.heard
  const reply = await client.say(authPlain())
  client.destroy()
  if (/^250.AUTH/m.test(ehlo)) return 'AUTH is offered'
  return /^(?:530|538)/.test(reply) ? null : `AUTH before TLS is answered by ${reply}`
}

async function demandsTls(port: number): Promise<string | null> {
  const client = await BarClient.open({ port })
  const wrong: string[] = []
  for (const line of ['MAIL FROM:<a@b.test>', 'RCPT TO:<a@b.test>', 'DATA', 'RSET', 'VRFY a', 'HELP', 'EXPN a']) {
    const reply = await client.say(line)
    if (!reply.startsWith('530 5.7.0')) wrong.push(`${line}: ${reply}`)
  }
  for (const line of ['NOOP', 'EHLO b', 'QUIT']) {
    const reply = await client.say(line)
    if (!reply.startsWith('2')) wrong.push(`${line}: ${reply}`)
  }
  client.destroy()
  return wrong.length === 0 ? null : wrong.join('; ')
}

async function ticketElsewhere(ports: Scene['ports']): Promise<string | null> {
  const first = await connectTls(ports.implicit, { maxVersion: 'TLSv1.2' })
  const session = first.socket.getSession()
  const same = await connectTls(ports.implicit, { maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) })
  const other = await connectTls(ports.second, { maxVersion: 'TLSv1.2', ...(session === undefined ? {} : { session }) })
  const [reusedSame, reusedOther] = [same.socket.isSessionReused(), other.socket.isSessionReused()]
  for (const { socket } of [first, same, other]) socket.destroy()
  if (!reusedSame) return 'no session is resumed at all: nothing was tested'
  return reusedOther ? 'the other listener takes the ticket' : null
}

/** The old pair stays, and the reload says why. */
async function brokenPair({ server, folder, ports }: Scene): Promise<string | null> {
  writeFileSync(join(folder, 'one.key'), 'not a key\n', { mode: 0o600 })
  const answer = await server.cli(['reload'], [0, 1, 2, 3, 4, 5]).catch((error: unknown) => String(error))
  const fault = await handshake(ports.implicit, {}, 'taken')
  return fault ?? (/key/.test(answer) || answer === '' ? null : `the reload says ${answer.slice(0, 100)}`)
}

interface Watched {
  readonly socket: net.Socket
  until(pattern: RegExp): Promise<string>
  untilClosed(): Promise<string>
}

function watch(socket: net.Socket): Watched {
  let text = ''
  let closed = false
  let wake = (): void => undefined
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    wake()
  })
  socket.on('close', () => {
    closed = true
    wake()
  })
  const wait = async (over: () => boolean): Promise<string> => {
    const late = setTimeout(() => socket.destroy(), 15_000)
    while (!over() && !closed) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    clearTimeout(late)
    const heard = text
    text = ''
    return heard
  }
  return { socket, until: (pattern) => wait(() => pattern.test(text)), untilClosed: () => wait(() => closed) }
}

async function greeted(port: number): Promise<Watched> {
  const raw = watch(net.connect(port, '127.0.0.1'))
  await raw.until(/220 .*\r\n/)
  raw.socket.write('EHLO bar.test\r\n')
  await raw.until(/250 .*\r\n/)
  return raw
}

function done(raw: Watched, fault: string | null): string | null {
  raw.socket.destroy()
  return fault
}
