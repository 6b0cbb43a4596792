/**
 * Relaxed canonicalization of DKIM: header fields as text, the body as a stream into SHA-256.
 *
 * RFC 6376 §3.4.2 (header), §3.4.4 (body). Octets come in pieces of any size, cut anywhere; memory
 * is a few flags. Most content is relaxed already: that is found out by searching for what is not,
 * and then hashed as it lies there. What is signed is `dkim-fields.ts`.
 */
import { createHash } from 'node:crypto'

const TAB = 9
const LF = 10
const CR = 13
const SPACE = 32
const LINE_ENDS = Buffer.from('\r\n'.repeat(512))

/** `name:value` with its line end; `value` may be folded and is one character per octet, as is the result. */
export function relaxField(name: string, value: string): string {
  return `${name}:${relaxValue(value)}\r\n`
}

const UNRELAXED = /\r\n|[ \t]{2}|\t/

/** Unfolded, each run of blanks one space, none at either end. Other white space is left alone: it is not WSP. */
export function relaxValue(value: string): string {
  const lines = UNRELAXED.test(value) ? value.replaceAll('\r\n', '').replace(/[ \t]+/g, ' ') : value
  return lines.slice(lines.startsWith(' ') ? 1 : 0, lines.length > 1 && lines.endsWith(' ') ? -1 : undefined)
}

/** SHA-256 over a relaxed body. */
export class RelaxedBodyHash {
  readonly #hash = createHash('sha256')
  /** Nothing but blank lines so far. */
  #blank = true
  /** Held back until it is known that they are not the last: line ends, then a run of blanks, then a CR. */
  #lineEnds = 0
  #space = false
  #cr = false

  push(bytes: Uint8Array): void {
    const octets = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const from = this.#holdMargin(octets, 0)
    if (from === octets.length) return
    let to = octets.length
    while (isMargin(octets[to - 1])) to--
    this.#release()
    const text = octets.subarray(from, to)
    this.#hash.update(isRelaxed(text) ? text : relaxText(text))
    this.#holdMargin(octets, to)
  }

  /** In base64. To be asked once, at the end. */
  digest(): string {
    if (this.#cr) this.#release()
    // Blank lines at the end do not count; a body of nothing else is empty.
    if (!this.#blank) this.#hash.update('\r\n')
    return this.#hash.digest('base64')
  }

  /** Takes blanks and line ends from `at` on; the index of the first other octet. */
  #holdMargin(octets: Buffer, at: number): number {
    let i = at
    for (; i < octets.length; i++) {
      const octet = octets[i]
      if (octet === LF && this.#cr) {
        this.#lineEnds++
        this.#space = false
        this.#cr = false
        continue
      }
      // A CR that ends no line is text like any other, and so is a bare LF.
      if (this.#cr && isMargin(octet)) this.#release()
      if (octet === CR) this.#cr = true
      else if (octet === SPACE || octet === TAB) this.#space = true
      else if (octet === LF) {
        this.#release()
        this.#hash.update('\n')
      } else break
    }
    return i
  }

  /** More text has come: what was held back counts. */
  #release(): void {
    for (let left = this.#lineEnds * 2; left > 0; left -= LINE_ENDS.length) this.#hash.update(LINE_ENDS.subarray(0, Math.min(left, LINE_ENDS.length)))
    if (this.#space) this.#hash.update(' ')
    if (this.#cr) this.#hash.update('\r')
    this.#blank = false
    this.#lineEnds = 0
    this.#space = false
    this.#cr = false
  }
}

function isMargin(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB || octet === CR || octet === LF
}

/** Bit 7 of each octet of a word. */
const HIGH_BITS = 0x80808080 | 0
/** One more than a space, in each octet of a word. */
const ABOVE_SPACE = 0x21212121
/** Below, it is not worth it. */
const WORDS_FROM_OCTETS = 16
const LITTLE_ENDIAN = new Uint8Array(Int32Array.of(1).buffer)[0] === 1

/**
 * Of text that neither begins nor ends with blanks or line ends. Four octets at a time: a blank that
 * has to go stands beside another octet up to 0x20, and only such pairs are looked at.
 */
function isRelaxed(text: Buffer): boolean {
  if (text.includes(TAB)) return false
  if (text.length < WORDS_FROM_OCTETS) return !hasLooseSpace(text, 0, text.length)
  const aligned = (4 - (text.byteOffset % 4)) % 4
  const words = new Int32Array(text.buffer, text.byteOffset + aligned, LITTLE_ENDIAN ? Math.floor((text.length - aligned) / 4) : 0)
  if (hasLooseSpace(text, 0, aligned)) return false
  let before = 0
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as number
    const low = (word - ABOVE_SPACE) & ~word & HIGH_BITS
    const at = aligned + i * 4
    if (((low & (low << 8)) | (low & before)) !== 0 && hasLooseSpace(text, Math.max(at - 1, 0), at + 3)) return false
    before = low >>> 24
  }
  return !hasLooseSpace(text, Math.max(aligned + words.length * 4 - 1, 0), text.length)
}

/** A space before another one or a CR; `to` is the place of the last first one, not included. */
function hasLooseSpace(text: Buffer, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (text[i] === SPACE && (text[i + 1] === SPACE || text[i + 1] === CR)) return true
  return false
}

/** Each run of blanks one space, or nothing before a line end. */
function relaxText(text: Buffer): Buffer {
  const relaxed = Buffer.allocUnsafe(text.length)
  let length = 0
  let space = false
  for (let i = 0; i < text.length; i++) {
    const octet = text[i] as number
    if (octet === SPACE || octet === TAB) {
      space = true
      continue
    }
    if (space && !(octet === CR && text[i + 1] === LF)) relaxed[length++] = SPACE
    space = false
    relaxed[length++] = octet
  }
  return relaxed.subarray(0, length)
}
