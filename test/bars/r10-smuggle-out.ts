/**
 * R10: the sequences of R09 by every road into the queue, and out to a sink that looks at every octet
 * (S07, S08).
 *
 * Roads: a listener that normalizes, the submission API, `postern test`, reports that return the
 * content, captured mail that is exported and handed in again, conversion for a peer without
 * 8BITMIME, content large enough to be stored in chunks. A message arrives once, or was refused.
 */
import net from 'node:net'
import { readStatus, submit, untilDrained } from './support/admin.ts'
import { reenterCaptured } from './support/captured-mail.ts'
import { BarClient, beginContent, inParallel } from './support/client.ts'
import { contentWith, DOT_AND_OCTET, FAKE_ENDS, type FakeEnd } from './support/sequences.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './support/server.ts'
import { type Sink, startSink } from './support/sink.ts'
import { runBar, until } from './support/verdict.ts'

/** What one road took: ids that must arrive once each; refusals are allowed, and counted. */
interface Taken {
  readonly ids: string[]
  refused: number
}
type Road = (fake: FakeEnd, id: string, taken: Taken) => Promise<void>

/** Around the sizes in which content is gathered, stored and read. */
const CHUNK_EDGES = [65_536, 262_144, 327_680]
const EDGE_OFFSETS = [-3, -2, -1, 0, 1]

await runBar('R10 smuggle-out', async ({ full }) => {
  const reports: string[] = []
  const sink = await startSink({
    onCommand: (verb, line) => (verb === 'RCPT' && line.includes('<refused') ? '550 5.1.1 no such user' : null),
    onContent: (message, content) => {
      if (message.from === '') reports.push(content.toString('latin1'))
    },
  })
  const oldPeer = await startSink({ onCommand: (verb) => (verb === 'EHLO' ? '250-old.test\r\n250 SIZE 0' : null) })
  const folder = makeFolder()
  const [strict, lenient] = [await freePort(), await freePort()]
  const server = await startServer({ port: strict, relayPort: sink.port, folder, config: configOf({ strict, lenient, oldPeer: oldPeer.port }) })
  const taken: Record<string, Taken> = {}
  const cases = full ? [...FAKE_ENDS, ...DOT_AND_OCTET] : FAKE_ENDS
  const run = async (name: string, road: Road, over: readonly FakeEnd[] = cases): Promise<void> => {
    const result: Taken = { ids: [], refused: 0 }
    taken[name] = result
    await inParallel(over.entries(), name === 'command' ? 2 : 16, async ([index, fake]) => road(fake, `${name}-${index}`, result))
  }
  await run('smtp', (fake, id, result) => overSmtp({ port: lenient, id, to: 'user@rcpt.test', content: contentWith(fake, id) }, result))
  await run('api', (fake, id, result) => overApi(server, { id, to: 'user@rcpt.test', content: contentWith(fake, id) }, result))
  await run('command', (fake, id, result) => byCommand(server, fake, id, result), full ? FAKE_ENDS : FAKE_ENDS.filter((_, index) => index % 5 === 0))
  await run('report', (fake, id, result) => overApi(server, { id, to: 'refused@rcpt.test', content: contentWith(fake, id) }, result))
  await run('report-smtp', (fake, id, result) => overSmtp({ port: lenient, id, to: 'refused@rcpt.test', content: contentWith(fake, id) }, result))
  await run('old-peer', (fake, id, result) => overApi(server, { id, to: 'user@old.test', content: contentWith(fake, id, 'gr\xc3\xbcn ') }, result))
  await run('large', (fake, id, result) => atEdges(lenient, { fake, id, full }, result), full ? FAKE_ENDS : FAKE_ENDS.filter((_, index) => index % 8 === 0))
  await run('captured', (fake, id, result) => overApi(server, { id, to: 'user@captured.test', content: contentWith(fake, id) }, result))
  await untilDrained(server, 120_000)
  taken.again = await reenterCaptured(server, { folder, port: strict })
  await untilDrained(server, 60_000)
  const { failed } = (await readStatus(server)).sinceStart
  const arrived = countArrivals([sink, oldPeer], reports)
  server.kill('SIGTERM')
  const { code } = await server.exited
  const bad = [sink, oldPeer].reduce((sum, { counts }) => sum + counts.bareLineEnds + counts.nuls, 0)
  const unstuffed = sink.counts.unstuffed + oldPeer.counts.unstuffed
  await Promise.all([sink.close(), oldPeer.close()])
  removeFolder(folder)
  const wrong = wrongCounts(taken, arrived)
  const smuggled = arrived.smuggled
  for (const line of wrong.slice(0, 10)) process.stderr.write(`${line}\n`)
  const refusedRoads = (taken.report?.ids.length ?? 0) + (taken['report-smtp']?.ids.length ?? 0)
  const control = await controlFaults()
  return {
    passed: bad === 0 && unstuffed === 0 && wrong.length === 0 && smuggled === 0 && failed === refusedRoads && code === 0 && control === '2/1/1',
    figures: {
      sequences: cases.length,
      ...Object.fromEntries(Object.entries(taken).map(([name, { ids, refused }]) => [name, `${ids.length}+${refused}refused`])),
      reports: reports.length,
      bareCrLfOrNulOnTheWire: bad,
      unstuffedLines: unstuffed,
      wrongCounts: wrong.length,
      secondMessages: smuggled,
      controlBareNulDotSeen: control,
    },
  }
})

function configOf(ports: { readonly strict: number; readonly lenient: number; readonly oldPeer: number }): Record<string, unknown> {
  return {
    listen: [`smtp://127.0.0.1:${ports.strict}`, { url: `smtp://127.0.0.1:${ports.lenient}`, bareLineEnds: 'normalize' }],
    relays: { old: { host: `127.0.0.1:${ports.oldPeer}`, tls: 'none' } },
    routes: [{ to: '*@captured.test', via: 'capture' }, { to: '*@old.test', via: 'old' }, { via: 'sink' }],
    dsn: { perSenderPerHour: 100_000, returnFullUpTo: '1 MB' },
  }
}

interface Mail {
  readonly id: string
  readonly to: string
  readonly content: string
}

/** As an honest client sends it: every line that begins with a dot stuffed, wherever the client sees lines. */
async function overSmtp({ port, id, to, content }: Mail & { readonly port: number }, taken: Taken): Promise<void> {
  const client = await BarClient.open({ port })
  const refused = await beginContent(client, `o-${id}@app.test`, to)
  if (refused !== null) throw new Error(refused)
  client.write(`${content.replace(/\r\n\./g, '\r\n..')}.\r\n`)
  const reply = await client.reply()
  client.destroy()
  note(taken, id, reply.startsWith('250 '), reply)
}

async function overApi(server: PosternProcess, { id, to, content }: Mail, taken: Taken): Promise<void> {
  const answer = await submit(server, `o-${id}@app.test`, [to], content)
  note(taken, id, answer.status === 200, answer.body)
}

function note(taken: Taken, id: string, accepted: boolean, story: string): void {
  if (accepted) taken.ids.push(id)
  else if (/55[02][ -]5\.6\.0/.test(story)) taken.refused++
  else throw new Error(`${id}: ${story}`)
}

/** The only text of a test mail that is the caller's. It has no X-Test-Id: the sender names it. */
async function byCommand(server: PosternProcess, fake: FakeEnd, id: string, taken: Taken): Promise<void> {
  // A NUL cannot be in an argument at all. Every other time what is left is one line, which must be taken.
  const sequence = id.endsWith('0') ? fake.sequence.replaceAll('\0', '') : fake.sequence.replace(/[\0-\x1f\x7f-\xff]/g, '')
  const subject = `s${sequence}MAIL FROM:<smuggled@x.test>`
  const accepted = await server
    .cli(['test', '--from', `o-${id}@app.test`, '--to', 'user@rcpt.test', '--subject', Buffer.from(subject, 'latin1').toString('utf8'), '--json'], [0])
    .then(
      () => true,
      (fault: Error) => {
        if (!fault.message.includes('ended with 2:')) throw fault
        return false
      },
    )
  if (accepted) taken.ids.push(id)
  else taken.refused++
}

/** The sequence straddles every edge at which content is cut. */
async function atEdges(port: number, about: { readonly fake: FakeEnd; readonly id: string; readonly full: boolean }, taken: Taken): Promise<void> {
  const { fake, id, full } = about
  if (fake.inHeader) return
  for (const edge of CHUNK_EDGES) {
    for (const offset of full ? EDGE_OFFSETS : [-2, -1]) {
      const own = `${id}-${edge}-${offset}`
      const head = contentWith(fake, own).indexOf('before') + 'before'.length
      const filler = fill(edge + offset - head)
      const tail = 'x'.repeat(70).concat('\r\n').repeat(900)
      await overSmtp({ port, id: own, to: 'user@rcpt.test', content: `${contentWith(fake, own, filler)}${tail}` }, taken)
    }
  }
}

/** Lines of 64 octets, the last one shorter. */
function fill(octets: number): string {
  const line = `${'a'.repeat(62)}\r\n`
  const lines = Math.floor(octets / line.length)
  return line.repeat(lines) + 'b'.repeat(octets - lines * line.length)
}

interface Arrivals {
  readonly byId: ReadonlyMap<string, number>
  readonly smuggled: number
}

/** Reports count for the sender they go to: that is whose mail was refused. */
function countArrivals(sinks: readonly Sink[], reports: readonly string[]): Arrivals {
  const byId = new Map<string, number>()
  let smuggled = 0
  const all = sinks.flatMap((sink) => sink.received)
  for (const message of all) {
    if (message.from.includes('smuggled') || message.to.includes('b@y.test')) smuggled++
    const whose = message.from === '' ? (message.to[0] ?? '') : message.from
    const id = /^o-(.*)@app\.test$/.exec(whose)?.[1] ?? whose
    byId.set(id, (byId.get(id) ?? 0) + 1)
  }
  if (reports.some((report) => !/^Content-Type: message\/rfc822/m.test(report))) smuggled++
  return { byId, smuggled }
}

/** Every id that was taken arrived once, and nothing else did. */
function wrongCounts(taken: Readonly<Record<string, Taken>>, arrived: Arrivals): readonly string[] {
  const wanted = new Set(Object.entries(taken).flatMap(([name, { ids }]) => (name === 'captured' ? [] : ids)))
  const wrong = [...wanted].filter((id) => arrived.byId.get(id) !== 1).map((id) => `${id} arrived ${arrived.byId.get(id) ?? 0} times`)
  const unexpected = [...arrived.byId.keys()].filter((id) => !wanted.has(id)).map((id) => `${id} arrived, nobody sent it`)
  return [...wrong, ...unexpected]
}

/** The sink must see what it is there to see: two bare line ends, a NUL, a dot that is not stuffed. */
async function controlFaults(): Promise<string> {
  const sink = await startSink()
  const socket = net.connect(sink.port, '127.0.0.1')
  socket.write('EHLO a\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\na\nb\rc\0\r\n.x\r\n.\r\n')
  await until('the control is in', () => sink.counts.messages === 1, 5_000)
  socket.destroy()
  await sink.close()
  return `${sink.counts.bareLineEnds}/${sink.counts.nuls}/${sink.counts.unstuffed}`
}
