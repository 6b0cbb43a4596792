import { createHash, createPublicKey, verify } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RelaxedBodyHash, relaxField } from '../../src/message/dkim-canonical.ts'
import { everyWay, inChunks, toBytes } from '../support/feed.ts'

const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('base64')

/** RFC 6376 §3.4.4 to the letter, over the whole body at once. */
function relaxedBody(body: string): string {
  const lines = body.replace(/[ \t]+(?=\r\n|$)/g, '').replace(/[ \t]+/g, ' ')
  const text = lines.replace(/(?:\r\n)+$/, '')
  return text === '' ? '' : `${text}\r\n`
}

function hashOf(chunks: readonly Uint8Array[]): string {
  const hash = new RelaxedBodyHash()
  for (const chunk of chunks) hash.push(chunk)
  return hash.digest()
}

describe('relaxed bodies', () => {
  const cases: readonly (readonly [name: string, body: string, relaxed: string])[] = [
    ['the example of RFC 6376 §3.4.5', ' C \r\nD \t E\r\n\r\n\r\n', ' C\r\nD E\r\n'],
    ['an empty body is hashed as nothing', '', ''],
    ['a body of blank lines is empty', '\r\n\r\n\r\n', ''],
    ['a body of lines with nothing but blanks is empty', '  \r\n\t\r\n \t \r\n', ''],
    ['a line end is put where the last one lacks', 'text', 'text\r\n'],
    ['blanks at the very end go', 'text \t', 'text\r\n'],
    ['blank lines at the start stay', '\r\n\r\ntext\r\n', '\r\n\r\ntext\r\n'],
    ['blank lines in the middle stay, without their blanks', 'a\r\n \r\n\t\r\nb\r\n', 'a\r\n\r\n\r\nb\r\n'],
    ['leading blanks become one space', '   a\r\n\t\tb\r\n', ' a\r\n b\r\n'],
    ['other white space is no WSP', 'a\u00a0\u00a0b\x0b\x0c\r\n', 'a\u00a0\u00a0b\x0b\x0c\r\n'],
    ['octets above 127 are octets', 'a \xff\xfe  b\r\n', 'a \xff\xfe b\r\n'],
    ['a CR within a line is text', 'a \rb\r\r\nc\r\n', 'a \rb\r\r\nc\r\n'],
    ['an LF within a line is text', 'a \nb\n\r\n', 'a \nb\n\r\n'],
    ['more blank lines than one write holds', `a${'\r\n'.repeat(1500)}b\r\n`, `a${'\r\n'.repeat(1500)}b\r\n`],
  ]
  for (const [name, body, relaxed] of cases) {
    it(name, () => {
      const feedings = body.length > 200 ? [inChunks(body, [1]), inChunks(body, [1000]), inChunks(body, [7, 3])] : everyWay(body)
      for (const feeding of feedings) expect(hashOf(feeding.chunks), feeding.name).toBe(sha256(relaxed))
    })
  }

  it('in pieces of any size give what the whole gives', () => {
    const word = fc.constantFrom('a', 'bc', ' ', '  ', '\t', '\r\n', '\r\n\r\n', '.', '\xe9', ' \r\n', 'x y  z')
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }), (words, sizes) => {
        const body = words.join('')
        expect(hashOf(inChunks(body, sizes).chunks)).toBe(sha256(relaxedBody(body)))
      }),
      { numRuns: 500 },
    )
  })

  it('in long pieces, too, wherever in memory and in a word a blank stands', () => {
    const word = fc.constantFrom('abcdefg', 'hij', ' ', 'k', ' \r\n', '\r\n', '  ', '!', '\x7f\xa0\xff', '\0', '\t')
    const words = fc.array(
      fc.oneof({ weight: 9, arbitrary: fc.constantFrom('abcdefg ', 'hij ', 'k', '.\r\n', '!\xff\r\n\r\n') }, { weight: 1, arbitrary: word }),
      { maxLength: 80 },
    )
    fc.assert(
      fc.property(words, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 20, max: 300 }), (parts, offset, size) => {
        const body = parts.join('')
        const shifted = toBytes('x'.repeat(offset) + body).subarray(offset)
        const chunks = []
        for (let at = 0; at < shifted.length; at += size) chunks.push(shifted.subarray(at, at + size))
        expect(hashOf(chunks)).toBe(sha256(relaxedBody(body)))
      }),
      { numRuns: 1000 },
    )
  })
})

describe('relaxed header fields', () => {
  it('are those of RFC 6376 §3.4.5', () => {
    expect(relaxField('a', ' X\r\n') + relaxField('b', ' Y\t\r\n\tZ  \r\n')).toBe('a:X\r\nb:Y Z\r\n')
  })

  it('lose blanks at both ends, folds and runs of blanks, and nothing else', () => {
    expect(relaxField('subject', '\t \u00a0a\t\tb\r\n  c \u00a0 \r\n')).toBe('subject:\u00a0a b c \u00a0\r\n')
    expect(relaxField('subject', '\r\n')).toBe('subject:\r\n')
    expect(relaxField('subject', '   \r\n')).toBe('subject:\r\n')
    expect(relaxField('subject', 'x\r\n')).toBe('subject:x\r\n')
  })
})

describe('the message of RFC 8463 appendix A', () => {
  const fields = new Map([
    ['from', ' Joe SixPack <joe@football.example.com>\r\n'],
    ['to', ' Suzie Q <suzie@shopping.example.net>\r\n'],
    ['subject', ' Is dinner ready?\r\n'],
    ['date', ' Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n'],
    ['message-id', ' <20030712040037.46341.5F8J@football.example.com>\r\n'],
  ])
  const body = 'Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n'
  const bodyHash = '2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8='

  it('has the body hash that stands there', () => {
    for (const feeding of everyWay(body)) expect(hashOf(feeding.chunks)).toBe(bodyHash)
  })

  it('has the Ed25519 signature that stands there', () => {
    const own = [
      ' v=1; a=ed25519-sha256; c=relaxed/relaxed;',
      ' d=football.example.com; i=@football.example.com;',
      ' q=dns/txt; s=brisbane; t=1528637909; h=from : to :',
      ' subject : date : message-id : from : subject : date;',
      ` bh=${bodyHash};`,
      ' b=',
    ].join('\r\n')
    const octets = toBytes([...fields].map(([name, value]) => relaxField(name, value)).join('') + relaxField('dkim-signature', own).slice(0, -2))
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from('11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=', 'base64').toString('base64url') },
      format: 'jwk',
    })
    const signature = Buffer.from('/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==', 'base64')
    expect(verify(null, createHash('sha256').update(octets).digest(), key, signature)).toBe(true)
  })
})
