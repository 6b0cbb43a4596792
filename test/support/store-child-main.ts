/**
 * What a store child does: see `store-child.ts`. Says on its output what was acknowledged.
 */
import type { EpochMs, LeaseToken } from '../../src/core/brand.ts'
import { createQueueIds } from '../../src/core/queue-id.ts'
import { type OpenStore, openStore } from '../../src/store/open-store.ts'
import { createFakeClock } from './fake-clock.ts'
import { LANE, leasedPlace, makeAcceptance, NOON, queuedPlace } from './make-message.ts'

const [, , folder = '', scenario = 'wait', crashAt = ''] = process.argv
const say = (line: string): void => void process.stdout.write(`${line}\n`)
const later = (ms: number): EpochMs => (NOON + ms) as EpochMs

const SCENARIOS: Readonly<Record<string, (store: OpenStore) => Promise<void>>> = {
  async wait() {
    await new Promise((resolve) => setInterval(resolve, 1e9))
  },
  async enqueue(store) {
    const { message, ...rest } = makeAcceptance({ place: queuedPlace() })
    say(`begun ${message.envelope.queueId}`)
    await store.queue.enqueue({ message, ...rest })
    say('acknowledged')
  },
  async claim(store) {
    await store.queue.enqueue(makeAcceptance())
    await store.queue.claimDue({ limit: 9, limitPerFlow: 9, closedLanes: [], leaseUntil: later(60_000), now: NOON })
    say('acknowledged')
  },
  async settle(store) {
    const acceptance = makeAcceptance({ place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    const notice = makeAcceptance({ from: '<>' })
    const history = [{ kind: 'failed' as const, detail: {} }]
    const recipientId = acceptance.message.envelope.recipients[0].id
    await store.queue.settle(
      [{ recipientId, token: 't' as LeaseToken, change: { event: 'fail' }, at: NOON, history, last: null, delayNoticeSent: false }],
      [notice],
    )
    say('acknowledged')
  },
  async chunk(store) {
    const acceptance = makeAcceptance({ content: null, sizeOctets: 600_000 })
    const writer = store.bodies.put(acceptance.message.bodyRef)
    await writer.write(new Uint8Array(600_000))
    await writer.finish()
    say('finished')
    await store.queue.enqueue(acceptance)
    say('acknowledged')
  },
  async sweep(store) {
    const acceptance = makeAcceptance({ place: leasedPlace('t') })
    await store.queue.enqueue(acceptance)
    const recipientId = acceptance.message.envelope.recipients[0].id
    const change = { event: 'deliver' } as const
    await store.queue.settle([{ recipientId, token: 't' as LeaseToken, change, at: NOON, history: [], last: null, delayNoticeSent: false }], [])
    const before = later(5_000)
    const times = { contentFinishedBefore: before, capturedFinishedBefore: before, historyFinishedBefore: before, orphanedBefore: before }
    await store.bodies.sweep({ now: before, limit: 10, ...times })
    say('acknowledged')
  },
  /** Messages one after the other until it is killed: half delivered at once, half deferred. */
  async load(store) {
    const newQueueId = createQueueIds(() => NOON, await store.queue.lastQueueId())
    const one = async (n: number): Promise<void> => {
      const acceptance = makeAcceptance({ queueId: newQueueId(), place: leasedPlace('t'), content: `message ${n}\r\n` })
      await store.queue.enqueue(acceptance)
      const { queueId, recipients } = acceptance.message.envelope
      say(`accepted ${queueId}`)
      const change = n % 2 === 0 ? ({ event: 'deliver' } as const) : ({ event: 'defer', dueAt: NOON, lane: LANE } as const)
      await store.queue.settle(
        [{ recipientId: recipients[0].id, token: 't' as LeaseToken, change, at: NOON, history: [], last: null, delayNoticeSent: false }],
        [],
      )
      if (change.event === 'deliver') say(`delivered ${queueId}`)
    }
    const lane = async (first: number): Promise<void> => {
      for (let n = first; ; n += 8) await one(n)
    }
    await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(lane))
  },
}

async function main(): Promise<void> {
  let tokens = 0
  const note = (): void => undefined
  try {
    const store = await openStore({
      path: folder,
      clock: createFakeClock(NOON),
      journal: { accepted: note, attempt: note, note },
      randomToken: () => `child-${process.pid}-${++tokens}`,
      ...(crashAt === '' ? {} : { crashAt }),
    })
    say('opened')
    await SCENARIOS[scenario]?.(store)
    await store.close()
  } catch (error) {
    say(`refused ${(error as Error).message}`)
    process.exitCode = 1
    // A scenario that failed leaves its store open.
    setImmediate(() => process.exit())
  }
}

await main()
