import { describe, expect, it } from 'vitest'
import { decodeWords } from '../../src/cli/encoded-words.ts'

describe('encoded words', () => {
  it.each([
    ['=?utf-8?B?R3LDvMOfZQ==?=', 'Grüße'],
    ['Re: =?ISO-8859-1?Q?Andr=E9_P?= and =?us-ascii*en?q?more?=', 'Re: André P and more'],
    ['=?utf-8?B?R3LDvA==?=  =?utf-8?B?w59l?= x', 'Grüße x'],
    ['=?unknown-8bit?Q?x?=', '=?unknown-8bit?Q?x?='],
    ['=?utf-8?X?x?= and =?utf-8?B?', '=?utf-8?X?x?= and =?utf-8?B?'],
    ['plain', 'plain'],
  ])('%j is read as %j', (text, expected) => expect(decodeWords(text)).toBe(expected))

  it('cost no time where they are hostile', () => {
    const begin = performance.now()
    decodeWords('=?utf-8?B?'.repeat(1000))
    decodeWords(`=?${'a'.repeat(9000)}`)
    decodeWords('?= \t'.repeat(2400))
    expect(performance.now() - begin).toBeLessThan(200)
  })
})
