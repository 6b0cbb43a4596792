/**
 * `npm run build`: makes `dist/` from `src/` with tsc. An old `dist/` is removed first, so that no file of a
 * source that is gone stays in the package.
 */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../bin/node24.mjs'

rmSync(join(ROOT, 'dist'), { recursive: true, force: true })
const ended = spawnSync(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
process.exitCode = ended.status ?? 1
