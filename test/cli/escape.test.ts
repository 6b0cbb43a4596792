import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { csvCell, escapeContent, escapeText, toJson } from '../../src/cli/escape.ts'

describe('text for a terminal', () => {
  it.each([
    ['an escape sequence', '\u001b[2J', '\\x1b[2J'],
    ['a line end', 'a\r\nb', 'a\\x0d\\x0ab'],
    ['a C1 control', '\u009b31m', '\\x9b31m'],
    ['a change of direction', 'a\u202eb', 'a\\u202eb'],
    ['a line separator', 'a\u2028b', 'a\\u2028b'],
    ['a lone surrogate', 'a\ud800b', 'a\\ud800b'],
    ['a tag character', '\u{e0041}', '\\u{e0041}'],
    ['letters and emoji as they are', 'Jürgen 日本 🎉', 'Jürgen 日本 🎉'],
  ])('writes out %s', (_name, text, expected) => expect(escapeText(text)).toBe(expected))

  it('never holds a control, format, surrogate or separator character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(escapeText(text)).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        expect(escapeContent(text)).not.toMatch(/(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
      }),
    )
  })

  it('keeps line ends and tabs of content', () => expect(escapeContent('a\tb\r\nc\nd\re')).toBe('a\tb\nc\nd\\x0de'))
})

describe('JSON', () => {
  it('is harmless and gives the same value back, on one line or several', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
        const whole = { value, text }
        for (const indent of [0, 2]) {
          const json = toJson(whole, indent)
          expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(whole)))
          expect(json).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
        }
        expect(toJson(whole)).not.toContain('\n')
      }),
    )
  })
})

describe('a CSV cell', () => {
  it.each([
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-1', `"'-1"`],
    ['@cmd', `"'@cmd"`],
    ['\t=1', `"'\t=1"`],
    ['a,b', '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ['a\nb', '"a\nb"'],
    ['plain', 'plain'],
    ['a\u2028\x1b[2Jb', String.raw`a\u2028\x1b[2Jb`],
  ])('%j is written as %s', (text, expected) => expect(csvCell(text)).toBe(expected))
})
