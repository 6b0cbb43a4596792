/**
 * Makes text that came from clients, peers or headers harmless for a terminal.
 *
 * Control characters, invisible and direction-changing ones, line separators and lone surrogates
 * are written out (`\x1b`, `\u202e`): no reply and no subject can move the cursor, hide text or
 * begin a line of its own. Everything a command prints of a message goes through here.
 */

/** Cc: controls; Cf: invisible format and direction marks; Cs: lone surrogates; Zl, Zp: line separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu

/** One line of harmless text. */
export function escapeText(text: string): string {
  return text.replace(UNSAFE, written)
}

/** The same, but line ends and tabs stay: for message content on a terminal. */
export function escapeContent(text: string): string {
  return text.replace(/\r\n/g, '\n').replace(UNSAFE, (character) => (character === '\n' || character === '\t' ? character : written(character)))
}

/** JSON that is harmless on a terminal, too; a reader of JSON gets the same value back. */
export function toJson(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replace(UNSAFE, (character) => (character === '\n' ? character : escapedUnits(character)))
}

/** A cell of a CSV file, harmless on a terminal. Spreadsheets run cells that begin with `= + - @` as formulas: those get a quote in front. */
export function csvCell(text: string): string {
  const shown = escapeContent(text)
  const safe = /^[=+\-@\t]/.test(shown) ? `'${shown}` : shown
  return /[",\r\n']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

function written(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`
}

function escapedUnits(character: string): string {
  let text = ''
  for (let i = 0; i < character.length; i++) text += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  return text
}
