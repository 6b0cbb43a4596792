/**
 * Scenarios in which mail goes all the way: accepted, queued, relayed, counted at the sink.
 *
 * Both agents run throughout, one of them idle; repeats alternate, so that whatever else the machine does
 * hits both. A repeat during which others used more than a fifth of a core is thrown away and done again, three times at most.
 */
import { type Load, runSource, type Sink, startSink } from './load.ts'
import { quiet, usedCpuSeconds } from './machine.ts'
import { rounded, seconds, sleep } from './numbers.ts'
import type { Peer, RunningPeer } from './peer.ts'
import { MemoryWatch } from './process-group.ts'
import { type Plan, portsOf, type Sample, type ScenarioResult } from './sample.ts'

export interface RelayScenario {
  readonly name: string
  readonly sizeOctets: number
  readonly sessions: number
  readonly keep: boolean
  /** How late the relay answers; null: at once. */
  readonly lateMs: number | null
}
const KIB = 1024
export const RELAY_SCENARIOS: readonly RelayScenario[] = [
  { name: '4k/10/reconn', sizeOctets: 4 * KIB, sessions: 10, keep: false, lateMs: null },
  { name: '4k/10/keep', sizeOctets: 4 * KIB, sessions: 10, keep: true, lateMs: null },
  { name: '64k/10/keep', sizeOctets: 64 * KIB, sessions: 10, keep: true, lateMs: null },
  { name: '1m/10/reconn', sizeOctets: KIB * KIB, sessions: 10, keep: false, lateMs: null },
  { name: 'distant', sizeOctets: 4 * KIB, sessions: 10, keep: true, lateMs: 50 },
]
const OTHER_CORES_MAX = 0.2
const REDONE_MAX = 3
const MESSAGES_MAX = 80_000
/** Without a message for so long, the rest is taken to be lost or deferred. */
const STALL_S = 30

interface Pair {
  readonly peer: Peer
  readonly running: RunningPeer
  readonly sink: Sink
  readonly samples: Sample[]
  readonly notes: string[]
  messages: number
  redone: number
}

export async function measureRelaying(scenario: RelayScenario, peers: readonly Peer[], plan: Plan): Promise<readonly ScenarioResult[]> {
  const pairs: Pair[] = []
  for (const peer of peers) pairs.push(await startPair(peer, scenario, plan))
  for (const pair of pairs) pair.messages = await chooseMessages(pair, scenario, plan)
  for (let i = 0; i < plan.repeats; i++) {
    const inTurn = i % 2 === 0 ? pairs : [...pairs].reverse()
    for (const pair of inTurn) await repeat(pair, scenario)
  }
  for (const pair of pairs) {
    await pair.running.stop()
    await pair.sink.stop()
  }
  return pairs.map(({ peer, messages, samples, notes }) => ({ scenario: scenario.name, peer: peer.name, messages, samples, notes }))
}

async function startPair(peer: Peer, scenario: RelayScenario, plan: Plan): Promise<Pair> {
  const ports = portsOf(peer.name)
  const sink = await startSink(plan.folder, ports.sinkPort, scenario.lateMs)
  const running = await peer.start({ folder: plan.folder, ...ports, keepQueue: false })
  return { peer, running, sink, samples: [], notes: [], messages: 0, redone: 0 }
}

/**
 * Finds how many messages take about as long as a repeat should, and warms the agent up by it and by a whole repeat: a server
 * runs for weeks, and a runtime that compiles on the way has done so after some ten thousand messages.
 */
async function chooseMessages(pair: Pair, scenario: RelayScenario, plan: Plan): Promise<number> {
  const few = scenario.sizeOctets > 500_000 || scenario.lateMs !== null ? 50 : 500
  const first = await measureOnce(pair, loadOf(pair, scenario, few))
  const second = await measureOnce(pair, loadOf(pair, scenario, clamp(rounded((first.relayedPerS ?? 1) * plan.targetS * 0.5), few)))
  const messages = clamp(rounded((second.relayedPerS ?? 1) * plan.targetS), few)
  await measureOnce(pair, loadOf(pair, scenario, messages))
  return messages
}

function clamp(messages: number, least: number): number {
  return Math.min(MESSAGES_MAX, Math.max(least, messages))
}

function loadOf(pair: Pair, scenario: RelayScenario, messages: number): Load {
  const { sizeOctets, sessions, keep } = scenario
  return { port: portsOf(pair.peer.name).port, messages, sizeOctets, sessions, keep }
}

async function repeat(pair: Pair, scenario: RelayScenario): Promise<void> {
  for (;;) {
    await quiet()
    const sample = await measureOnce(pair, loadOf(pair, scenario, pair.messages))
    if ((sample.otherCores ?? 0) > OTHER_CORES_MAX && pair.redone < REDONE_MAX) {
      pair.redone++
      continue
    }
    if ((sample.otherCores ?? 0) > OTHER_CORES_MAX) pair.notes.push(`a repeat was disturbed: others used ${sample.otherCores?.toFixed(2)} cores`)
    pair.samples.push(sample)
    return
  }
}

async function measureOnce(pair: Pair, load: Load): Promise<Sample> {
  const { running, sink } = pair
  const before = { sunk: sink.count(), cpu: running.group.cpuSeconds(), sinkCpu: sink.group.cpuSeconds(), used: usedCpuSeconds(), own: process.cpuUsage() }
  const watch = new MemoryWatch(running.group)
  const from = seconds()
  const source = await runSource(load)
  if (source.fault !== null) pair.notes.push(`smtp-source: ${source.fault}`)
  const relayed = await waitForSink(sink, before.sunk, load.messages)
  const tookS = seconds() - from - relayed.idleS
  if (relayed.count !== load.messages) pair.notes.push(`${relayed.count} of ${load.messages} messages reached the sink`)
  await sleep(300)
  watch.stop()
  const cpu = running.group.cpuSeconds() - before.cpu
  const own = process.cpuUsage(before.own)
  const ours = cpu + source.cpuSeconds + (sink.group.cpuSeconds() - before.sinkCpu) + (own.user + own.system) / 1e6
  return {
    relayedPerS: relayed.count / tookS,
    acceptedPerS: load.messages / source.seconds,
    cpuMs: (cpu / load.messages) * 1000,
    rssMiB: watch.rssMiB,
    pssMiB: watch.pssMiB,
    ...(sink.peakConnections() > 0 ? { connections: sink.peakConnections() } : {}),
    otherCores: Math.max(0, usedCpuSeconds() - before.used - ours) / (seconds() - from),
  }
}

/** Until the sink has them all or nothing comes any more; `idleS` is what was waited after the last one. */
export async function waitForSink(sink: Sink, startCount: number, messages: number): Promise<{ readonly count: number; readonly idleS: number }> {
  let count = sink.count() - startCount
  let last = seconds()
  while (count < messages && seconds() - last < STALL_S) {
    await sleep(5)
    const now = sink.count() - startCount
    if (now !== count) last = seconds()
    count = now
  }
  return { count, idleS: seconds() - last }
}
