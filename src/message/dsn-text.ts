/**
 * Foreign text made fit for a report: no control characters, no line of its own, no over-long lines.
 *
 * RFC 5322 §2.1.1 (998 octets a line), §2.2.3 (folding), RFC 3461 §4 (xtext).
 */
/** RFC 5322 §2.1.1, without CRLF. */
export const LINE_OCTETS_MAX = 998
/** RFC 5322 §2.1.1: what lines should not exceed. */
const FOLD_AT = 78
/** Longest run without a space before it is broken, in characters: four octets each stay below 998. */
const WORD_MAX = 240
/** Nobody needs more of a peer's text. */
const TEXT_MAX = 4_000

/** C0, DEL, C1, separators of lines and paragraphs, and marks that change the direction of what follows. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g

/** One line of printable text, cut at 4,000 characters. */
export function cleanLine(text: string): string {
  const cut = text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}...` : text
  return cut.toWellFormed().replace(UNSAFE, ' ').trim()
}

/** The same in ASCII, for fields that allow nothing else. */
export function cleanAscii(text: string): string {
  return cleanLine(text).replace(/[^ -~]/gu, '?')
}

/** `Name: value`, folded at spaces; the value has to be clean. Without the last CRLF. */
export function foldField(name: string, value: string): string {
  return wrapWords(`${name}: ${value}`, FOLD_AT).join('\r\n ')
}

/** Lines of at most `width` characters where the words allow it, and of `LINE_OCTETS_MAX` octets in any case. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ').flatMap(breakWord)) {
    if (line === '') line = word
    else if (line.length + 1 + word.length <= width) line += ` ${word}`
    else {
      lines.push(line)
      line = word
    }
  }
  lines.push(line)
  return lines
}

/** Decodes xtext; null where that gives anything but printable text, so that the caller keeps it encoded. */
export function decodeXtext(text: string): string | null {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return null
  const bytes = Buffer.from(
    text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
  const decoded = bytes.toString('utf8')
  return decoded.includes('\ufffd') || cleanLine(decoded) !== decoded ? null : decoded
}

function breakWord(word: string): string[] {
  if (word.length <= WORD_MAX) return word === '' ? [] : [word]
  const pieces: string[] = []
  let rest = [...word]
  while (rest.length > 0) {
    pieces.push(rest.slice(0, WORD_MAX).join(''))
    rest = rest.slice(WORD_MAX)
  }
  return pieces
}
