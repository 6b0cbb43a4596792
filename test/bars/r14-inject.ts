/**
 * R14: hostile text in every field that anybody outside can fill: EHLO, MAIL, RCPT, AUTH=, ORCPT, ENVID,
 * header values, the submission API, arguments of the command, what peers reply (I01 to I08, I10).
 *
 * Nothing of it may become a command at the sink, a header field, a line of the log, or an escape on
 * a terminal. JavaMail's address that is two commands must be refused.
 */
import { readFileSync } from 'node:fs'
import { readStatus, untilDrained } from './support/admin.ts'
import { badJsonLines, badOutput, badPrettyLines, commandsThatBreak, extraCommands, extraHeaderLines, formulaCells } from './support/inject-evidence.ts'
import { lookAtEverything, type Printed, tryApi, tryArguments, tryLane, trySubject, watchLive } from './support/inject-local.ts'
import { SMTP_FIELDS, sendToPeer, startHostilePeer, type Tried, tryJavaMail, trySmtpField, tryXtext, XTEXT_TAKEN } from './support/inject-smtp.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './support/server.ts'
import { type Sink, startSink } from './support/sink.ts'
import { runBar, seeded } from './support/verdict.ts'

/** RFC 5424 §6.1 asks receivers for 2,048; this much every one takes. */
const LOG_LINE_MAX = 8_192

interface Round {
  readonly server: PosternProcess
  readonly port: number
  readonly count: number
  readonly seed: number
  readonly printed: Printed[]
}
interface Outcome {
  readonly strings: number
  readonly accepted: number
  readonly delivered: number
  readonly faults: readonly string[]
  readonly extraLogLines: readonly string[]
  readonly longestLogLine: number
  readonly logMismatch: number
  readonly javaMail: string | null
}

await runBar('R14 inject', async ({ full, seed }) => {
  const count = full ? 5_000 : 150
  const evidence = { lines: [] as string[], extraHeaders: [] as string[], messages: 0, severalRecipients: 0 }
  const sink = await startSink({
    onCommand(verb, line) {
      evidence.lines.push(line)
      return verb === 'RCPT' && line.includes('<refused@') ? '550 5.1.1 no such user' : null
    },
    onContent(message, content) {
      evidence.messages++
      if (message.to.length !== 1) evidence.severalRecipients++
      evidence.extraHeaders.push(...extraHeaderLines(content.toString('latin1')))
    },
  })
  const peer = await startHostilePeer(seed)
  const printed: Printed[] = []
  const json = await runServer({ format: 'json', sink, peer, count, seed, printed })
  const pretty = await runServer({ format: 'pretty', sink, peer: await startHostilePeer(seed + 1), count: Math.ceil(count / 3), seed: seed + 1, printed })
  await Promise.all([sink.close(), peer.close()])
  const commands = extraCommands(evidence.lines)
  const output = badOutput(printed)
  const cells = printed.filter(({ argv }) => argv.includes('--csv')).flatMap(({ text }) => formulaCells(text))
  const broken = commandsThatBreak(count, seeded(seed))
  const logLines = [...json.extraLogLines, ...pretty.extraLogLines]
  const faults = [...json.faults, ...pretty.faults, ...changedXtext(evidence.lines)]
  const javaMail = json.javaMail ?? pretty.javaMail
  const raw = sink.counts.bareLineEnds + sink.counts.nuls + peer.counts.bareLineEnds + peer.counts.nuls
  for (const [what, list] of Object.entries({ fault: faults, command: commands, header: evidence.extraHeaders, log: logLines, output, cell: cells })) {
    for (const line of list.slice(0, 8)) process.stderr.write(`${what}: ${line.slice(0, 600)}\n`)
  }
  const bad = faults.length + commands.length + evidence.extraHeaders.length + logLines.length + output.length + cells.length
  const longestLogLine = Math.max(json.longestLogLine, pretty.longestLogLine)
  const arrived = json.accepted > 0 && pretty.accepted > 0
  return {
    passed:
      bad === 0 &&
      broken === 0 &&
      raw === 0 &&
      evidence.severalRecipients === 0 &&
      json.logMismatch + pretty.logMismatch === 0 &&
      longestLogLine <= LOG_LINE_MAX &&
      javaMail === null &&
      arrived,
    figures: {
      fields: 12,
      stringsPerField: count,
      strings: json.strings + pretty.strings,
      accepted: json.accepted + pretty.accepted,
      atTheSink: evidence.messages,
      extraCommands: commands.length + evidence.severalRecipients,
      rawControlsOnTheWire: raw,
      extraHeaderLines: evidence.extraHeaders.length,
      extraLogLines: logLines.length,
      longestLogLine,
      logMismatch: json.logMismatch + pretty.logMismatch,
      outputs: printed.length,
      outputsWithControls: output.length,
      formulaCells: cells.length,
      formatterBroken: broken,
      wrongReplies: faults.length,
      javaMail: javaMail === null ? 'refused' : JSON.stringify(javaMail),
    },
  }
})

interface ServerRun {
  readonly format: 'json' | 'pretty'
  readonly sink: Sink
  readonly peer: Sink
  readonly count: number
  readonly seed: number
  readonly printed: Printed[]
}

async function runServer({ format, sink, peer, count, seed, printed }: ServerRun): Promise<Outcome> {
  const folder = makeFolder()
  const port = await freePort()
  const server = await startServer({ port, relayPort: sink.port, folder, config: configOf(format, peer.port, `${folder}/postern.log`) })
  const tried = await tryAll({ server, port, count, seed, printed })
  const xtext = await tryXtext(port)
  const javaMail = await tryJavaMail(port)
  await untilDrained(server, 180_000)
  printed.push(...(await lookAtEverything(server, 60)))
  const { sinceStart } = await readStatus(server)
  server.kill('SIGTERM')
  const { code } = await server.exited
  const log = readFileSync(server.logPath, 'utf8')
  const loud = server.log().match(/^.*(?:Error|at .*\.ts:\d+).*$/m)
  const accepted = log
    .split('\n')
    .filter((line) => (format === 'json' ? line.includes('"msg":"accepted"') : /^\S+ info {2}intake {4}[0-9A-Z]{11} accepted /.test(line))).length
  removeFolder(folder)
  return {
    strings: tried.reduce((sum, one) => sum + one.strings, 0),
    accepted: sinceStart.accepted,
    delivered: sinceStart.delivered,
    faults: [
      ...tried.flatMap((one) => one.faults),
      ...xtext,
      ...(code === 0 ? [] : [`ended with ${code}`]),
      ...(loud === null ? [] : [`on its output: ${loud[0]}`]),
    ],
    extraLogLines: format === 'json' ? badJsonLines(log) : badPrettyLines(log),
    longestLogLine: Math.max(...log.split('\n').map((line) => line.length)),
    logMismatch: Math.abs(accepted - sinceStart.accepted),
    javaMail,
  }
}

/** Each value went out as it came in, with MAIL and with RCPT. */
function changedXtext(lines: readonly string[]): readonly string[] {
  return XTEXT_TAKEN.flatMap((value) => [` ENVID=${value}`, ` ORCPT=rfc822;${value}`]).filter(
    (parameter) => !lines.some((line) => `${line} `.includes(`${parameter} `)),
  )
}

async function tryAll(round: Round): Promise<readonly Tried[]> {
  const { server, port, count, seed, printed } = round
  const tried: Tried[] = []
  printed.push(
    await watchLive(server, async () => {
      for (const field of SMTP_FIELDS) tried.push(await trySmtpField(port, field, { count: Math.min(count, 60), seed: seed + 7 }))
      await sendToPeer(port, Math.min(count, 60))
    }),
  )
  for (const [index, field] of SMTP_FIELDS.entries()) tried.push(await trySmtpField(port, field, { count, seed: seed + 100 + index }))
  for (const field of ['from', 'to'] as const) tried.push(await tryApi(server, field, { count, seed: seed + (field === 'from' ? 200 : 201) }))
  tried.push(await tryLane(server, { count: Math.min(count, 500), seed: seed + 202 }))
  tried.push(await trySubject(server, { count, seed: seed + 300 }, printed))
  tried.push(await tryArguments(server, { count, seed: seed + 301 }, printed))
  const taken = await sendToPeer(port, count)
  tried.push({ strings: count, accepted: taken, refused: 0, faults: taken === count ? [] : [`${count - taken} honest messages were refused`] })
  return tried
}

function configOf(format: string, peerPort: number, log: string): Record<string, unknown> {
  return {
    relays: { peer: { host: `127.0.0.1:${peerPort}`, tls: 'none' } },
    routes: [{ to: '*@peer.test', via: 'peer' }, { via: 'sink' }],
    limits: { errorsPerSession: 10_000, junkPerSession: 100_000 },
    dsn: { perSenderPerHour: 100_000 },
    queue: { suspend: { min: '1s', max: '1s' }, failedCohorts: 100 },
    log: { level: 'debug', format, file: log },
  }
}
