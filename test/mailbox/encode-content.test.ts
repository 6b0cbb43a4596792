import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ContentEncoder, createMaildirEncoder, createMboxEncoder } from '../../src/mailbox/encode-content.ts'
import { everyWay, type Feeding, inChunks, whole } from '../support/feed.ts'

function encode(encoder: ContentEncoder, feeding: Feeding): string {
  return Buffer.concat([...feeding.chunks.map((chunk) => encoder.push(chunk)), encoder.end()]).toString('latin1')
}
/** What a reader of mboxrd does. */
function unquote(text: string): string {
  return text.replace(/^>(>*From )/gm, '$1')
}

const CASES: [string, string, string][] = [
  ['nothing at all', '', '\n'],
  ['plain lines', 'a\r\nb\r\n', 'a\nb\n\n'],
  ['a last line without end', 'a\r\nb', 'a\nb\n\n'],
  ['From_ at the very begin', 'From me\r\n', '>From me\n\n'],
  ['From_ in the body, quoted up to any depth', 'a\r\nFrom b\r\n>From c\r\n>>>From d\r\n', 'a\n>From b\n>>From c\n>>>>From d\n\n'],
  ['words that only look like it', 'From: b\r\nfrom b\r\n From b\r\nx>From b\r\nFro\r\nFromage\r\n', 'From: b\nfrom b\n From b\nx>From b\nFro\nFromage\n\n'],
  ['From_ twice in one line', 'From a From b\r\n', '>From a From b\n\n'],
  ['From_ without anything behind it', 'From ', '>From \n\n'],
  ['the begin of From_ at the very end', 'x\r\nFrom', 'x\nFrom\n\n'],
  ['a CR that ends no line', 'a\rFrom b\r\r\n\r', 'a\rFrom b\r\n\r\n\n'],
  ['NUL and octets above 127', 'a\0\xff\r\n', 'a\0\xff\n\n'],
  ['empty lines at the end', 'a\r\n\r\n\r\n', 'a\n\n\n\n'],
]

describe('content for an mbox', () => {
  it.each(CASES)('takes %s, cut anywhere', (_, content, expected) => {
    for (const feeding of everyWay(content)) expect([feeding.name, encode(createMboxEncoder(), feeding)]).toEqual([feeding.name, expected])
  })

  it('keeps lines of a megabyte whole, whatever they are made of', () => {
    for (const line of ['x'.repeat(1_000_000), `${'>'.repeat(1_000_000)}From x`, 'From '.repeat(200_000)]) {
      const content = `a\r\n${line}\r\nb\r\n`
      const encoded = encode(createMboxEncoder(), inChunks(content, [65_536, 1, 3, 32_768]))
      expect(unquote(encoded) === `${content.replaceAll('\r\n', '\n')}\n`).toBe(true)
      expect(encode(createMboxEncoder(), whole(content)) === encoded).toBe(true)
    }
  })

  it('has no line that begins a message but for its own, and gives the content back when it is unquoted', () => {
    const piece = fc.constantFrom('From ', '>', 'F', 'Fro', 'From', ' ', '\r\n', '\r', 'x', '\0', 'From: ')
    const content = fc.array(piece, { maxLength: 60 }).map((pieces) => `${pieces.join('')}\r\n`)
    fc.assert(
      fc.property(content, fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 5 }), (text, sizes) => {
        const encoded = encode(createMboxEncoder(), inChunks(text, sizes))
        expect(/(?:^|\n)From /.test(encoded)).toBe(false)
        expect(encoded.endsWith('\n\n')).toBe(true)
        // A reader knows LF as the only line end.
        expect(encoded.replace(/(^|\n)>(>*From )/g, '$1$2')).toBe(`${text.replaceAll('\r\n', '\n')}\n`)
      }),
    )
  })
})

describe('content for a Maildir', () => {
  it.each([
    ['', ''],
    ['a\r\nFrom b\r\n', 'a\nFrom b\n'],
    ['a\r\r\nb\r', 'a\r\nb\r'],
    ['a\r\nb', 'a\nb'],
  ])('only gets other line ends, cut anywhere: %j', (content, expected) => {
    for (const feeding of everyWay(content)) expect(encode(createMaildirEncoder(), feeding)).toBe(expected)
  })
})
