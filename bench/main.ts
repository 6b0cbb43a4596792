/**
 * `npm run bench`: Postern beside Debian's Postfix, in one run: the same source, the same kind of sink, the same disk, turn by turn.
 *
 * What is equal and what is not: docs/performance.md, whose table this program writes.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeMachine } from './machine.ts'
import { enterNamespace, isInside, isRoot } from './namespace.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import type { Peer } from './peer.ts'
import { postern, ROOT } from './postern-peer.ts'
import { postfix } from './postfix-peer.ts'
import { measureBacklog, measureDeadRelay, measureDotReply } from './queueing.ts'
import { measureRelaying, RELAY_SCENARIOS } from './relaying.ts'
import { formatReport, writeDocument } from './report.ts'
import type { ScenarioResult } from './sample.ts'
import { measureSites, measureStuckSites } from './sites.ts'
import { medianOf } from './targets.ts'

async function measure(options: Options): Promise<readonly ScenarioResult[]> {
  const peers = [postfix, postern].filter((peer) => options.peers.includes(peer.name))
  const results: ScenarioResult[] = []
  for (const scenario of options.scenarios) {
    console.error(`${scenario} ...`)
    results.push(...(await measureScenario(scenario, peers, options, results)))
  }
  return results
}

async function measureScenario(name: string, peers: readonly Peer[], options: Options, before: readonly ScenarioResult[]): Promise<readonly ScenarioResult[]> {
  const relaying = RELAY_SCENARIOS.find((scenario) => scenario.name === name)
  if (relaying !== undefined) return measureRelaying(relaying, peers, options)
  if (name === 'dead-relay') return measureDeadRelay(peers, options)
  if (name === 'dot-reply') return measureDotReply(peers, options)
  if (name === 'sites') return measureSites(peers, options)
  if (name === 'sites-stuck') return measureStuckSites(peers, options)
  const results: ScenarioResult[] = []
  for (const peer of peers) results.push(await measureBacklog(peer, options, medianOf(before, '4k/10/keep', peer.name, 'relayedPerS')))
  return results
}

/** What has to be there before: Postfix, and `dist/`. False: it could not be had, and why was said. */
function prepare(options: Options): boolean {
  if (!isRoot()) {
    console.error('npm run bench needs root: Postfix starts only as root, and the measurement runs in a network namespace of its own.')
    return false
  }
  const packages = ['scripts/install-system-packages.sh', '--only', 'postfix', 'iproute2', 'procps', 'unbound']
  if (spawnSync('bash', packages, { cwd: ROOT, stdio: ['ignore', 2, 2] }).status !== 0) return false
  if (!options.build || !options.peers.includes('postern')) return true
  return spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT, stdio: ['ignore', 2, 2] }).status === 0
}

function finish(results: readonly ScenarioResult[], options: Options): void {
  const heading = `Measured on ${new Date().toISOString().slice(0, 10)}: ${describeMachine(options.folder)}. Medians${options.repeats > 1 ? ', least and most in brackets' : ''}.`
  const report = formatReport(results, heading)
  console.log(`\n${report}`)
  if (options.jsonFile !== null) writeFileSync(options.jsonFile, `${JSON.stringify({ heading, results }, null, 2)}\n`)
  if (options.writeDocument) writeDocument(join(ROOT, 'docs', 'performance.md'), report)
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (options === null) {
    console.log(HELP)
    return 0
  }
  if (!isInside()) return prepare(options) ? enterNamespace(fileURLToPath(import.meta.url), argv) : 1
  mkdirSync(options.folder, { recursive: true })
  finish(await measure(options), options)
  if (!options.keep) rmSync(options.folder, { recursive: true, force: true })
  return 0
}

try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
}
