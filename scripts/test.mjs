/**
 * `npm test`: formatting and lint rules, types, then every test that needs nothing but the clone.
 *
 * Arguments go to vitest: `npm test -- test/core -t 'jitter'`.
 */
import { join } from 'node:path'
import { findNode24, ROOT } from '../bin/node24.mjs'
import { runSteps } from './steps.mjs'

const node = findNode24()
const modules = join(ROOT, 'node_modules')
const failed = runSteps([
  ['lint (biome)', join(modules, '.bin', 'biome'), ['check', '--error-on-warnings', '--max-diagnostics=50', '.']],
  ['types (tsc)', join(modules, '.bin', 'tsc'), ['-p', 'tsconfig.json']],
  ['tests (vitest)', node, [join(modules, 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]],
])
process.exitCode = failed.length === 0 ? 0 : 1
