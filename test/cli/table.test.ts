import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Column, createTable, cut, displayWidth } from '../../src/cli/table.ts'

type Row = readonly [string, string, string]
const COLUMNS: readonly Column<Row>[] = [
  { heading: 'ID', text: ([id]) => id },
  { heading: 'SIZE', text: ([, size]) => size, plain: ([, size]) => `${size}000`, right: true, fromColumns: 40 },
  { heading: 'TEXT', text: ([, , text]) => text, atLeast: 6, style: () => 'red' },
]
const ROWS: readonly Row[] = [
  ['a1', '5', 'short'],
  ['b22', '12', 'rather long text that does not fit'],
]
const terminal = (columns: number, colour = false) => ({ outputIsTerminal: true, columns, colour })
const pipe = { outputIsTerminal: false, columns: 80, colour: false }

describe('a table', () => {
  it('has a heading and lined-up columns on a terminal', () => {
    expect(createTable(terminal(80), COLUMNS).lines(ROWS)).toEqual(['ID   SIZE  TEXT', 'a1      5  short', 'b22    12  rather long text that does not fit'])
  })

  it('cuts what may be cut and leaves out what is not for narrow terminals', () => {
    expect(createTable(terminal(40), COLUMNS).lines(ROWS)[2]).toBe('b22    12  rather long text that does n…')
    expect(createTable(terminal(16), COLUMNS).lines(ROWS)).toEqual(['ID   TEXT', 'a1   short', 'b22  rather lon…'])
    expect(createTable(terminal(3), COLUMNS).lines(ROWS)[2]).toBe('b22  rathe…')
  })

  it('gives its heading once and keeps its widths for further rows', () => {
    const table = createTable(terminal(80), COLUMNS)
    table.lines(ROWS)
    expect(table.lines([['c', '1', 'x'.repeat(50)]])).toEqual([`c       1  ${'x'.repeat(33)}…`])
    expect(createTable(terminal(80), COLUMNS).lines([])).toEqual([])
  })

  it('is tab-separated, whole and without a heading for programs', () => {
    expect(createTable(pipe, COLUMNS).lines(ROWS)).toEqual(['a1\t5000\tshort', 'b22\t12000\trather long text that does not fit'])
  })

  it('is laid out even for a file if it is part of a page', () => {
    expect(createTable(pipe, COLUMNS, 'screen').lines(ROWS)[0]).toBe('ID   SIZE  TEXT')
  })

  it('escapes every cell, so that no cell begins another column or line', () => {
    const evil: Row = ['a\tb', '\u001b[31m', 'x\ny']
    expect(createTable(pipe, COLUMNS).lines([evil])).toEqual(['a\\x09b\t\\x1b[31m000\tx\\x0ay'])
    expect(createTable(terminal(80), COLUMNS).lines([evil]).join('')).not.toContain('\u001b')
  })

  it('colours cells without changing where columns begin', () => {
    const [, line] = createTable(terminal(80, true), COLUMNS).lines(ROWS)
    expect(line).toBe('a1      5  \u001b[31mshort\u001b[39m')
  })

  it('never makes a line wider than the terminal while columns may shrink', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 5 }), fc.integer({ min: 20, max: 60 }), (texts, columns) => {
        for (const line of createTable(terminal(columns), COLUMNS).lines(texts.map((text): Row => ['id', '1', text])))
          expect(displayWidth(line)).toBeLessThanOrEqual(columns)
      }),
    )
  })
})

describe('widths', () => {
  it('count places, not characters', () => expect([displayWidth('日本'), displayWidth('e\u0301'), displayWidth('🎉')]).toEqual([4, 1, 2]))
  it('are kept when cutting in the middle of wide characters', () =>
    expect([cut('日本語', 5), cut('日本語', 4), cut('日本語', 6)]).toEqual(['日本…', '日…', '日本語']))
})
