/**
 * Where log lines go: gathered here, then handed to pino's writer in large pieces.
 *
 * The writer measures all it holds at each line, which costs more than the line; here a line is one
 * push. Lines reach the file after a quarter of a second, or when there is a lot, or at `flush`.
 */
import { closeSync, openSync } from 'node:fs'
import pino from 'pino'
import type { CancelTimer, Clock } from '../core/clock.ts'
import { SettingsError } from './settings-error.ts'

export interface LogDestination {
  /** One line with its line end. */
  write(line: string): void
  /** After logrotate moved the file away. Answers why that cannot be, and then goes on with the file that is open; null: done. */
  reopen(): string | null
  /** Everything is written when it returns. */
  flush(): void
}

const FILE_MODE = 0o640
const FLUSH_LENGTH = 48 * 1024
const WRITE_OCTETS_MAX = 1024 * 1024
const FLUSH_INTERVAL_MS = 250
/** A disk that takes no more log costs log lines, never memory or mail. */
const WAITING_LENGTH_MAX = 16 * 1024 * 1024

/** `file` null: standard output. Throws `SettingsError` if it cannot be opened. */
export function openLogDestination(file: string | null, clock: Clock): LogDestination {
  const target = pino.destination({
    dest: file === null ? 1 : openFile(file),
    sync: false,
    minLength: 0,
    maxLength: WAITING_LENGTH_MAX,
    maxWrite: WRITE_OCTETS_MAX,
    mode: FILE_MODE,
  })
  // The writer was given an open file; to reopen it has to know the name.
  if (file !== null) Object.assign(target, { file })
  target.on('error', () => {
    // A full log disk must not end the process; the writer tries again with the next piece.
  })
  let lines: string[] = []
  let length = 0
  let cancel: CancelTimer | null = null

  const handOver = (): void => {
    cancel?.()
    cancel = null
    if (lines.length === 0) return
    const piece = lines.join('')
    lines = []
    length = 0
    target.write(piece)
  }
  return {
    write(line) {
      lines.push(line)
      length += line.length
      if (length >= FLUSH_LENGTH) handOver()
      else cancel ??= clock.after(FLUSH_INTERVAL_MS, handOver)
    },
    reopen() {
      handOver()
      if (file === null) return null
      try {
        // Root was given up: where it could make the file, its user perhaps cannot.
        closeSync(openFile(file))
      } catch (fault) {
        return (fault as Error).message
      }
      target.reopen()
      return null
    },
    flush() {
      handOver()
      target.flushSync()
    },
  }
}

/** Opened at once: a writer that opens it by itself is not ready for a while, and throws if the server ends meanwhile. */
function openFile(path: string): number {
  try {
    return openSync(path, 'a', FILE_MODE)
  } catch (error) {
    throw new SettingsError(`the log file ${path} cannot be opened: ${(error as Error).message}`)
  }
}
