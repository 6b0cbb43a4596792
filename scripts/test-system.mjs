/**
 * `npm run test:system`: the tests against real peers, then the bars in their quick mode.
 *
 * Installs the Debian packages first. `--no-bars` leaves the bars out, `--no-install` the packages;
 * other arguments go to vitest.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { findNode24, ROOT } from '../bin/node24.mjs'
import { runSteps } from './steps.mjs'

const own = new Set(['--no-bars', '--no-install'])
const argv = process.argv.slice(2)
const rest = argv.filter((argument) => !own.has(argument))
const node = findNode24()

const vitest = [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', '--config', 'vitest.system.config.ts', ...rest]
const steps = [['system tests (vitest)', node, vitest]]
if (!argv.includes('--no-install')) steps.unshift(['Debian packages', 'bash', ['scripts/install-system-packages.sh']])
if (!argv.includes('--no-bars') && existsSync(join(ROOT, 'test', 'bars'))) steps.push(['bars, quick mode', node, ['scripts/test-bars.mjs', '--quick']])
process.exitCode = runSteps(steps).length === 0 ? 0 : 1
