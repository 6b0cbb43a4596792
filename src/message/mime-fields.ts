/**
 * The few header fields of a MIME entity that a conversion to 7 bit asks for (RFC 2045 §5, §6).
 *
 * Tolerant reading of hostile text: what cannot be understood is the default of its field.
 */
/** Octets as characters 0 to 255, so that nothing is lost. */
export function asLatin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

export type Encoding = '7bit' | '8bit' | 'quoted-printable' | 'base64'

const BOUNDARY_CHARACTERS_MAX = 200

export class HeaderFields {
  /** Name in lower case, value unfolded; the first of each name. */
  readonly #values = new Map<string, string>()

  constructor(lines: readonly Uint8Array[]) {
    let name = ''
    for (const bytes of lines) {
      const line = asLatin1(bytes).trimEnd()
      const folded = line.startsWith(' ') || line.startsWith('\t')
      if (folded) {
        const before = this.#values.get(name)
        if (before !== undefined && before.length < 8_192) this.#values.set(name, `${before} ${line.trim()}`)
        continue
      }
      const colon = line.indexOf(':')
      name = colon === -1 ? '' : line.slice(0, colon).trimEnd().toLowerCase()
      if (name !== '' && !this.#values.has(name)) this.#values.set(name, line.slice(colon + 1).trim())
    }
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** `text/plain` where there is none (RFC 2045 §5.2); without parameters, lower case. */
  get mediaType(): string {
    const value = this.#values.get('content-type') ?? 'text/plain'
    const end = value.indexOf(';')
    return (end === -1 ? value : value.slice(0, end)).trim().toLowerCase()
  }

  get boundary(): string | null {
    const value = this.#values.get('content-type') ?? ''
    const match = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.){1,200})"|([^\s;"]{1,200}))/i.exec(value)
    const text = match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2]
    return text === undefined || text.length > BOUNDARY_CHARACTERS_MAX ? null : text.trimEnd()
  }

  get encoding(): Encoding {
    const value = (this.#values.get('content-transfer-encoding') ?? '7bit')
      .replace(/[;(].*$/, '')
      .trim()
      .toLowerCase()
    if (value === 'quoted-printable' || value === 'base64') return value
    return value === '8bit' || value === 'binary' ? '8bit' : '7bit'
  }

  /** A signature over the content as it is (RFC 6376, RFC 8617). */
  get signed(): boolean {
    return this.has('dkim-signature') || this.has('arc-seal')
  }
}
