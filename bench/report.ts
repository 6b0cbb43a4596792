/** Turns measurements into the table that is printed and stands in docs/performance.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { figure, median } from './numbers.ts'
import type { PeerName } from './peer.ts'
import { FIGURES, type FigureName, type ScenarioResult } from './sample.ts'
import { isReached, medianOf, TARGETS, type Target, targetFor } from './targets.ts'

const BEGIN = '<!-- bench:begin (written by npm run bench) -->'
const END = '<!-- bench:end -->'

const TITLES: Readonly<Record<string, string>> = {
  '4k/10/reconn': '4 KB, 10 sessions, a connection for each message',
  '4k/10/keep': '4 KB, 10 sessions kept open',
  '64k/10/keep': '64 KB, 10 sessions kept open',
  '1m/10/reconn': '1 MB, 10 sessions, a connection for each message',
  distant: '4 KB, relay 50 ms away (every reply is late)',
  sites: '4 KB for 1,000 domains on 50 sites, straight to their servers',
  'sites-stuck': 'The same with 5,000 messages stuck for sites that never answer',
  'dead-relay': '4 KB, relay dead: accepting only',
  'dot-reply': '4 KB, relay dead, 50 sessions: waiting for the 250 after the final dot',
  backlog: 'Backlog: relay dead, restart, relay comes up, drain',
}

export function formatReport(results: readonly ScenarioResult[], heading: string): string {
  const scenarios = [...new Set(results.map((result) => result.scenario))]
  return [heading, ...scenarios.map((scenario) => formatScenario(scenario, results)), formatVerdict(results)].join('\n\n')
}

function formatScenario(scenario: string, results: readonly ScenarioResult[]): string {
  const mine = results.filter((result) => result.scenario === scenario)
  const counts = mine.map((result) => `${result.peer} ${result.messages} x ${result.samples.length}`).join(', ')
  const names = (Object.keys(FIGURES) as FigureName[]).filter((name) => mine.some((result) => result.samples.some((sample) => sample[name] !== undefined)))
  const rows = names.map((name) => formatRow(scenario, name, results))
  const notes = mine.flatMap((result) => result.notes.map((note) => `- ${result.peer}: ${note}`))
  const table = ['| figure | Postfix | Postern | ratio | target | |', '|---|---|---|---|---|---|', ...rows]
  return [`### ${TITLES[scenario] ?? scenario}`, '', `Messages x repeats: ${counts}.`, '', ...table, ...(notes.length === 0 ? [] : ['', ...notes])].join('\n')
}

function formatRow(scenario: string, name: FigureName, results: readonly ScenarioResult[]): string {
  const ours = medianOf(results, scenario, 'postern', name)
  const theirs = medianOf(results, scenario, 'postfix', name)
  const target = targetFor(scenario, name)
  const reached = target === null ? null : isReached(target, results)
  const ratio = ours === null || theirs === null || theirs === 0 ? '' : `${figure(ours / theirs)}x`
  const verdict = reached === null ? '' : reached ? 'reached' : '**missed**'
  return `| ${FIGURES[name]} | ${spread(scenario, 'postfix', name, results)} | ${spread(scenario, 'postern', name, results)} | ${ratio} | ${target === null ? '' : formatTarget(target)} | ${verdict} |`
}

/** Median, and least to most where there are several. */
function spread(scenario: string, peer: PeerName, name: FigureName, results: readonly ScenarioResult[]): string {
  const samples = results.find((result) => result.scenario === scenario && result.peer === peer)?.samples ?? []
  const values = samples.map((sample) => sample[name]).filter((value) => value !== undefined)
  if (values.length === 0) return ''
  return values.length === 1 ? figure(median(values)) : `${figure(median(values))} (${figure(Math.min(...values))}-${figure(Math.max(...values))})`
}

function formatTarget(target: Target): string {
  const small = target.of === 'ratio' && target.value < 1
  const number = small ? `1/${figure(1 / target.value).replace(/\.?0+$/, '')}` : String(target.value)
  return `${target.bound} ${number}${target.of === 'ratio' ? ' of Postfix' : ''}`.replace(/(at least [\d.]+) of Postfix/, '$1x Postfix')
}

function formatVerdict(results: readonly ScenarioResult[]): string {
  const judged = TARGETS.map((target) => ({ target, reached: isReached(target, results) })).filter(({ reached }) => reached !== null)
  const missed = judged.filter(({ reached }) => reached === false).map(({ target }) => `${target.scenario} ${target.figure}`)
  if (judged.length === 0) return 'No target was measured.'
  return `Targets reached: ${judged.length - missed.length} of ${judged.length}${missed.length === 0 ? '.' : `; missed: ${missed.join(', ')}.`}`
}

/** Replaces what stands between the markers; the prose around it stays. */
export function writeDocument(path: string, report: string): void {
  const old = existsSync(path) ? readFileSync(path, 'utf8') : `# Performance\n\n${BEGIN}\n${END}\n`
  const begin = old.indexOf(BEGIN)
  const end = old.indexOf(END)
  if (begin === -1 || end < begin) throw new Error(`${path} has lost its markers ${BEGIN} and ${END}`)
  writeFileSync(path, `${old.slice(0, begin)}${BEGIN}\n\n${report}\n\n${old.slice(end)}`)
}
