import { describe, expect, it } from 'vitest'
import { isOriginalRecipient, isXtext } from '../../src/smtp/xtext.ts'

describe('xtext', () => {
  it.each(['', 'a', 'a+2Bb', 'a+3Db', '!-~'.replace('-', ''), 'rfc822;u@y'])('takes %j', (text) => {
    expect(isXtext(text)).toBe(true)
  })
  it.each(['+', 'a+', '+G0', '+2b', '+00', '+0D', '+0A', '+1F', '+7F', '+80', '=', 'a b', 'ü', 'a\0', 'a\n'])('refuses %j', (text) => {
    expect(isXtext(text)).toBe(false)
  })
  it('wants a type in ORCPT', () => {
    expect(isOriginalRecipient('rfc822;u@y', false)).toBe(true)
    expect(isOriginalRecipient('u@y', false)).toBe(false)
    expect(isOriginalRecipient(';u@y', false)).toBe(false)
    expect(isOriginalRecipient('rfc 822;u@y', false)).toBe(false)
    expect(isOriginalRecipient('utf-8;ü@y', true)).toBe(true)
    expect(isOriginalRecipient('utf-8;ü@y', false)).toBe(false)
    expect(isOriginalRecipient('utf-8;a\u2028b', true)).toBe(false)
  })
})
