/**
 * The writer thread: opens the database, carries out batches one after the other, answers each once.
 *
 * The only thread that changes the database. After a fault of the disk it closes it and takes
 * nothing more: the main thread starts another one, which probes before it trusts.
 */
import { parentPort } from 'node:worker_threads'
import { type MigratedDatabase, migrate } from '../migrate.ts'
import { type Database, faultKind, openWriter } from './database.ts'
import { createFaults, type Faults } from './faults.ts'
import { MIGRATIONS } from './schema.ts'
import type { BatchAnswer, BatchRequest, OpenRequest, OpName, WriterAnswer, WriterRequest } from './wire.ts'
import { prepareAct } from './writer/act.ts'
import { prepareClaim, prepareClaimAged, prepareNextDue } from './writer/claim.ts'
import { prepareChunk, prepareDrop, preparePin } from './writer/content.ts'
import { ContentFile } from './writer/content-file.ts'
import { createContext, type OpRunner, type WriterContext } from './writer/context.ts'
import { prepareEnqueue } from './writer/enqueue.ts'
import { prepareReclaim, prepareRenew } from './writer/leases.ts'
import { createReserve, type Reserve } from './writer/reserve.ts'
import { createBatchRunner } from './writer/run-batch.ts'
import { prepareSettle } from './writer/settle.ts'
import { prepareLastId, prepareSweeping } from './writer/sweep.ts'

interface Writer {
  readonly batch: (request: BatchRequest) => BatchAnswer
  /** Buffers of the last answer that go with it. */
  readonly handedOver: readonly ArrayBuffer[]
  checkpoint(): number
  refill(): boolean
  close(): void
}

const PROBE = "INSERT INTO settings (name, value) VALUES ('opened', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"

function open(request: OpenRequest): { readonly writer: Writer; readonly migrations: number; readonly room: boolean } {
  const faults = createFaults(request.faults)
  const reserve = createReserve(request.reservePath)
  const db = openWriter(request.path, faults)
  try {
    const migrations = prove(db, faults, reserve)
    const content = new ContentFile(request.path, faults)
    content.prove()
    const writer = createWriter(db, request, { faults, reserve, content })
    return { writer, migrations, room: writer.refill() }
  } catch (error) {
    db.close()
    throw error
  }
}

/** The schema, a write, a sync of the log and one of the database: only a store that can do this is trusted. */
function prove(db: Database, faults: Faults, reserve: Reserve): number {
  const once = (): number => {
    const migrations = migrate(migrated(db), MIGRATIONS, (count) => faults.crashPoint(`migrate.${count}`))
    db.exec(PROBE)
    truncate(db)
    return migrations
  }
  try {
    return once()
  } catch (error) {
    // On a full disk the queue is still to be emptied.
    if (faultKind(error) !== 'full' || !reserve.spend()) throw error
    return once()
  }
}

interface WriterParts {
  readonly faults: Faults
  readonly reserve: Reserve
  readonly content: ContentFile
}

function createWriter(db: Database, request: OpenRequest, { faults, reserve, content }: WriterParts): Writer {
  const context = createContext(db, content)
  const { sweep, trim } = prepareSweeping(context)
  const runner = createBatchRunner({ context, runners: { ...prepareRunners(context), sweep }, faults, reserve, trim })
  const areas = request.areas.map((area) => new Uint8Array(area))
  const checkpoint = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  return {
    refill() {
      // On a full disk all of it counts, and content that was given up may have been what filled it.
      content.shrink(0)
      return reserve.refill(unusedOctets(db) + content.unusedOctets)
    },
    handedOver: context.handedOver,
    batch(batch) {
      const area = batch.oversize === null ? areas[batch.area] : new Uint8Array(batch.oversize)
      if (area === undefined) throw new RangeError(`no area ${batch.area}`)
      return runner.run(batch, area)
    },
    checkpoint() {
      const found = checkpoint.get()
      return Number(found?.log ?? 0) - Number(found?.checkpointed ?? 0)
    },
    close() {
      truncate(db)
      db.close()
      content.close()
    },
  }
}

function prepareRunners(context: WriterContext): Readonly<Record<Exclude<OpName, 'sweep'>, OpRunner>> {
  const enqueue = prepareEnqueue(context)
  return {
    enqueue,
    settle: prepareSettle(context, enqueue),
    claim: prepareClaim(context),
    'claim-aged': prepareClaimAged(context),
    renew: prepareRenew(context),
    reclaim: prepareReclaim(context),
    'next-due': prepareNextDue(context),
    'last-id': prepareLastId(context),
    chunk: prepareChunk(context),
    drop: prepareDrop(context),
    act: prepareAct(context),
    pin: preparePin(context),
  }
}

function migrated(db: Database): MigratedDatabase {
  return {
    version: () => Number(db.prepare('PRAGMA user_version').get()?.user_version ?? 0),
    begin: () => db.exec('BEGIN IMMEDIATE'),
    execute: (sql) => db.exec(sql),
    setVersion: (number) => db.exec(`PRAGMA user_version = ${number}`),
    commit: () => db.exec('COMMIT'),
    rollback: () => db.exec('ROLLBACK'),
  }
}

function unusedOctets(db: Database): number {
  const [pages, octets] = [db.prepare('PRAGMA freelist_count').get()?.freelist_count, db.prepare('PRAGMA page_size').get()?.page_size]
  return Number(pages ?? 0) * Number(octets ?? 0)
}

/** Moves the whole log into the database and empties it; a reader in the way only postpones that. */
function truncate(db: Database): void {
  db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
}

type Reply = (answer: WriterAnswer, handedOver?: readonly ArrayBuffer[]) => void

function serve(reply: Reply): (request: WriterRequest) => void {
  let writer: Writer | null = null
  const opened = (): Writer => {
    if (writer === null) throw new Error('the database is not open')
    return writer
  }
  return (request) => {
    if (request.kind === 'open') {
      const found = open(request)
      writer = found.writer
      reply({ kind: 'opened', migrations: found.migrations, room: found.room })
    } else if (request.kind === 'batch') {
      const { batch, handedOver } = opened()
      const answer = batch(request)
      reply(answer, handedOver)
      if (answer.suspect === null) return
      writer = null
    } else if (request.kind === 'checkpoint') reply({ kind: 'checkpointed', walPages: opened().checkpoint() })
    else if (request.kind === 'refill') reply({ kind: 'refilled', room: opened().refill() })
    else {
      writer?.close()
      writer = null
      reply({ kind: 'closed' })
    }
  }
}

function attach(port: NonNullable<typeof parentPort>): void {
  const reply: Reply = (answer, handedOver) =>
    handedOver === undefined || handedOver.length === 0 ? port.postMessage(answer) : port.postMessage(answer, handedOver)
  const take = serve(reply)
  port.on('message', (request: WriterRequest) => {
    try {
      take(request)
    } catch (error) {
      const { name, message } = error as Error
      reply({ kind: 'fault', name, text: message, fault: faultKind(error) })
    }
  })
}

if (parentPort !== null) attach(parentPort)
