/**
 * Quoted-printable and base64 of bodies, line by line (RFC 2045 §6.7, §6.8).
 */
const COLUMNS_MAX = 76
/** Octets that make one base64 line of 76 characters. */
const BASE64_LINE_OCTETS = 57
const HEX = '0123456789ABCDEF'

/** One line with its line end (`ended`), or a piece of a very long one. The result never ends in white space. */
export function encodeQuotedPrintable(bytes: Uint8Array, ended: boolean): string {
  let end = bytes.byteLength
  if (ended && bytes[end - 1] === 0x0a) end--
  if (ended && end > 0 && bytes[end - 1] === 0x0d) end--
  let text = ''
  let column = 0
  for (let i = 0; i < end; i++) {
    const octet = bytes[i] ?? 0
    const isSpace = octet === 0x20 || octet === 0x09
    const literal = isSpace ? i < end - 1 : octet > 0x20 && octet < 0x7f && octet !== 0x3d
    const token = literal ? String.fromCharCode(octet) : `=${HEX.charAt(octet >> 4)}${HEX.charAt(octet & 15)}`
    // One place is kept for the `=` of a soft line break.
    if (column + token.length > COLUMNS_MAX - 1) {
      text += '=\r\n'
      column = 0
    }
    text += token
    column += token.length
  }
  return ended ? `${text}\r\n` : `${text}=\r\n`
}

export interface Base64Lines {
  push(bytes: Uint8Array): string
  /** `withoutLineEnd`: the last CRLF belongs to the boundary behind it, not to the part. */
  end(withoutLineEnd: boolean): string
}

export function createBase64Lines(): Base64Lines {
  let held: Buffer = Buffer.alloc(0)
  const lines = (octets: Buffer): string => {
    let text = ''
    for (let i = 0; i < octets.length; i += BASE64_LINE_OCTETS) text += `${octets.toString('base64', i, Math.min(i + BASE64_LINE_OCTETS, octets.length))}\r\n`
    return text
  }
  return {
    push(bytes) {
      const octets = Buffer.concat([held, bytes])
      // The last two octets may be the line end that is not the part's.
      const whole = Math.max(0, Math.floor((octets.length - 2) / BASE64_LINE_OCTETS)) * BASE64_LINE_OCTETS
      held = Buffer.from(octets.subarray(whole))
      return lines(octets.subarray(0, whole))
    },
    end(withoutLineEnd) {
      const crlf = held.length >= 2 && held[held.length - 2] === 0x0d && held[held.length - 1] === 0x0a
      return lines(withoutLineEnd && crlf ? held.subarray(0, held.length - 2) : held)
    },
  }
}
