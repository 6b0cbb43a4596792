/**
 * Cuts octets into lines that end in CRLF, whatever way they arrive, within limits.
 *
 * Keeps at most `limit` octets of an unfinished line; of a longer one it drops what comes, up to
 * `SKIP_OCTETS_MAX`, so that nobody makes us read for ever (RFC 5321 §4.5.3.1). A bare LF ends
 * nothing silently: it is reported, and what it means is the caller's decision.
 */
const LF = 0x0a
const CR = 0x0d
const FIRST_HOLD_OCTETS = 256

/** Octets of one over-long line that are read and dropped before we give up on the peer. */
export const SKIP_OCTETS_MAX = 65_536

/**
 * line: `line` holds it, without CRLF; partial: the chunk is used up; too-long: a whole line over the
 * limit was skipped; endless: `SKIP_OCTETS_MAX` passed without an end; bare-lf: LF without CR.
 */
export type LineEvent = 'line' | 'partial' | 'too-long' | 'endless' | 'bare-lf'

const NO_OCTETS = Buffer.alloc(0)

export class LineReader {
  readonly #limit: number
  #held: Buffer = NO_OCTETS
  #heldOctets = 0
  #skipped = 0
  /** The last line; a view of the chunk or of our own memory, valid until the next call. */
  line: Buffer = NO_OCTETS
  /** Where the next octet to read is, in the chunk last given. */
  next = 0

  /** `limit` in octets, CRLF not counted. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** True if a line has begun and not ended. */
  get unfinished(): boolean {
    return this.#heldOctets > 0 || this.#skipped > 0
  }

  /** Reads on at `at`; `next` says how far it came. */
  read(chunk: Buffer, at: number): LineEvent {
    const lf = chunk.indexOf(LF, at)
    if (lf === -1) return this.#hold(chunk, at)
    this.next = lf + 1
    if (this.#skipped > 0) {
      this.#skipped = 0
      return 'too-long'
    }
    const line = this.#heldOctets === 0 ? chunk.subarray(at, lf) : this.#join(chunk, at, lf)
    if (line.length === 0 || line[line.length - 1] !== CR) return 'bare-lf'
    if (line.length - 1 > this.#limit) return 'too-long'
    this.line = line.subarray(0, line.length - 1)
    return 'line'
  }

  #hold(chunk: Buffer, at: number): LineEvent {
    this.next = chunk.length
    const fresh = chunk.length - at
    const total = this.#heldOctets + fresh
    if (this.#skipped > 0 || total > this.#limit + 1) {
      this.#skipped += total
      this.#heldOctets = 0
      return this.#skipped > SKIP_OCTETS_MAX ? 'endless' : 'partial'
    }
    this.#reserve(total)
    chunk.copy(this.#held, this.#heldOctets, at)
    this.#heldOctets = total
    return 'partial'
  }

  #join(chunk: Buffer, at: number, end: number): Buffer {
    const total = this.#heldOctets + end - at
    const joined = Buffer.allocUnsafe(total)
    this.#held.copy(joined, 0, 0, this.#heldOctets)
    chunk.copy(joined, this.#heldOctets, at, end)
    this.#heldOctets = 0
    return joined
  }

  /** Doubles, so that a line that comes octet by octet costs linear time. */
  #reserve(octets: number): void {
    if (this.#held.length >= octets) return
    const grown = Buffer.allocUnsafe(Math.max(octets, this.#held.length * 2, FIRST_HOLD_OCTETS))
    this.#held.copy(grown, 0, 0, this.#heldOctets)
    this.#held = grown
  }
}
