/**
 * Runs a command of the project with everything it needs: `node scripts/with-node24.mjs COMMAND [ARGUMENT ...]`.
 *
 * Installs the packages first if they do not match the lockfile, then runs COMMAND with the
 * project's Node 24 and its tools in front of PATH. A COMMAND that is a .mjs or .ts file of the
 * project is run by Node 24, in this very process where that is already one.
 */
import { delimiter, dirname, join, resolve } from 'node:path'
import { findNode24, ROOT, runChild, runHere, runningNodeIsNewEnough } from '../bin/node24.mjs'
import { ensurePackages } from './packages.mjs'

const [command, ...argv] = process.argv.slice(2)
if (command === undefined) {
  console.error('usage: node scripts/with-node24.mjs COMMAND [ARGUMENT ...]')
  process.exit(2)
}
ensurePackages()
const node = findNode24()
process.env.PATH = [join(ROOT, 'node_modules', '.bin'), dirname(node), process.env.PATH].join(delimiter)

if (!/\.(mjs|ts)$/.test(command)) runChild(command, argv)
else if (runningNodeIsNewEnough()) await runHere(resolve(ROOT, command), argv)
else runChild(node, [resolve(ROOT, command), ...argv])
