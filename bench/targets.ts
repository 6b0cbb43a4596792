/** What is to be reached, as ratios to Postfix in the same run or as figures of Postern alone. */
import { median } from './numbers.ts'
import type { PeerName } from './peer.ts'
import type { FigureName, ScenarioResult } from './sample.ts'

export interface Target {
  readonly scenario: string
  readonly figure: FigureName
  /** `ratio`: Postern's median by Postfix's; `value`: Postern's median. */
  readonly of: 'ratio' | 'value'
  readonly bound: 'at least' | 'at most'
  readonly value: number
}

const rate = (scenario: string, value: number): Target => ({ scenario, figure: 'relayedPerS', of: 'ratio', bound: 'at least', value })
const cpu = (scenario: string, value: number): Target => ({ scenario, figure: 'cpuMs', of: 'ratio', bound: 'at most', value })
const value = (scenario: string, figure: FigureName, bound: Target['bound'], limit: number): Target => ({ scenario, figure, of: 'value', bound, value: limit })

export const TARGETS: readonly Target[] = [
  rate('4k/10/reconn', 3.5),
  cpu('4k/10/reconn', 1 / 5),
  rate('4k/10/keep', 5),
  cpu('4k/10/keep', 1 / 8),
  rate('64k/10/keep', 3.5),
  cpu('64k/10/keep', 1 / 4),
  rate('1m/10/reconn', 1.5),
  cpu('1m/10/reconn', 1 / 2),
  rate('distant', 2),
  rate('sites', 2),
  value('sites-stuck', 'stuckShare', 'at least', 0.9),
  { scenario: 'dead-relay', figure: 'acceptedPerS', of: 'ratio', bound: 'at least', value: 4 },
  ...['4k/10/reconn', '4k/10/keep', '64k/10/keep', '1m/10/reconn', 'distant', 'dead-relay'].map((scenario) => value(scenario, 'rssMiB', 'at most', 200)),
  { scenario: 'dot-reply', figure: 'p99Ms', of: 'ratio', bound: 'at most', value: 0.5 },
  value('backlog', 'acceptedShare', 'at least', 0.8),
  value('backlog', 'listeningS', 'at most', 3),
  value('backlog', 'rssMiB', 'at most', 300),
  value('backlog', 'statusMs', 'at most', 200),
  value('backlog', 'drainedShare', 'at least', 0.9),
]

export function medianOf(results: readonly ScenarioResult[], scenario: string, peer: PeerName, name: FigureName): number | null {
  const samples = results.find((result) => result.scenario === scenario && result.peer === peer)?.samples ?? []
  const values = samples.map((sample) => sample[name]).filter((one) => one !== undefined)
  return values.length === 0 ? null : median(values)
}

export function targetFor(scenario: string, figure: FigureName): Target | null {
  return TARGETS.find((target) => target.scenario === scenario && target.figure === figure) ?? null
}

/** Null: not measured. */
export function isReached(target: Target, results: readonly ScenarioResult[]): boolean | null {
  const ours = medianOf(results, target.scenario, 'postern', target.figure)
  const theirs = medianOf(results, target.scenario, 'postfix', target.figure)
  if (ours === null || (target.of === 'ratio' && theirs === null)) return null
  const measured = target.of === 'ratio' ? ours / (theirs ?? Number.NaN) : ours
  return target.bound === 'at least' ? measured >= target.value : measured <= target.value
}
