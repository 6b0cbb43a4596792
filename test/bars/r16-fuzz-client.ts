/**
 * R16: peers that answer at random at every phase, against the real delivery, transport and store.
 *
 * No exception, no hang, an outcome for every recipient, nothing claimed that the peer did not take,
 * nothing sent again unmarked, memory and handles back where they were.
 */
import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRealClock } from '../../src/app/real-clock.ts'
import type { BodyRef, LeaseToken } from '../../src/core/brand.ts'
import { createQueueIds } from '../../src/core/queue-id.ts'
import { createDelivery } from '../../src/delivery/delivery.ts'
import { createHostResolver } from '../../src/net/host-resolver.ts'
import { createDialer } from '../../src/net/node-dialer.ts'
import type { Journal } from '../../src/ports/journal.ts'
import { INLINE_OCTETS_MAX } from '../../src/ports/queue-store.ts'
import { openStore } from '../../src/store/open-store.ts'
import { createCaptureTransport } from '../../src/transports/capture-transport.ts'
import { createSmtpTransport } from '../../src/transports/smtp-transport.ts'
import { NO_DESTINATIONS } from '../support/direct.ts'
import { makeMessage } from '../support/make-message.ts'
import { type ChaosCounts, startChaosPeer } from './support/chaos-peer.ts'
import { makeSettings } from './support/chaos-settings.ts'
import { type Checks, createWatch, noChecks } from './support/claim-watch.ts'
import type { Ledger } from './support/dialogue-oracle.ts'
import { type Footprint, footprint, insistOnTrimmedMemory, leftOver } from './support/quiet.ts'
import { makeFolder, ROOT, removeFolder } from './support/server.ts'
import { runBar, seeded, until } from './support/verdict.ts'

const PEERS = 40
/** Set-up, a transaction and the wait for a place, each phase at its longest. */
const ATTEMPT_MS_MAX = 30_000
/** For the last recipients to come to their end: attempts that time out one after the other, on a machine that does other things, too. */
const ENDED_MS = 60_000
const RSS_GROWTH_MAX = 20 * 1024 * 1024
/** Quick mode looks twice only: one collection more or less, or buffers that fill for the first time, are tens of MB. */
const RSS_GROWTH_MAX_QUICK = 80 * 1024 * 1024

insistOnTrimmedMemory()
await runBar('R16 fuzz-client', async ({ full, seed }) => {
  const random = seeded(seed)
  const uncaught: string[] = []
  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, (fault: unknown) => uncaught.push(fault instanceof Error ? (fault.stack ?? fault.message) : String(fault)))
  const ledger: Ledger = { taken: new Map(), kept: new Map() }
  const counts: ChaosCounts = { sessions: 0, open: 0, longestSessionMs: 0, faults: new Map() }
  const certificate = { cert: fixture('one.pem'), key: fixture('one.key') }
  const peers = await Promise.all(Array.from({ length: PEERS }, (_, index) => startChaosPeer({ random: seeded(seed + index), ledger, counts, certificate })))
  const rig = await startRig(
    peers.map((peer) => peer.port),
    ledger,
    random,
  )

  const target = full ? 50_000 : 2_000
  // Warm first: what was compiled and cached once does not count as growth.
  const warm = full ? 15_000 : 1_500
  await rig.feed(() => counts.sessions < warm)
  const looks = [await whenQuiet(counts, null)]
  const legs = full ? 5 : 1
  for (let leg = 1; leg <= legs; leg++) {
    await rig.feed(() => counts.sessions < warm + (target * leg) / legs)
    looks.push(await whenQuiet(counts, leg === legs ? (looks[0] ?? null) : null))
  }
  const [before, after] = [looks[0] as Footprint, looks.at(-1) as Footprint]
  const grownOctets = lastingGrowth(looks)
  const left = leftOver(before, after)
  await rig.stop()
  for (const peer of peers) await peer.close()

  const { checks } = rig
  for (const text of [...uncaught, ...checks.complaints].slice(0, 10)) process.stderr.write(`${text}\n`)
  const clean =
    uncaught.length === 0 &&
    checks.rejections === 0 &&
    checks.withoutOutcome === 0 &&
    checks.falseClaims === 0 &&
    checks.unmarked === 0 &&
    checks.unfounded === 0
  return {
    passed:
      clean &&
      left.length === 0 &&
      grownOctets <= (full ? RSS_GROWTH_MAX : RSS_GROWTH_MAX_QUICK) &&
      checks.slowestMs <= ATTEMPT_MS_MAX &&
      checks.openRecipients === 0,
    figures: {
      sessions: counts.sessions,
      faults: [...counts.faults.values()].reduce((sum, count) => sum + count, 0),
      faultKinds: counts.faults.size,
      messages: checks.messages,
      notices: checks.notices,
      attempts: checks.attempts,
      delivered: checks.outcomes.delivered,
      failed: checks.outcomes.failed,
      expired: checks.outcomes.expired,
      openRecipients: checks.openRecipients,
      uncaught: uncaught.length,
      transportRejections: checks.rejections,
      withoutOutcome: checks.withoutOutcome,
      falseClaims: checks.falseClaims,
      unfoundedFailures: checks.unfounded,
      twiceUnmarked: checks.unmarked,
      twiceMarked: checks.marked,
      slowestAttemptMs: Math.round(checks.slowestMs),
      longestSessionMs: Math.round(counts.longestSessionMs),
      rssMB: Math.round(after.rssOctets / 1e6),
      rssGrowthMB: (grownOctets / 1e6).toFixed(1),
      rssLooksMB: looks.map(({ rssOctets }) => Math.round(rssOctets / 1e6)).join(','),
      heapGrowthMB: ((after.heapOctets - before.heapOctets) / 1e6).toFixed(1),
      handlesLeft: left.length === 0 ? 0 : left.join(','),
    },
  }
})

/** Peers and pool have timers of a second or two that end by themselves. */
async function whenQuiet(counts: ChaosCounts, before: Footprint | null): Promise<Footprint> {
  await until('no session is open', () => counts.open === 0, 30_000)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  let found = await footprint()
  for (let tries = 0; before !== null && tries < 5 && leftOver(before, found).length > 0; tries++) found = await footprint()
  return found
}

/**
 * What the last third of the looks has at least, less what the first half had at most. Page caches fill, peaks leave holes,
 * and that once; what is lost at each session goes on growing.
 */
function lastingGrowth(looks: readonly Footprint[]): number {
  const rss = looks.map(({ rssOctets }) => rssOctets)
  return Math.min(...rss.slice(-Math.ceil(rss.length / 3))) - Math.max(...rss.slice(0, rss.length / 2))
}

interface Rig {
  readonly checks: Checks
  /** New mail as long as wanted, then until every recipient has its end. */
  feed(more: () => boolean): Promise<void>
  stop(): Promise<void>
}

async function startRig(ports: readonly number[], ledger: Ledger, random: () => number): Promise<Rig> {
  const clock = createRealClock()
  const checks = noChecks()
  const watch = createWatch(checks, ledger)
  const journal: Journal = {
    accepted: () => {},
    attempt: (record) => watch.ended(record),
    note: (_subsystem, level, text, facts) => {
      if (level === 'error') checks.complaints.push(`${text} ${JSON.stringify(facts ?? {})}`)
    },
  }
  const folder = makeFolder()
  let tokens = 0
  const newToken = (): string => `token-${++tokens}`
  const store = await openStore({ path: join(folder, 'data'), clock, journal, randomToken: newToken })
  const newQueueId = createQueueIds(() => clock.now(), null)
  const smtp = createSmtpTransport({
    dialer: createDialer({ clock }),
    resolver: createHostResolver({ clock }),
    clock,
    journal,
    tap: { active: false, line: () => {} },
    hmacMd5: (key, text) => createHmac('md5', key).update(text).digest('hex'),
    random,
  })
  const delivery = createDelivery({
    settings: makeSettings(ports),
    store: store.queue,
    destinations: NO_DESTINATIONS,
    bodies: store.bodies,
    transports: { smtp: watch.transport(smtp), capture: createCaptureTransport() },
    clock,
    journal,
    random,
    newToken: () => newToken() as LeaseToken,
    newQueueId,
  })
  await delivery.start()

  const submit = async (): Promise<void> => {
    const queueId = newQueueId()
    const draw = random()
    const octets = draw < 0.02 ? INLINE_OCTETS_MAX + 40_000 : draw < 0.1 ? 60_000 : 300
    const content = makeContent(octets, random() < 0.1)
    const to = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, index) => `r${index}@d${Math.floor(random() * PEERS)}.test`)
    const message = makeMessage({
      queueId,
      to,
      from: random() < 0.3 ? '<>' : `app@d${Math.floor(random() * PEERS)}.test`,
      acceptedAt: clock.now(),
      sizeOctets: content.byteLength,
      smtputf8: random() < 0.05,
      body: random() < 0.2 ? '8bitmime' : '7bit',
      prefix: 'Received: by postern.test\r\n',
      notify: random() < 0.1 ? ['success', 'failure'] : null,
    })
    const inline = octets <= INLINE_OCTETS_MAX
    if (!inline) {
      const writer = store.bodies.put(queueId as string as BodyRef)
      await writer.write(content)
      await writer.finish()
    }
    const acceptance = { message, content: inline ? content : null, placements: delivery.admission.place(message) }
    checks.messages++
    watch.begun(queueId, to.length)
    await store.queue.enqueue(acceptance)
    delivery.admission.committed(acceptance)
  }

  return {
    checks,
    async feed(more) {
      while (more()) {
        while (more() && watch.open() < 150) await submit()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await until(
        'every recipient has its end',
        async () => {
          const { queued, leased } = await store.admin.counts()
          return queued + leased === 0
        },
        ENDED_MS,
      ).catch(() => {})
      const { queued, leased, held } = await store.admin.counts()
      checks.openRecipients = queued + leased + held
      checks.notices = watch.noticesSeen()
      // Kept until now for attempts that end late.
      ledger.taken.clear()
      ledger.kept.clear()
      watch.forget()
    },
    async stop() {
      await delivery.stop(2_000)
      await smtp.close(1_000)
      await store.close()
      removeFolder(folder)
    },
  }
}

function makeContent(octets: number, eightBit: boolean): Buffer {
  const head = `From: app@app.test\r\nSubject: chaos\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`
  const line = eightBit ? '.gr\u00fc\u00dfe und mehr davon\r\n' : '.a line that begins with a dot\r\n'
  return Buffer.from(head + line.repeat(Math.ceil((octets - head.length) / line.length)))
}

function fixture(name: string): string {
  return readFileSync(join(ROOT, 'test/fixtures/tls', name), 'utf8')
}
