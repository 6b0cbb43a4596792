/**
 * R17: sixty servers that are hostile, broken or dead (O01-O36), and one that is well, all at once over `via: mx`.
 *
 * With 5,000 messages stuck for the others, the one that is well gets its mail at 90 % of the rate it has alone, 95 of
 * 100 messages within two seconds; and the first attempt of each of the others ends as the table says. Alone is a
 * second server without stuck mail, measured in turn with the first, which is stopped meanwhile: whatever else the
 * machine does hits both.
 */
import { spawn } from 'node:child_process'
import net from 'node:net'
import { join } from 'node:path'
import { readStatus } from './support/admin.ts'
import { readAttempts } from './support/attempts.ts'
import { HOSTILE_PEERS, serveHostile } from './support/hostile-peers.ts'
import { type Load, startLoad } from './support/load.ts'
import { openMxNames } from './support/mx-names.ts'
import { freePort, makeFolder, NODE, type PosternProcess, removeFolder, startServer } from './support/server.ts'
import { type Sink, startSink } from './support/sink.ts'
import { runBar, until } from './support/verdict.ts'

const WELL = '127.0.4.1'
const addressOfPeer = (index: number): string => `127.0.3.${index + 1}`
const STEP = '6s'
/** Peers whose mail stays: those that deliver or fail at once stop nobody. */
const STUCK = HOSTILE_PEERS.flatMap(({ expected }, index) => (expected.every((one) => one.startsWith('deferred')) ? [index] : []))

await runBar('R17 hostile-peers', async ({ full }) => {
  const size = full ? { stuck: 5_000, messages: 5_000, rounds: 7 } : { stuck: 1_000, messages: 2_000, rounds: 3 }
  const mxPort = await freePort()
  const well = await startSink({}, mxPort, WELL)
  const stopPeers = await startPeers(mxPort)
  const names = await openMxNames(hostOf, (host) => addressOf(host))
  const folder = makeFolder()
  const start = async (name: string): Promise<Started> => {
    const port = await freePort()
    const server = await startServer({ port, relayPort: mxPort, folder: join(folder, name), config: configFor(mxPort, names.port) })
    return { server, port }
  }
  const quiet = await start('quiet')
  const busy = await start('busy')
  const { server, port } = busy
  for (const one of [quiet, busy]) await healthyRate(one.port, well, `warm${one.port}`, size.messages / 4)
  // One mail for each peer first, so that each is asked by a first attempt that nothing else has touched.
  await startLoad({ port, sessions: 5, octets: 2_000, messages: HOSTILE_PEERS.length, prefix: 'case', to: (n) => `u@h${n}.test` }).done
  await startLoad({ port, sessions: 10, octets: 2_000, messages: size.stuck, prefix: 'stuck', to: (n) => `x@h${STUCK[n % STUCK.length]}.test` }).done
  const alone: Rate[] = []
  const among: Rate[] = []
  let leastStuck = Number.POSITIVE_INFINITY
  for (let round = 0; round < size.rounds; round++) {
    server.kill('SIGSTOP')
    alone.push(await healthyRate(quiet.port, well, `alone${round}`, size.messages))
    server.kill('SIGCONT')
    // What fell due meanwhile is done with.
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    among.push(await healthyRate(port, well, `among${round}`, size.messages))
    const { queue } = await readStatus(server)
    leastStuck = Math.min(leastStuck, queue.queued + queue.leased)
  }
  const firsts = () => new Map(readAttempts(server).flatMap((one) => (one.attempt === 1 && one.to.startsWith('u@h') ? [[one.to, one] as const] : [])))
  await until('each peer to be tried', () => firsts().size >= HOSTILE_PEERS.length, 120_000).catch(() => {})
  const first = firsts()
  let wrong = 0
  for (const [index, { row, what, expected }] of HOSTILE_PEERS.entries()) {
    const found = first.get(`u@h${index}.test`)
    const told = found === undefined ? 'nothing' : found.outcome === 'delivered' ? 'delivered' : `${found.outcome} ${found.status}`
    if (expected.includes(told)) continue
    wrong++
    process.stderr.write(`h${index} ${row}, ${what}: ${told} instead of ${expected.join(' or ')}: ${found?.text}\n`)
  }
  const openFiles = await countOpenFiles(server.pid)
  const codes: (number | null)[] = []
  for (const one of [quiet, busy]) {
    one.server.kill('SIGTERM')
    codes.push((await one.server.exited).code)
  }
  await stopPeers()
  await well.close()
  await names.close()
  removeFolder(folder)
  const shares = among.map(({ perSecond }, round) => perSecond / (alone[round]?.perSecond ?? Number.NaN))
  const share = median(shares)
  // Quick rounds last a second or two: whatever else the machine does in one of them says nothing, so the best counts.
  const [judgedShare, leastShare] = full ? [share, 0.9] : [Math.max(...shares), 0.7]
  const p95Ms = Math.max(...among.map((rate) => rate.p95Ms))
  return {
    passed: wrong === 0 && judgedShare >= leastShare && p95Ms <= 2_000 && leastStuck >= size.stuck * 0.95 && codes.every((code) => code === 0),
    figures: {
      peers: HOSTILE_PEERS.length,
      wrong,
      alonePerSecond: Math.round(median(alone.map((rate) => rate.perSecond))),
      amongPerSecond: Math.round(median(among.map((rate) => rate.perSecond))),
      share: share.toFixed(2),
      shares: shares.map((one) => one.toFixed(2)).join('/'),
      aloneP95Ms: Math.round(Math.max(...alone.map((rate) => rate.p95Ms))),
      amongP95Ms: Math.round(p95Ms),
      stuck: leastStuck,
      openFiles,
    },
  }
})

interface Started {
  readonly server: PosternProcess
  readonly port: number
}

function configFor(mxPort: number, dnsPort: number): Record<string, unknown> {
  const phases = ['connect', 'greeting', 'ehlo', 'starttls', 'mail', 'rcpt', 'data', 'content', 'finalDot']
  return {
    routes: [{ via: 'mx' }],
    dns: { servers: [`127.0.0.1:${dnsPort}`] },
    tlsPolicy: { mtaSts: false },
    direct: { port: mxPort, allowPrivate: ['127.0.0.0/8'], timeouts: Object.fromEntries(phases.map((phase) => [phase, STEP])) },
    retry: { min: '10s', max: '60s', factor: 2, jitter: 0.2, greylist: '10s' },
    queue: { suspend: { min: '5s', max: '30s' } },
  }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

interface Rate {
  readonly perSecond: number
  /** From the reply to the final dot until it is at its receiver. */
  readonly p95Ms: number
}

async function healthyRate(port: number, well: Sink, prefix: string, messages: number): Promise<Rate> {
  const begun = new Map<string, number>()
  const from = performance.now()
  const load: Load = startLoad({
    port,
    sessions: 10,
    octets: 4_096,
    messages,
    prefix,
    to: (n) => {
      begun.set(`${prefix}-${n}`, Date.now())
      return 'user@well.test'
    },
  })
  await load.done
  await until(`${prefix} to arrive`, () => well.received.filter(({ id }) => id.startsWith(`${prefix}-`)).length >= messages, 300_000)
  const arrived = well.received.filter(({ id }) => id.startsWith(`${prefix}-`))
  const seconds = (performance.now() - from) / 1_000
  const delays = arrived.map(({ id, at }) => at - (begun.get(id) ?? at)).sort((one, other) => one - other)
  return { perSecond: messages / seconds, p95Ms: delays[Math.floor(delays.length * 0.95)] ?? 0 }
}

function hostOf(domain: string): string | null {
  return domain === 'well.test' || /^h\d+\.test$/.test(domain) ? `mx.${domain}` : null
}

function addressOf(host: string): string | null {
  if (host === 'mx.well.test') return WELL
  const [, index] = /^mx\.h(\d+)\.test$/.exec(host) ?? []
  return index === undefined ? null : addressOfPeer(Number(index))
}

/** Answers how to end them. */
async function startPeers(port: number): Promise<() => Promise<void>> {
  const servers: net.Server[] = []
  const sockets = new Set<net.Socket>()
  const ends: (() => void)[] = []
  for (const [index, { behaviour }] of HOSTILE_PEERS.entries()) {
    const host = addressOfPeer(index)
    if (behaviour === null) continue
    if (behaviour === 'stopped') {
      ends.push(await startStopped(host, port))
      continue
    }
    const server = net.createServer({ noDelay: true }, (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      serveHostile(socket, behaviour)
    })
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve))
    servers.push(server)
  }
  return async () => {
    for (const end of ends) end()
    for (const socket of sockets) socket.destroy()
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }
}

/** A listener whose process is stopped, its queue of connections filled: further SYNs are dropped. */
async function startStopped(host: string, port: number): Promise<() => void> {
  const script = `require('net').createServer().listen({ host: '${host}', port: ${port}, backlog: 1 }, () => console.log('listening'))`
  const child = spawn(NODE, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGSTOP')
  const fillers = Array.from({ length: 8 }, () => net.connect(port, host).on('error', () => {}))
  await new Promise((resolve) => setTimeout(resolve, 300))
  return () => {
    for (const filler of fillers) filler.destroy()
    child.kill('SIGKILL')
  }
}

async function countOpenFiles(pid: number): Promise<number> {
  const { readdirSync } = await import('node:fs')
  return readdirSync(`/proc/${pid}/fd`).length
}
