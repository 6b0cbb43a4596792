/**
 * R32: sessions are used again under the same conditions only (O30-O32): 10,000 messages under five policies for one and the
 * same server, which closes idle sessions at random and refuses contents in between.
 *
 * No message comes with another TLS level, login or source address than its own, no session carries more messages than
 * it may, and no policy has more sessions than its limit: first 2, then 20, counted at the server.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readAttempts } from './support/attempts.ts'
import { copyCertificate } from './support/certificate.ts'
import { type Load, startLoad } from './support/load.ts'
import { openMxNames } from './support/mx-names.ts'
import { type PolicySink, type SeenSession, startPolicySink } from './support/policy-sink.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './support/server.ts'
import { runBar, seeded, until } from './support/verdict.ts'

const SINK = '127.0.0.21'
const MESSAGES_PER_SESSION = 10
/** What each policy must look like at the server; `p3` and `p5` leave from an address of their own. */
const POLICIES: Readonly<Record<string, Omit<SeenSession, 'messages'>>> = {
  p1: { tls: false, login: null, source: '127.0.0.1' },
  p2: { tls: true, login: 'one', source: '127.0.0.1' },
  p3: { tls: true, login: 'two', source: '127.0.0.23' },
  p4: { tls: true, login: null, source: '127.0.0.24' },
  p5: { tls: false, login: null, source: '127.0.0.24' },
}
const NAMES = Object.keys(POLICIES)
const policyOf = (to: string): string => /@(p\d)\.test$/.exec(to)?.[1] ?? '?'

await runBar('R32 reuse', async ({ full, seed }) => {
  const messages = full ? 10_000 : 2_000
  const sinkPort = await freePort()
  const folder = makeFolder()
  const certificate = copyCertificate(folder)
  const read = (path: string): string => readFileSync(path, 'utf8')
  const sinkOptions = {
    host: SINK,
    port: sinkPort,
    cert: read(certificate.cert),
    key: read(certificate.key),
    random: seeded(seed),
    idleMsMax: 300,
    dotMsMax: 40,
    refusedShare: 0.02,
  }
  const sink = await startPolicySink(sinkOptions, policyOf)
  const names = await openMxNames(
    (domain) => (/^p[45]\.test$/.test(domain) ? 'mx.peer.test' : null),
    (host) => (host === 'mx.peer.test' ? SINK : null),
  )
  for (const name of ['one', 'two']) writeFileSync(join(folder, name), `secret-${name}\n`, { mode: 0o600 })
  const port = await freePort()
  const config = (sessions: number) => configFor({ sinkPort, dnsPort: names.port, folder, sessions })
  const server = await startServer({ port, relayPort: sinkPort, folder, config: config(2) })
  const narrow = await sendAll({ server, sink, port, messages: messages / 2, prefix: 'two' })
  const sessionsOfTwo = new Map(sink.mostOpen())
  await reloadWith(server, config(20))
  // Slow enough that every session that is allowed is wanted.
  sinkOptions.dotMsMax = 400
  const wide = await sendAll({ server, sink, port, messages: messages / 2, prefix: 'twenty' })
  const attempts = readAttempts(server)
  server.kill('SIGTERM')
  const { code } = await server.exited
  await sink.close()
  await names.close()
  removeFolder(folder)
  const wrong = sink.messages.filter(({ to, session }) => !isUnder(session, POLICIES[policyOf(to)]))
  for (const { id, to, session } of wrong.slice(0, 10)) process.stderr.write(`${id} to ${to} came as ${JSON.stringify(session)}\n`)
  const received = new Set(sink.messages.map(({ id }) => id))
  const lost = [...narrow.acknowledged.keys(), ...wide.acknowledged.keys()].filter((id) => !received.has(id)).length
  const tooLong = sink.sessions.filter((session) => session.messages > MESSAGES_PER_SESSION).length
  const most = (counts: ReadonlyMap<string, number>): number => Math.max(...counts.values())
  const used = sink.sessions.filter((session) => session.messages > 0)
  const penalized = attempts.filter(({ outcome, text }) => outcome === 'deferred' && !text.includes('not now'))
  for (const { to, text } of penalized.slice(0, 10)) process.stderr.write(`deferred: ${to}: ${text}\n`)
  return {
    passed:
      wrong.length === 0 &&
      lost === 0 &&
      sink.messages.length === received.size &&
      tooLong === 0 &&
      most(sessionsOfTwo) === 2 &&
      most(sink.mostOpen()) === 20 &&
      sink.counts.outOfOrder === 0 &&
      penalized.length === 0 &&
      code === 0,
    figures: {
      policies: NAMES.length,
      messages,
      wrongPolicy: wrong.length,
      lost,
      duplicates: sink.messages.length - received.size,
      sessions: used.length,
      messagesPerSession: (sink.messages.length / used.length).toFixed(1),
      sessionsBeyondTheirMessages: tooLong,
      mostOfLimitTwo: most(sessionsOfTwo),
      mostOfLimitTwenty: most(sink.mostOpen()),
      idleCloses: sink.counts.idleCloses,
      contentsRefused: sink.counts.refused,
      deferredForAStaleSession: penalized.length,
      withoutReset: sink.counts.outOfOrder,
    },
  }
})

function isUnder({ tls, login, source }: SeenSession, policy: Omit<SeenSession, 'messages'> | undefined): boolean {
  return policy !== undefined && policy.tls === tls && policy.login === login && policy.source === source
}

async function sendAll(about: { server: PosternProcess; sink: PolicySink; port: number; messages: number; prefix: string }): Promise<Load> {
  const { sink, port, messages, prefix } = about
  const load = startLoad({ port, sessions: 10, octets: 2_000, messages, prefix, to: (n) => `u${n}@${NAMES[n % NAMES.length]}.test` })
  await load.done
  const arrived = (): number => new Set(sink.messages.flatMap(({ id }) => (id.startsWith(`${prefix}-`) ? [id] : []))).size
  await until(`${prefix}: all to arrive`, () => arrived() >= messages, 240_000)
  return load
}

async function reloadWith(server: PosternProcess, config: Record<string, unknown>): Promise<void> {
  const { parse } = await import('yaml')
  const before = parse(readFileSync(server.configPath, 'utf8')) as Record<string, unknown>
  writeFileSync(server.configPath, stringify({ ...before, ...config }))
  await server.cli(['reload'])
}

function configFor({ sinkPort, dnsPort, folder, sessions }: { sinkPort: number; dnsPort: number; folder: string; sessions: number }): Record<string, unknown> {
  const limits = { sessions, initialSessions: sessions, messagesPerSession: MESSAGES_PER_SESSION, idle: '150ms' }
  const login = (name: string) => ({ [name]: { username: name, password: { file: join(folder, name) }, fallback: true } })
  const host = `${SINK}:${sinkPort}`
  return {
    relays: {
      plain: { host, tls: 'none', limits },
      first: { host, tls: 'encrypt', credentials: login('one'), limits },
      second: { host, tls: 'encrypt', credentials: login('two'), source: '127.0.0.23', limits },
    },
    routes: [{ to: '*@p1.test', via: 'plain' }, { to: '*@p2.test', via: 'first' }, { to: '*@p3.test', via: 'second' }, { via: 'mx' }],
    dns: { servers: [`127.0.0.1:${dnsPort}`] },
    direct: { port: sinkPort, allowPrivate: [`${SINK}/32`], ipv4: { source: '127.0.0.24' }, limits },
    tlsPolicy: { mtaSts: false, domains: { 'p4.test': 'encrypt', 'p5.test': 'none' } },
    retry: { min: '1s', max: '2s', factor: 1, jitter: 0.1 },
  }
}
