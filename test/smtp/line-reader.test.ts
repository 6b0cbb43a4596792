import { describe, expect, it } from 'vitest'
import { LineReader, SKIP_OCTETS_MAX } from '../../src/smtp/line-reader.ts'
import { bytewise, everyWay, type Feeding, inChunks, whole } from '../support/feed.ts'

/** Events but `partial`, lines as text. */
function read(feeding: Feeding, limit = 20): string[] {
  const reader = new LineReader(limit)
  const seen: string[] = []
  for (const chunk of feeding.chunks) {
    for (let at = 0; at < chunk.length; at = reader.next) {
      const event = reader.read(chunk, at)
      if (event === 'line') seen.push(`line:${reader.line.toString('latin1')}`)
      else if (event !== 'partial') seen.push(event)
      if (event === 'endless') return seen
    }
  }
  if (reader.unfinished) seen.push('unfinished')
  return seen
}

describe('LineReader', () => {
  const cases: readonly (readonly [name: string, input: string, events: readonly string[]])[] = [
    ['reads lines', 'one\r\ntwo\r\n', ['line:one', 'line:two']],
    ['reads empty lines', '\r\n\r\n', ['line:', 'line:']],
    ['keeps what is unfinished', 'one\r\ntw', ['line:one', 'unfinished']],
    ['keeps a CR that waits for its LF', 'one\r', ['unfinished']],
    ['reports a bare LF', 'one\ntwo\r\n', ['bare-lf', 'line:two']],
    ['leaves a bare CR in the line', 'o\rne\r\n', ['line:o\rne']],
    ['takes a CR before CRLF as part of the line', 'one\r\r\n', ['line:one\r']],
    ['reads octets above 127', '\xfc\xff\r\n', ['line:\xfc\xff']],
    ['takes a line of exactly the limit', `${'x'.repeat(20)}\r\nok\r\n`, [`line:${'x'.repeat(20)}`, 'line:ok']],
    ['skips a line over the limit and goes on', `${'x'.repeat(21)}\r\nok\r\n`, ['too-long', 'line:ok']],
    ['skips a long line over the limit and goes on', `${'x'.repeat(100)}\r\nok\r\n`, ['too-long', 'line:ok']],
    ['says that a long line is unfinished', 'x'.repeat(50), ['unfinished']],
  ]
  for (const [name, input, events] of cases) {
    it(`${name}, however it is cut`, () => {
      for (const feeding of everyWay(input)) expect(read(feeding), feeding.name).toEqual(events)
    })
  }

  it('gives up on a line without end, and not before', () => {
    expect(read(inChunks('x'.repeat(SKIP_OCTETS_MAX), [1000]))).toEqual(['unfinished'])
    expect(read(inChunks('x'.repeat(SKIP_OCTETS_MAX + 30), [1000]))).toEqual(['endless'])
    expect(read(whole('x'.repeat(SKIP_OCTETS_MAX + 30)))).toEqual(['endless'])
  })

  it('takes a long line octet by octet in linear time', () => {
    const started = performance.now()
    expect(read(bytewise(`${'x'.repeat(12_000)}\r\n`), 12_288)).toEqual([`line:${'x'.repeat(12_000)}`])
    expect(performance.now() - started).toBeLessThan(500)
  })
})
