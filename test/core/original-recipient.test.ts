import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatOriginalRecipient, ORCPT_OCTETS_MAX, readOriginalRecipient } from '../../src/core/original-recipient.ts'
import { isOriginalRecipient } from '../../src/smtp/xtext.ts'

describe('the original recipient', () => {
  it.each([
    ['user@example.com', 'rfc822;user@example.com'],
    ['a+b=c@example.com', 'rfc822;a+2Bb+3Dc@example.com'],
    ['"a b"@example.com', 'rfc822;"a+20b"@example.com'],
    ['bücher@example.com', 'utf-8;b\\x{FC}cher@example.com'],
  ])('%s is written as %s, and read again', (address, orcpt) => {
    expect(formatOriginalRecipient(address)).toBe(orcpt)
    expect(readOriginalRecipient(orcpt)).toBe(address)
  })
  it('is what we take ourselves, whatever the address', () => {
    const printable = fc.string({
      unit: fc.constantFrom(...' !#$%&\'*+-/=?^_`{|}~.@"(),:;<>[]\\', 'a', 'Z', '0', 'ü', '漢', '😀'),
      minLength: 1,
      maxLength: 40,
    })
    fc.assert(
      fc.property(printable, (address) => {
        const orcpt = formatOriginalRecipient(address) ?? ''
        expect(isOriginalRecipient(orcpt, false)).toBe(true)
        expect(readOriginalRecipient(orcpt)).toBe(address)
      }),
    )
  })
  it('is left out where it would be longer than ORCPT may be', () => {
    const longest = 'a'.repeat(ORCPT_OCTETS_MAX - 'rfc822;'.length)
    expect(formatOriginalRecipient(longest)).toBe(`rfc822;${longest}`)
    expect(formatOriginalRecipient(`${longest}a`)).toBeNull()
  })
  it.each(['user@example.com', 'x400;c=de', 'rfc822;a+0Ab', 'rfc822;a+7Fb', 'utf-8;a\\x{00}b', 'utf-8;\\x{D800}', 'utf-8;\\x{FFFFFF}', ''])(
    'is not read from %j',
    (orcpt) => expect(readOriginalRecipient(orcpt)).toBeNull(),
  )
})
