/**
 * The scenes of R20, K01 to K09: hops, servers that send everything back, bounces of bounces, reports
 * to odd senders, floods of failures, NOTIFY in all mixtures, aliases in circles.
 */
import { ask, countStored } from './admin.ts'
import { BarClient, inParallel } from './client.ts'
import { type Causes, drained, expectReply, type LoopRig, offer, send, storyOf } from './loop-rig.ts'
import { until } from './verdict.ts'

const HEADER = 'From: app@app.test\r\nSubject: loops\r\n'

export const ALIASES = [
  'a: b',
  'b: a',
  'self: self',
  `list10: ${Array.from({ length: 10 }, (_, i) => `${i % 2 === 0 ? 'refused' : 'fine'}${i}@rcpt.test`).join(', ')}`,
  'team: ops, fine@rcpt.test, refused-team@rcpt.test',
  ...Array.from({ length: 13 }, (_, i) => `deep${i}: deep${i + 1}`),
  'inc: :include:FOLDER/list1',
  'root: refused-root@rcpt.test',
].join('\n')
export const LISTS = { list1: 'ops\n:include:FOLDER/list2\n', list2: '# the second\nfine-inc@rcpt.test\n' }
export const VIRTUAL = [
  'k09a@x.test k09b@x.test',
  'k09b@x.test k09a@x.test',
  `thousand@x.test ${Array.from({ length: 1000 }, (_, i) => `t${i}@rcpt.test`).join(', ')}`,
  `toomany@x.test ${Array.from({ length: 1001 }, (_, i) => `t${i}@rcpt.test`).join(', ')}`,
].join('\n')

/** K01: the limit is 50, whoever wrote the lines, and finding it takes linear time. Answers with the milliseconds of the longest. */
export async function countHops(rig: LoopRig): Promise<number> {
  const received = (count: number, line = 'Received: from a by b; x\r\n'): string => line.repeat(count) + HEADER
  for (const [count, wanted] of [
    [49, /^250 /],
    [50, /^250 /],
    [51, /^554 5\.4\.6/],
    [1_000, /^554 5\.4\.6/],
  ] as const) {
    await expectReply(rig, { from: 'k01@app.test', to: ['fine@rcpt.test'], header: received(count) }, wanted)
  }
  await expectReply(rig, { from: 'k01@app.test', to: ['fine@rcpt.test'], header: received(51, 'rEcEiVeD :\r\n forged\r\n') }, /^554 5\.4\.6/)
  const from = performance.now()
  await expectReply(rig, { from: 'k01@app.test', to: ['fine@rcpt.test'], header: received(400_000) }, /^55[24] 5\./)
  return Math.round(performance.now() - from)
}

/** K02: the relay hands everything back to us. It reports the end of it as a server does, once for each. */
export async function sendBack(rig: LoopRig): Promise<{ readonly mails: number; readonly rounds: number; readonly reports: number }> {
  const mails = rig.full ? 50 : 5
  let rounds = 0
  let ended = 0
  const { sink, port } = rig
  sink.behaviour = {
    ...sink.behaviour,
    onContent: ({ from, to }, content) => {
      if (!to.some((address) => address.startsWith('loop-'))) return
      rounds++
      const header = `Received: from postern by sink; x\r\n${content.toString('latin1').split('\r\n\r\n')[0]}\r\n`
      void offer(port, { from, to, header }).then((reply) => {
        if (reply.startsWith('250')) return
        if (!reply.startsWith('554 5.4.6')) rig.faults.push(`a mail that came back: ${reply}`)
        ended++
        void offer(port, { from: '', to: [from] })
      })
    },
  }
  for (let i = 0; i < mails; i++) await send(rig, { from: `k02-${i}@app.test`, to: [`loop-${i}@rcpt.test`] })
  await until('every loop ends', () => ended === mails, 120_000)
  await drained(rig.server)
  const reports = sink.received.filter(({ from, to }) => from === '' && to.some((address) => address.startsWith('k02-'))).length
  if (reports !== mails) rig.faults.push(`${reports} reports of ${mails} loops`)
  if (rounds > mails * 51) rig.faults.push(`${rounds} rounds of ${mails} mails`)
  return { mails, rounds, reports }
}

/** K03: nobody can be told. A copy goes to the postmaster, who cannot be reached either: that is the end. */
export async function bounceBounces(rig: LoopRig, causes: Causes): Promise<void> {
  for (let i = 0; i < bounces(rig); i++) causes.add(await send(rig, { from: '', to: [`refused-k03-${i}@rcpt.test`] }), 'K03 bounce of a bounce', 1)
  await drained(rig.server)
}

/** K04: reports to senders that cannot have them, to lists, to ourselves. */
export async function reportToOdd(rig: LoopRig, causes: Causes): Promise<void> {
  const senders = [
    ['k04@refused.test', 1],
    ['nosuch@postern.test', 1],
    ['a@postern.test', 1],
    ['list10@postern.test', 1],
    ['MAILER-DAEMON@postern.test', 1],
    ['postmaster@postern.test', 1],
    ['ops@postern.test', 1],
  ] as const
  // Where the sender cannot be reached here, the one notice is the copy for the postmaster.
  for (const [from, notices] of senders) causes.add(await send(rig, { from, to: ['refused-k04@rcpt.test'] }), `K04 sender ${from}`, notices)
  await drained(rig.server)
}

/** What the postmaster's address was rewritten to hears of each double bounce once, and nothing of its own. */
export async function countCopies(rig: LoopRig): Promise<number> {
  const copies = await countStored(rig.server, 'recipient', 'refused-root@rcpt.test')
  // Of K04: two senders that cannot be reached, two reports to root, three reports that are refused in their turn.
  const most = bounces(rig) + 7
  if (copies > most) rig.faults.push(`${copies} copies for the postmaster, at most ${most} have a cause`)
  return copies
}

const bounces = ({ full }: LoopRig): number => (full ? 50 : 5)

/** K05: what cannot be delivered is refused while its client is there. */
export async function refuseAtOnce(rig: LoopRig): Promise<void> {
  const before = await countStored(rig.server, 'sender', 'k05')
  await expectReply(rig, { from: 'k05@app.test', to: ['nosuch@postern.test'] }, /^550 5\.1\.1/)
  await expectReply(rig, { from: 'k05@app.test', to: ['nosuch'] }, /^550 5\.1\.1/)
  await expectReply(rig, { from: 'k05@app.test', to: ['fine@rcpt.test'] }, /^554 5\.7\.1/, '127.0.0.2')
  await expectReply(rig, { from: 'k05@app.test', to: ['ops@postern.test'] }, /^554 5\.7\.1/, '127.0.0.2')
  if ((await countStored(rig.server, 'sender', 'k05')) !== before) rig.faults.push('K05: something was stored')
}

/** K06: thousands of failures of one sender. Answers with the notices that he got. */
export async function floodFailures(rig: LoopRig): Promise<{ readonly failures: number; readonly notices: number }> {
  const failures = rig.full ? 10_000 : 300
  const numbers = Array.from({ length: 20 }, (_, worker) => worker)
  await inParallel(numbers, numbers.length, async (worker) => {
    const client = await BarClient.open({ port: rig.port })
    for (let i = worker; i < failures; i += numbers.length) {
      await client.say('MAIL FROM:<k06@app.test>')
      await client.say(`RCPT TO:<refused-k06-${i}@rcpt.test>`)
      await client.say('DATA')
      const reply = await client.say(`${HEADER}\r\n${'x'.repeat(200)}\r\n.`)
      if (!reply.startsWith('250')) rig.faults.push(`K06: ${reply}`)
    }
    await client.quit()
  })
  await drained(rig.server)
  const { body } = await ask(rig.server, 'GET', '/v1/queue/count?sender=%3C%3E&recipient=k06%40app.test')
  const notices = (JSON.parse(body) as { count: number }).count
  if (notices > NOTICES_PER_HOUR || notices === 0) rig.faults.push(`K06: ${notices} notices of ${failures} failures`)
  return { failures, notices }
}
/** The default of `dsn.perSenderPerHour`. */
const NOTICES_PER_HOUR = 60

/** K07: machines are told like people, and only under the envelope's sender. */
export async function failMachines(rig: LoopRig, causes: Causes): Promise<void> {
  const lines = ['Auto-Submitted: auto-replied', 'Precedence: bulk', 'List-Id: <l.x.test>\r\nList-Unsubscribe: <mailto:u@x.test>', 'Errors-To: errors@x.test']
  for (const [i, line] of lines.entries()) {
    const header = `From: list@x.test\r\nReply-To: reply@x.test\r\n${line}\r\nSubject: s\r\n`
    causes.add(await send(rig, { from: `k07-${i}@app.test`, to: ['refused-k07@rcpt.test'], header }), `K07 ${line}`, 1)
  }
  await drained(rig.server)
  const told = rig.sink.received.filter(({ from, to }) => from === '' && to.some((address) => address.endsWith('@x.test')))
  if (told.length > 0) rig.faults.push(`K07: ${told.length} notices to others than the envelope's sender`)
}

/** K08: NOTIFY in mixtures, of recipients that fail beside others that do not. */
export async function mixNotify(rig: LoopRig, causes: Causes): Promise<void> {
  const cases: readonly (readonly [notify: string, notices: number])[] = [
    ['NEVER', 0],
    ['FAILURE', 1],
    ['SUCCESS', 0],
    ['DELAY', 0],
    ['SUCCESS,DELAY', 0],
    ['SUCCESS,FAILURE,DELAY', 1],
  ]
  for (const [notify, notices] of cases) {
    const mail = { from: 'k08@app.test', to: ['refused-k08@rcpt.test', 'fine@rcpt.test', 'refused-k08b@rcpt.test'], parameters: ` NOTIFY=${notify}` }
    causes.add(await send(rig, mail), `K08 ${notify}`, notices)
  }
  await drained(rig.server)
}

/** K09: circles, lists that are too long or too deep. */
export async function turnInCircles(rig: LoopRig, causes: Causes): Promise<void> {
  const refused: readonly (readonly [to: string, reply: RegExp])[] = [
    ['a@postern.test', /^554 5\.4\.6/],
    ['B', /^554 5\.4\.6/],
    ['k09a@x.test', /^554 5\.4\.6/],
    ['deep0@postern.test', /^554 5\.4\.6/],
    ['self@postern.test', /^550 5\.1\.1/],
    ['toomany@x.test', /^550 5\.3\.5/],
  ]
  for (const [to, reply] of refused) await expectReply(rig, { from: 'k09@app.test', to: [to] }, reply)
  causes.add(await send(rig, { from: 'k09@app.test', to: ['team', 'team@postern.test', 'fine@rcpt.test'] }), 'K09 team', 1)
  causes.add(await send(rig, { from: 'k09@app.test', to: ['inc'] }), 'K09 include', 0)
  const thousand = await send(rig, { from: 'k09@app.test', to: ['thousand@x.test'] })
  causes.add(thousand, 'K09 thousand', 0)
  await drained(rig.server)
  const { states } = thousand === null ? { states: [] } : await storyOf(rig.server, thousand)
  if (states.length !== 1000 || states.some((state) => state !== 'delivered')) rig.faults.push(`K09: ${states.length} of 1000 recipients`)
}
