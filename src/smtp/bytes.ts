/**
 * What both engines do with octets: views without copies, joining, strict decoding of lines.
 *
 * Commands and replies are ASCII, or UTF-8 where SMTPUTF8 allows it; anything else is no text.
 */
const UTF8_STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The same memory as a Buffer, whose searches run in native code. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Text of a line: ASCII, else UTF-8; null if it is neither. */
export function decodeLine(bytes: Buffer): string | null {
  const text = bytes.toString('latin1')
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return decodeUtf8(bytes)
  }
  return text
}

/** Null if it is no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return UTF8_STRICT.decode(bytes)
  } catch {
    // Invalid input is an expected result here, not a fault.
    return null
  }
}
