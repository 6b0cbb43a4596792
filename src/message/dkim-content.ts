/**
 * Reads a message as it goes by and keeps what a DKIM signature needs of it: header and body hash.
 *
 * Memory is the header section; the body streams into the hash, and is not looked at where nobody
 * wants a signature. Whoever feeds it has limited the header already.
 */
import { RelaxedBodyHash } from './dkim-canonical.ts'
import { type HeaderBlock, scanHeaderBlock } from './header-block.ts'

export interface SignableContent {
  readonly header: HeaderBlock
  /** Base64. */
  readonly bodyHash: string
}

const CR = 13
const LF = 10
const BLANK_LINE = Buffer.from('\r\n\r\n')

export class SignableReader {
  readonly #wanted: (header: HeaderBlock) => boolean
  /** Octets of a header that is not whole yet. */
  #held: Buffer | null = null
  #header: HeaderBlock | null = null
  #body: RelaxedBodyHash | null = null

  /** `wanted` is asked once, when the header is whole. */
  constructor(wanted: (header: HeaderBlock) => boolean) {
    this.#wanted = wanted
  }

  /** Octets as they will be sent, from the first one of the header on. */
  push(bytes: Uint8Array): void {
    if (this.#header !== null) {
      this.#body?.push(bytes)
      return
    }
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const octets = this.#held === null ? piece : Buffer.concat([this.#held, piece])
    const bodyAt = bodyStart(octets, this.#held === null ? 0 : this.#held.length)
    if (bodyAt === null) {
      this.#held = octets
      return
    }
    this.#begin(octets.subarray(0, bodyAt))
    this.#body?.push(octets.subarray(bodyAt))
  }

  /** To be asked once, at the end; null: nobody wants a signature. */
  end(): SignableContent | null {
    // RFC 5322 §2.1: a message may be a header and nothing else.
    if (this.#header === null) this.#begin(this.#held ?? Buffer.alloc(0))
    return this.#header === null || this.#body === null ? null : { header: this.#header, bodyHash: this.#body.digest() }
  }

  #begin(octets: Buffer): void {
    this.#held = null
    this.#header = headerOf(octets)
    if (this.#wanted(this.#header)) this.#body = new RelaxedBodyHash()
  }
}

/** Fields of octets that are a header section and nothing else. */
export function headerOf(octets: Uint8Array): HeaderBlock {
  const scan = scanHeaderBlock(octets, { headerOctetsMax: octets.length + 1, ended: true })
  if (scan.kind !== 'block') throw new Error(`a header of ${octets.length} octets is ${scan.kind}`)
  return scan.block
}

/** Index behind the blank line; null: it is not there yet. `seen` octets were searched before. */
function bodyStart(octets: Buffer, seen: number): number | null {
  if (octets[0] === CR && octets[1] === LF) return 2
  const at = octets.indexOf(BLANK_LINE, Math.max(0, seen - BLANK_LINE.length + 1))
  return at === -1 ? null : at + BLANK_LINE.length
}
