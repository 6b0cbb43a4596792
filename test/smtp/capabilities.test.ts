import { describe, expect, it } from 'vitest'
import { NO_CAPABILITIES, parseCapabilities } from '../../src/smtp/capabilities.ts'

function parse(...lines: readonly string[]) {
  return parseCapabilities(['mx.test greets you', ...lines])
}

describe('parseCapabilities', () => {
  it('reads the keywords in any case', () => {
    const all = parse('PIPELINING', 'size 1000', '8BitMime', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES', 'StartTLS', 'REQUIRETLS', 'AUTH PLAIN login')
    expect(all).toEqual({
      esmtp: true,
      pipelining: true,
      startTls: true,
      eightBitMime: true,
      smtputf8: true,
      dsn: true,
      enhancedStatusCodes: true,
      requireTls: true,
      size: true,
      sizeOctets: 1000,
      authMechanisms: ['PLAIN', 'LOGIN'],
    })
  })
  it('takes nothing from the line with the name', () => {
    expect(parseCapabilities(['PIPELINING'])).toEqual({ ...NO_CAPABILITIES, esmtp: true })
  })
  it.each([
    ['SIZE', null],
    ['SIZE 0', null],
    ['SIZE 1e30', null],
    ['SIZE -1', null],
    ['SIZE 99999999999999999999', null],
    ['SIZE 10240000', 10_240_000],
  ])('%s: limit %s', (line, sizeOctets) => {
    expect(parse(line)).toMatchObject({ size: true, sizeOctets })
  })
  it('collects login mechanisms of both spellings, each once', () => {
    expect(parse('AUTH PLAIN LOGIN', 'AUTH=LOGIN CRAM-MD5', 'AUTH PLAIN').authMechanisms).toEqual(['PLAIN', 'LOGIN', 'CRAM-MD5'])
    expect(parse('AUTH', 'AUTH=', 'AUTH !!! LOGIN').authMechanisms).toEqual(['LOGIN'])
  })
  it('is not moved by unknown, masked or hostile keywords', () => {
    const lines = ['XXXXXXXA', `X${'Y'.repeat(10_000)}`, '__proto__ x', 'constructor', '', ' ', 'STARTTLSX', 'XSTARTTLS']
    expect(parse(...lines)).toEqual({ ...NO_CAPABILITIES, esmtp: true })
    expect(parse(`AUTH ${Array.from({ length: 1000 }, (_, index) => `M${index}`).join(' ')}`).authMechanisms.length).toBeLessThanOrEqual(32)
    expect({}).not.toHaveProperty('x')
  })
})
