/**
 * Finds a Node.js of version 24 or newer and runs things with it.
 *
 * Plain JavaScript with builtins only, because whatever Node the machine has (18 or newer) runs it.
 * Shared by the launcher `bin/postern.mjs` and by `scripts/with-node24.mjs`; it never installs anything.
 */
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants as osConstants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
export const NODE_MAJOR_MIN = 24

/** True if the Node that runs this is new enough. */
export function runningNodeIsNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false // Not there or not ours to run: both mean "look further".
  }
}

function majorOf(file) {
  const answer = spawnSync(file, ['--version'], { encoding: 'utf8', timeout: 10_000 })
  return Number(/^v(\d+)\./.exec(answer.stdout ?? '')?.[1] ?? 0)
}

/** Path of a Node >= 24: the running one, the project's own, or the first in PATH; null if there is none. */
export function findNode24() {
  if (runningNodeIsNewEnough()) return process.execPath
  const own = join(ROOT, 'node_modules', 'node', 'bin', 'node')
  if (isExecutable(own)) return own
  const inPath = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  return inPath.map((folder) => join(folder, 'node')).find((file) => isExecutable(file) && majorOf(file) >= NODE_MAJOR_MIN) ?? null
}

/**
 * Runs a script in this process, as if it had been started directly.
 *
 * Compiled code is cached inside `node_modules` only: a cache in a shared folder such as /tmp
 * would let other users plant code in it.
 */
export async function runHere(script, argv) {
  const cache = join(ROOT, 'node_modules')
  if (existsSync(cache) && process.env.NODE_COMPILE_CACHE === undefined) {
    createRequire(import.meta.url)('node:module').enableCompileCache?.(join(cache, '.cache', 'node'))
  }
  process.argv = [process.argv[0], script, ...argv]
  await import(pathToFileURL(script).href)
}

/**
 * Runs a command with our standard streams, passes signals on, and ends as it ended.
 *
 * SIGINT is passed on only without a terminal: with one, the kernel sends it to the command, too,
 * and a second one would mean "at once" to it.
 */
export function runChild(command, argv, env = process.env) {
  const child = spawn(command, argv, { stdio: 'inherit', env })
  const hasTerminal = process.stdin.isTTY === true || process.stdout.isTTY === true || process.stderr.isTTY === true
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGUSR2']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !hasTerminal) child.kill(signal)
    })
  }
  child.on('error', (error) => {
    console.error(`cannot run ${command}: ${error.message}`)
    process.exitCode = 127
  })
  child.on('exit', (code, signal) => {
    process.exit(signal === null ? code : 128 + (osConstants.signals[signal] ?? 0))
  })
}
