/**
 * `npm run test:bars`: runs the pass bars of test/bars one after the other.
 *
 * A bar is a file `rNN-name.ts` that prints its figures in one line and exits 0 (passed), 77 (cannot
 * run on this machine; it says why) or anything else (missed). `--quick` (the default) or `--full` is passed
 * on; words pick bars by part of their name: `npm run test:bars -- --full kill`.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { findNode24, ROOT } from '../bin/node24.mjs'

const EXIT_SKIPPED = 77
const argv = process.argv.slice(2)
const flags = argv.filter((argument) => argument.startsWith('-'))
const words = argv.filter((argument) => !argument.startsWith('-'))
const mode = flags.includes('--full') ? '--full' : '--quick'
const folder = join(ROOT, 'test', 'bars')

const files = readdirSync(folder)
  .filter((name) => /^r\d\d-[a-z0-9-]+\.ts$/.test(name))
  .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
  .sort()
const results = files.map((name) => {
  console.log(`\n== ${name.slice(0, -3)} ${mode}`)
  const startedAt = Date.now()
  const ended = spawnSync(findNode24(), [join(folder, name), mode, ...flags.filter((flag) => flag !== '--quick' && flag !== '--full')], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const word = ended.status === 0 ? 'passed' : ended.status === EXIT_SKIPPED ? 'skipped' : 'MISSED'
  return { name: name.slice(0, -3), word, seconds: (Date.now() - startedAt) / 1000 }
})

console.log('')
for (const { name, word, seconds } of results) console.log(`${word.padEnd(8)} ${name} (${seconds.toFixed(0)} s)`)
const count = (word) => results.filter((result) => result.word === word).length
console.log(`bars: ${count('passed')} passed, ${count('MISSED')} missed, ${count('skipped')} skipped of ${results.length}`)
process.exitCode = count('MISSED') === 0 && results.length > 0 ? 0 : 1
