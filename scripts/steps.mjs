/**
 * Runs the steps of a check one after the other and tells at the end which passed.
 *
 * A failed step does not stop the others: whoever broke two things wants to hear of both.
 */
import { spawnSync } from 'node:child_process'
import { ROOT } from '../bin/node24.mjs'

/** Runs `[name, command, arguments]` steps; returns the names of those that failed, after printing a line for each. */
export function runSteps(steps) {
  const results = steps.map(([name, command, argv]) => {
    console.log(`\n== ${name}`)
    const startedAt = Date.now()
    const ended = spawnSync(command, argv, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
    const passed = ended.status === 0
    return { name, passed, seconds: (Date.now() - startedAt) / 1000, why: ended.error?.message ?? ended.signal ?? `exit status ${ended.status}` }
  })
  console.log('')
  for (const { name, passed, seconds, why } of results)
    console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)${passed ? '' : `: ${why}`}`)
  return results.filter((result) => !result.passed).map((result) => result.name)
}
