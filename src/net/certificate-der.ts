/**
 * Two things of a certificate that Node does not tell as they were signed: the public key's own bytes,
 * and the path length an authority allows.
 *
 * RFC 5280 §4.1, §4.2.1.9; DER, X.690. Reads no more than it needs; bytes that are no certificate give
 * null. Signatures, dates and names are Node's and OpenSSL's.
 */

const SEQUENCE = 0x30
const BOOLEAN = 0x01
const INTEGER = 0x02
const OCTET_STRING = 0x04
const VERSION = 0xa0
const EXTENSIONS = 0xa3
/** 2.5.29.19, with tag and length. */
const BASIC_CONSTRAINTS = Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x13)
/** serialNumber, signature, issuer, validity, subject: what comes before the key. */
const FIELDS_BEFORE_KEY = 5

interface Element {
  readonly tag: number
  /** Where tag, content and the next element begin. */
  readonly start: number
  readonly body: number
  readonly end: number
}

/** SubjectPublicKeyInfo, octet for octet as the certificate holds it (RFC 6698 §1.2.1). */
export function publicKeyOctets(certificate: Uint8Array): Uint8Array | null {
  const key = keyElement(certificate)
  return key === null ? null : certificate.subarray(key.start, key.end)
}

/** How many authorities may stand between this one and the server's certificate; null: any number, or it cannot be read. */
export function pathLengthOf(certificate: Uint8Array): number | null {
  const key = keyElement(certificate)
  if (key === null) return null
  const frame = firstIn(certificate, outer(certificate))
  let at = key.end
  while (frame !== null && at < frame.end) {
    const element = read(certificate, at, frame.end)
    if (element === null) return null
    if (element.tag === EXTENSIONS) return pathLengthIn(certificate, element)
    at = element.end
  }
  return null
}

function keyElement(bytes: Uint8Array): Element | null {
  const signed = firstIn(bytes, outer(bytes))
  if (signed === null || signed.tag !== SEQUENCE) return null
  let element = firstIn(bytes, signed)
  // Version 1 certificates leave the version out.
  let skip = element?.tag === VERSION ? FIELDS_BEFORE_KEY + 1 : FIELDS_BEFORE_KEY
  for (; skip > 0 && element !== null; skip--) element = read(bytes, element.end, signed.end)
  return element?.tag === SEQUENCE ? element : null
}

function pathLengthIn(bytes: Uint8Array, extensions: Element): number | null {
  const list = firstIn(bytes, extensions)
  for (let one = firstIn(bytes, list); one !== null && list !== null; one = read(bytes, one.end, list.end)) {
    if (!startsWith(bytes.subarray(one.body, one.end), BASIC_CONSTRAINTS)) continue
    let value = read(bytes, one.body + BASIC_CONSTRAINTS.length, one.end)
    if (value?.tag === BOOLEAN) value = read(bytes, value.end, one.end)
    const constraints = value?.tag === OCTET_STRING ? firstIn(bytes, value) : null
    const authority = firstIn(bytes, constraints)
    const length = authority?.tag === BOOLEAN && constraints !== null ? read(bytes, authority.end, constraints.end) : null
    return length?.tag === INTEGER && length.end - length.body === 1 ? (bytes[length.body] ?? null) : null
  }
  return null
}

function outer(bytes: Uint8Array): Element | null {
  const element = read(bytes, 0, bytes.length)
  return element?.tag === SEQUENCE ? element : null
}

function firstIn(bytes: Uint8Array, parent: Element | null): Element | null {
  return parent === null ? null : read(bytes, parent.body, parent.end)
}

/** Definite lengths of up to three octets: a certificate has no more than the handshake lets through. */
function read(bytes: Uint8Array, at: number, limit: number): Element | null {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || at + 2 > limit || (tag & 0x1f) === 0x1f) return null
  if (first < 0x80) return bounded({ tag, start: at, body: at + 2, end: at + 2 + first }, limit)
  const count = first & 0x7f
  if (count === 0 || count > 3) return null
  let length = 0
  for (let i = 0; i < count; i++) length = length * 256 + (bytes[at + 2 + i] ?? Number.NaN)
  return bounded({ tag, start: at, body: at + 2 + count, end: at + 2 + count + length }, limit)
}

function bounded(element: Element, limit: number): Element | null {
  return element.end <= limit ? element : null
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((octet, index) => bytes[index] === octet)
}
