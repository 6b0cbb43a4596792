/**
 * Composes a DKIM-Signature field (RFC 6376 §3.5, RFC 8463) for content that was read before.
 *
 * relaxed/relaxed, never `l=`. Lines stay within 76 columns, so that no relay folds them anew.
 * Signing itself runs in Node's thread pool: an RSA signature costs more than all else together.
 */
import { createHash, type KeyObject, sign } from 'node:crypto'
import { relaxField } from './dkim-canonical.ts'
import type { CoveredFields } from './dkim-fields.ts'
import type { DkimKey } from './dkim-keyring.ts'

export interface SignatureFacts {
  readonly key: DkimKey
  readonly fields: CoveredFields
  /** Base64. */
  readonly bodyHash: string
  /** Seconds since 1970. */
  readonly signedAt: number
  /** Seconds since 1970; null: for ever. */
  readonly expiresAt: number | null
}

const NAME = 'DKIM-Signature'
const COLUMNS_MAX = 76

/** The field with its line end. Rejects with OpenSSL's error. */
export async function composeSignature(facts: SignatureFacts): Promise<string> {
  const { key, fields, bodyHash, signedAt, expiresAt } = facts
  const lines = new Lines(`${NAME}:`)
  for (const tag of ['v=1', `a=${key.type}-sha256`, 'c=relaxed/relaxed', `d=${key.domain}`, `s=${key.selector}`, `t=${signedAt}`]) lines.word(`${tag};`)
  if (expiresAt !== null) lines.word(`x=${expiresAt};`)
  const last = fields.names.length - 1
  for (const [index, name] of fields.names.entries()) {
    const text = `${name}${index === last ? ';' : ':'}`
    if (index === 0) lines.word(`h=${text}`)
    else lines.part(text)
  }
  lines.word(`bh=${bodyHash};`)
  lines.word('b=')
  // RFC 6376 §3.7: the field itself, with an empty `b=` and no line end, comes last.
  const own = relaxField(NAME.toLowerCase(), lines.text.slice(NAME.length + 1)).slice(0, -2)
  const signature = await signOctets(Buffer.from(fields.octets + own, 'latin1'), key)
  lines.fill(signature.toString('base64'))
  return `${lines.text}\r\n`
}

function signOctets(octets: Buffer, { key, type }: Pick<DkimKey, 'key' | 'type'>): Promise<Buffer> {
  // RFC 8463 §3: Ed25519 signs the hash, and hashes it again by itself.
  return type === 'rsa' ? signWith('sha256', octets, key) : signWith(null, createHash('sha256').update(octets).digest(), key)
}

function signWith(algorithm: 'sha256' | null, octets: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(algorithm, octets, key, (error, signature) => {
      if (error === null) resolve(signature)
      else reject(error)
    })
  })
}

/** A header field that grows, folded where a line would become too long. */
class Lines {
  text: string
  #column: number

  constructor(start: string) {
    this.text = start
    this.#column = start.length
  }

  /** Behind a space; on a new line where it does not fit. */
  word(text: string): void {
    if (this.#column + 1 + text.length > COLUMNS_MAX) this.#fold(text)
    else this.#add(` ${text}`)
  }

  /** Without a space, unless a line ends. */
  part(text: string): void {
    if (this.#column + text.length > COLUMNS_MAX) this.#fold(text)
    else this.#add(text)
  }

  /** Text that may be cut anywhere. */
  fill(text: string): void {
    let room = COLUMNS_MAX - this.#column
    for (let at = 0; at < text.length; at += room, room = COLUMNS_MAX - 1) {
      if (at > 0) this.#fold('')
      room = Math.max(room, 1)
      this.#add(text.slice(at, at + room))
    }
  }

  #fold(text: string): void {
    this.text += '\r\n '
    this.#column = 1
    this.#add(text)
  }

  #add(text: string): void {
    this.text += text
    this.#column += text.length
  }
}
