/**
 * R09: content that holds a second message behind something that is not the end of content (S01 to
 * S05, S09), and sessions that fall out of step or out of TLS in the middle (S13, S14, S16, S17).
 *
 * Never may a second message be stored, or a line of content be run. What each session must be told
 * is worked out here, apart from the server. A control sends two honest messages in one segment to
 * a listener with PIPELINING: the bar must see the second one.
 */
import { countStored, readStatus, untilDrained } from './support/admin.ts'
import { copyCertificate } from './support/certificate.ts'
import { BarClient, beginContent, inParallel, type Security } from './support/client.ts'
import { contentWith, DOT_AND_OCTET, FAKE_ENDS, type FakeEnd } from './support/sequences.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { overflowFaults } from './support/smuggle-overflow.ts'
import { sessionFaults } from './support/smuggle-sessions.ts'
import { type BarResult, runBar, seeded } from './support/verdict.ts'

type BareLineEnds = 'refuse' | 'normalize'
interface Door {
  readonly port: number
  readonly security: Security
  readonly bareLineEnds: BareLineEnds
  readonly pipelining: boolean
}
interface Trial {
  readonly door: Door
  readonly fake: FakeEnd
  readonly feeding: 'whole' | 'bytewise' | number
}

const WIDTH = 60
/** Long enough for the server to read one piece before the next one comes, on a busy machine mostly. */
const PAUSE_MS = 2

await runBar('R09 smuggle-in', async ({ full, seed }) => {
  const sink = await startSink({ keepContent: true })
  const folder = makeFolder()
  const doors = await makeDoors()
  const server = await startServer({ port: doors[0]?.port ?? 0, relayPort: sink.port, folder, config: configOf(doors, folder) })
  const trials = makeTrials(doors, full, seeded(seed))
  const faults: string[] = []
  const counts = { sessions: 0, messages: 0, refused: 0 }
  await inParallel(trials, WIDTH, async (trial) => {
    const number = counts.sessions++
    const verdict = await runTrial(trial, number)
    if (verdict.stored) counts.messages++
    else counts.refused++
    if (verdict.fault !== null) faults.push(`${trial.door.security} ${trial.door.bareLineEnds} ${trial.fake.name} ${trial.feeding}: ${verdict.fault}`)
  })
  const plain = doors.filter((door) => !door.pipelining && door.bareLineEnds === 'refuse')
  const others = await sessionFaults(plain, server, { full })
  const overflow = await overflowFaults(sink, { full, seed })
  faults.push(...others.faults, ...overflow.faults)
  const controls = await runControls(doors)
  const result = await conclude(server, { sink, expected: counts.messages + others.messages + controls * 2 })
  const second = sink.received.filter((message) => message.from.includes('smuggled')).length + result.smuggledStored
  server.kill('SIGTERM')
  const { code } = await server.exited
  await sink.close()
  removeFolder(folder)
  const sessions = counts.sessions + others.sessions + overflow.sessions
  const { bareLineEnds, nuls, unstuffed } = sink.counts
  for (const fault of faults.slice(0, 10)) process.stderr.write(`${fault}\n`)
  return {
    passed:
      second === 0 &&
      faults.length === 0 &&
      result.stored === result.expected &&
      result.delivered === result.expected &&
      bareLineEnds + nuls + unstuffed === 0 &&
      code === 0 &&
      controls > 0 &&
      result.controlSecond === controls &&
      sessions >= (full ? 10_000 : 600),
    figures: {
      sequences: FAKE_ENDS.length + DOT_AND_OCTET.length,
      sessions,
      oneMessage: counts.messages,
      refused: counts.refused,
      secondMessages: second,
      wrongReplies: faults.length,
      stored: `${result.stored}/${result.expected}`,
      bareOnTheWire: bareLineEnds + nuls,
      otherSessions: others.sessions,
      overflowSessions: overflow.sessions,
      diskFull: overflow.diskFull,
      controlSecondSeen: `${result.controlSecond}/${controls}`,
    },
  } satisfies BarResult
})

async function makeDoors(): Promise<readonly Door[]> {
  const doors: Door[] = []
  for (const bareLineEnds of ['refuse', 'normalize'] as const) {
    for (const pipelining of [false, true]) {
      const port = await freePort()
      doors.push({ port, security: 'plain', bareLineEnds, pipelining }, { port, security: 'starttls', bareLineEnds, pipelining })
      doors.push({ port: await freePort(), security: 'implicit', bareLineEnds, pipelining })
    }
  }
  return doors
}

function configOf(doors: readonly Door[], folder: string): Record<string, unknown> {
  const listen = doors
    .filter((door) => door.security !== 'starttls')
    .map(({ port, security, bareLineEnds, pipelining }) => ({
      url: `${security === 'implicit' ? 'smtps' : 'smtp'}://127.0.0.1:${port}`,
      bareLineEnds,
      pipelining,
    }))
  return { listen, tls: copyCertificate(folder), limits: { connectionsPerClient: 400 } }
}

/** Every sequence whole and octet by octet on every door; split in two at every place without PIPELINING, plain and inside TLS. */
function* makeTrials(doors: readonly Door[], full: boolean, random: () => number): Generator<Trial> {
  const chosen = (share: number): boolean => full || random() < share
  for (const fake of [...FAKE_ENDS, ...DOT_AND_OCTET]) {
    const common = DOT_AND_OCTET.includes(fake)
    for (const door of doors) {
      if (!common || chosen(0.02)) yield { door, fake, feeding: 'whole' }
      if (common ? chosen(0.02) && !door.pipelining : chosen(0.25)) yield { door, fake, feeding: 'bytewise' }
    }
    if (common) continue
    const octets = wireOf(fake, 0).length
    for (const door of doors) {
      if (door.pipelining || door.security === 'starttls') continue
      for (let at = 1; at < octets; at++) if (chosen(0.01)) yield { door, fake, feeding: at }
    }
  }
}

function wireOf(fake: FakeEnd, number: number): string {
  return `${contentWith(fake, `g${String(number).padStart(6, '0')}`)}.\r\n`
}

async function runTrial({ door, fake, feeding }: Trial, number: number): Promise<{ readonly stored: boolean; readonly fault: string | null }> {
  const client = await BarClient.open(door)
  try {
    const refused = await beginContent(client, `o${number}@app.test`, 'user@rcpt.test')
    if (refused !== null) return { stored: false, fault: `not taken: ${refused}` }
    const wire = wireOf(fake, number)
    const pieces = feeding === 'whole' ? [wire] : feeding === 'bytewise' ? [...wire] : [wire.slice(0, feeding), wire.slice(feeding)]
    await client.writePieces(pieces, PAUSE_MS)
    const reply = await client.reply()
    const more = client.closed ? [] : await client.quit()
    const wanted = expected(wire, door)
    const extra = more.filter((text) => !text.startsWith('221 '))
    const fits = wanted.test(reply) && (extra.length === 0 || door.pipelining)
    // With PIPELINING what follows an early end is commands; none of them may be taken.
    const taken = extra.filter((text) => /^[23]/.test(text))
    return { stored: reply.startsWith('250'), fault: fits && taken.length === 0 ? null : `${reply} | ${more.join(' | ')} instead of ${wanted.source}` }
  } finally {
    client.destroy()
  }
}

/** What RFC 5321 §2.3.8 and the listener's setting ask for, by a rule that knows nothing of the decoder. */
function expected(wire: string, { bareLineEnds }: Door): RegExp {
  const content = wire.slice(0, -3)
  // CR CR LF . CR LF: an end for us, none for others. Nothing behind it may be run, whoever is right.
  if (content.includes('\r\n.\r\n')) return /^(?:554 5\.5\.0|550 5\.5\.2|250 2\.0\.0|closed)/
  const faults: string[] = []
  if (content.includes('\0')) faults.push('550 5\\.6\\.0')
  if (bareLineEnds === 'refuse' && /\r(?!\n)|(?<!\r)\n/.test(content)) faults.push('550 5\\.5\\.2')
  return new RegExp(`^(?:${faults.length === 0 ? '250 2\\.0\\.0' : faults.join('|')})`)
}

/** Two honest messages in one segment, where that is allowed (RFC 2920): the second must be seen by the counts below. */
async function runControls(doors: readonly Door[]): Promise<number> {
  const open = doors.filter((door) => door.pipelining)
  for (const door of open) {
    const client = await BarClient.open(door)
    await beginContent(client, 'control-first@app.test', 'user@rcpt.test')
    client.write('From: a@x.test\r\n\r\nx\r\n.\r\nMAIL FROM:<control-second@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n')
    for (let i = 0; i < 4; i++) await client.reply()
    client.write('From: a@x.test\r\n\r\nx\r\n.\r\n')
    await client.reply()
    await client.quit()
  }
  return open.length
}

async function conclude(
  server: PosternProcess,
  { sink, expected: wanted }: { readonly sink: { readonly received: readonly { readonly from: string }[] }; readonly expected: number },
) {
  await untilDrained(server, 60_000)
  const { sinceStart } = await readStatus(server)
  return {
    expected: wanted,
    stored: sinceStart.accepted,
    delivered: sinceStart.delivered,
    smuggledStored:
      (await countStored(server, 'sender', 'smuggled')) +
      (await countStored(server, 'recipient', 'b@y.test')) -
      (await countStored(server, 'sender', 'control-second')),
    controlSecond: sink.received.filter((message) => message.from.startsWith('control-second')).length,
  }
}
