/**
 * Content between DATA and the final dot: unstuffing what comes in, stuffing what goes out.
 *
 * Only CRLF.CRLF ends content (RFC 5321 §4.1.1.4, §4.5.2). A CR or LF that stands alone never counts as
 * a line end for a dot, coming in or going out: that difference between two readers is what SMTP
 * smuggling lives on. Clean content passes as views of the input, found so by one search.
 */
import { asBuffer } from './bytes.ts'
import { findNoteworthy } from './noteworthy.ts'

const LF = 0x0a
const CR = 0x0d
const DOT = 0x2e
const CRLF = Buffer.from('\r\n')
const EMPTY = Buffer.alloc(0)

export type DotFault = 'bare-line-end' | 'nul' | 'line-too-long' | 'too-large'
export interface DotDecoderOptions {
  readonly bareLineEnds: 'refuse' | 'normalize'
  /** One line, CRLF not counted. */
  readonly lineOctetsMax: number
  readonly contentOctetsMax: number
  /** Content, dots unstuffed; valid only during the call. Not called after a fault. */
  readonly onContent: (slice: Uint8Array) => void
}

/** What the next octet is measured against. */
type Place = 'line-start' | 'inside' | 'cr' | 'dot' | 'dot-cr'

/** Reads one message's content. After `ended` it takes nothing more. */
export class DotDecoder {
  readonly #options: DotDecoderOptions
  #place: Place = 'line-start'
  /** The CR that waits for its LF, or the line end before the dot, had a CR right before it. */
  #afterCr = false
  #lineOctets = 0
  #first: Buffer | null = null
  #more: Buffer[] | null = null
  #dropped = false
  /** Unstuffed octets, those after a fault included. */
  octets = 0
  /** The first one; from then on content is only read to its end. */
  fault: DotFault | null = null
  ended = false
  /**
   * The line end before the final dot followed a bare CR (`CR CR LF . CR LF`): some readers do not
   * see an end there, so nothing that follows may be trusted to be a command.
   */
  doubtfulEnd = false
  /** Sent on, something may have to be changed in it: a line came with a dot in front, or a line end was made. */
  dotted = false
  /** A line of content was completed since this was last set to false. */
  lineEnded = false

  constructor(options: DotDecoderOptions) {
    this.#options = options
  }

  /** Gives up the content by the caller's wish: no more `onContent`. */
  drop(): void {
    this.#first = null
    this.#more = null
    this.#dropped = true
  }

  /** Reads from `at`; answers the index behind the final dot's CRLF, or the chunk's length. */
  decode(bytes: Uint8Array, at: number): number {
    const chunk = asBuffer(bytes)
    let i = at
    while (i < chunk.length && !this.ended) {
      i = this.#place === 'inside' ? this.#decodeInside(chunk, at, i) : this.#step(chunk[i] ?? 0, i)
    }
    this.#flush()
    return i
  }

  /** One octet where its neighbours matter; answers the index of the next one to read. */
  #step(octet: number, i: number): number {
    switch (this.#place) {
      case 'line-start':
        this.#place = octet === DOT ? 'dot' : 'inside'
        return octet === DOT ? i + 1 : i
      case 'dot':
        this.#place = octet === CR ? 'dot-cr' : 'inside'
        this.dotted ||= octet !== CR
        return octet === CR ? i + 1 : i
      case 'dot-cr':
        this.dotted ||= octet !== LF
        if (octet !== LF) return this.#bareCr(octet, i)
        this.ended = true
        this.doubtfulEnd = this.#afterCr
        return i + 1
      case 'cr':
        if (octet !== LF) return this.#bareCr(octet, i)
        this.#emit(CRLF)
        this.#lineOctets = 0
        this.#place = 'line-start'
        this.lineEnded = true
        return i + 1
      case 'inside':
        return i
    }
  }

  /** The CR that waited stands alone. */
  #bareCr(octet: number, i: number): number {
    this.#bareLineEnd()
    this.#afterCr = octet === CR
    this.#place = octet === CR ? 'cr' : 'inside'
    return octet === CR ? i + 1 : i
  }

  /** Takes everything up to the next place that needs `#step`. Content begins at `base` in this chunk. */
  #decodeInside(chunk: Buffer, base: number, from: number): number {
    let start = from
    for (;;) {
      const hit = findNoteworthy(chunk, start)
      if (hit === -1) return this.#takeRest(chunk, base, start)
      const last = chunk[hit - 1]
      if (last === DOT) {
        this.#take(chunk, start, hit - 1)
        this.#afterCr = hit - 4 >= base && chunk[hit - 4] === CR
        this.#place = 'dot'
        return hit
      }
      this.#take(chunk, start, hit - 1)
      start = hit
      if (last === CR && hit === chunk.length) {
        this.#afterCr = hit - 2 >= base && chunk[hit - 2] === CR
        this.#place = 'cr'
        return hit
      }
      if (last === 0) this.#fail('nul')
      else this.#bareLineEnd()
    }
  }

  #takeRest(chunk: Buffer, base: number, start: number): number {
    const end = chunk.length
    this.#take(chunk, start, end)
    if (end > start && chunk[end - 1] === LF) {
      this.#afterCr = end - 3 >= base && chunk[end - 3] === CR
      this.#place = 'line-start'
    }
    return end
  }

  #take(chunk: Buffer, from: number, to: number): void {
    if (to <= from) return
    this.#measureLines(chunk, from, to)
    this.#emit(chunk.subarray(from, to))
  }

  /** Leaps from line end to line end by the limit, backwards: a few searches whatever the line length. */
  #measureLines(chunk: Buffer, from: number, to: number): void {
    let start = from
    let room = this.#options.lineOctetsMax - this.#lineOctets
    while (to - start > room) {
      const lf = chunk.lastIndexOf(LF, Math.min(start + room + 1, to - 1))
      if (lf < start) {
        this.#fail('line-too-long')
        break
      }
      this.lineEnded = true
      start = lf + 1
      room = this.#options.lineOctetsMax
      this.#lineOctets = 0
    }
    const lf = chunk.lastIndexOf(LF, to - 1)
    if (lf < start) this.#lineOctets += to - start
    else {
      this.lineEnded = true
      this.#lineOctets = to - lf - 1
    }
  }

  #bareLineEnd(): void {
    if (this.#options.bareLineEnds === 'refuse') this.#fail('bare-line-end')
    // A dot behind it was none that begins a line; now it is.
    this.dotted = true
    this.#lineOctets = 0
    this.lineEnded = true
    this.#emit(CRLF)
  }

  #fail(fault: DotFault): void {
    this.fault ??= fault
    this.drop()
  }

  #emit(slice: Buffer): void {
    this.octets += slice.length
    if (this.octets > this.#options.contentOctetsMax) this.#fail('too-large')
    if (this.#dropped) return
    if (this.#first === null) this.#first = slice
    else if (this.#more === null) this.#more = [slice]
    else this.#more.push(slice)
  }

  /** One call a chunk: a copy is made only where dots or line ends were changed in it. */
  #flush(): void {
    const first = this.#first
    if (first === null) return
    const slice = this.#more === null ? first : Buffer.concat([first, ...this.#more])
    this.#first = null
    this.#more = null
    this.#options.onContent(slice)
  }
}

/** Octet 0 in content that was to be sent: no peer without BINARYMIME may get it (RFC 3030 §3). */
export class NulInContent extends Error {
  constructor() {
    super('content holds NUL, which cannot be sent')
    this.name = 'NulInContent'
  }
}

/** Writes one message's content. Bare line ends become CRLF, so that none is ever sent. */
export class DotEncoder {
  #atLineStart = true
  #heldCr = false

  /** The stuffed octets: the input itself where nothing had to change. Throws NulInContent. */
  encode(bytes: Uint8Array): Uint8Array {
    const chunk = asBuffer(bytes)
    if (chunk.length === 0) return chunk
    const untouched = !this.#heldCr && !(this.#atLineStart && chunk[0] === DOT) && findNoteworthy(chunk, 0) === -1
    if (!untouched) return this.#rewrite(chunk.toString('latin1'))
    this.#atLineStart = chunk[chunk.length - 1] === LF
    return chunk
  }

  /** The same for octets of which a decoder of ours has seen that nothing has to change: the input itself. */
  pass(bytes: Uint8Array): Uint8Array {
    if (this.#heldCr) return this.encode(bytes)
    if (bytes.length > 0) this.#atLineStart = bytes[bytes.length - 1] === LF
    return bytes
  }

  /** The end of content: a CRLF if it lacks one, and the final dot. */
  end(): string {
    const open = !this.#atLineStart || this.#heldCr
    this.#atLineStart = true
    this.#heldCr = false
    return open ? '\r\n.\r\n' : '.\r\n'
  }

  /** A CR at the end waits for the next octets: it may be half of a CRLF. */
  #rewrite(text: string): Uint8Array {
    if (text.includes('\0')) throw new NulInContent()
    let input = this.#heldCr ? `\r${text}` : text
    this.#heldCr = input.endsWith('\r')
    if (this.#heldCr) input = input.slice(0, -1)
    if (input === '') return EMPTY
    const stuffed = input.replace(/(?:\r\n|\r|\n)\.?/g, (end) => (end.endsWith('.') ? '\r\n..' : '\r\n'))
    const output = this.#atLineStart && stuffed.startsWith('.') ? `.${stuffed}` : stuffed
    this.#atLineStart = output.endsWith('\n')
    return Buffer.from(output, 'latin1')
  }
}
