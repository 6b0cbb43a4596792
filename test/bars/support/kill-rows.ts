/**
 * The crash table of docs/queue.md as runs: how each row is brought about, and what must be true then.
 */
import { MIGRATIONS } from '../../../src/store/sqlite/schema.ts'
import type { HandedIn, KillScene } from './kill-scene.ts'
import { until } from './verdict.ts'

export interface KillRow {
  readonly name: string
  readonly config?: Record<string, unknown>
  /** `turn` counts up: rows with variants take them in turn. */
  readonly run: (scene: KillScene, turn: number) => Promise<void>
}

/** Long enough to be put in chunks. */
const LARGE = 700_000
const ID = 'kill-1'
const STATEMENTS = MIGRATIONS.reduce((sum, migration) => sum + migration.statements.length, 0)
const pick = <T>(list: readonly [T, ...T[]], turn: number): T => list[turn % list.length] ?? list[0]

export const KILL_ROWS: readonly KillRow[] = [
  { name: 'during content', run: duringContent },
  { name: 'content stored, before commit A', run: beforeCommitA },
  { name: 'after commit A, before the 250 is read', run: afterCommitA },
  { name: 'after commit B, before connecting', run: afterCommitB },
  ...(['MAIL', 'RCPT', 'DATA', 'content'] as const).map(
    (stage): KillRow => ({ name: `in a transaction, at ${stage}`, run: (scene, turn) => inTransaction(scene, turn, stage) }),
  ),
  { name: 'after the final dot, before commit C', run: afterDot },
  { name: 'in commit C', run: inCommitC },
  { name: 'after commit C', run: afterCommitC },
  { name: 'while writing a DSN', run: whileWritingNotice },
  { name: 'while sweeping', config: { retention: { content: '0s' }, routes: [{ to: 'held.test', via: 'hold' }, { via: 'sink' }] }, run: whileSweeping },
  { name: 'while migrating', run: whileMigrating },
  { name: 'lease runs out while paused', run: pausedBeyondLease },
  { name: 'orderly stop', run: orderlyStop },
]

function refused(scene: KillScene, { reply }: HandedIn): void {
  scene.check('the client saw no 250', reply === null, reply)
}
function taken(scene: KillScene, handed: HandedIn): string {
  scene.check('the client saw 250', handed.reply?.startsWith('250') === true, handed.reply)
  return handed.queueId
}
async function marked(scene: KillScene, queueId: string): Promise<void> {
  const story = await scene.story(queueId)
  scene.check('the trace says that a duplicate is possible', /"duplicatePossible":\s*true/.test(story), story)
}
async function reclaimed(scene: KillScene, queueId: string): Promise<void> {
  const story = await scene.story(queueId)
  scene.check('the trace says that it was taken back', story.includes('"reclaimed"'), story)
}

/** content partial, no row, no lease; the sweeper removes; once the client tries again, one copy. */
async function duringContent(scene: KillScene, turn: number): Promise<void> {
  const point = pick(['outside', 'chunk.before-commit', 'chunk.after-commit'], turn)
  await scene.start(point === 'outside' ? null : point)
  const cut = point === 'outside' ? { cut: () => scene.kill() } : {}
  refused(scene, await scene.handIn(ID, { octets: turn % 2 === 0 ? LARGE : 2 * LARGE, ...cut }))
  await scene.died()
  expectNothing(scene)
  await scene.restart(ID, 0)
  taken(scene, await scene.handIn(ID))
  await scene.drained()
  scene.check('one copy of what was handed in again', scene.copies(ID) === 1)
  await scene.stop()
}

/** Content without a message has no row: its places are free. */
function expectNothing(scene: KillScene): void {
  const { chunks } = scene.expectDisk([])
  scene.check('no row refers to the content', chunks === 0, chunks)
}

async function beforeCommitA(scene: KillScene, turn: number): Promise<void> {
  await scene.start('enqueue.before-commit')
  refused(scene, await scene.handIn(ID, { octets: turn % 2 === 0 ? LARGE : 2_000 }))
  await scene.died()
  expectNothing(scene)
  await scene.restart(ID, 0)
  await scene.stop()
}

/** The row is there and nobody was told: delivered, and once more if the client hands it in again (RFC 1047). */
async function afterCommitA(scene: KillScene, turn: number): Promise<void> {
  await scene.start('enqueue.after-commit')
  refused(scene, await scene.handIn(ID, { octets: turn % 2 === 0 ? LARGE : 2_000 }))
  await scene.died()
  // Born leased: accepted and claimed in one commit.
  scene.expectDisk(['leased 1 leased'])
  await scene.restart(ID, 1)
  taken(scene, await scene.handIn(ID))
  await scene.drained()
  scene.check('twice by the client only', scene.copies(ID) === 2, scene.copies(ID))
}

/** Deferred first, so that it has to be claimed; the next Postern dies with the lease in its hands. */
async function afterCommitB(scene: KillScene): Promise<void> {
  await scene.start()
  scene.sink.behaviour = { onCommand: (verb) => (verb === 'MAIL' ? '451 4.3.0 later' : null) }
  const queueId = taken(scene, await scene.handIn(ID))
  await until('it is deferred', () => scene.disk().rows.some((row) => row.state === 'queued' && row.attempts > 0), 10_000)
  scene.kill()
  await scene.died()
  const [row] = scene.disk().rows
  const attempts = row?.attempts ?? 0
  // By then it is due, and the first claim finds it.
  await new Promise((resolve) => setTimeout(resolve, 2_300))
  const commands = scene.sink.counts.commands
  scene.sink.behaviour = {}
  await scene.startDoomed('claim.after-commit')
  await scene.died()
  scene.expectDisk([`leased ${attempts + 1} leased`])
  scene.check('nobody was dialled', scene.sink.counts.commands === commands)
  await scene.restart(ID, 1)
  await reclaimed(scene, queueId)
}

async function inTransaction(scene: KillScene, turn: number, stage: 'MAIL' | 'RCPT' | 'DATA' | 'content'): Promise<void> {
  const content = stage === 'content'
  let lines = 0
  scene.sink.behaviour = {
    pipelining: turn % 2 === 0,
    onCommand(verb) {
      // Content is not read as such here: its lines come as commands.
      const isThere = content ? lines > 0 && ++lines > 20 : verb === stage
      if (content && verb === 'DATA') lines = 1
      if (isThere) scene.kill()
      return isThere ? 'drop' : content && lines > 0 ? (lines === 1 ? '354 go' : '') : null
    },
  }
  await scene.start()
  await scene.handIn(ID, { octets: content ? LARGE : 2_000 })
  await scene.died()
  const { rows } = scene.expectDisk(['leased 1 leased'])
  scene.check('nothing was handed over', scene.copies(ID) === 0)
  await scene.restart(ID, 1)
  await reclaimed(scene, rows[0]?.queueId ?? '')
}

async function afterDot(scene: KillScene, turn: number): Promise<void> {
  scene.sink.behaviour = {
    onFinalDot() {
      scene.kill()
      return pick(['store-and-drop', 'accept'], turn)
    },
  }
  const queueId = await takenBeforeDeath(scene)
  await scene.died()
  scene.check('the relay has it', scene.copies(ID) === 1)
  scene.expectDisk(['leased 1 leased'])
  await scene.restart(ID, 2)
  await marked(scene, queueId)
}

/** The client's 250 and the death race: the row tells the id in any case. */
async function takenBeforeDeath(scene: KillScene, crashAt: string | null = null): Promise<string> {
  await scene.start(crashAt)
  const { queueId } = await scene.handIn(ID)
  await scene.died()
  return queueId === '' ? (scene.disk().rows[0]?.queueId ?? '') : queueId
}

async function inCommitC(scene: KillScene): Promise<void> {
  const queueId = await takenBeforeDeath(scene, 'settle.before-commit')
  scene.check('the relay has it', scene.copies(ID) === 1)
  scene.expectDisk(['leased 1 leased'])
  await scene.restart(ID, 2)
  await marked(scene, queueId)
}

/** Delivered: nothing to do. Deferred: tried again when it is due. */
async function afterCommitC(scene: KillScene, turn: number): Promise<void> {
  const isDelivered = turn % 2 === 0
  if (!isDelivered) scene.sink.behaviour = { onFinalDot: () => ({ reply: '451 4.3.0 later' }) }
  const queueId = await takenBeforeDeath(scene, 'settle.after-commit')
  scene.expectDisk([isDelivered ? 'delivered 1' : 'queued 1'])
  await scene.restart(ID, 1)
  const story = await scene.story(queueId)
  scene.check('no duplicate is announced', !/"duplicatePossible":\s*true/.test(story) && !story.includes('"reclaimed"'), story)
}

/** Refused for good: outcome and notice are one commit. */
async function whileWritingNotice(scene: KillScene, turn: number): Promise<void> {
  const isBefore = turn % 2 === 0
  const refusing = { onCommand: (verb: string, line: string) => (verb === 'RCPT' && line.includes('nobody') ? '550 5.1.1 no such user' : null) }
  scene.sink.behaviour = refusing
  await scene.start(isBefore ? 'settle.before-commit' : 'settle.after-commit')
  await scene.handIn(ID, { to: 'nobody@rcpt.test' })
  await scene.died()
  scene.expectDisk(isBefore ? ['leased 1 leased'] : ['failed 1', 'queued 0'])
  scene.sink.behaviour = refusing
  await scene.start()
  await scene.drained()
  scene.check('nothing but one notice arrived', scene.copies(ID, '') === 1 && scene.sink.received.length === 1, scene.sink.received)
}

/** Content of finished mail goes; content of held mail stays. */
async function whileSweeping(scene: KillScene, turn: number): Promise<void> {
  const isBefore = turn % 2 === 0
  await scene.start(isBefore ? 'sweep.before-commit' : 'sweep.after-commit')
  const octets = turn % 4 < 2 ? 2_000 : LARGE
  const queueId = taken(scene, await scene.handIn(ID, { octets }))
  taken(scene, await scene.handIn('held-1', { octets, to: 'user@held.test' }))
  await scene.died()
  scene.expectDisk([isBefore ? 'delivered 1' : 'delivered 1 no-content', 'held 0'])
  await scene.restart(ID, 1)
  await until('the content is gone', () => scene.disk().rows.some((row) => row.state === 'delivered' && !row.contentKept), 15_000)
  const story = await scene.story(queueId)
  scene.check('its history is still there', story.includes('"delivered"'), story)
  scene.expectDisk(['delivered 1 no-content', 'held 0'])
}

async function whileMigrating(scene: KillScene, turn: number): Promise<void> {
  await scene.startDoomed(`migrate.${1 + (turn % STATEMENTS)}`)
  await scene.died()
  scene.expectDisk([])
  await scene.start()
  taken(scene, await scene.handIn(ID))
  await scene.drained()
  scene.check('it works after the next start', scene.copies(ID) === 1)
}

/** Stopped for longer than its lease, with the final dot out: it settles once, and nothing is lost. */
async function pausedBeyondLease(scene: KillScene): Promise<void> {
  let answer = (): void => {}
  scene.sink.behaviour = {
    onFinalDot(message, socket) {
      scene.sink.received.push(message)
      answer = () => void socket.write('250 2.0.0 stored\r\n')
      return { reply: '250-2.0.0 wait' }
    },
  }
  await scene.start()
  const queueId = taken(scene, await scene.handIn(ID))
  await until('the final dot is out', () => scene.copies(ID) === 1, 10_000)
  scene.server?.kill('SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, 11_500))
  scene.server?.kill('SIGCONT')
  scene.sink.behaviour = {}
  answer()
  await scene.drained()
  const { rows } = scene.disk()
  scene.check('it is delivered', rows.length === 1 && rows[0]?.state === 'delivered', rows)
  scene.check('at most once more', scene.copies(ID) <= 2, scene.copies(ID))
  if (scene.copies(ID) > 1) await marked(scene, queueId)
}

/** In flight before the final dot: given back uncounted. Behind it: waited for. */
async function orderlyStop(scene: KillScene, turn: number): Promise<void> {
  const isSlow = turn % 2 === 0
  let silent = false
  scene.sink.behaviour = isSlow
    ? {
        onCommand(verb) {
          silent ||= verb === 'RCPT'
          return silent ? '' : null
        },
      }
    : {
        onFinalDot(message, socket) {
          scene.sink.received.push(message)
          setTimeout(() => socket.write('250 2.0.0 stored\r\n'), 400)
          return { reply: '250-2.0.0 wait' }
        },
      }
  await scene.start()
  const queueId = taken(scene, await scene.handIn(ID))
  await until('the transaction is under way', () => scene.sink.counts.commands > 2, 10_000)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const { code, tookMs } = await scene.stop()
  scene.check('it ended with 0, in time', code === 0 && tookMs < 3_000, { code, tookMs })
  scene.expectDisk([isSlow ? 'queued 0' : 'delivered 1'])
  await scene.restart(ID, 1)
  const story = await scene.story(queueId)
  scene.check('no duplicate is announced', !/"duplicatePossible":\s*true/.test(story) && !story.includes('"reclaimed"'), story)
}
