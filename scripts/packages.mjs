/**
 * Makes `node_modules` match `package-lock.json`, so that every npm script works in a fresh clone.
 *
 * Plain JavaScript with builtins only: it runs before anything is installed. It writes to standard
 * error alone, because a command's own output may be read by a program.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findNode24, ROOT } from '../bin/node24.mjs'

const MODULES = join(ROOT, 'node_modules')
const STAMP = join(MODULES, '.postern-installed')

/** Installs what is missing. Ends the program with status 1 and a sentence if that fails. */
export function ensurePackages() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'), 'utf8')
  const wanted = `${createHash('sha256').update(lock).digest('hex')} ${process.platform}-${process.arch}\n`
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted && findNode24() !== null) return
  if (!alreadyInstalled(JSON.parse(lock))) install()
  linkCommand()
  writeFileSync(STAMP, wanted)
}

/** Somebody may have run `npm ci` by hand: npm leaves a list of what it installed. */
function alreadyInstalled(lock) {
  const hidden = join(MODULES, '.package-lock.json')
  if (!existsSync(hidden) || findNode24() === null) return false
  const installed = JSON.parse(readFileSync(hidden, 'utf8')).packages
  return Object.entries(lock.packages).every(
    ([path, entry]) => path === '' || (installed[path] === undefined ? entry.optional === true : installed[path].version === entry.version),
  )
}

function install() {
  console.error('Installing the packages of package-lock.json (once; it needs the npm registry) ...')
  const npmArgv = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']
  const npm = process.env.npm_execpath
  const [command, argv] = npm?.endsWith('.js') ? [process.execPath, [npm, ...npmArgv]] : ['npm', npmArgv]
  const ended = spawnSync(command, argv, { cwd: ROOT, stdio: ['ignore', 2, 2] })
  if (ended.error !== undefined) fail(`npm could not be run: ${ended.error.message}`)
  if (ended.status !== 0) {
    fail('npm ci failed, see above. Without network or behind a proxy: check `npm config get registry` and `npm config get proxy`, then try again.')
  }
  if (findNode24() === null) {
    fail('npm ci did not bring Node 24. Were install scripts switched off (`npm config get ignore-scripts`)? A Node 24 in PATH works as well.')
  }
}

/** `npx postern` finds the command of the clone at once, instead of installing the clone into npx's cache. */
function linkCommand() {
  const link = join(MODULES, '.bin', 'postern')
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return
  mkdirSync(join(MODULES, '.bin'), { recursive: true })
  symlinkSync(join('..', '..', 'bin', 'postern.mjs'), link)
}

function fail(sentence) {
  console.error(`\npostern: ${sentence}`)
  process.exit(1)
}
