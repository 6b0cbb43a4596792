/**
 * Where log lines go: gathered here, then handed to pino's writer in large pieces.
 *
 * The writer measures all it holds at each line, which costs more than the line; here a line is one
 * push. Lines reach the file after a quarter of a second, or when there is a lot, or at `flush`.
 */
import pino from 'pino'

export interface LogDestination {
  /** One line with its line end. */
  write(line: string): void
  /** After logrotate moved the file away. */
  reopen(): void
  /** Everything is written when it returns. */
  flush(): void
}

const FLUSH_LENGTH = 48 * 1024
const WRITE_OCTETS_MAX = 1024 * 1024
const FLUSH_INTERVAL_MS = 250
/** A disk that takes no more log costs log lines, never memory or mail. */
const WAITING_LENGTH_MAX = 16 * 1024 * 1024

/** `file` null: standard output. */
export function openLogDestination(file: string | null): LogDestination {
  const target = pino.destination({ dest: file ?? 1, sync: false, minLength: 0, maxLength: WAITING_LENGTH_MAX, maxWrite: WRITE_OCTETS_MAX, mode: 0o640 })
  target.on('error', () => {
    // A full log disk must not end the process; the writer tries again with the next piece.
  })
  let lines: string[] = []
  let length = 0
  let timer: NodeJS.Timeout | null = null

  const handOver = (): void => {
    if (timer !== null) clearTimeout(timer)
    timer = null
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
      else timer ??= setTimeout(handOver, FLUSH_INTERVAL_MS)
    },
    reopen() {
      handOver()
      if (file !== null) target.reopen()
    },
    flush() {
      handOver()
      target.flushSync()
    },
  }
}
