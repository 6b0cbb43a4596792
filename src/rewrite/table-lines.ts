/**
 * The lines of a table as Postfix and sendmail write them: comments, blank lines, continued lines.
 *
 * A line that begins with white space goes on with the one before it; `#` begins a comment only as
 * the first character that is not white space (postmap(5), aliases(5)). Says in which line a fault is.
 */

export interface TableLine {
  /** From 1: where it begins. */
  readonly number: number
  readonly text: string
}

/** The table cannot be used. The message names the line and what is wrong in it, for people. */
export class TableFault extends Error {
  readonly line: number | null
  constructor(line: number | null, message: string) {
    super(line === null ? message : `line ${line}: ${message}`)
    this.name = 'TableFault'
    this.line = line
  }
}

/** Octets of one file; tables are kept in memory. */
export const TABLE_OCTETS_MAX = 64 * 1024 * 1024
/** Characters of one line with those that continue it. */
const LINE_CHARS_MAX = 1_000_000

/** Throws `TableFault` on what no table holds. */
export function readTableLines(text: string): readonly TableLine[] {
  const lines: { number: number; pieces: string[]; chars: number }[] = []
  const unmarked = text.startsWith('\ufeff') ? text.slice(1) : text
  for (const [index, raw] of unmarked.split('\n').entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) continue
    if (line.includes('\0')) throw new TableFault(index + 1, 'holds a NUL: this is no text file')
    const last = lines.at(-1)
    if (!/^[ \t]/.test(line)) lines.push({ number: index + 1, pieces: [trimmed], chars: trimmed.length })
    else if (last === undefined) throw new TableFault(index + 1, 'begins with white space, but there is no line before it to go on with')
    else {
      last.pieces.push(trimmed)
      last.chars += trimmed.length + 1
      if (last.chars > LINE_CHARS_MAX) throw new TableFault(last.number, `longer than ${LINE_CHARS_MAX} characters`)
    }
  }
  return lines.map(({ number, pieces }) => ({ number, text: pieces.join(' ') }))
}
