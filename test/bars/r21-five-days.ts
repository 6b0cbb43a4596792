/**
 * R21 five-days: five days in minutes. A whole Postern, but for its command line, whose clock runs thousands of times
 * as fast, with a peer that is dead, one that greylists and one that comes and goes.
 *
 * Missed when a second attempt comes too early, when waits shrink, when a sender is warned or told of the end not once,
 * too early or late, or when mail for the other two is lost or returned.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Composed } from '../../src/app/compose.ts'
import type { Clock } from '../../src/core/clock.ts'
import { handIn } from './support/client.ts'
import { type Handed, judge, type Told } from './support/five-days-verdict.ts'
import { createFastClock, startInProcess } from './support/in-process.ts'
import { makeContent } from './support/load.ts'
import { barConfig, freePort, makeFolder, removeFolder } from './support/server.ts'
import { type Sink, startSink } from './support/sink.ts'
import { runBar, until } from './support/verdict.ts'

const NS_PER_MS = 1e6
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Quick mode makes do with one day. */
const [LIFETIME_FULL, LIFETIME_QUICK] = [5 * DAY, DAY]
const SPEED = 3_600
/** A greylisting peer believes in whom it has seen so long ago. */
const GREY_MS = 10 * MINUTE
const UP_MS = HOUR
const DOWN_MS = 2 * HOUR

await runBar('R21 five-days', async ({ full }) => {
  const speed = SPEED
  const lifetimeMs = full ? LIFETIME_FULL : LIFETIME_QUICK
  const messages = full ? 1_000 : 120
  // A moment in which this process did nothing is minutes of its clock.
  const stalls = monitorEventLoopDelay({ resolution: 5 })
  stalls.enable()
  const clock = createFastClock(speed)
  const folder = makeFolder()
  const scene = await openScene(clock)
  const port = await freePort()
  const server = await startServer({ clock, folder, port, scene, lifetimeMs })
  try {
    const handed = await handAllIn({ clock, port, messages, forMs: full ? 20_000 : 4_000 })
    await until('the lifetime is over and the queue is empty', () => isOver(server, clock, { handed, lifetimeMs }), ((lifetimeMs * 1.2) / speed) * 2 + 30_000)
    const stories = await Promise.all(handed.map(async (one) => ({ handed: one, story: await server.store.admin.story(one.queueId) })))
    const verdict = judge(stories, scene.told, { lifetimeMs, warnAfterMs: 4 * HOUR, stallMs: (stalls.max / NS_PER_MS) * speed })
    return {
      passed: verdict.wrong.length === 0,
      figures: {
        messages: handed.length,
        speed,
        longestStallMs: Math.round(stalls.max / NS_PER_MS),
        ...verdict.figures,
        wrong: verdict.wrong.slice(0, 5).join('; ') || 'none',
      },
    }
  } finally {
    await server.stop(1_000)
    await scene.close()
    removeFolder(folder)
  }
})

interface Scene {
  readonly relays: Readonly<Record<'grey' | 'flap' | 'home', Sink>>
  readonly deadPort: number
  /** Reports that came home. */
  readonly told: Told[]
  close(): Promise<void>
}

async function openScene(clock: Clock): Promise<Scene> {
  const told: Told[] = []
  const seen = new Map<string, number>()
  const grey = await startSink({
    onCommand(verb, line) {
      if (verb !== 'RCPT') return null
      const first = seen.get(line) ?? clock.now()
      seen.set(line, first)
      return clock.now() - first < GREY_MS ? '450 4.7.1 Greylisted, please try again later' : null
    },
  })
  const flap = await startSink()
  const home = await startSink({
    onContent(_message, content) {
      const text = content.toString('latin1')
      told.push({ action: /^Action: (\S+)/im.exec(text)?.[1] ?? '', recipient: /^Final-Recipient: rfc822; ?(\S+)/im.exec(text)?.[1] ?? '' })
    },
  })
  let closed = false
  const turn = async (up: boolean): Promise<void> => {
    if (closed) return
    if (up) await flap.up()
    else await flap.down()
    clock.after(up ? UP_MS : DOWN_MS, () => void turn(!up))
  }
  clock.after(UP_MS, () => void turn(false))
  return {
    relays: { grey, flap, home },
    deadPort: await freePort(),
    told,
    async close() {
      closed = true
      await Promise.all([grey.close(), home.close(), flap.close().catch(() => undefined)])
    },
  }
}

async function startServer(parts: {
  readonly clock: Clock
  readonly folder: string
  readonly port: number
  readonly scene: Scene
  readonly lifetimeMs: number
}): Promise<Composed> {
  const { clock, folder, port, scene } = parts
  // A minute of that clock is a moment: what waits for a peer's reply must not give up by accident.
  const patient = Object.fromEntries(
    ['connect', 'greeting', 'ehlo', 'mail', 'rcpt', 'data', 'content', 'finalDot', 'rset', 'quit'].map((phase) => [phase, '1h']),
  )
  const relay = (to: number) => ({ host: `127.0.0.1:${to}`, tls: 'none', timeouts: patient })
  const names = ['dead', 'grey', 'flap'] as const
  const config = {
    ...barConfig(port, 1, folder),
    relays: { dead: relay(scene.deadPort), grey: relay(scene.relays.grey.port), flap: relay(scene.relays.flap.port), home: relay(scene.relays.home.port) },
    routes: [...names.map((name) => ({ to: `*@${name}.test`, via: name })), { via: 'home' }],
    // What is looked at: the defaults.
    retry: { lifetime: `${parts.lifetimeMs / HOUR}h` },
    queue: { lease: '1h' },
    limits: { commandTime: '1h', minRate: 0, sessionTime: '1d' },
    limitsUnderPressure: { commandTime: '1h', minRate: 0 },
    retention: { history: '30d', content: '1h' },
  }
  return startInProcess({ folder, config, clock })
}

/** Spread over hours of that clock, so that no moment has to do everything. */
async function handAllIn(options: { readonly clock: Clock; readonly port: number; readonly messages: number; readonly forMs: number }): Promise<Handed[]> {
  const { clock, port, messages, forMs } = options
  const handed: Handed[] = []
  const kinds = ['dead', 'dead', 'grey', 'flap'] as const
  const from = performance.now()
  for (let n = 0; n < messages; n++) {
    const kind = kinds[n % kinds.length] ?? 'dead'
    const wait = from + (n * forMs) / messages - performance.now()
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    const answer = await handIn(port, `u${n}@app.test`, `r${n}@${kind}.test`, makeContent(`five-${n}`, 600))
    if ('refused' in answer) throw new Error(`refused: ${answer.refused}`)
    handed.push({ kind, queueId: answer.queueId, recipient: `r${n}@${kind}.test`, at: clock.now() })
  }
  return handed
}

async function isOver(
  server: Composed,
  clock: Clock,
  { handed, lifetimeMs }: { readonly handed: readonly Handed[]; readonly lifetimeMs: number },
): Promise<boolean> {
  const last = handed.at(-1)?.at ?? 0
  if (clock.now() < last + lifetimeMs) return false
  const { queued, leased, held } = await server.store.admin.counts()
  return queued + leased + held === 0
}
