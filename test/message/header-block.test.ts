import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  HEADER_FACTS_CHARS_MAX,
  HEADER_FACTS_MAX,
  HEADER_VALUE_CHARS_MAX,
  type HeaderBlock,
  type HeaderScan,
  readHeaderFacts,
  scanHeaderBlock,
} from '../../src/message/header-block.ts'

const LIMIT = 100 * 1024

function scan(text: string, options: { readonly headerOctetsMax?: number; readonly ended?: boolean } = {}): HeaderScan {
  return scanHeaderBlock(Buffer.from(text), { headerOctetsMax: options.headerOctetsMax ?? LIMIT, ended: options.ended ?? true })
}
function block(text: string): HeaderBlock {
  const found = scan(text)
  if (found.kind !== 'block') throw new Error(`no block: ${found.kind}`)
  return found.block
}
function names(text: string): readonly string[] {
  return block(text).fields.map((field) => field.name)
}

describe('scanHeaderBlock', () => {
  const cases: readonly (readonly [name: string, content: string, names: readonly string[], separator: HeaderBlock['separator'], octets: number])[] = [
    ['a plain message', 'From: a@x\r\nTo: b@y\r\n\r\nbody\r\n', ['from', 'to'], 'blank-line', 20],
    ['no content at all', '', [], 'end-of-content', 0],
    ['a blank first line', '\r\nbody\r\n', [], 'blank-line', 0],
    ['a header block alone', 'From: a@x\r\n', ['from'], 'end-of-content', 11],
    ['a first line that is no field', 'Hello there\r\nFrom: a@x\r\n\r\n', [], 'missing', 0],
    ['an mbox line', 'From a@x Sat Jan  1 00:00:00 2026\r\nFrom: a@x\r\n\r\n', [], 'missing', 0],
    ['a first line that begins with white space', ' From: a@x\r\n\r\n', [], 'missing', 0],
    ['text behind the fields without a blank line', 'From: a@x\r\nHello there\r\n\r\n', ['from'], 'missing', 11],
    ['folds', 'Subject: a\r\n b\r\n\tc\r\nTo: b@y\r\n\r\n', ['subject', 'to'], 'blank-line', 29],
    ['a fold of nothing but white space', 'Subject: a\r\n \r\nTo: b@y\r\n\r\n', ['subject', 'to'], 'blank-line', 24],
    ['white space before the colon', 'Subject \t: a\r\n\r\n', ['subject'], 'blank-line', 14],
    ['a colon without a name', ': a\r\n\r\n', [], 'missing', 0],
    ['a name with an octet above 127', 'S\u00fcbject: a\r\n\r\n', [], 'missing', 0],
    ['a name with a space in it', 'My Subject: a\r\n\r\n', [], 'missing', 0],
    [
      'names that mean something to JavaScript',
      '__proto__: x\r\nconstructor: y\r\ntoString: z\r\n\r\n',
      ['__proto__', 'constructor', 'tostring'],
      'blank-line',
      43,
    ],
    ['an empty value', 'Bcc:\r\n\r\n', ['bcc'], 'blank-line', 6],
  ]
  it.each(cases)('finds the fields of %s', (_, content, expected, separator, octets) => {
    const found = block(content)
    expect(found.fields.map((field) => field.name)).toEqual(expected)
    expect(found.separator).toBe(separator)
    expect(found.octets).toBe(octets)
  })

  it('tells where each field begins and ends, folds included', () => {
    const content = 'From: a@x\r\nSubject: one\r\n two\r\n\r\nbody'
    const [, subject] = block(content).fields
    expect(content.slice(subject?.start, subject?.end)).toBe('Subject: one\r\n two\r\n')
    expect(content.slice(subject?.valueStart, subject?.end)).toBe(' one\r\n two\r\n')
  })

  it('counts octets, not characters', () => {
    expect(block('Subject: \u00e9\r\n\r\n').octets).toBe(13)
  })

  it('asks for more until the end of the block is there, at every cut', () => {
    const content = 'From: a@x\r\nSubject: one\r\n two\r\n\r\n'
    for (let cut = 0; cut < content.length; cut++) {
      expect(scan(content.slice(0, cut), { ended: false }).kind, `cut at ${cut}`).toBe('unfinished')
    }
    expect(scan(content, { ended: false }).kind).toBe('block')
  })

  it('is not disturbed by what follows the block', () => {
    const head = 'From: a@x\r\n\r\n'
    expect(names(`${head}Bcc: b@y\r\n\r\nmore\r\n`)).toEqual(['from'])
  })

  it('refuses a block one octet above the limit and takes one at the limit', () => {
    const field = `Subject: ${'a'.repeat(89)}\r\n`
    expect(field.length).toBe(100)
    for (const tail of ['\r\n', '\r\nbody\r\n', '']) {
      expect(scan(field + tail, { headerOctetsMax: 100 }).kind, JSON.stringify(tail)).toBe('block')
      expect(scan(field + tail, { headerOctetsMax: 99 }).kind, JSON.stringify(tail)).toBe('too-large')
    }
  })

  it('refuses an endless block as soon as the limit is passed, before the content has ended', () => {
    expect(scan('a: b\r\n'.repeat(20), { headerOctetsMax: 100, ended: false }).kind).toBe('too-large')
    expect(scan('a'.repeat(200), { headerOctetsMax: 100, ended: false }).kind).toBe('too-large')
    expect(scan(`a: b\r\n${' c\r\n'.repeat(100)}`, { headerOctetsMax: 100, ended: false }).kind).toBe('too-large')
  })

  it('takes time that grows with the block and not with its square', () => {
    const time = (content: string): number => {
      const bytes = Buffer.from(content)
      let best = Number.POSITIVE_INFINITY
      for (let i = 0; i < 5; i++) {
        const from = performance.now()
        scanHeaderBlock(bytes, { headerOctetsMax: 100_000_000, ended: true })
        best = Math.min(best, performance.now() - from)
      }
      return best
    }
    for (const unit of ['a: b\r\n', ' folded\r\n', 'x'.repeat(50)]) {
      const small = time(`s: x${unit.startsWith(' ') ? '\r\n' : ''}${unit.repeat(20_000)}`)
      const large = time(`s: x${unit.startsWith(' ') ? '\r\n' : ''}${unit.repeat(160_000)}`)
      expect(large, JSON.stringify(unit.slice(0, 10))).toBeLessThan(Math.max(small, 0.5) * 30)
    }
  })

  it('never loses or doubles an octet: fields lie one behind the other', () => {
    const line = fc.constantFrom('From: a@x\r\n', ' fold\r\n', '\tfold\r\n', 'Bcc: b\r\n', '\r\n', 'no field\r\n', ': odd\r\n', 'X\r\n', 'a :b\r\n')
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const content = lines.join('')
        const found = block(content)
        let at = 0
        for (const field of found.fields) {
          expect(field.start).toBe(at)
          expect(content.slice(field.end - 2, field.end)).toBe('\r\n')
          at = field.end
        }
        expect(found.octets).toBe(at)
        const next = content.slice(at)
        if (found.separator === 'blank-line') expect(next.startsWith('\r\n')).toBe(true)
        if (found.separator === 'end-of-content') expect(next).toBe('')
      }),
    )
  })
})

describe('readHeaderFacts', () => {
  const facts = (text: string) => readHeaderFacts(block(text))

  it('gives author, subject and message id unfolded', () => {
    const found = facts('From: A\r\n <a@x>\r\nSubject: one\r\n\ttwo\r\nMessage-ID: <1@x>\r\n\r\n')
    expect(found).toMatchObject({ from: 'A <a@x>', subject: 'one two', messageId: '<1@x>' })
  })

  it('says null for what is not there', () => {
    expect(facts('X-A: b\r\n\r\n')).toMatchObject({ from: null, subject: null, messageId: null })
  })

  it('reads values as UTF-8 and keeps what is no UTF-8 from doing harm', () => {
    expect(facts('Subject: caf\u00e9 \u{1f600}\r\n\r\n').subject).toBe('caf\u00e9 \u{1f600}')
    const broken = scanHeaderBlock(Buffer.from('Subject: \xff\xfe\r\n\r\n', 'latin1'), { headerOctetsMax: LIMIT, ended: true })
    expect(broken.kind === 'block' && readHeaderFacts(broken.block).subject).toBe('\ufffd\ufffd')
  })

  it('takes control characters out of values', () => {
    expect(facts('Subject: a\u001b[31m\u0000b\u0085c\r\n\r\n').subject).toBe('a [31m b c')
  })

  it('leaves out trace fields, signatures and Bcc', () => {
    const found = facts('Received: x\r\nReturn-Path: <>\r\nDKIM-Signature: v=1\r\nARC-Seal: x\r\nBcc: secret@x\r\nTo: b@y\r\n\r\n')
    expect(found.fields).toEqual([['to', 'b@y']])
  })

  it('keeps a harmless list of names, whatever they are', () => {
    const found = facts('__proto__: x\r\nconstructor: y\r\n\r\n')
    expect(found.fields).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })

  it('is bounded in number, in length of a value, and in all', () => {
    const many = facts(`${Array.from({ length: 200 }, (_, i) => `X-${i}: v\r\n`).join('')}Subject: last\r\n\r\n`)
    expect(many.fields).toHaveLength(HEADER_FACTS_MAX)
    expect(many.subject).toBe('last')
    const long = facts(`Subject: ${'a'.repeat(5_000)}\r\n\r\n`)
    expect(long.subject).toHaveLength(HEADER_VALUE_CHARS_MAX)
    const all = facts(Array.from({ length: 64 }, (_, i) => `X-${i}: ${'v'.repeat(1_000)}\r\n`).join(''))
    const chars = all.fields.reduce((sum, [name, value]) => sum + name.length + value.length, 0)
    expect(chars).toBeLessThan(HEADER_FACTS_CHARS_MAX + HEADER_VALUE_CHARS_MAX + 200)
  })

  it('leaves out names that are absurdly long', () => {
    expect(facts(`${'x'.repeat(500)}: v\r\n\r\n`).fields).toEqual([])
  })
})
