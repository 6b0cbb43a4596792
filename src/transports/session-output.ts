/**
 * What a session is about to write: gathered during a turn, written once at its end.
 *
 * One write for the final dot, the next envelope and everything else the engine says between two
 * reads is a third of a message's CPU. Small pieces are copied together, because a copy of 4 KB is
 * cheaper than a gathered write; large ones go out as they are.
 */
import type { Connection } from '../ports/network.ts'

/** Up to this many octets in all are copied into one piece. */
const COPY_OCTETS_MAX = 32 * 1024

export class SessionOutput {
  #connection: Connection | null = null
  #pieces: Uint8Array[] = []
  #octets = 0
  #depth = 0
  #congested = false
  #waiting: (() => void) | null = null
  /** How often the peer took everything again: progress while content is being sent. */
  drains = 0

  attach(connection: Connection): void {
    this.#connection = connection
  }

  get connection(): Connection | null {
    return this.#connection
  }

  /** The bytes are ours from then on. */
  add(bytes: Uint8Array): void {
    this.#pieces.push(bytes)
    this.#octets += bytes.byteLength
    if (this.#depth === 0) this.#flush()
  }

  /** Everything has left: no memory that was added is read any more. */
  get idle(): boolean {
    return this.#octets === 0 && this.#connection?.idle === true
  }

  /** Turns nest; the outermost writes. */
  enter(): void {
    this.#depth++
  }
  leave(): void {
    this.#depth--
    if (this.#depth === 0 && this.#octets > 0) this.#flush()
  }

  /** What is said inside leaves together. */
  turn(act: () => void): void {
    this.enter()
    try {
      act()
    } finally {
      this.leave()
    }
  }

  /** Calls back once the peer has taken what was written, or the session has ended; at once if there is nothing to wait for. */
  whenWritable(resume: () => void): void {
    if (this.#congested) this.#waiting = resume
    else resume()
  }

  drained(): void {
    this.drains++
    this.#resume()
  }

  /** Our side is over; the peer's may still say something. */
  end(): void {
    this.#connection?.end()
  }

  /** What was gathered still goes out, so that a QUIT is seen; then the connection is gone. */
  close(): void {
    if (this.#octets > 0) this.#flush()
    this.#connection?.destroy()
    this.#connection = null
    this.#resume()
  }

  #resume(): void {
    const resume = this.#waiting
    this.#congested = false
    this.#waiting = null
    resume?.()
  }

  #flush(): void {
    const pieces = this.#pieces
    const octets = this.#octets
    const connection = this.#connection
    this.#pieces = []
    this.#octets = 0
    const [only] = pieces
    if (connection === null || only === undefined) return
    let taken = true
    if (pieces.length === 1) taken = connection.write(only)
    else if (octets <= COPY_OCTETS_MAX) taken = connection.write(Buffer.concat(pieces, octets))
    else {
      connection.batch(() => {
        for (const piece of pieces) taken = connection.write(piece)
      })
    }
    if (!taken) this.#congested = true
  }
}
