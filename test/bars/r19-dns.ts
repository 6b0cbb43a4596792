/**
 * R19: answers of the DNS of every kind (N01-N12), and a resolver that is dead for a minute with 5,000 mails queued (N11).
 *
 * A whole server delivers `via: mx`, a scripted name server answers. Nothing bounces but for an authoritative
 * "no", a null MX, and loops; a dead resolver is asked once for a domain and not for each mail; when it is back, all
 * arrives, within the limits on sessions.
 */
import { ANSWER, a, answerTo, mx, NXDOMAIN, openDnsServer, type SeenQuery, soa, type TestDnsServer, TYPE } from '../support/scripted-dns.ts'
import { readStatus } from './support/admin.ts'
import { type LoggedAttempt, readAttempts } from './support/attempts.ts'
import { DNS_CASES, HOST, HOST_ADDRESS } from './support/dns-cases.ts'
import { startLoad } from './support/load.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './support/server.ts'
import { type Sink, startSink } from './support/sink.ts'
import { runBar, tally, until } from './support/verdict.ts'

const SESSIONS_MAX = 20
/** Of a fault, in `transports/mx-destinations.ts`: a domain is looked up again after so long. */
const FAULT_KEPT_S = 30
/** A name that times out is asked up to four times within one look-up, while the server is not known to be dead. */
const TRIES_MAX = 4
/** Looked-up hosts of one domain. */
const HOSTS_MAX = 10
const TYPES: Readonly<Record<number, string>> = Object.fromEntries(Object.entries(TYPE).map(([name, type]) => [type, name]))

interface Scene {
  readonly server: PosternProcess
  /** The one that answers now: it dies and comes back. */
  names: TestDnsServer
  readonly sink: Sink
  readonly port: number
}

await runBar('R19 dns', async ({ full }) => {
  const size: Size = full ? { deadS: 60, mails: 5_000, domains: 1_000 } : { deadS: 12, mails: 1_000, domains: 200 }
  const sinkPort = await freePort()
  const sink = await startSink({}, sinkPort, HOST_ADDRESS)
  const names = await openDnsServer(answerAll)
  const folder = makeFolder()
  const port = await freePort()
  const server = await startServer({
    port,
    relayPort: sinkPort,
    folder,
    config: {
      routes: [{ via: 'mx' }],
      dns: { servers: [`127.0.0.1:${names.port}`], validating: true },
      direct: { port: sinkPort, allowPrivate: [`${HOST_ADDRESS}/32`, '127.0.0.3/32'], limits: { sessions: SESSIONS_MAX } },
      tlsPolicy: { mtaSts: false },
      retry: { min: '5s', max: '15s' },
    },
  })
  const scene: Scene = { server, names, sink, port }
  const faults: string[] = []
  const cases = await tryCases(scene, faults)
  const dead = await outlive(scene, size)
  const bounces = sink.received.filter(({ from }) => from === '').length
  const { sinceStart } = await readStatus(server)
  server.kill('SIGTERM')
  const { code } = await server.exited
  await sink.close()
  await scene.names.close()
  removeFolder(folder)
  for (const fault of faults) process.stderr.write(`${fault}\n`)
  const meantToFail = DNS_CASES.filter(({ expected }) => expected.startsWith('failed')).length
  return {
    passed:
      faults.length === 0 &&
      sinceStart.failed === meantToFail &&
      bounces === meantToFail &&
      dead.failedWhileDead === 0 &&
      dead.delivered === size.mails &&
      dead.lost + dead.duplicates + dead.foreign === 0 &&
      dead.mostAskedOfOneName <= TRIES_MAX * (1 + Math.ceil(size.deadS / 2 / FAULT_KEPT_S)) &&
      dead.mostSessions <= SESSIONS_MAX &&
      cases.questionsOfManyHosts <= 1 + 2 * HOSTS_MAX &&
      code === 0,
    figures: { answers: DNS_CASES.length, wrong: faults.length, failed: sinceStart.failed, meantToFail, bounces, ...cases, ...dead },
  }
})

/** What is not scripted: our sender's domain, the host, and domains `dNNN.test` there. */
function answerAll(query: SeenQuery): readonly Buffer[] | 'close' {
  const name = query.name.toLowerCase()
  const type = TYPES[query.type] ?? ''
  const asked = `${type} ${name.replace(/^_\d+\._tcp\./, '')}`
  const index = Number(/(?:^|\.)c(\d+)\.test$/.exec(name)?.[1] ?? Number.NaN)
  const domain = `c${index}.test`
  const one = DNS_CASES[index]
  if (one !== undefined) {
    const reply = asked === `MX ${domain}` ? one.mx : one.others?.[asked.replace(domain, '@')]
    if (reply !== undefined) return sent(query, reply(query, domain))
  }
  for (const { others = {} } of DNS_CASES) {
    const reply = others[asked]
    if (reply !== undefined) return sent(query, reply(query, domain))
  }
  if (asked === `A ${HOST}`) return sent(query, { answers: [a(query.name, HOST_ADDRESS)] })
  if (type === 'MX' && /^(?:d\d+|app)\.test$/.test(name)) return sent(query, { answers: [mx(query.name, 10, HOST)] })
  const exists = name === HOST || one !== undefined
  return sent(query, { flags: exists ? ANSWER : ANSWER | NXDOMAIN, authorities: [soa('test', 60)] })
}

function sent(query: SeenQuery, reply: Parameters<typeof answerTo>[1] | readonly Buffer[] | 'close'): readonly Buffer[] | 'close' {
  return reply === 'close' || Array.isArray(reply) ? (reply as readonly Buffer[] | 'close') : [answerTo(query, reply as Parameters<typeof answerTo>[1])]
}

/** A mail to each case's domain; what became of it at its first attempt. */
async function tryCases({ server, names, port }: Scene, faults: string[]): Promise<{ readonly questionsOfManyHosts: number }> {
  const load = startLoad({ port, sessions: 5, octets: 1_000, messages: DNS_CASES.length, prefix: 'case', from: 'a@app.test', to: (n) => `u@c${n}.test` })
  await load.done
  await until('each case to be tried', () => firstAttempts(server).size >= DNS_CASES.length, 60_000)
  const first = firstAttempts(server)
  for (const [index, { row, what, expected }] of DNS_CASES.entries()) {
    const { outcome, status, text } = first.get(`u@c${index}.test`) ?? { outcome: 'none', status: '', text: '' }
    const found = outcome === 'delivered' ? outcome : `${outcome} ${status}`
    if (found !== expected) faults.push(`c${index} ${row}, ${what}: ${found} instead of ${expected}: ${text}`)
  }
  const many = names.seen.filter(({ name }) => /(?:^|\.)many\.test$/i.test(name))
  return { questionsOfManyHosts: new Set(many.map(({ name, type }) => `${name.toLowerCase()} ${type}`)).size }
}

function firstAttempts(server: PosternProcess): ReadonlyMap<string, LoggedAttempt> {
  return new Map(
    readAttempts(server)
      .filter(({ to, attempt }) => attempt === 1 && /^u@c\d+\.test$/.test(to))
      .map((one) => [one.to, one]),
  )
}

interface Size {
  readonly deadS: number
  readonly mails: number
  readonly domains: number
}

/** Half of the time the resolver says nothing, the other half nobody is there. */
async function outlive(scene: Scene, { deadS, mails, domains }: Size) {
  const { server, sink, port } = scene
  const failedBefore = (await readStatus(server)).sinceStart.failed
  const from = performance.now()
  const asked = scene.names.seen.length
  const pastS = () => (performance.now() - from) / 1_000
  scene.names.script = () => []
  const load = startLoad({ port, sessions: 10, octets: 1_000, messages: mails, prefix: 'dead', from: 'a@app.test', to: (n) => `u@d${n % domains}.test` })
  await load.done
  const acceptedS = pastS().toFixed(1)
  await until('half of the time', () => pastS() >= deadS / 2, deadS * 1_000)
  const questions = scene.names.seen.slice(asked).filter(({ name }) => /^d\d+\.test$/i.test(name))
  await scene.names.close()
  await until('the end of the time', () => pastS() >= deadS, deadS * 1_000)
  const failedWhileDead = (await readStatus(server)).sinceStart.failed - failedBefore
  const deferrals = readAttempts(server).filter(({ to, outcome }) => /^u@d\d+\.test$/.test(to) && outcome === 'deferred').length
  sink.counts.mostOpen = 0
  scene.names = await openDnsServer(answerAll, scene.names.port)
  const back = performance.now()
  const arrived = () => sink.received.filter(({ id }) => id.startsWith('dead-'))
  await until('all to arrive', () => arrived().length >= mails, 120_000)
  const allArrivedS = ((performance.now() - back) / 1_000).toFixed(1)
  const { delivered, lost, duplicates, foreign } = tally([load], { ...sink, received: [...arrived()] })
  const perName = Map.groupBy(questions, ({ name }) => name.toLowerCase())
  const mostAskedOfOneName = Math.max(0, ...[...perName.values()].map(({ length }) => length))
  const afterwards = scene.names.seen.filter(({ name }) => /^d\d+\.test$/i.test(name)).length
  const found = { deadS, mails, domains, acceptedS, deferrals, failedWhileDead, questionsWhileSilent: questions.length, mostAskedOfOneName }
  return { ...found, questionsAfterwards: afterwards, delivered, lost, duplicates, foreign, mostSessions: sink.counts.mostOpen, allArrivedS }
}
