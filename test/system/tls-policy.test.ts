/**
 * TLS policies with real DNS: knot signs, unbound validates; Postfix and scripted servers receive, HTTPS servers
 * hand out MTA-STS policies.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from '../bars/support/server.ts'
import { until } from '../bars/support/verdict.ts'
import { CAPABILITIES, type ScriptedPeer, send, serve, startPeer } from '../support/scripted-peer.ts'
import { createTestAuthority, type TestAuthority, type TestCertificate } from '../support/test-certificates.ts'
import { type PostfixMx, startPostfixMx } from './support/postfix-mx.ts'
import { sendMail } from './support/send-mail.ts'
import { startZones, type Zone, type Zones } from './support/zones.ts'

const LIMIT_MS = 30_000
const POSTFIX = '127.0.0.2'
/** By domain: where its server is, and for which name that has a certificate. */
const SERVERS = {
  'ta.test': ['127.0.0.3', 'mx.ta.test'],
  'wrong.test': ['127.0.0.4', 'mx.wrong.test'],
  'none.test': ['127.0.0.5', 'mx.none.test'],
  'bogus.test': ['127.0.0.6', 'mx.bogus.test'],
  'unusable.test': ['127.0.0.7', 'elsewhere.test'],
  'sts.test': ['127.0.0.8', 'mx.sts.test'],
  'strict.test': ['127.0.0.9', 'elsewhere.test'],
  'badhost.test': ['127.0.0.10', 'elsewhere.test'],
  'testing.test': ['127.0.0.11', 'elsewhere.test'],
  'back.test': ['127.0.0.12', 'mx.back.test'],
} as const
type Domain = keyof typeof SERVERS
const POLICY_SERVER = '127.0.0.20'

let folder: string
let zones: Zones
let postfix: PostfixMx
let postern: PosternProcess
let ports: { readonly mx: number; readonly sts: number; readonly plain: number; readonly tls: number }
let authority: TestAuthority
let policyServer: https.Server
const peers = new Map<string, ScriptedPeer>()

function tlsa(name: string, numbers: string, pem: string): string {
  const certificate = new X509Certificate(pem)
  const selected = numbers.split(' ')[1] === '0' ? certificate.raw : certificate.publicKey.export({ type: 'spki', format: 'der' })
  return `_${ports.mx}._tcp.${name} TLSA ${numbers} ${createHash('sha256').update(selected).digest('hex')}`
}

function zonesOf(certificates: ReadonlyMap<string, TestCertificate>): readonly Zone[] {
  const certOf = (name: string): string => certificates.get(name)?.cert ?? ''
  const records: Readonly<Record<Domain | 'ee.test', readonly string[]>> = {
    'ee.test': [tlsa('mx', '3 1 1', certOf('mx.ee.test'))],
    'ta.test': [tlsa('mx', '2 0 1', authority.ca)],
    'wrong.test': [tlsa('mx', '3 1 1', certOf('mx.ee.test'))],
    'none.test': [],
    'bogus.test': [],
    'unusable.test': [tlsa('mx', '1 1 1', certOf('elsewhere.test'))],
    'sts.test': STS,
    'strict.test': STS,
    'badhost.test': STS,
    'testing.test': STS,
    'back.test': [tlsa('mx', '3 1 1', certOf('mx.back.test'))],
  }
  const made = Object.entries(records).map(([name, own]): Zone => {
    const [address] = name === 'ee.test' ? [POSTFIX] : SERVERS[name as Domain]
    return { name, state: own === STS ? 'unsigned' : 'signed', records: ['@ MX 10 mx', `mx A ${address}`, ...own] }
  })
  return [...made, { name: '_tcp.mx.bogus.test', state: 'servfail', records: [] }]
}
const STS = [`_mta-sts TXT "v=STSv1; id=1;"`, `mta-sts A ${POLICY_SERVER}`]

const MODES: Readonly<Record<string, string>> = { 'mta-sts.sts.test': 'enforce', 'mta-sts.strict.test': 'enforce', 'mta-sts.testing.test': 'testing' }

function startPolicyServer(): Promise<https.Server> {
  // For every policy host but one there is a certificate.
  const good = authority.issue({
    names: Object.keys(MODES)
      .map((name) => `DNS:${name}`)
      .join(),
  })
  const server = https.createServer(good, (request, response) => {
    const domain = (request.headers.host ?? '').replace('mta-sts.', '').replace(/:\d+$/, '')
    const mode = MODES[`mta-sts.${domain}`]
    if (mode === undefined) response.writeHead(404).end()
    else response.writeHead(200, { 'content-type': 'text/plain' }).end(`version: STSv1\r\nmode: ${mode}\r\nmx: mx.${domain}\r\nmax_age: 86400\r\n`)
  })
  return new Promise((resolve) => server.listen(ports.sts, POLICY_SERVER, () => resolve(server)))
}

function startPostern(): Promise<PosternProcess> {
  return startServer({
    port: ports.plain,
    relayPort: 1,
    folder: join(folder, 'postern'),
    config: {
      relays: {},
      routes: [{ via: 'mx' }],
      listen: [`smtp://127.0.0.1:${ports.plain}`, `smtps://127.0.0.1:${ports.tls}`],
      tls: { cert: join(folder, 'own.pem'), key: join(folder, 'own.key') },
      dns: { servers: zones.config.servers, validating: true },
      direct: { port: ports.mx, allowPrivate: ['127.0.0.0/8'] },
      tlsPolicy: { ca: join(folder, 'ca.pem'), mtaStsCa: join(folder, 'ca.pem'), mtaStsPort: ports.sts },
      retry: { min: '10m', max: '10m' },
    },
  })
}

beforeAll(async () => {
  folder = makeFolder()
  ports = { mx: await freePort(), sts: await freePort(), plain: await freePort(), tls: await freePort() }
  authority = createTestAuthority()
  const names = new Set(['mx.ee.test', ...Object.values(SERVERS).map(([, name]) => name)])
  const certificates = new Map([...names].map((name) => [name, authority.issue({ names: `DNS:${name}` })]))
  const own = authority.issue({ names: 'DNS:postern.test' })
  const ee = certificates.get('mx.ee.test') ?? own
  for (const [file, text] of Object.entries({ 'ca.pem': authority.ca, 'own.pem': own.cert, 'own.key': own.key, 'ee.pem': ee.cert, 'ee.key': ee.key })) {
    writeFileSync(join(folder, file), text)
  }
  zones = await startZones({ folder, zones: zonesOf(certificates) })
  const tlsLines = [`smtpd_tls_cert_file = ${join(folder, 'ee.pem')}`, `smtpd_tls_key_file = ${join(folder, 'ee.key')}`, 'smtpd_tls_security_level = may']
  postfix = await startPostfixMx({ folder: join(folder, 'mx'), address: POSTFIX, port: ports.mx, name: 'mx.ee.test', domain: 'ee.test', extra: tlsLines })
  for (const [domain, [host, name]] of Object.entries(SERVERS)) {
    const certificate = certificates.get(name) ?? own
    // The authority is sent along, for records that name it.
    const context = { ...certificate, cert: certificate.cert + authority.ca }
    const script = [
      send(`220 mx.${domain} ESMTP`),
      serve({ capabilities: [...CAPABILITIES, 'STARTTLS', ...(domain === 'back.test' ? ['REQUIRETLS'] : [])], tls: context }),
    ]
    peers.set(domain, await startPeer([script], { host, port: ports.mx }))
  }
  policyServer = await startPolicyServer()
  postern = await startPostern()
})
afterAll(async () => {
  postern?.kill('SIGTERM')
  await postern?.exited
  for (const peer of peers.values()) await peer.close()
  policyServer?.closeAllConnections()
  policyServer?.close()
  await postfix?.stop()
  await zones?.stop()
  authority?.remove()
  if (folder !== undefined) removeFolder(folder)
})

interface Event {
  readonly kind: string
  readonly detail: {
    readonly status?: string
    readonly reason?: string
    readonly tls?: { readonly trust: string; readonly verifiedBy?: string; readonly basis?: string }
  }
}

/** What the first attempt came to: `delivered verified dane-ee dane`, `deferred 4.7.5 DANE_NO_MATCH`. */
async function outcomeFor(domain: string): Promise<string> {
  const queueId = await sendMail(ports.plain, { from: 'app@sender.test', to: [`user@${domain}`], content: `Subject: to ${domain}\r\n\r\nhello\r\n` })
  return outcomeOf(queueId)
}
async function outcomeOf(queueId: string): Promise<string> {
  let found: Event | undefined
  const look = async (): Promise<boolean> => {
    const { history } = JSON.parse(await postern.cli(['trace', queueId, '--json'])) as { readonly history: readonly Event[] }
    found = history.find(({ kind }) => kind === 'delivered' || kind === 'deferred' || kind === 'failed')
    return found !== undefined
  }
  await until(`${queueId} was attempted`, look, LIMIT_MS)
  const { kind = '', detail = {} } = found ?? {}
  const { tls: facts, status, reason = '' } = detail
  if (kind !== 'delivered') return `${kind} ${status} ${/[A-Z]{3,}(?:_[A-Z]+)+/.exec(reason)?.[0] ?? reason}`
  return [kind, facts?.trust ?? 'plain', facts?.verifiedBy ?? '', facts?.basis ?? ''].join(' ').trimEnd()
}
const logOf = (): string => readFileSync(join(folder, 'postern/postern.log'), 'utf8')
const contentsAt = (domain: string): number => peers.get(domain)?.contents.length ?? Number.NaN

describe('DANE', () => {
  it('delivers to a real Postfix whose key is published, and says so in log and trace', async () => {
    const queueId = await sendMail(ports.plain, { from: 'app@sender.test', to: ['user@ee.test'], content: 'Subject: hello\r\n\r\nhello\r\n' })
    expect(await outcomeOf(queueId)).toBe('delivered verified dane-ee dane')
    expect(postfix.mails()).toHaveLength(1)
    const story = await postern.cli(['trace', queueId])
    expect(story).toContain('TLS verified by DANE (usage 3), TLSv1.3')
    expect(story).toContain('key exchange X25519')
    expect(logOf()).toContain(`Verified TLS connection established to mx.ee.test[${POSTFIX}]:${ports.mx}: TLSv1.3 with cipher`)
  })
  it.each([
    ['an authority that is published', 'ta.test', 'delivered verified dane-ta dane'],
    ['a signed domain without records', 'none.test', 'delivered verified pki'],
    ['records of which none can be used', 'unusable.test', 'delivered untrusted  dane'],
    ['the wrong record', 'wrong.test', 'deferred 4.7.5 DANE_NO_MATCH'],
    ['records that are bogus', 'bogus.test', 'deferred 4.7.5 TLSA_LOOKUP_FAILED'],
  ])('with %s: %s is %s', async (_, domain, expected) => {
    expect(await outcomeFor(domain)).toBe(expected)
    expect(contentsAt(domain)).toBe(expected.startsWith('delivered') ? 1 : 0)
  })
})

describe('MTA-STS', () => {
  it.each([
    ['enforced, with the right certificate', 'sts.test', 'delivered verified pki mta-sts'],
    ['enforced, with another certificate', 'strict.test', 'deferred 4.7.5 ERR_TLS_CERT_ALTNAME_INVALID'],
    ['in testing, with another certificate', 'testing.test', 'delivered untrusted'],
    ['from a policy host with another certificate, which is no policy', 'badhost.test', 'delivered untrusted'],
  ])('%s: %s is %s', async (_, domain, expected) => {
    expect(await outcomeFor(domain)).toBe(expected)
    expect(contentsAt(domain)).toBe(expected.startsWith('delivered') ? 1 : 0)
  })
  it('names what is wrong with a policy host', async () => {
    const named = /MTA-STS policy of badhost\.test cannot be had: sts-webpki-invalid/
    await until('the log says so', () => named.test(logOf()), LIMIT_MS)
  })
  it('binds after a restart, with its record and its server gone', async () => {
    postern.kill('SIGTERM')
    await postern.exited
    policyServer.closeAllConnections()
    await new Promise((resolve) => policyServer.close(resolve))
    await zones.update('strict.test', ['@ MX 10 mx', `mx A ${SERVERS['strict.test'][0]}`])
    postern = await startPostern()
    expect(await outcomeFor('strict.test')).toBe('deferred 4.7.5 ERR_TLS_CERT_ALTNAME_INVALID')
    expect(contentsAt('strict.test')).toBe(0)
  })
})

describe('REQUIRETLS', () => {
  it('comes back from a server that does not promise it, with nothing but the header', async () => {
    const [ehlo, mail] = await submitOverTls([
      'EHLO app.test',
      'MAIL FROM:<app@back.test> REQUIRETLS',
      'RCPT TO:<user@ee.test>',
      'DATA',
      'Subject: secret\r\n\r\nbody-canary\r\n.',
    ])
    expect(ehlo).toContain('REQUIRETLS')
    expect(mail).toMatch(/^250 /)
    await until('the report is back', () => contentsAt('back.test') === 1, LIMIT_MS)
    const peer = peers.get('back.test')
    const report = peer?.contents[0]?.toString('latin1') ?? ''
    expect(report).toContain('5.7.30')
    expect(report).toContain('Subject: secret')
    expect(report).not.toContain('body-canary')
    expect(peer?.lines.find((line) => line.startsWith('MAIL'))).toContain('REQUIRETLS')
    expect(postfix.mails()).toHaveLength(1)
  })
})

/** A reply to each. */
async function submitOverTls(commands: readonly string[]): Promise<readonly string[]> {
  const socket = tls.connect({ host: '127.0.0.1', port: ports.tls, ca: authority.ca, servername: 'postern.test' })
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  const reply = async (): Promise<string> => {
    await until('a reply', () => /^\d{3} .*\r\n/m.test(text), LIMIT_MS)
    const said = text
    text = ''
    return said
  }
  await reply()
  const replies: string[] = []
  for (const command of commands) {
    socket.write(`${command}\r\n`)
    replies.push(await reply())
  }
  socket.end()
  return replies
}
