/**
 * What a server under test wrote of its attempts.
 */
import { readFileSync } from 'node:fs'
import { completeLines } from './log-lines.ts'
import type { PosternProcess } from './server.ts'

export interface LoggedAttempt {
  readonly to: string
  readonly attempt: number
  readonly outcome: string
  readonly status: string
  readonly text: string
}

export function readAttempts(server: Pick<PosternProcess, 'logPath'>): readonly LoggedAttempt[] {
  return completeLines(readFileSync(server.logPath, 'utf8')).flatMap((line) => {
    if (!line.includes('"attempt":')) return []
    const { to, attempt, status, dsn, reply } = JSON.parse(line) as { to: string; attempt: number; status: string; dsn: string; reply: string }
    return [{ to, attempt, outcome: status, status: dsn, text: reply }]
  })
}
