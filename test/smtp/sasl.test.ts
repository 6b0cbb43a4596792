import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createExchange, createServerExchange, type HmacMd5, type ServerStep } from '../../src/smtp/sasl.ts'

const hmacMd5: HmacMd5 = (key, message) => createHmac('md5', key).update(message).digest('hex')
const base64 = (text: string) => Buffer.from(text).toString('base64')

function serve(mechanism: string, ...lines: readonly (string | null)[]): ServerStep | null {
  const exchange = createServerExchange(mechanism)
  let step: ServerStep | null = null
  for (const line of lines) step = exchange?.next(line) ?? null
  return step
}

describe('the server side of a login', () => {
  it('offers PLAIN and LOGIN only', () => {
    expect(createServerExchange('plain')?.mechanism).toBe('PLAIN')
    expect(createServerExchange('LOGIN')?.mechanism).toBe('LOGIN')
    for (const name of ['CRAM-MD5', 'NTLM', '', '__proto__']) expect(createServerExchange(name)).toBeNull()
  })
  it('reads PLAIN with and without an identity to act as', () => {
    const credentials = { mechanism: 'PLAIN', username: 'u', password: 'p:ü w' }
    expect(serve('PLAIN', base64('\0u\0p:ü w'))).toEqual({ kind: 'credentials', credentials })
    expect(serve('PLAIN', base64('u\0u\0p:ü w'))).toEqual({ kind: 'credentials', credentials })
    expect(serve('PLAIN', null, base64('\0u\0p:ü w'))).toEqual({ kind: 'credentials', credentials })
    expect(serve('PLAIN', base64('other\0u\0p'))).toEqual({ kind: 'refused' })
  })
  it.each([
    '',
    'AAA',
    'A=AA',
    '!!!!',
    base64('u\0p'),
    base64('\0u\0p\0q'),
    base64('\0\0p'),
    base64('u'),
    Buffer.from('\0\xff\0p', 'latin1').toString('base64'),
    ' AAAA',
  ])('finds PLAIN %j malformed', (line) => {
    expect(serve('PLAIN', line)).toEqual({ kind: 'malformed' })
  })
  it('asks for name and password in LOGIN', () => {
    expect(serve('LOGIN', null)).toEqual({ kind: 'challenge', text: base64('Username:') })
    expect(serve('LOGIN', null, base64('u'))).toEqual({ kind: 'challenge', text: base64('Password:') })
    const credentials = { mechanism: 'LOGIN', username: 'u', password: 'p' }
    expect(serve('LOGIN', null, base64('u'), base64('p'))).toEqual({ kind: 'credentials', credentials })
    expect(serve('LOGIN', base64('u'), base64('p'))).toEqual({ kind: 'credentials', credentials })
    expect(serve('LOGIN', null, base64('a\0b'))).toEqual({ kind: 'malformed' })
    expect(serve('LOGIN', null, '')).toEqual({ kind: 'malformed' })
  })
})

describe('the client side of a login', () => {
  it('is understood by the server side, whatever the password', () => {
    const secret = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }).filter((text) => !text.includes('\0') && text.isWellFormed())
    fc.assert(
      fc.property(secret, secret, fc.constantFrom('PLAIN', 'LOGIN'), (username, password, mechanism) => {
        const client = createExchange(mechanism, username, password, hmacMd5)
        const server = createServerExchange(mechanism)!
        let step = server.next(client.initial)
        while (step.kind === 'challenge') step = server.next(client.next(step.text))
        expect(step).toEqual({ kind: 'credentials', credentials: { mechanism, username, password } })
      }),
    )
  })
  it('answers CRAM-MD5 as the example of RFC 2195 §2 does', () => {
    const exchange = createExchange('CRAM-MD5', 'tim', 'tanstaaftanstaaf', hmacMd5)
    expect(exchange.initial).toBeNull()
    expect(exchange.next(base64('<1896.697170952@postoffice.reston.mci.net>'))).toBe(base64('tim b913a602c7eda7a495b4e6e7334d3890'))
    expect(exchange.next('AAAA')).toBeNull()
  })
  it('cancels when a challenge is no base64, and when there is nothing left to say', () => {
    expect(createExchange('CRAM-MD5', 'u', 'p', hmacMd5).next('!')).toBeNull()
    const login = createExchange('LOGIN', 'u', 'p', hmacMd5)
    expect([login.next(''), login.next(''), login.next('')]).toEqual([base64('u'), base64('p'), null])
  })
  it('refuses NUL without telling the secret', () => {
    expect(() => createExchange('PLAIN', 'u', 'se\0cret', hmacMd5)).toThrow(/NUL/)
    expect(() => createExchange('PLAIN', 'u', 'se\0cret', hmacMd5)).not.toThrow(/cret/)
  })
})
