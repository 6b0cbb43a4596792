import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cutText, escapeJsonLine, escapeText } from '../../src/app/log-line.ts'

const HOSTILE = fc.string({
  unit: fc.oneof(fc.constantFrom('\r', '\n', '\x1b', '\x85', '\u2028', '\u202e', '\ufeff', '"', '\\', 'a'), fc.string({ maxLength: 1 })),
  maxLength: 40,
})
const SHOWN_RAW = /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/

describe('a log line', () => {
  it('holds no control character, whatever was said', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        expect(escapeText(text)).not.toMatch(SHOWN_RAW)
      }),
    )
    expect(escapeText('a\n2026 forged\x1b[2J\u2028b')).toBe(String.raw`a\x0a2026 forged\x1b[2J\u2028b`)
  })

  it('is one line of JSON for every reader, with the same value', () => {
    fc.assert(
      fc.property(HOSTILE, (text) => {
        const line = escapeJsonLine(`${JSON.stringify({ text })}\n`)
        expect(JSON.parse(line)).toEqual({ text })
        expect(line.slice(0, -1)).not.toMatch(SHOWN_RAW)
        expect(line.endsWith('\n')).toBe(true)
      }),
    )
  })

  it('quotes a long reply in part', () => {
    expect(cutText('short')).toBe('short')
    expect(cutText('x'.repeat(60_000))).toHaveLength(2_003)
  })
})
