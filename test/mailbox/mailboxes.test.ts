/** The pool of workers with workers that a test plays by hand: what is promised, whoever dies or hangs. */
import net from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createMailboxes } from '../../src/mailbox/mailboxes.ts'
import { createNoOpener } from '../../src/mailbox/no-worker.ts'
import { type Frame, FrameReader, formatAnswer, type WorkerAnswer } from '../../src/mailbox/wire.ts'
import type { OpenAnswer, WorkerOpener } from '../../src/mailbox/worker-link.ts'
import type { MailboxAnswer, MailboxDelivery, Mailboxes } from '../../src/ports/mailboxes.ts'
import { createFakeClock, type FakeClock, turnEventLoop } from '../support/fake-clock.ts'
import { waitUntil } from '../support/wait-for-signal.ts'

interface PlayedWorker {
  readonly user: string
  readonly frames: string[]
  killed: boolean
  ended: boolean
  say(answer: WorkerAnswer | string): void
  die(): void
}
interface Stage {
  readonly clock: FakeClock
  readonly mailboxes: Mailboxes
  readonly workers: PlayedWorker[]
  /** Answers to requests that the test did not let through. */
  readonly opens: string[]
  deliver(user: string, options?: { content?: readonly string[]; signal?: AbortSignal }): Promise<MailboxAnswer>
}

async function stage(options: { readonly open?: (user: string) => OpenAnswer | null; readonly answer?: WorkerAnswer } = {}): Promise<Stage> {
  const clock = createFakeClock()
  const workers: PlayedWorker[] = []
  const opens: string[] = []
  const listening = new Map<number, (socket: net.Socket) => void>()
  const server = net.createServer({ allowHalfOpen: false }, (socket) => socket.once('data', (first) => listening.get(first[0] ?? 0)?.(socket)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as net.AddressInfo
  let serial = 0

  const start = async (user: string): Promise<OpenAnswer> => {
    const id = ++serial
    const far = new Promise<net.Socket>((resolve) => listening.set(id, resolve))
    const near = net.connect(port, '127.0.0.1')
    near.write(Buffer.from([id]))
    const socket = await far
    onTestFinished(() => void socket.destroy())
    const worker: PlayedWorker = {
      user,
      frames: [],
      killed: false,
      ended: false,
      say: (answer) => void socket.write(typeof answer === 'string' ? answer : formatAnswer(answer)),
      die: () => socket.destroy(),
    }
    const reader = new FrameReader()
    socket.on('error', () => undefined)
    socket.on('close', () => (worker.ended = true))
    socket.on('data', (bytes: Buffer) => {
      reader.feed(bytes)
      for (let next: Frame | null = reader.next(); next !== null; next = reader.next()) {
        worker.frames.push(`${next.kind}${next.bytes.length > 0 && next.kind === 'content' ? ` ${next.bytes}` : ''}`)
        if (next.kind === 'commit' && options.answer !== undefined) worker.say(options.answer)
      }
    })
    worker.say({ kind: 'ready' })
    workers.push(worker)
    return { kind: 'open', socket: near, kill: () => (worker.killed = true) }
  }
  const opener: WorkerOpener = {
    open(user) {
      opens.push(user)
      const answer = options.open?.(user)
      return {
        answer: answer === undefined ? start(user) : answer === null ? new Promise(() => undefined) : Promise.resolve(answer),
        giveUp: () => void opens.push(`gave up ${user}`),
      }
    },
    close: () => void opens.push('closed'),
  }
  const mailboxes = createMailboxes({ opener, clock, deliveryMs: 5_000 })
  const deliver: Stage['deliver'] = (user, { content = ['one ', 'two'], signal = new AbortController().signal } = {}) => {
    const delivery: MailboxDelivery = {
      user,
      from: 'a@b',
      sizeOctets: 7,
      async *content() {
        for await (const text of content) yield Buffer.from(text)
      },
    }
    return mailboxes.deliver(delivery, signal)
  }
  return { clock, mailboxes, workers, opens, deliver }
}

const DELIVERED: WorkerAnswer = { kind: 'delivered' }
const FULL: WorkerAnswer = { kind: 'refused', status: { class: 4, subject: 2, detail: 2 }, reason: 'full' }

describe('mailboxes', () => {
  it('have a worker for each user, which gets one message after the other', async () => {
    const { deliver, workers, opens } = await stage({ answer: DELIVERED })
    const answers = await Promise.all([deliver('ann'), deliver('bob'), deliver('ann'), deliver('ann')])
    expect(answers.map(({ kind }) => kind)).toEqual(Array(4).fill('delivered'))
    expect(opens.sort()).toEqual(['ann', 'bob'])
    expect(workers.find(({ user }) => user === 'ann')?.frames).toEqual(Array(3).fill(['begin', 'content one ', 'content two', 'commit']).flat())
  })

  it('say what the worker says', async () => {
    const { deliver } = await stage({ answer: FULL })
    expect(await deliver('ann')).toEqual({ ...FULL, hangs: false, duplicatePossible: false })
  })

  it('say what comes of starting a worker', async () => {
    const refusal: OpenAnswer = { kind: 'refused', status: { class: 4, subject: 2, detail: 1 }, reason: 'a user of the system' }
    const { deliver } = await stage({ open: (user) => (user === 'eve' ? { kind: 'unknown' } : refusal) })
    expect(await deliver('eve')).toEqual({ kind: 'unknown-user' })
    expect(await deliver('daemon')).toEqual({ ...refusal, hangs: false, duplicatePossible: false })
    const none = createMailboxes({ opener: createNoOpener('start it again'), clock: createFakeClock(), deliveryMs: 1 })
    const delivery = { user: 'ann', from: 'a@b', sizeOctets: 1, content: async function* () {} }
    expect(await none.deliver(delivery, new AbortController().signal)).toMatchObject({ kind: 'refused', reason: 'start it again' })
  })

  it('take a death before the whole message for a deferral, after it for a doubt; the next one gets a new worker', async () => {
    const { deliver, workers } = await stage()
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const half = stageContent(gate)
    const first = deliver('ann', { content: half.content })
    await waitUntil(() => workers[0]?.frames.includes('content one') === true)
    workers[0]?.die()
    await waitUntil(() => workers[0]?.ended === true)
    // The other end of the socket hears of it in one of the next turns.
    await turnEventLoop(20)
    release()
    expect(await first).toMatchObject({ kind: 'refused', hangs: false, duplicatePossible: false, status: { class: 4, subject: 3, detail: 0 } })

    const second = deliver('ann')
    await waitUntil(() => workers[1]?.frames.includes('commit') === true)
    workers[1]?.die()
    expect(await second).toMatchObject({ kind: 'refused', duplicatePossible: true })
  })

  it('end a worker that takes too long, and say that the mailbox hangs; nobody else waits', async () => {
    const { deliver, workers, clock } = await stage()
    const slow = deliver('ann')
    await waitUntil(() => workers[0]?.frames.includes('commit') === true)
    const other = deliver('bob')
    await waitUntil(() => workers[1]?.frames.includes('commit') === true)
    workers[1]?.say(DELIVERED)
    expect(await other).toEqual({ kind: 'delivered' })
    await clock.advance(5_000)
    expect(await slow).toMatchObject({ kind: 'refused', hangs: true, status: { class: 4, subject: 2, detail: 0 } })
    expect(workers[0]?.killed).toBe(true)
  })

  it('give up on a worker that cannot be started in time', async () => {
    const { deliver, clock, opens } = await stage({ open: () => null })
    const waiting = deliver('ann')
    await waitUntil(() => opens.length === 1)
    await clock.advance(30_000)
    expect(await waiting).toMatchObject({ kind: 'refused', hangs: true })
    expect(opens).toEqual(['ann', 'gave up ann'])
  })

  it('stop before the whole message was handed over, and not after', async () => {
    const { deliver, workers } = await stage()
    const abort = new AbortController()
    const never = new Promise<void>(() => undefined)
    const stopped = deliver('ann', { content: stageContent(never).content, signal: abort.signal })
    await waitUntil(() => workers[0]?.frames.includes('content one') === true)
    abort.abort()
    // The content goes on when it likes; nobody listens.
    await waitUntil(() => workers[0]?.killed === true)
    void stopped

    const late = new AbortController()
    const kept = deliver('bob', { signal: late.signal })
    await waitUntil(() => workers[1]?.frames.includes('commit') === true)
    late.abort()
    workers[1]?.say(DELIVERED)
    expect(await kept).toEqual({ kind: 'delivered' })
    expect(await deliver('eve', { signal: abort.signal })).toEqual({ kind: 'given-up' })
  })

  it.each(['hello\n', '{"kind":"bounced"}\n', '{"kind":"delivered"}\n{"kind":"delivered"}\n', 'x'.repeat(10_000)])(
    'believe no worker that says what makes no sense: %.20s',
    async (nonsense) => {
      const { deliver, workers } = await stage()
      const asked = deliver('ann', { content: stageContent(new Promise(() => undefined)).content })
      await waitUntil(() => workers[0]?.frames.includes('content one') === true)
      workers[0]?.say(nonsense)
      await waitUntil(() => workers[0]?.killed === true)
      void asked
    },
  )

  it('let a worker go that has had nothing to do for a while', async () => {
    const { deliver, workers, clock } = await stage({ answer: DELIVERED })
    await deliver('ann')
    await clock.advance(10_000)
    await waitUntil(() => workers[0]?.ended === true)
    expect(workers[0]?.killed).toBe(false)
    await deliver('ann')
    expect(workers).toHaveLength(2)
  })

  it('have so many workers at once, and make room for further users', async () => {
    const { deliver, workers } = await stage({ answer: DELIVERED })
    const users = Array.from({ length: 40 }, (_, index) => `user${index}`)
    expect((await Promise.all(users.map((user) => deliver(user)))).every(({ kind }) => kind === 'delivered')).toBe(true)
    await waitUntil(() => workers.filter(({ ended }) => !ended).length <= 16)
  })

  it('are closed when what is under way has ended', async () => {
    const { deliver, workers, mailboxes, opens } = await stage()
    const last = deliver('ann')
    await waitUntil(() => workers[0]?.frames.includes('commit') === true)
    const closed = mailboxes.close(60_000)
    workers[0]?.say(DELIVERED)
    await closed
    expect([await last, opens.at(-1)]).toEqual([{ kind: 'delivered' }, 'closed'])
  })

  it('reject with what the content threw, and drop what was begun', async () => {
    const { deliver, workers } = await stage()
    const content = {
      *[Symbol.iterator]() {
        yield 'one'
        throw new Error('damaged')
      },
    }
    await expect(deliver('ann', { content: content as unknown as string[] })).rejects.toThrow('damaged')
    expect(workers[0]?.killed).toBe(true)
  })
})

/** Content that stops in the middle until the gate opens. */
function stageContent(gate: Promise<void>): { readonly content: readonly string[] } {
  const pieces = {
    async *[Symbol.asyncIterator]() {
      yield 'one'
      await gate
      yield 'two'
    },
  }
  return { content: pieces as unknown as readonly string[] }
}
