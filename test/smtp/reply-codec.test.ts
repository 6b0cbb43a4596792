import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { enhanced, formatReply, reply } from '../../src/core/reply.ts'
import { formatReplyLines, parseEnhanced, REPLY_LINES_MAX, REPLY_OCTETS_MAX, ReplyReader } from '../../src/smtp/reply-codec.ts'
import { everyWay, type Feeding, inChunks } from '../support/feed.ts'

function read(feeding: Feeding): string[] {
  const reader = new ReplyReader()
  const seen: string[] = []
  for (const chunk of feeding.chunks) {
    reader.feed(chunk)
    for (;;) {
      const event = reader.next()
      if (event.kind === 'partial') break
      if (event.kind === 'fault') return [...seen, event.fault]
      seen.push(formatReply(event.reply))
    }
  }
  if (!reader.empty) seen.push('unfinished')
  return seen
}

describe('ReplyReader', () => {
  const cases: readonly (readonly [input: string, events: readonly string[]])[] = [
    ['250 Ok\r\n', ['250 Ok']],
    ['220\r\n', ['220 ']],
    ['220 \r\n', ['220 ']],
    ['250-a\r\n250-b\r\n250 c\r\n', ['250 a / b / c']],
    ['250-a\r\n250\r\n', ['250 a / ']],
    ['250 a\r\n354 go\r\n', ['250 a', '354 go']],
    ['250 a\n', ['250 a']],
    ['250-XXXXXXXA\r\n250 SIZE\r\n', ['250 XXXXXXXA / SIZE']],
    ['250-a\r\n', ['unfinished']],
    ['25', ['unfinished']],
    ['250-a\r\n251 b\r\n', ['differing-codes']],
    ['250-a\r\n+OK\r\n', ['no-reply']],
    ['2200 x\r\n', ['no-reply']],
    ['22\r\n', ['no-reply']],
    ['+OK ready\r\n', ['no-reply']],
    ['SSH-2.0-OpenSSH_9.2\r\n', ['no-reply']],
    ['HTTP/1.1 400 Bad Request\r\n', ['no-reply']],
    ['121 a\r\n', ['no-reply']],
    ['999 a\r\n', ['no-reply']],
    ['\x15\x03\x01\x00\x02\x02\x0a', ['no-reply']],
    ['\r\n', ['no-reply']],
    ['250_a\r\n', ['no-reply']],
    [' 250 a\r\n', ['no-reply']],
  ]
  it.each(cases)('%j', (input, events) => {
    for (const feeding of everyWay(input)) expect(read(feeding), feeding.name).toEqual(events)
  })

  it('escapes what is no text: control characters, ESC sequences, octets that are no UTF-8 (I03)', () => {
    expect(read(inChunks('550 a\rb\x1b[2Jc\0d\r\n', [3]))).toEqual(['550 a\\x0db\\x1b[2Jc\\x00d'])
    expect(read(inChunks('550 caf\xc3\xa9 \xff\r\n', [3]))).toEqual(['550 caf\\xc3\\xa9 \\xff'])
    expect(read(inChunks('550 caf\xc3\xa9 \xe2\x80\xa8\r\n', [3]))).toEqual(['550 café \\u2028'])
  })

  it('stops at too many octets and at too many lines', () => {
    expect(read(inChunks('x'.repeat(REPLY_OCTETS_MAX + 1), [4096]))).toEqual(['too-long'])
    expect(read(inChunks(`250-${'x'.repeat(1000)}\r\n`.repeat(70), [4096]))).toEqual(['too-long'])
    expect(read(inChunks('250-a\r\n'.repeat(REPLY_LINES_MAX + 1), [4096]))).toEqual(['too-many-lines'])
    expect(read(inChunks(`${'250-a\r\n'.repeat(REPLY_LINES_MAX - 1)}250 b\r\n`, [4096]))).toHaveLength(1)
  })

  it('reads back what formatReplyLines writes', () => {
    const text = fc.string({ unit: 'grapheme-ascii', maxLength: 30 })
    fc.assert(
      fc.property(fc.integer({ min: 200, max: 559 }), text, fc.array(text, { maxLength: 4 }), (code, first, rest) => {
        const said = { code, enhanced: parseEnhanced(code, first), lines: [first, ...rest] as const }
        const reader = new ReplyReader()
        reader.feed(Buffer.from(formatReplyLines(said), 'latin1'))
        expect(reader.next()).toEqual({ kind: 'reply', reply: said })
        expect(reader.empty).toBe(true)
      }),
    )
  })
})

describe('formatReplyLines', () => {
  it('writes each line with its code', () => {
    expect(formatReplyLines(reply(550, enhanced(5, 1, 1), 'No such user'))).toBe('550 5.1.1 No such user\r\n')
    expect(formatReplyLines({ code: 250, enhanced: null, lines: ['a', 'b'] })).toBe('250-a\r\n250 b\r\n')
  })
  it('lets no text end or split a line', () => {
    expect(formatReplyLines({ code: 550, enhanced: null, lines: ['a\r\n250 ok\0ü'] })).toBe('550 a??250 ok??\r\n')
  })
})

describe('parseEnhanced', () => {
  it.each([
    [550, '5.1.1 No', '5.1.1'],
    [450, '4.2.0', '4.2.0'],
    [250, '2.0.0 Ok', '2.0.0'],
    [550, '4.7.1 contradictory', null],
    [250, '5.1.1 contradictory', null],
    [550, '5.1 short', null],
    [550, '5.1.1.1 long', null],
    [550, '5.1.1234 long', null],
    [550, 'x 5.1.1', null],
    [354, '3.0.0 go', null],
    [550, '', null],
  ])('%s %s: %s', (code, text, expected) => {
    const status = parseEnhanced(code, text)
    expect(status === null ? null : `${status.class}.${status.subject}.${status.detail}`).toBe(expected)
  })
})
