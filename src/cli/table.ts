/**
 * Rows as columns: fitted to the terminal for people, tab-separated and complete for programs.
 *
 * On a terminal there is a heading, and cells that do not fit end in an ellipsis. Otherwise there
 * is no heading, nothing is cut, and columns keep their order, so that `cut -f` works.
 * Every cell is escaped here: callers pass text as it came.
 */
import type { CliContext } from './context.ts'
import { escapeText } from './escape.ts'
import { type Paint, paint } from './format.ts'

export interface Column<Row> {
  readonly heading: string
  readonly text: (row: Row) => string
  /** For programs, where that differs: full times, plain numbers. */
  readonly plain?: (row: Row) => string
  readonly right?: boolean
  /** May be cut down to this many places when the line is too long; left out: never cut. */
  readonly atLeast?: number
  /** Left out on terminals narrower than this. */
  readonly fromColumns?: number
  readonly style?: (row: Row) => Paint | null
}

export interface Table<Row> {
  /** Lines for these rows; widths are those of the first call, which also gives the heading. */
  lines(rows: readonly Row[]): readonly string[]
}

const GAP = '  '
const ELLIPSIS = '…'
/** Two places wide on a terminal: East Asian wide and full-width forms, most emoji. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\p{Emoji_Presentation}]/u
const COMBINING = /\p{M}/u
const ASCII = /^[\x20-\x7e]*$/

/** `screen`: part of a page for people, laid out even where it goes to a file. */
export type Layout = 'rows' | 'screen'

type Screen = Pick<CliContext, 'outputIsTerminal' | 'columns' | 'colour'>

export function createTable<Row>(context: Screen, all: readonly Column<Row>[], layout: Layout = 'rows'): Table<Row> {
  const { outputIsTerminal } = context
  if (!outputIsTerminal && layout === 'rows')
    return { lines: (rows) => rows.map((row) => all.map(({ plain, text }) => escapeText((plain ?? text)(row))).join('\t')) }
  const total = outputIsTerminal ? context.columns : Number.POSITIVE_INFINITY
  const columns = all.filter(({ fromColumns = 0 }) => fromColumns <= total)
  let widths: readonly number[] | null = null
  return {
    lines(rows) {
      const cells = rows.map((row) => columns.map(({ text }) => escapeText(text(row))))
      const begins = widths === null
      widths ??= fitWidths(columns, cells, total)
      const fitted = widths
      const heading = columns.map(({ heading: name, right }, i) => pad(name, fitted[i] ?? 0, right === true)).join(GAP)
      const body = cells.map((line, at) => formatLine(context, columns, { cells: line, row: rows[at] as Row, widths: fitted }))
      return begins && rows.length > 0 ? [paint(context, 'bold', heading.trimEnd()), ...body] : body
    },
  }
}

/** Places that a text takes on a terminal. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  let width = 0
  for (const character of text) width += placesOf(character)
  return width
}

/** At most that many places, ending in an ellipsis if something was left out. */
export function cut(text: string, places: number): string {
  if (displayWidth(text) <= places) return text
  let kept = ''
  let width = 0
  for (const character of text) {
    width += placesOf(character)
    if (width > places - 1) break
    kept += character
  }
  return kept + ELLIPSIS
}

interface Line<Row> {
  readonly cells: readonly string[]
  readonly row: Row
  readonly widths: readonly number[]
}

function formatLine<Row>(context: Pick<CliContext, 'colour'>, columns: readonly Column<Row>[], { cells, row, widths }: Line<Row>): string {
  const parts = columns.map(({ right, style }, i) => {
    const width = widths[i] ?? 0
    const isLast = i === columns.length - 1 && right !== true
    const text = isLast ? cut(cells[i] ?? '', width) : pad(cut(cells[i] ?? '', width), width, right === true)
    const look = style?.(row) ?? null
    return look === null ? text : paint(context, look, text)
  })
  return parts.join(GAP).trimEnd()
}

/** Natural widths; if they are too much together, the widest column that may shrink gives way first. */
function fitWidths<Row>(columns: readonly Column<Row>[], cells: readonly (readonly string[])[], total: number): readonly number[] {
  const widths = columns.map(({ heading }, i) => cells.reduce((widest, line) => Math.max(widest, displayWidth(line[i] ?? '')), heading.length))
  let excess = widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - total
  while (excess > 0) {
    const widest = columns.reduce<number | null>((best, { atLeast }, i) => {
      const width = widths[i] ?? 0
      if (atLeast === undefined || width <= atLeast) return best
      return best === null || width > (widths[best] ?? 0) ? i : best
    }, null)
    if (widest === null) break
    widths[widest] = (widths[widest] ?? 0) - 1
    excess--
  }
  return widths
}

function pad(text: string, width: number, right: boolean): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return right ? blanks + text : text + blanks
}

function placesOf(character: string): number {
  if (COMBINING.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}
