import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileAddressPattern, compileAddressPatterns, compileGlob } from '../../src/core/pattern.ts'

describe('compileGlob', () => {
  const cases: readonly (readonly [glob: string, text: string, matches: boolean])[] = [
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*', 'anything', true],
    ['abc', 'ABC', true],
    ['ABC', 'abc', true],
    ['abc', 'abcd', false],
    ['a*c', 'ac', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abcd', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*b*', 'abc', true],
    ['*b*', 'ac', false],
    ['a**c', 'abc', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a*bc*bc', 'abcbc', true],
    ['a*bc*bc', 'abc', false],
    ['a.c', 'abc', false],
    ['(a|b)+', '(a|b)+', true],
    ['[ab]', 'a', false],
    ['a?c', 'abc', false],
  ]
  it.each(cases)('%s against %j: %s', (glob, text, matches) => {
    expect(compileGlob(glob)(text)).toBe(matches)
  })

  it('agrees with the obvious, slow definition', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
    const slow = (glob: string, text: string): boolean => {
      if (glob === '') return text === ''
      if (glob[0] === '*') return slow(glob.slice(1), text) || (text !== '' && slow(glob, text.slice(1)))
      return text !== '' && glob[0] === text[0] && slow(glob.slice(1), text.slice(1))
    }
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (glob, text) => {
        expect(compileGlob(glob)(text)).toBe(slow(glob, text))
      }),
      { numRuns: 500 },
    )
  })

  it('stays linear where regular expressions explode', () => {
    const pattern = compileGlob(`${'a*'.repeat(200)}b`)
    const started = performance.now()
    expect(pattern('a'.repeat(64 * 1024))).toBe(false)
    expect(performance.now() - started).toBeLessThan(200)
  })
})

describe('compileAddressPattern', () => {
  const cases: readonly (readonly [pattern: string, address: string, matches: boolean])[] = [
    ['*', 'u@y', true],
    ['*', '<>', true],
    ['<>', '<>', true],
    ['<>', '', true],
    ['<>', 'u@y', false],
    ['u@y', 'U@Y', true],
    ['u@y', 'xu@y', false],
    ['*@y', 'u@y', true],
    ['*@y', 'u@sub.y', false],
    ['jira+*@y', 'jira+7@y', true],
    ['y', 'u@y', true],
    ['y', 'u@sub.y', false],
    ['*.y', 'u@sub.y', true],
    ['*.y', 'u@y', false],
    ['y', 'y', false],
    ['y', '"a@z"@y', true],
    ['z', '"a@z"@y', false],
  ]
  it.each(cases)('%s against %s: %s', (pattern, address, matches) => {
    expect(compileAddressPattern(pattern)(address)).toBe(matches)
  })
  it('is any of several', () => {
    const matches = compileAddressPatterns(['*@y', '<>'])
    expect(['u@y', '<>', 'u@z'].map(matches)).toEqual([true, true, false])
    expect(compileAddressPatterns([])('u@y')).toBe(false)
  })
})
