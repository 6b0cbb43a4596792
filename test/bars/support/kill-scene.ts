/**
 * One run of a row of the crash table: a folder, a sink and one Postern after the other on them.
 *
 * What is on disk after a death is read from a copy, so that the next Postern finds it as it was left.
 */
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { queueIdFromNumber } from '../../../src/core/queue-id.ts'
import { stateOf } from '../../../src/store/rows.ts'
import { ask, isDrained } from './admin.ts'
import { BarClient, beginContent } from './client.ts'
import { makeContent } from './load.ts'
import { freePort, makeFolder, type PosternProcess, removeFolder, startServer } from './server.ts'
import { type Sink, startSink } from './sink.ts'
import { until } from './verdict.ts'

export interface DiskRow {
  readonly queueId: string
  readonly address: string
  readonly state: string
  readonly attempts: number
  readonly leased: boolean
  readonly contentKept: boolean
}
export interface DiskFacts {
  readonly rows: readonly DiskRow[]
  /** Content under way that no message owns yet. */
  readonly chunks: number
  readonly intact: boolean
}
export interface HandedIn {
  /** Null: the connection was lost before the reply to the final dot. */
  readonly reply: string | null
  readonly queueId: string
}

const NO_DISK: DiskFacts = { rows: [], chunks: 0, intact: true }

export class KillScene {
  readonly sink: Sink
  readonly folder: string
  readonly #port: number
  readonly #config: Record<string, unknown>
  readonly #byCommand: boolean
  readonly problems: string[] = []
  server: PosternProcess | null = null

  /** `byCommand`: stories are read with `postern trace --json`, else from the API that it reads. */
  static async make(options: { readonly config: Record<string, unknown>; readonly byCommand: boolean }): Promise<KillScene> {
    return new KillScene(await startSink(), await freePort(), options)
  }

  private constructor(sink: Sink, port: number, { config, byCommand }: { readonly config: Record<string, unknown>; readonly byCommand: boolean }) {
    this.sink = sink
    this.folder = makeFolder()
    this.#port = port
    this.#config = config
    this.#byCommand = byCommand
  }

  check(what: string, holds: boolean, facts: unknown = ''): void {
    if (!holds) this.problems.push(`${what} ${JSON.stringify(facts)}`)
  }

  async start(crashAt: string | null = null): Promise<PosternProcess> {
    const env = crashAt === null ? {} : { POSTERN_TEST_CRASH_AT: crashAt }
    const queue = { reclaimDelay: '0s', lease: '10s' }
    const server = await startServer({
      port: this.#port,
      relayPort: this.sink.port,
      folder: this.folder,
      config: { drainTime: '1s', queue, ...this.#config },
      env,
    })
    this.server = server
    return server
  }

  /** One that is expected to die before or after it listens. */
  async startDoomed(crashAt: string): Promise<void> {
    await this.start(crashAt).catch((fault: Error) => {
      if (!fault.message.includes('SIGKILL')) throw fault
      this.server = null
    })
  }

  kill(): void {
    this.server?.kill('SIGKILL')
  }

  /** Waits for the death that was arranged. */
  async died(): Promise<void> {
    if (this.server === null) return
    const late = new Promise<'late'>((resolve) => setTimeout(() => resolve('late'), 30_000).unref())
    const end = await Promise.race([this.server.exited, late])
    this.check('it was killed at the point', end !== 'late' && end.signal === 'SIGKILL', end)
    if (end === 'late') {
      this.kill()
      await this.server.exited
    }
    this.server = null
  }

  async stop(): Promise<{ readonly code: number | null; readonly tookMs: number }> {
    const from = performance.now()
    this.server?.kill('SIGTERM')
    const end = await this.server?.exited
    this.server = null
    return { code: end?.code ?? null, tookMs: performance.now() - from }
  }

  /** `cut`: the client is told to call it back in the middle of the content. */
  async handIn(id: string, options: { readonly octets?: number; readonly to?: string; readonly cut?: () => void } = {}): Promise<HandedIn> {
    const client = await BarClient.open({ port: this.#port })
    try {
      const refused = await beginContent(client, 'app@app.test', options.to ?? 'user@rcpt.test')
      if (refused !== null) return { reply: refused === 'closed' ? null : refused, queueId: '' }
      const content = makeContent(id, options.octets ?? 2_000)
      client.write(options.cut === undefined ? Buffer.concat([content, Buffer.from('.\r\n')]) : content.subarray(0, content.length / 2))
      if (options.cut !== undefined) {
        await new Promise((resolve) => setTimeout(resolve, 30))
        options.cut()
      }
      const reply = await client.reply()
      return { reply: reply === 'closed' ? null : reply, queueId: /queued as (\S+)/.exec(reply)?.[1] ?? '' }
    } finally {
      client.destroy()
    }
  }

  disk(): DiskFacts {
    const data = join(this.folder, 'data')
    if (!existsSync(join(data, 'queue.db'))) return NO_DISK
    const copy = join(this.folder, 'copy')
    rmSync(copy, { recursive: true, force: true })
    mkdirSync(copy)
    for (const name of ['queue.db', 'queue.db-wal']) if (existsSync(join(data, name))) copyFileSync(join(data, name), join(copy, name))
    const database = new DatabaseSync(join(copy, 'queue.db'))
    try {
      const intact = database.prepare('PRAGMA integrity_check').get()?.integrity_check === 'ok'
      if (database.prepare("SELECT 1 AS found FROM sqlite_master WHERE name = 'recipients'").get() === undefined) return { ...NO_DISK, intact }
      const count = (table: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.n)
      const rows = database
        .prepare(
          'SELECT message_id, address, state, attempts, token, content IS NOT NULL OR chunks > 0 AS kept FROM recipients JOIN messages ON id = message_id ORDER BY message_id, n',
        )
        .all()
      return { rows: rows.map(diskRow), chunks: count('chunks'), intact }
    } finally {
      database.close()
    }
  }

  /** What became of the row, as `{address} {state} {attempts} {leased?}` texts; the words to check against. */
  expectDisk(expected: readonly string[]): DiskFacts {
    const disk = this.disk()
    const found = disk.rows.map((row) => `${row.state} ${row.attempts}${row.leased ? ' leased' : ''}${row.contentKept ? '' : ' no-content'}`)
    this.check(`on disk: ${expected.join(', ') || 'nothing'}`, found.join() === expected.join(), disk)
    this.check('the database is intact', disk.intact)
    return disk
  }

  copies(id: string, from = 'app@app.test'): number {
    return this.sink.received.filter((message) => message.id === id && message.from === from).length
  }

  async drained(): Promise<void> {
    const { server } = this
    if (server === null) throw new Error('no Postern is running')
    await until('the queue is empty', () => isDrained(server), 30_000).catch((fault: Error) => this.check(fault.message, false, this.disk()))
  }

  /** The next Postern, until everything is done; then how many copies the relay has. */
  async restart(id: string, expectedCopies: number): Promise<PosternProcess> {
    this.sink.behaviour = {}
    const server = await this.start()
    await this.drained()
    this.check(`${expectedCopies} copies at the relay`, this.copies(id) === expectedCopies, this.sink.received)
    return server
  }

  /** What `postern trace` tells of it. */
  async story(queueId: string): Promise<string> {
    if (this.server === null) return ''
    return this.#byCommand ? this.server.cli(['trace', queueId, '--json']) : (await ask(this.server, 'GET', `/v1/messages/${queueId}`)).body
  }

  async end(): Promise<void> {
    this.kill()
    await this.server?.exited
    await this.sink.close()
    removeFolder(this.folder)
  }
}

function diskRow(row: Record<string, unknown>): DiskRow {
  return {
    queueId: queueIdFromNumber(Number(row.message_id)),
    address: String(row.address),
    state: stateOf(Number(row.state)),
    attempts: Number(row.attempts),
    leased: row.token !== null,
    contentKept: Number(row.kept) === 1,
  }
}
