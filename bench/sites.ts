/**
 * Scenarios without a relay: 10,000 messages of 4 KB for 1,000 domains on 50 sites, found by the same resolver; and
 * the same with 5,000 messages stuck for sites that never answer.
 *
 * Both agents run throughout and take turns, as in `relaying.ts`. The second scenario is Postern's alone: its rate
 * before and after the stuck mail came, in one run of the server.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Sink, startSink } from './load.ts'
import { quiet, usedCpuSeconds } from './machine.ts'
import { DEAD_DOMAINS, DOMAINS, MX_PORT, startNames } from './names.ts'
import { median, seconds, sleep } from './numbers.ts'
import type { Peer, RunningPeer } from './peer.ts'
import { MemoryWatch } from './process-group.ts'
import { waitForSink } from './relaying.ts'
import { type Plan, portsOf, type Sample, type ScenarioResult } from './sample.ts'

const run = promisify(execFile)
const SIZE_OCTETS = 4096
const SESSIONS = 10

interface Pair {
  readonly peer: Peer
  readonly running: RunningPeer
  readonly samples: Sample[]
  readonly notes: string[]
}

export async function measureSites(peers: readonly Peer[], plan: Plan): Promise<readonly ScenarioResult[]> {
  const names = await startNames(plan.folder)
  // One for all sites and both agents: they take turns.
  const sink = await startSink(plan.folder, MX_PORT, null, '0.0.0.0')
  const pairs: Pair[] = []
  for (const peer of peers) pairs.push({ peer, running: await startDirect(peer, plan), samples: [], notes: [] })
  for (const pair of pairs) await measureOnce(pair, sink, plan.sites / 5)
  for (let i = 0; i < plan.repeats; i++) {
    for (const pair of i % 2 === 0 ? pairs : [...pairs].reverse()) {
      await quiet()
      pair.samples.push(await measureOnce(pair, sink, plan.sites))
    }
  }
  for (const { running } of pairs) await running.stop()
  await sink.stop()
  await names.stop()
  return pairs.map(({ peer, samples, notes }) => ({ scenario: 'sites', peer: peer.name, messages: plan.sites, samples, notes }))
}

export async function measureStuckSites(peers: readonly Peer[], plan: Plan): Promise<readonly ScenarioResult[]> {
  const peer = peers.find(({ name }) => name === 'postern')
  if (peer === undefined) return []
  const names = await startNames(plan.folder)
  const sink = await startSink(plan.folder, MX_PORT, null, '0.0.0.0')
  const pair: Pair = { peer, running: await startDirect(peer, plan), samples: [], notes: [] }
  await measureOnce(pair, sink, plan.sites / 5)
  const rates = { before: [] as number[], after: [] as number[] }
  const measure = async (when: 'before' | 'after'): Promise<Sample> => {
    await quiet()
    const sample = await measureOnce(pair, sink, plan.sites)
    rates[when].push(sample.relayedPerS ?? Number.NaN)
    return sample
  }
  for (let i = 0; i < plan.repeats; i++) await measure('before')
  await handIn(pair, plan.stuck, { domains: DEAD_DOMAINS, prefix: 'x', suffix: '.dead.test' })
  await sleep(2_000)
  const samples: Sample[] = []
  for (let i = 0; i < plan.repeats; i++) samples.push(await measure('after'))
  const stuckShare = median(rates.after) / median(rates.before)
  await pair.running.stop()
  await sink.stop()
  await names.stop()
  return [{ scenario: 'sites-stuck', peer: 'postern', messages: plan.sites, samples: samples.map((sample) => ({ ...sample, stuckShare })), notes: pair.notes }]
}

function startDirect(peer: Peer, plan: Plan): Promise<RunningPeer> {
  return peer.start({ folder: plan.folder, ...portsOf(peer.name), keepQueue: false, direct: true })
}

interface Target {
  readonly domains: number
  readonly prefix: string
  readonly suffix: string
}

async function handIn({ peer, notes }: Pair, messages: number, { domains, prefix, suffix }: Target): Promise<number> {
  const program = fileURLToPath(new URL('domain-source.ts', import.meta.url))
  const argv = [program, portsOf(peer.name).port, SESSIONS, messages, SIZE_OCTETS, domains, prefix, suffix].map(String)
  const answer = JSON.parse((await run(process.execPath, argv)).stdout) as { readonly faults: number; readonly seconds: number }
  if (answer.faults > 0) notes.push(`${answer.faults} sessions ended early`)
  return answer.seconds
}

async function measureOnce(pair: Pair, sink: Sink, messages: number): Promise<Sample> {
  const { running, notes } = pair
  const before = { sunk: sink.count(), cpu: running.group.cpuSeconds(), sinkCpu: sink.group.cpuSeconds(), used: usedCpuSeconds() }
  const watch = new MemoryWatch(running.group)
  const from = seconds()
  const acceptS = await handIn(pair, messages, { domains: DOMAINS, prefix: 'd', suffix: '.sites.test' })
  const relayed = await waitForSink(sink, before.sunk, messages)
  const tookS = seconds() - from - relayed.idleS
  if (relayed.count !== messages) notes.push(`${relayed.count} of ${messages} messages reached their site`)
  await sleep(300)
  watch.stop()
  const cpu = running.group.cpuSeconds() - before.cpu
  return { relayedPerS: relayed.count / tookS, acceptedPerS: messages / acceptS, cpuMs: (cpu / messages) * 1000, rssMiB: watch.rssMiB, pssMiB: watch.pssMiB }
}
