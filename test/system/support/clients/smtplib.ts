/**
 * Python's smtplib, one process for all cases.
 */
import { join } from 'node:path'
import { type GridClient, readAnswers, writeCaseTable } from './cases.ts'
import { runProgram } from './run-program.ts'

const SCRIPT = join(import.meta.dirname, 'send_all.py')

export const smtplib: GridClient = {
  name: 'smtplib',
  notAble: {},
  async send(cases, target) {
    const table = writeCaseTable(cases, target, 'smtplib')
    const end = await runProgram(['python3', SCRIPT, table, target.username, target.password, target.caPath], { limitMs: 100_000 })
    if (end.code !== 0) throw new Error(`send_all.py ended with ${end.code}: ${end.errors}`)
    return readAnswers(end.output)
  },
}
