/**
 * A folder of its own for one test, removed when the test has finished.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

export function makeTempFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'postern-test-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}
