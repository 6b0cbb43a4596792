/**
 * Scenarios with a dead relay: how fast mail is accepted, how long an application waits for the 250, and what a large
 * backlog does to memory, restart, status and drain.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { runSource, startSink } from './load.ts'
import { quiet } from './machine.ts'
import { median, seconds, sleep } from './numbers.ts'
import type { Peer, RunningPeer } from './peer.ts'
import { MemoryWatch } from './process-group.ts'
import { waitForSink } from './relaying.ts'
import { type Plan, portsOf, type Sample, type ScenarioResult } from './sample.ts'

const run = promisify(execFile)
const SIZE_OCTETS = 4096
const SESSIONS = 10
const DOT_SESSIONS = 50
/** Messages a second that both agents can take, so that waiting is compared under the same load. */
const DOT_PACE = 400
/** Share of the backlog at its beginning and end over which the accept rate is compared. */
const EDGE_SHARE = 0.05

type Measure = (peer: Peer, running: RunningPeer, plan: Plan) => Promise<{ readonly sample: Sample; readonly notes: readonly string[] }>

/** Fresh queues for each repeat, agents in turn. */
async function measureInTurn(scenario: string, messages: number, peers: readonly Peer[], plan: Plan, measure: Measure): Promise<readonly ScenarioResult[]> {
  const results = peers.map((peer) => ({ peer, samples: [] as Sample[], notes: [] as string[] }))
  for (let i = 0; i < plan.repeats; i++) {
    for (const { peer, samples, notes } of i % 2 === 0 ? results : [...results].reverse()) {
      const running = await peer.start({ folder: plan.folder, ...portsOf(peer.name), keepQueue: false })
      await quiet()
      const measured = await measure(peer, running, plan)
      samples.push(measured.sample)
      notes.push(...measured.notes)
      await running.stop()
    }
  }
  return results.map(({ peer, samples, notes }) => ({ scenario, peer: peer.name, messages, samples, notes }))
}

export function measureDeadRelay(peers: readonly Peer[], plan: Plan): Promise<readonly ScenarioResult[]> {
  return measureInTurn('dead-relay', plan.deadRelay, peers, plan, async (peer, running) => {
    const cpu = running.group.cpuSeconds()
    const watch = new MemoryWatch(running.group)
    const source = await accept(peer, plan.deadRelay)
    await sleep(300)
    watch.stop()
    const cpuMs = ((running.group.cpuSeconds() - cpu) / plan.deadRelay) * 1000
    return { sample: { acceptedPerS: plan.deadRelay / source.seconds, cpuMs, rssMiB: watch.rssMiB, pssMiB: watch.pssMiB }, notes: faultsOf(source.fault) }
  })
}

export function measureDotReply(peers: readonly Peer[], plan: Plan): Promise<readonly ScenarioResult[]> {
  return measureInTurn('dot-reply', plan.dotReplies, peers, plan, async (peer) => {
    const client = fileURLToPath(new URL('dot-client.ts', import.meta.url))
    const ask = async (messages: number, perSecond = 0): Promise<DotAnswer> => {
      const argv = [client, ...[portsOf(peer.name).port, DOT_SESSIONS, messages, SIZE_OCTETS, perSecond].map(String)]
      return JSON.parse((await run(process.execPath, argv)).stdout) as DotAnswer
    }
    await ask(plan.dotReplies / 2)
    const paced = await ask(Math.min(plan.dotReplies, DOT_PACE * 10), DOT_PACE)
    const { faults, perSecond, p50Ms, p99Ms, maxMs } = await ask(plan.dotReplies)
    return {
      sample: { acceptedPerS: perSecond, p50Ms, p99Ms, maxMs, pacedP50Ms: paced.p50Ms, pacedP99Ms: paced.p99Ms },
      notes: faults + paced.faults === 0 ? [] : [`${faults + paced.faults} sessions ended early`],
    }
  })
}
interface DotAnswer {
  readonly faults: number
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** One pass: accept with the relay dead, look, restart, relay comes up, drain. `relayedPerS`: what the drain is held against. */
export async function measureBacklog(peer: Peer, plan: Plan, relayedPerS: number | null): Promise<ScenarioResult> {
  const ports = portsOf(peer.name)
  const options = { folder: plan.folder, ...ports }
  const notes: string[] = []
  let running = await peer.start({ ...options, keepQueue: false })
  await accept(peer, 1000)
  let watch = new MemoryWatch(running.group)
  const edge = Math.round(plan.backlog * EDGE_SHARE)
  const first = await accept(peer, edge)
  const middle = await accept(peer, plan.backlog - 2 * edge)
  const last = await accept(peer, edge)
  notes.push(...[first, middle, last].flatMap((source) => faultsOf(source.fault)))
  const statusMs = median([await running.statusMs(), await running.statusMs(), await running.statusMs()])
  watch.stop()
  const memory = [watch]

  await running.stop()
  const from = seconds()
  running = await peer.start({ ...options, keepQueue: true })
  const listeningS = seconds() - from
  watch = new MemoryWatch(running.group)
  memory.push(watch)

  const sink = await startSink(plan.folder, ports.sinkPort, null)
  const drainFrom = seconds()
  await running.flush()
  const drained = await waitForSink(sink, 0, plan.backlog + 1000)
  const drainedPerS = drained.count / (seconds() - drainFrom - drained.idleS)
  if (drained.count !== plan.backlog + 1000) notes.push(`${drained.count} of ${plan.backlog + 1000} messages were drained`)
  watch.stop()
  await running.stop()
  await sink.stop()
  const sample: Sample = {
    acceptedFirstPerS: edge / first.seconds,
    acceptedLastPerS: edge / last.seconds,
    acceptedShare: first.seconds / last.seconds,
    statusMs,
    listeningS,
    rssMiB: Math.max(...memory.map((one) => one.rssMiB)),
    pssMiB: Math.max(...memory.map((one) => one.pssMiB)),
    drainedPerS,
    ...(relayedPerS === null ? {} : { drainedShare: drainedPerS / relayedPerS }),
  }
  return { scenario: 'backlog', peer: peer.name, messages: plan.backlog, samples: [sample], notes }
}

function accept(peer: Peer, messages: number): ReturnType<typeof runSource> {
  return runSource({ port: portsOf(peer.name).port, messages, sizeOctets: SIZE_OCTETS, sessions: SESSIONS, keep: true })
}

function faultsOf(fault: string | null): readonly string[] {
  return fault === null ? [] : [`smtp-source: ${fault}`]
}
