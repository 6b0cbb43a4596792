/**
 * The context of a command that was started from a shell: real streams, clock and signals.
 *
 * The only file of the CLI that touches the running program. A reader that goes away
 * (`postern queue list | head`) ends the command quietly instead of with a stack trace.
 */
import process from 'node:process'
import { createRealClock } from '../app/real-clock.ts'
import type { CliContext } from './context.ts'

const COLUMNS_DEFAULT = 80
const ROWS_DEFAULT = 24

/** A terminal that does not know its size (a serial console, some containers) says 0, and questions would put every letter on a line of its own. */
export function giveSize(terminal: { columns: number; rows: number }): void {
  terminal.columns ||= COLUMNS_DEFAULT
  terminal.rows ||= ROWS_DEFAULT
}

export function createRealContext(): CliContext {
  const { stdin, stdout, stderr, env } = process
  const gone = new AbortController()
  // NO_COLOR: any value but the empty one (no-color.org).
  const noColour = (env.NO_COLOR ?? '') !== '' || env.TERM === 'dumb'
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    gone.abort()
  })
  for (const stream of [stdout, stderr]) if (stream.isTTY === true) giveSize(stream)
  let listening = false
  return {
    stdin,
    stdout,
    stderr,
    env,
    cwd: process.cwd(),
    isTerminal: stdin.isTTY === true && stdout.isTTY === true,
    outputIsTerminal: stdout.isTTY === true,
    columns: stdout.isTTY === true ? stdout.columns : COLUMNS_DEFAULT,
    colour: stdout.isTTY === true && !noColour,
    clock: createRealClock(),
    // Listens only once somebody asks, so that Ctrl-C ends every other command at once as usual.
    get interrupted() {
      if (!listening) {
        listening = true
        process.once('SIGINT', () => gone.abort())
        process.once('SIGTERM', () => gone.abort())
      }
      return gone.signal
    },
    setExitCode: (code) => {
      process.exitCode = code
    },
  }
}
