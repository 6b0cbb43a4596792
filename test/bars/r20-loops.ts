/**
 * R20: loops, bounces of bounces, reports to odd senders, floods of failures, aliases in circles, and a
 * sandbox whose catch-all is missing, full or ourselves (K01 to K10).
 *
 * Each cause makes at most one notice, and when all is said the process is quiet.
 */
import { ask } from './support/admin.ts'
import { answerRcpt, Causes, drained, isQuiet, type LoopRig, startLoopServer } from './support/loop-rig.ts'
import { catchAll } from './support/loop-sandbox.ts'
import {
  ALIASES,
  bounceBounces,
  countCopies,
  countHops,
  failMachines,
  floodFailures,
  LISTS,
  mixNotify,
  refuseAtOnce,
  reportToOdd,
  sendBack,
  turnInCircles,
  VIRTUAL,
} from './support/loop-scenes.ts'
import { removeFolder } from './support/server.ts'
import { startSink } from './support/sink.ts'
import { runBar } from './support/verdict.ts'

await runBar('R20 loops', async ({ full }) => {
  const sink = await startSink({ onCommand: (verb, line) => (verb === 'RCPT' ? answerRcpt(line) : null) })
  const config = {
    rewrite: { recipients: [{ file: 'virtual' }] },
    local: { domains: ['postern.test'], users: ['root', 'ops'] },
    aliases: { file: 'aliases', include: true },
    networks: ['127.0.0.1/32'],
    dsn: { postmaster: 'postmaster@postern.test' },
    routes: [{ to: 'postern.test', via: 'sink' }, { via: 'sink' }],
    limits: { errorsPerSession: 10_000, messageSize: '20 MB' },
  }
  const { server, port } = await startLoopServer(sink, { aliases: ALIASES, virtual: VIRTUAL, ...LISTS }, config)
  const rig: LoopRig = { server, port, sink, full, faults: [] }
  const causes = new Causes()
  const hopsMs = await countHops(rig)
  const back = await sendBack(rig)
  await bounceBounces(rig, causes)
  await reportToOdd(rig, causes)
  await refuseAtOnce(rig)
  await failMachines(rig, causes)
  await mixNotify(rig, causes)
  await turnInCircles(rig, causes)
  const copies = await countCopies(rig)
  const flood = await floodFailures(rig)
  await drained(server)
  const made = await causes.check(rig)
  const quiet = await isQuiet(rig, full ? 5_000 : 2_000)
  const open = JSON.parse((await ask(server, 'GET', '/v1/queue/count?states=queued')).body) as { readonly count: number }
  server.kill('SIGTERM')
  const { code } = await server.exited
  await sink.close()
  removeFolder(server.folder)
  const sandbox = await catchAll(rig)
  for (const fault of rig.faults.slice(0, 20)) process.stderr.write(`${fault}\n`)
  return {
    passed:
      rig.faults.length === 0 && made.most <= 1 && quiet && open.count === 0 && code === 0 && sandbox.leaked === 0 && sandbox.heldAgain === 2 && sandbox.quiet,
    figures: {
      hopsOf10MBms: hopsMs,
      loops: back.mails,
      rounds: back.rounds,
      reportsOfLoops: back.reports,
      causes: causes.size,
      notices: made.notices,
      mostOfOneCause: made.most,
      postmasterCopies: copies,
      flood: flood.failures,
      noticesOfFlood: flood.notices,
      sandboxMails: sandbox.mails,
      sandboxHeld: sandbox.heldAgain,
      sandboxLeaked: sandbox.leaked,
      sandboxNotices: sandbox.notices,
      wrong: rig.faults.length,
      openRecipients: open.count,
      exitCode: String(code),
      quiet: String(quiet && sandbox.quiet),
    },
  }
})
