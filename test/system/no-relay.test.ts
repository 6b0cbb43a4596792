/**
 * A user without a relay: makes a key, asks the doctor, pastes the DNS lines it prints, sees everything green,
 * and a mail arrives signed, over TLS that DANE vouches for.
 */
import { execFile } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { SMTPServer } from 'smtp-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, makeFolder, NODE, type PosternProcess, ROOT, removeFolder, startServer } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { makeTestCa } from './support/certificates.ts'
import { sendMail } from './support/send-mail.ts'
import { startZones, txt, type Zones } from './support/zones.ts'

interface Examined {
  readonly counts: { readonly fault: number; readonly warning: number }
  readonly findings: readonly {
    readonly check: string
    readonly group: string
    readonly state: string
    readonly says: string
    readonly record: { readonly name: string; readonly type: string; readonly value: string } | null
  }[]
}
interface Arrival {
  readonly content: string
  readonly secure: boolean
}

const OWN = '127.0.0.50'
const FRIEND = '127.0.0.60'
const SMTP_PORT = 25

let folder: string
let zones: Zones
let friend: SMTPServer
let postern: PosternProcess
let port: number
const arrivals: Arrival[] = []

beforeAll(async () => {
  folder = makeFolder()
  mkdirSync(join(folder, 'postern'))
  const certificate = makeTestCa(folder).issue('friend', ['mx.friend.test'])
  friend = await startFriend(certificate)
  const spki = new X509Certificate(readFileSync(certificate.certPath)).publicKey.export({ type: 'spki', format: 'der' })
  const tlsa = createHash('sha256').update(spki).digest('hex')
  zones = await startZones({
    folder,
    zones: [
      { name: 'app.test', state: 'signed', records: ['@ MX 10 in', `in A ${OWN}`] },
      { name: 'friend.test', state: 'signed', records: ['@ MX 10 mx', `mx A ${FRIEND}`, `_25._tcp.mx TLSA 3 1 1 ${tlsa}`] },
    ],
    ptr: { [FRIEND]: 'mx.friend.test' },
  })
  port = await freePort()
  postern = await startServer({
    port,
    relayPort: 1,
    folder: join(folder, 'postern'),
    config: {
      hostname: 'mail.app.test',
      dns: zones.config,
      direct: { families: 'ipv4', ipv4: { source: OWN }, allowPrivate: ['127.0.0.0/8'] },
      routes: [{ via: 'mx' }],
      local: { root: 'you@app.test' },
    },
  })
  // The relay that every test server has.
  await command(['config', 'unset', 'relays'], 0)
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  await zones?.stop()
  await new Promise<void>((resolve) => (friend === undefined ? resolve() : friend.close(() => resolve())))
  if (folder !== undefined) removeFolder(folder)
})

/** As the user types it, with the configuration named. Asynchronous: the friend lives in this process. */
function command(argv: readonly string[], expected: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(NODE, [join(ROOT, 'bin/postern.mjs'), '--config', postern.configPath, ...argv], (fault, stdout, stderr) => {
      const code = fault === null ? 0 : fault.code
      if (code === expected) resolve(stdout)
      else reject(new Error(`postern ${argv.join(' ')} ended with ${code}: ${stdout}${stderr}`))
    })
  })
}

function startFriend({ certPath, keyPath }: { readonly certPath: string; readonly keyPath: string }): Promise<SMTPServer> {
  const server = new SMTPServer({
    cert: readFileSync(certPath),
    key: readFileSync(keyPath),
    authOptional: true,
    disableReverseLookup: true,
    banner: new Date().toUTCString().replace('GMT', '+0000'),
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        arrivals.push({ content: Buffer.concat(chunks).toString('latin1'), secure: session.secure })
        done()
      })
    },
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(SMTP_PORT, FRIEND, () => resolve(server))
  })
}

async function examine(code: number): Promise<Examined> {
  return JSON.parse(await command(['doctor', '--json', '--domain', 'app.test', '--address', OWN, '--port25', FRIEND], code)) as Examined
}

function wrongIn({ findings }: Examined): readonly string[] {
  return findings.filter(({ state }) => state === 'fault' || state === 'warning').map(({ check, group, says }) => `${check} of ${group}: ${says}`)
}

describe('a user without a relay', () => {
  let records: readonly NonNullable<Examined['findings'][number]['record']>[]

  it('makes a key', async () => {
    const said = await command(['dkim', 'create', 'app.test', '--selector', 's1', '--type', 'both'], 0)
    expect(said).toContain('_domainkey.app.test')
    await command(['reload'], 0)
  })

  it('is told what is wrong, with the lines to paste', async () => {
    const examined = await examine(1)
    records = examined.findings.flatMap(({ record }) => (record === null ? [] : [record]))
    const kinds = new Set(examined.findings.filter(({ state }) => state === 'fault').map(({ check }) => check))
    expect([...kinds].toSorted()).toEqual(['dkim', 'hostname', 'ptr', 'spf'])
    expect(records.map(({ name, type }) => `${name} ${type}`)).toEqual(
      expect.arrayContaining(['mail.app.test A', '50.0.0.127.in-addr.arpa PTR', 'app.test TXT', '_dmarc.app.test TXT', 'mail.app.test TXT']),
    )
  })

  it('sees everything green once they are pasted', async () => {
    const lines = [
      ...new Set(records.filter(({ type }) => type !== 'PTR').map(({ name, type, value }) => `${name}. ${type === 'TXT' ? txt(value) : `${type} ${value}`}`)),
    ]
    await zones.update('app.test', ['@ MX 10 in', `in A ${OWN}`, ...lines])
    await zones.update(
      'in-addr.arpa',
      records.filter(({ type }) => type === 'PTR').map(({ name, value }) => `${name}. PTR ${value}.`),
    )
    const examined = await examine(0)
    expect(wrongIn(examined)).toEqual([])
    expect(examined.findings.filter(({ state }) => state === 'skipped').map(({ check }) => check)).toEqual(['alignment', 'relay'])
  })

  it('sends a mail that arrives signed, over TLS that DANE vouches for', async () => {
    const content = 'From: Jira <jira@app.test>\r\nTo: user@friend.test\r\nSubject: Hello\r\n\r\nIt works.\r\n'
    await sendMail(port, { from: 'jira@app.test', to: ['user@friend.test'], content })
    await until('the mail is there', () => arrivals.length === 1, 20_000)
    const [arrival] = arrivals
    expect(arrival?.secure).toBe(true)
    expect(arrival?.content.match(/^DKIM-Signature:/gm)).toHaveLength(2)
    const log = (): string => readFileSync(join(folder, 'postern', 'postern.log'), 'utf8')
    await until('the log tells of it', () => log().includes('"status":"delivered"'), 10_000)
    expect(log()).toMatch(/"tls":"verified".*"tlsPolicy":"dane"/)
    writeFileSync(join(folder, 'mail.eml'), arrival?.content ?? '', 'latin1')
    const verified = await promisify(execFile)('/usr/bin/python3', ['-c', VERIFY, join(folder, 'mail.eml'), zones.address, String(zones.port)])
    expect(verified.stdout.trim()).toBe('True True')
  })

  it('sees afterwards that what was sent is aligned', async () => {
    const examined = await examine(0)
    expect(examined.findings.filter(({ check }) => check === 'alignment')).toMatchObject([{ state: 'ok', group: 'app.test' }])
  })
})

/** Both signatures, by dkimpy with the keys of our zone. */
const VERIFY = `
import sys, dkim, dns.resolver
resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port = [sys.argv[2]], int(sys.argv[3])
def txt(name, timeout=5):
    answer = resolver.resolve(name.decode() if isinstance(name, bytes) else name, 'TXT')
    return b''.join(answer[0].strings)
message = open(sys.argv[1], 'rb').read()
print(*[dkim.DKIM(message).verify(idx=i, dnsfunc=txt) for i in (0, 1)])
`
