import { describe, expect, it } from 'vitest'
import { asciiDomain } from '../../src/core/ascii-domain.ts'
import { authorDomain } from '../../src/message/author-domain.ts'
import { headerOf } from '../../src/message/dkim-content.ts'

const domainOf = (from: string) => authorDomain(headerOf(Buffer.from(`To: x@to.example\r\nFrom:${from}\r\nSubject: x\r\n`)))

describe('the domain of the author', () => {
  it.each([
    [' joe@example.com', 'example.com'],
    ['joe@EXAMPLE.com', 'example.com'],
    [' Joe <joe@example.com>', 'example.com'],
    [' "joe@wrong.example" <joe@example.com>', 'example.com'],
    [' joe@wrong.example <joe@example.com>', 'example.com'],
    [' Joe (joe@wrong.example (and more)) <joe@example.com>', 'example.com'],
    [' "a\\"<joe@wrong.example>" <joe@example.com>', 'example.com'],
    [' Doe, Joe <joe@example.com>', 'example.com'],
    [' joe@example.com, sue@other.example', 'example.com'],
    [' Authors: joe@example.com, sue@other.example;', 'example.com'],
    [' <@relay.example,@b.example:joe@example.com>', 'example.com'],
    ['\r\n\tJoe\r\n <joe@example.com>', 'example.com'],
    [' "joe@home"@example.com', 'example.com'],
    [' joe @ example . com', 'example.com'],
    [' joe@bücher.example', 'xn--bcher-kva.example'],
    [' joe@XN--BCHER-kva.example', 'xn--bcher-kva.example'],
    [' joe@[192.0.2.1]', null],
    [' joe', null],
    [' ', null],
    [' joe@', null],
    [' undisclosed:;', null],
  ])('of From:%s is %s', (from, domain) => expect(domainOf(from)).toBe(domain))

  it('of a message without From is nobody', () => expect(authorDomain(headerOf(Buffer.from('To: joe@example.com\r\n')))).toBeNull())
})

describe('a domain name in ASCII', () => {
  it.each([
    ['Example.COM.', 'example.com'],
    ['münchen.example', 'xn--mnchen-3ya.example'],
    ['_under.example', '_under.example'],
    ['a b.example', null],
    ['a@b.example', null],
    ['a/b.example', null],
    ['a..example', null],
    ['', null],
    ['x'.repeat(64), null],
    [`${'a.'.repeat(127)}b`, null],
    ['%61.example', null],
  ])('of %s is %s', (name, ascii) => expect(asciiDomain(name)).toBe(ascii))
})
