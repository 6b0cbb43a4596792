/**
 * Walks through a message line by line and says what each line belongs to: header, leaf or rest.
 *
 * As much MIME as a conversion to 7 bit needs (RFC 2045, RFC 2046 §5.1): nesting by boundaries, and
 * `message/rfc822`. Memory is one line and one header section, whatever the message holds; what is
 * beyond the limits is said to be fixed, never guessed at.
 */
import { asLatin1, type Encoding, HeaderFields } from './mime-fields.ts'

export interface EntityFacts {
  readonly kind: 'leaf' | 'multipart' | 'message'
  readonly isText: boolean
  readonly encoding: Encoding
  /** Signed as a whole: not an octet may change. */
  readonly signed: boolean
  /** Counted from 0 in the order in which headers end. */
  readonly index: number
  /** The outermost header of the message. */
  readonly top: boolean
  readonly fields: HeaderFields
}
export interface MimeVisitor {
  /** Raw lines of a header, with line ends, the empty line not among them. */
  header(lines: readonly Buffer[], entity: EntityFacts): void
  /** The empty line behind a header: `bytes` are its octets, empty if the content ended without one. */
  headerEnd(bytes: Buffer): void
  /** A line, or a piece of a very long one, of a leaf. `ended`: the line end is in it. */
  leaf(bytes: Buffer, entity: EntityFacts, ended: boolean): void
  /** The leaf is over; `atBoundary`: its last line end belongs to the boundary that follows. */
  leafEnd(entity: EntityFacts, atBoundary: boolean): void
  /** Preamble, epilogue, boundaries. */
  rest(bytes: Buffer): void
  /** What the walker could not follow. */
  fixed(reason: string): void
}

const LINE_OCTETS_MAX = 64 * 1024
const HEADER_OCTETS_MAX = 1024 * 1024
/** Postfix's limit, too. */
const DEPTH_MAX = 100
const LF = 0x0a
const EMPTY = Buffer.alloc(0)

export class MimeWalker {
  readonly #visitor: MimeVisitor
  readonly #boundaries: string[] = []
  #held: Buffer = EMPTY
  /** The piece before had no line end: what comes is no line of its own. */
  #insideLine = false
  #mode: 'header' | 'leaf' | 'rest' = 'header'
  #header: Buffer[] = []
  #headerOctets = 0
  #entity: EntityFacts | null = null
  #entities = 0

  constructor(visitor: MimeVisitor) {
    this.#visitor = visitor
  }

  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const octets = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    let at = 0
    for (let lf = octets.indexOf(LF); lf !== -1; lf = octets.indexOf(LF, at)) {
      this.#line(octets.subarray(at, lf + 1), true)
      at = lf + 1
    }
    const open = octets.subarray(at)
    if (open.length > LINE_OCTETS_MAX) {
      this.#line(open, false)
      this.#held = EMPTY
    } else this.#held = Buffer.from(open)
  }

  end(): void {
    if (this.#held.length > 0) this.#line(this.#held, true)
    this.#held = EMPTY
    if (this.#mode === 'header') this.#endHeader(EMPTY)
    if (this.#mode === 'leaf' && this.#entity !== null) this.#visitor.leafEnd(this.#entity, false)
  }

  #line(bytes: Buffer, ended: boolean): void {
    const whole = !this.#insideLine && ended
    this.#insideLine = !ended
    if (whole && bytes[0] === 0x2d && bytes[1] === 0x2d && this.#atBoundary(bytes)) return
    if (this.#mode === 'header') this.#headerLine(bytes)
    else if (this.#mode === 'leaf' && this.#entity !== null) this.#visitor.leaf(bytes, this.#entity, ended)
    else this.#visitor.rest(bytes)
  }

  #headerLine(bytes: Buffer): void {
    if (bytes[0] === LF || (bytes[0] === 0x0d && bytes[1] === LF)) {
      this.#endHeader(bytes)
      return
    }
    this.#header.push(Buffer.from(bytes))
    this.#headerOctets += bytes.length
    if (this.#headerOctets > HEADER_OCTETS_MAX) {
      this.#visitor.fixed('a header section is too large')
      this.#endHeader(EMPTY)
    }
  }

  #endHeader(empty: Buffer): void {
    const entity = this.#describe()
    this.#visitor.header(this.#header, entity)
    this.#visitor.headerEnd(empty)
    this.#header = []
    this.#headerOctets = 0
    this.#entity = entity
    if (entity.kind === 'message') {
      this.#mode = 'header'
      if (this.#entities > DEPTH_MAX * DEPTH_MAX) this.#mode = 'rest'
    } else this.#mode = entity.kind === 'leaf' ? 'leaf' : 'rest'
  }

  #describe(): EntityFacts {
    const fields = new HeaderFields(this.#header)
    const type = fields.mediaType
    const boundary = type.startsWith('multipart/') ? fields.boundary : null
    if (type.startsWith('multipart/')) {
      if (boundary === null || this.#boundaries.length >= DEPTH_MAX)
        this.#visitor.fixed(boundary === null ? 'a multipart has no boundary' : 'parts are nested too deep')
      else this.#boundaries.push(boundary)
    }
    const index = this.#entities++
    return {
      kind: type.startsWith('multipart/') ? 'multipart' : type === 'message/rfc822' ? 'message' : 'leaf',
      isText: type.startsWith('text/'),
      encoding: fields.encoding,
      signed: type === 'multipart/signed' || (index === 0 && fields.signed),
      index,
      top: index === 0,
      fields,
    }
  }

  /** RFC 2046 §5.1.1: any open boundary ends what is inside it. */
  #atBoundary(bytes: Buffer): boolean {
    const line = asLatin1(bytes).trimEnd()
    for (let level = this.#boundaries.length - 1; level >= 0; level--) {
      const delimiter = `--${this.#boundaries[level]}`
      if (line !== delimiter && line !== `${delimiter}--`) continue
      if (this.#mode === 'header') this.#endHeader(EMPTY)
      if (this.#mode === 'leaf' && this.#entity !== null) this.#visitor.leafEnd(this.#entity, true)
      const closes = line.length > delimiter.length
      this.#boundaries.length = closes ? level : level + 1
      this.#mode = closes ? 'rest' : 'header'
      this.#entity = null
      this.#visitor.rest(bytes)
      return true
    }
    return false
  }
}
