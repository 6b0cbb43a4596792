/**
 * Subjects and names as people read them: encoded words of header fields become text (RFC 2047).
 *
 * For showing only; what is stored, and what `--json` gives, stays as it came. A word that cannot
 * be decoded stays as it is. The result is still to be escaped.
 */

/** RFC 2047 §2: charset (with an RFC 2231 language, left out), encoding, text. Lengths are bounded by the field's. */
const WORD = /=\?([A-Za-z0-9_.:-]{1,40})(?:\*[A-Za-z0-9-]{0,40})?\?([BbQq])\?([!->@-~]*)\?=/g
/** RFC 2047 §6.2: blanks between two encoded words are not part of the text. */
const BETWEEN = /(\?=)[ \t\r\n]+(?==\?)/g
const TEXT_MAX = 10_000

export function decodeWords(text: string): string {
  if (!text.includes('=?') || text.length > TEXT_MAX) return text
  return text.replace(BETWEEN, '$1').replace(WORD, (word, charset: string, encoding: string, coded: string) => {
    const octets = encoding.toLowerCase() === 'b' ? Buffer.from(coded, 'base64') : decodeQ(coded)
    try {
      return new TextDecoder(charset).decode(octets)
    } catch {
      // A charset that nobody knows: the word as it came says more than guessed text.
      return word
    }
  })
}

/** RFC 2047 §4.2. */
function decodeQ(coded: string): Buffer {
  const latin = coded.replaceAll('_', ' ').replace(/=([0-9A-Fa-f]{2})/g, (_whole, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)))
  return Buffer.from(latin, 'latin1')
}
