#!/usr/bin/env node
/**
 * Starts `postern` under Node 24, whatever Node the machine has.
 *
 * In a clone it runs the TypeScript sources, in an installed package `dist/`. A running Node that is
 * new enough becomes Postern itself; an older one only starts the right one and passes signals on.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findNode24, NODE_MAJOR_MIN, ROOT, runChild, runHere, runningNodeIsNewEnough } from './node24.mjs'

const argv = process.argv.slice(2)
const source = join(ROOT, 'src', 'cli', 'main.ts')
const isClone = existsSync(source) && existsSync(join(ROOT, 'package-lock.json'))
if (isClone) {
  const { ensurePackages } = await import('../scripts/packages.mjs')
  ensurePackages()
}

const node = findNode24()
if (node === null) {
  console.error(`postern needs Node.js ${NODE_MAJOR_MIN} or newer; this is ${process.version} and PATH has no newer one.`)
  console.error('Install it (https://nodejs.org/en/download) or put its folder into PATH, then try again.')
  process.exitCode = 127
} else if (runningNodeIsNewEnough()) {
  await runHere(isClone ? source : join(ROOT, 'dist', 'cli', 'main.js'), argv)
} else {
  runChild(node, [...process.execArgv, fileURLToPath(import.meta.url), ...argv])
}
