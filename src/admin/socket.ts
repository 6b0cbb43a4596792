/**
 * The Unix socket of the admin API as a file: may it be made here, and is an old one dead?
 *
 * A socket file outlives a server that was killed. It is removed only if nobody answers on it, so
 * that a second start never takes the socket from a running server. Anything that is no socket is
 * left alone.
 */
import { lstat, mkdir, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/** `sun_path` has 108 octets on Linux, one of them for the end (unix(7)). */
export const SOCKET_PATH_MAX_OCTETS = 107
const FOLDER_MODE = 0o700
const ANSWER_MS = 1000

/** What an operator reads when the socket cannot be made. */
export class SocketError extends Error {
  readonly hint: string
  constructor(message: string, hint: string) {
    super(message)
    this.name = 'SocketError'
    this.hint = hint
  }
}

/** Makes the folder if it is missing and removes a dead socket. Throws `SocketError` if the path cannot be used. */
export async function clearSocketPath(path: string): Promise<void> {
  const octets = Buffer.byteLength(path)
  if (octets > SOCKET_PATH_MAX_OCTETS) {
    throw new SocketError(
      `the path of the admin socket has ${octets} octets; the system takes at most ${SOCKET_PATH_MAX_OCTETS}: ${path}`,
      'Set a shorter path for the admin socket in the configuration.',
    )
  }
  await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE })
  const found = await lstat(path).catch(absentOrThrow)
  if (found === null) return
  if (!found.isSocket())
    throw new SocketError(`${path} is there already and is no socket`, 'Remove that file, or set another path for the admin socket in the configuration.')
  if (await somebodyAnswers(path))
    throw new SocketError(`another server answers on ${path}`, 'Stop it first, or give this one an admin socket and a data folder of its own.')
  await unlink(path).catch(absentOrThrow)
}

function absentOrThrow(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}

/** Silence counts as an answer: a server that is busy must not lose its socket. */
function somebodyAnswers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const settle = (answers: boolean): void => {
      socket.destroy()
      resolve(answers)
    }
    socket.setTimeout(ANSWER_MS, () => settle(true))
    socket.once('connect', () => settle(true))
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'))
  })
}
