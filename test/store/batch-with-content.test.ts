/**
 * What a batch does beside the tables, in the content file: undone with the batch, and never once it is committed.
 */
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { LeaseToken } from '../../src/core/brand.ts'
import { queueIdToNumber } from '../../src/core/queue-id.ts'
import type { Acceptance } from '../../src/ports/queue-store.ts'
import { type Database, openWriter } from '../../src/store/sqlite/database.ts'
import { encodeAcceptance, encodeSettle } from '../../src/store/sqlite/encode.ts'
import { createFaults, NO_FAULTS } from '../../src/store/sqlite/faults.ts'
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts'
import { type BatchAnswer, BatchWriter, type OpName } from '../../src/store/sqlite/wire.ts'
import { prepareChunk, prepareDrop, preparePin } from '../../src/store/sqlite/writer/content.ts'
import { ContentFile } from '../../src/store/sqlite/writer/content-file.ts'
import { createContext, type OpRunner, type WriterContext } from '../../src/store/sqlite/writer/context.ts'
import { prepareEnqueue } from '../../src/store/sqlite/writer/enqueue.ts'
import { createBatchRunner } from '../../src/store/sqlite/writer/run-batch.ts'
import { prepareSettle } from '../../src/store/sqlite/writer/settle.ts'
import { prepareSweeping } from '../../src/store/sqlite/writer/sweep.ts'
import { firstOf, settlement } from '../conformance/queue-steps.ts'
import { leasedPlace, makeAcceptance } from '../support/make-message.ts'
import { makeTempFolder } from '../support/temp-folder.ts'

type Encoded = readonly [name: OpName, encode: (to: BatchWriter) => void]
interface Bundle {
  readonly db: Database
  readonly context: WriterContext
  /** `full`: as on a disk without space for new mail. */
  run(ops: readonly Encoded[], full?: boolean): BatchAnswer
  places(): readonly unknown[]
}

function setup(): Bundle {
  const path = join(makeTempFolder(), 'queue.db')
  const faults = createFaults(NO_FAULTS)
  const db = openWriter(path, faults)
  for (const statement of MIGRATIONS.flatMap(({ statements }) => statements)) db.exec(statement)
  const context = createContext(db, new ContentFile(path, faults))
  onTestFinished(() => db.close())
  const enqueue = prepareEnqueue(context)
  const failing: OpRunner = () => {
    throw Object.assign(new Error('database or disk is full'), { errcode: 13 })
  }
  const { sweep, trim } = prepareSweeping(context)
  const runners: Partial<Record<OpName, OpRunner>> = {
    enqueue,
    settle: prepareSettle(context, enqueue),
    chunk: prepareChunk(context),
    drop: prepareDrop(context),
    sweep,
    pin: preparePin(context),
    act: failing,
  }
  const reserve = { spend: () => false, refill: () => true }
  const runner = createBatchRunner({ context, runners: runners as Readonly<Record<OpName, OpRunner>>, faults, reserve, trim })
  return {
    db,
    context,
    run(ops, full = false) {
      const area = new Uint8Array(4 * 1024 * 1024)
      const to = new BatchWriter(area)
      for (const [name, encode] of ops) {
        to.begin(name)
        encode(to)
      }
      const { values, starts, shared } = to
      return runner.run({ kind: 'batch', area: 0, oversize: null, octets: 0, values, starts, shared, full }, area)
    },
    places: () =>
      db
        .prepare('SELECT place FROM chunks ORDER BY id')
        .all()
        .map((row) => row.place),
  }
}

const mail = (octets: number): Acceptance => makeAcceptance({ content: Buffer.alloc(octets, 'x'), place: leasedPlace('t') })
const enqueueOp = (acceptance: Acceptance): Encoded => ['enqueue', (to) => encodeAcceptance(to, acceptance)]
const chunkOp = ({ message }: Acceptance, n: number, octets: number): Encoded => [
  'chunk',
  (to) => {
    to.values.push(queueIdToNumber(message.envelope.queueId), n, 1)
    to.bytes(Buffer.alloc(octets, 'x'))
  },
]
const streamed = (octets: number): Acceptance => ({ ...makeAcceptance({ content: null, sizeOctets: octets, place: leasedPlace('t') }) })
/** Orphans of any age go if `orphans`. */
const sweepOp = (contentOctetsMax: number, orphans = false): Encoded => ['sweep', (to) => to.values.push(0, 0, 0, orphans ? 2 : 0, 100, contentOctetsMax)]
const deliverOp = (acceptance: Acceptance, kind?: 'captured'): Encoded => [
  'settle',
  (to) => {
    const history = kind === undefined ? [] : [{ kind, detail: {} }]
    encodeSettle(to, [settlement({ recipientId: firstOf(acceptance), token: 't' as LeaseToken }, { event: 'deliver' }, { history })], [])
  },
]
const pinOp = (pin: number, isSet: boolean): Encoded => ['pin', (to) => to.values.push(pin, isSet ? 1 : 0)]
const fullOp: Encoded = ['act', () => undefined]

describe('what fails behind the commit', () => {
  it('undoes nothing: the writer is not believed any more, and nobody gets the place', () => {
    const { context, run, places } = setup()
    const shrink = context.content.shrink.bind(context.content)
    context.content.shrink = () => {
      context.content.shrink = shrink
      throw new Error('made up')
    }
    expect(run([enqueueOp(mail(100_000)), sweepOp(1e9)]).suspect).toContain('made up')
    expect(run([enqueueOp(mail(100_000))]).faults).toBeNull()
    expect(new Set(places()).size).toBe(2)
  })
})

describe('a batch that is undone', () => {
  it('gives its places back, once', () => {
    const { run, places, context } = setup()
    expect(run([enqueueOp(mail(100_000)), fullOp]).faults).toHaveLength(2)
    expect([places(), context.content.isEmpty]).toEqual([[], true])
    run([enqueueOp(mail(100_000))])
    expect(places()).toEqual([0])
  })
  it('leaves no pin behind, and one that ends a pin has not ended it', () => {
    const { run, context } = setup()
    run([pinOp(1, true), fullOp])
    expect(context.content.isPinned(1)).toBe(false)
    run([pinOp(2, true)])
    run([pinOp(2, false), fullOp])
    expect(context.content.isPinned(2)).toBe(true)
    expect(run([pinOp(2, false)]).results).toEqual([1])
    expect(context.content.isPinned(2)).toBe(false)
  })
  it('carried out again without the op at fault, knows what it knew', () => {
    const { run } = setup()
    run([pinOp(1, true)])
    const broken = streamed(10)
    expect(run([pinOp(1, false), enqueueOp(broken)]).results?.[0]).toBe(1)
  })
  it('has the stream again that it accepted', () => {
    const { run, places } = setup()
    const acceptance = streamed(300_000)
    run([chunkOp(acceptance, 0, 200_000), chunkOp(acceptance, 1, 100_000)])
    run([enqueueOp(acceptance), fullOp])
    expect(run([enqueueOp(acceptance)]).faults).toBeNull()
    expect(places()).toEqual([0, 16])
  })
})

describe('content that is given up in the batch that accepts it', () => {
  it('is refused if it is given up first', () => {
    const { run, places } = setup()
    const acceptance = streamed(200_000)
    run([chunkOp(acceptance, 0, 200_000)])
    expect(run([sweepOp(1e9, true), enqueueOp(acceptance)]).faults).toMatchObject([{ index: 1, kind: 'own' }])
    run([enqueueOp(mail(200_000))])
    expect(places()).toEqual([0])
  })
  it('is kept if it was accepted first', () => {
    const { run, places } = setup()
    const acceptance = streamed(200_000)
    run([chunkOp(acceptance, 0, 200_000)])
    expect(run([enqueueOp(acceptance), sweepOp(1e9, true)]).faults).toBeNull()
    run([enqueueOp(mail(200_000))])
    expect(places()).toEqual([0, 16])
  })
  it('leaves no piece behind that came in the same batch', () => {
    const { run, context } = setup()
    const acceptance = streamed(400_000)
    run([chunkOp(acceptance, 0, 200_000)])
    run([chunkOp(acceptance, 1, 200_000), sweepOp(1e9, true), chunkOp(acceptance, 2, 100)])
    expect(context.content.isEmpty).toBe(true)
  })
})

describe('what finished mail keeps in the file', () => {
  const finished = ({ db }: Bundle) => db.prepareRows('SELECT class, octets FROM finished ORDER BY at, message_id').all()

  it('is known of mail just accepted, and of mail that is remembered no more', () => {
    const bundle = setup()
    const [soon, late] = [mail(100_000), mail(70_000)]
    bundle.run([enqueueOp(soon), deliverOp(soon)])
    bundle.run([enqueueOp(late)])
    bundle.run([fullOp])
    bundle.run([deliverOp(late)])
    expect(finished(bundle).map(([, octets]) => octets)).toEqual([100_000, 70_000])
  })
  it('is none where the content is in the row', () => {
    const bundle = setup()
    const [placed, inRow] = [mail(100_000), mail(1_000)]
    bundle.run([enqueueOp(placed), enqueueOp(inRow), deliverOp(inRow)])
    expect(finished(bundle)).toEqual([[0, 0]])
  })
  it('comes under its bound with one batch, however many messages that takes', () => {
    const bundle = setup()
    const mails = Array.from({ length: 20 }, () => mail(20_000))
    for (const one of mails) bundle.run([enqueueOp(one), deliverOp(one)])
    bundle.run([sweepOp(60_000)])
    expect(bundle.places()).toHaveLength(3)
    expect(finished(bundle).filter(([kind]) => kind === 2)).toHaveLength(17)
  })
  it('is none of captured mail, which has an age of its own', () => {
    const bundle = setup()
    const captured = mail(100_000)
    bundle.run([enqueueOp(captured), deliverOp(captured, 'captured')])
    expect(finished(bundle)).toEqual([[1, 0]])
  })
  it('is known of a thousand messages and more that have not ended', () => {
    const bundle = setup()
    const mails = Array.from({ length: 1_001 }, () => mail(17_000))
    for (let at = 0; at < mails.length; at += 100) bundle.run(mails.slice(at, at + 100).map(enqueueOp))
    const ends = [mails[0], mails[999], mails[1_000]].map((one) => deliverOp(one as Acceptance))
    bundle.run(ends)
    expect(finished(bundle)).toEqual([
      [3, 17_000],
      [3, 17_000],
      [3, 17_000],
    ])
  })
  it('goes by a hundred messages with one batch, and by so many pieces', () => {
    const bundle = setup()
    const mails = Array.from({ length: 110 }, () => streamed(2 * 20_000))
    for (const one of mails) bundle.run([chunkOp(one, 0, 20_000), chunkOp(one, 1, 20_000)])
    for (const one of mails) bundle.run([enqueueOp(one), deliverOp(one)])
    bundle.run([sweepOp(0)], true)
    expect(bundle.places()).toHaveLength(2 * 110 - 64)
  })
  it('goes in steps where it is many chunks', () => {
    const bundle = setup()
    const large = streamed(70 * 20_000)
    for (let n = 0; n < 70; n++) bundle.run([chunkOp(large, n, 20_000)])
    bundle.run([enqueueOp(large), deliverOp(large)])
    bundle.run([sweepOp(0)], true)
    expect(bundle.places()).toHaveLength(6)
    bundle.run([sweepOp(0)], true)
    expect([bundle.places(), finished(bundle)]).toEqual([[], [[2, 0]]])
  })
})

describe('on a full disk', () => {
  it('what finished mail keeps is bounded, too', () => {
    const { run, places } = setup()
    run([sweepOp(150_000)])
    const mails = Array.from({ length: 8 }, () => mail(100_000))
    for (const one of mails) run([enqueueOp(one)])
    for (const one of mails) run([deliverOp(one)], true)
    expect(places()).toHaveLength(8)
    while (run([sweepOp(150_000)], true).results?.[0] !== null && places().length > 1) expect(places().length).toBeLessThanOrEqual(8)
    expect(places()).toHaveLength(1)
  })
  it('free places between others are no room for any content', () => {
    const { context } = setup()
    const pieces = Array.from({ length: 64 }, () => context.content.write(Buffer.alloc(16 * 1024)))
    for (const [index, piece] of pieces.entries()) if (index % 16 !== 0) context.content.give(piece)
    expect(context.content.unusedOctets).toBe(0)
    for (const piece of pieces.slice(16, 32).filter((_, index) => index === 0)) context.content.give(piece)
    expect(context.content.unusedOctets).toBe(256 * 1024)
  })
})

describe('content that is still coming in', () => {
  it('needs no commit, so that it does not drop what finished mail keeps too much', () => {
    const { run, places } = setup()
    const [finished, coming] = [mail(100_000), streamed(200_000)]
    run([enqueueOp(finished), sweepOp(50_000)])
    run([deliverOp(finished)], true)
    run([chunkOp(coming, 0, 200_000)])
    expect(places()).toEqual([0])
    run([enqueueOp(coming)])
    expect(places()).toEqual([16])
  })
})
