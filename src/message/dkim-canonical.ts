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
const TWO_SPACES = Buffer.from('  ')
const SPACE_AT_END = Buffer.from(' \r')
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

/** Of text that neither begins nor ends with blanks or line ends. */
function isRelaxed(text: Buffer): boolean {
  return !text.includes(TAB) && !text.includes(TWO_SPACES) && !text.includes(SPACE_AT_END)
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
