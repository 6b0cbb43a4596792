import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEightBitConverter, createEightBitScanner } from '../../src/message/eight-bit.ts'

/** Whole, octet by octet, and in two pieces at every place would be the same: tried at some. */
function pieces(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size))
}
function scan(text: string | Buffer, size = 1 << 20) {
  const scanner = createEightBitScanner()
  for (const piece of pieces(Buffer.from(text), size)) scanner.push(piece)
  return scanner.end()
}
function convert(text: string | Buffer, size = 1 << 20): string {
  const { verdict } = scan(text)
  if (verdict.kind !== 'convertible') throw new Error(`not convertible: ${verdict.kind}`)
  const converter = createEightBitConverter(verdict.leaves)
  const out = pieces(Buffer.from(text), size).map((piece) => converter.push(piece))
  return Buffer.concat([...out, converter.end()]).toString('latin1')
}
/** What another reader makes of it: Python's email package, body after body. */
function readByPython(text: string): readonly string[] {
  const script =
    'import sys,email,json; m=email.message_from_bytes(sys.stdin.buffer.read()); print(json.dumps([p.get_payload(decode=True).hex() for p in m.walk() if not p.is_multipart()]))'
  return JSON.parse(execFileSync('python3', ['-c', script], { input: Buffer.from(text, 'latin1') }).toString()) as string[]
}
const hex = (text: string) => Buffer.from(text).toString('hex')

const GREETING = 'Grüße aus Köln = schön \t\r\n.\r\n'
const PLAIN = `MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${GREETING}`
const MIXED = [
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary="=_a b"',
  'Content-Transfer-Encoding: 8bit',
  '',
  'preamble',
  '--=_a b',
  'Content-Type: text/plain; charset=utf-8',
  '',
  'ASCII only',
  '--=_a b',
  'Content-Type: multipart/alternative;',
  ' boundary=inner',
  '',
  '--inner',
  'Content-Type: text/html; charset=utf-8',
  'Content-Transfer-Encoding: 8bit',
  '',
  '<p>Grüße</p>',
  '--inner--',
  '--=_a b',
  'Content-Type: application/octet-stream',
  'Content-Transfer-Encoding: binary',
  '',
  'Größe\r\nzweite Zeile',
  '--=_a b',
  'Content-Type: message/rfc822',
  '',
  'Subject: inside',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: 8bit',
  '',
  'Übung',
  '--=_a b--',
  'epilogue',
  '',
].join('\r\n')

describe('the scanner', () => {
  it.each([
    ['an ASCII message', 'Subject: x\r\n\r\nplain\r\n', 'seven-bit', true],
    ['a declared but ASCII one', PLAIN.replace(GREETING, 'plain\r\n'), 'seven-bit', true],
    ['8-bit text', PLAIN, 'convertible', true],
    ['an 8-bit header', 'Subject: Grüße\r\n\r\nplain\r\n', 'fixed', false],
    ['a signed one', `DKIM-Signature: v=1\r\n${PLAIN}`, 'fixed', true],
    ['a signed but ASCII one', 'DKIM-Signature: v=1\r\n\r\nplain\r\n', 'seven-bit', true],
    ['multipart/signed', MIXED.replace('multipart/alternative', 'multipart/signed'), 'fixed', true],
    ['base64 that is none', PLAIN.replace('8bit', 'base64'), 'fixed', true],
    ['a multipart without boundary', MIXED.replace('; boundary="=_a b"', ''), 'fixed', true],
    ['8-bit between the parts', MIXED.replace('preamble', 'Präambel'), 'fixed', true],
    ['a header only', 'Subject: x\r\n', 'seven-bit', true],
    ['nothing', '', 'seven-bit', true],
  ] as const)('says of %s: %s', (_, text, kind, headerIsAscii) => {
    expect(scan(text).verdict.kind).toBe(kind)
    expect(scan(text).headerIsAscii).toBe(headerIsAscii)
    expect(scan(text, 1).verdict.kind).toBe(kind)
  })
  it('does not follow nesting without end', () => {
    const nested = Array.from({ length: 1_000 }, (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`).join('')
    expect(scan(`${nested}Content-Type: text/plain\r\n\r\nü\r\n`).verdict.kind).toBe('fixed')
  })
})

describe('the converter', () => {
  it('writes quoted-printable that reads back as it was', () => {
    const converted = convert(PLAIN)
    expect(converted).toContain('Content-Transfer-Encoding: quoted-printable\r\n\r\n')
    expect(converted).not.toContain('8bit')
    expect(readByPython(converted)).toEqual([hex(GREETING)])
  })
  it('gives MIME fields to a message that had none', () => {
    const converted = convert('Subject: x\r\n\r\nGrüße\r\n')
    expect(converted.split('\r\n\r\n')[0]).toBe(
      'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\nContent-Transfer-Encoding: quoted-printable',
    )
  })
  it('converts the parts that need it, and leaves everything else', () => {
    const converted = convert(MIXED)
    expect(readByPython(converted)).toEqual(readByPython(Buffer.from(MIXED).toString('latin1')))
    expect(converted.match(/^Content-Transfer-Encoding: .*$/gm)).toEqual([
      'Content-Transfer-Encoding: 7bit',
      'Content-Transfer-Encoding: quoted-printable',
      'Content-Transfer-Encoding: base64',
      'Content-Transfer-Encoding: quoted-printable',
    ])
    expect(converted).toContain('preamble\r\n--=_a b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nASCII only\r\n')
    expect(converted.endsWith('--=_a b--\r\nepilogue\r\n')).toBe(true)
  })
  it.each([1, 2, 3, 7, 64])('gives the same in pieces of %i octets', (size) => {
    for (const text of [PLAIN, MIXED]) expect(convert(text, size)).toBe(convert(text))
  })
  it('keeps lines within 76 columns and octets within ASCII', () => {
    const long = `Content-Type: text/plain\r\n\r\n${'ü'.repeat(5_000)}${'x'.repeat(5_000)}\r\n`
    for (const line of convert(long).split('\r\n')) expect(line.length).toBeLessThanOrEqual(76)
  })
  it('takes a line without end, in bounded pieces', () => {
    const line = 'ü'.repeat(200_000)
    expect(readByPython(convert(`Content-Type: text/plain\r\n\r\n${line}\r\n`, 50_000))).toEqual([hex(`${line}\r\n`)])
  })
  it('reads back as it was, whatever the octets', () => {
    const body = fc
      .array(fc.constantFrom('ü', 'x', '=', ' ', '\t', '.', '\r\n', '--', 'ß='), { minLength: 1, maxLength: 200 })
      .map((parts) => `ü${parts.join('')}\r\n`)
    fc.assert(
      fc.property(body, fc.constantFrom('text/plain', 'application/octet-stream'), fc.integer({ min: 1, max: 50 }), (text, type, size) => {
        const converted = convert(`Content-Type: ${type}\r\n\r\n${text}`, size)
        const [, ...rest] = converted.split('\r\n\r\n')
        const encoded = rest.join('\r\n\r\n')
        const decoded = type === 'text/plain' ? decodeQuotedPrintable(encoded) : Buffer.from(encoded, 'base64').toString('hex')
        expect(decoded).toBe(hex(text))
        expect(/^[\0-\x7f]*$/.test(converted)).toBe(true)
      }),
    )
  })
})

function decodeQuotedPrintable(text: string): string {
  const joined = text.replace(/=\r\n/g, '')
  return Buffer.from(
    joined.replace(/=([0-9A-F]{2})/g, (_, octet: string) => String.fromCharCode(Number.parseInt(octet, 16))),
    'latin1',
  ).toString('hex')
}
