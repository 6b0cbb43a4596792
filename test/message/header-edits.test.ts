import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HeaderEdits } from '../../src/core/header-edits.ts'
import { findAddresses } from '../../src/message/address-fields.ts'
import { scanHeaderBlock } from '../../src/message/header-block.ts'
import { editHeader } from '../../src/message/header-edits.ts'
import { applyFixups } from '../../src/message/submission-fixups.ts'

function addressesIn(value: string): readonly string[] {
  return findAddresses(value, 0, value.length).map(({ address, start, end }) =>
    value.slice(start, end) === address ? address : `${address} at ${value.slice(start, end)}`,
  )
}

describe('addresses of a field', () => {
  const cases: readonly (readonly [value: string, addresses: readonly string[]])[] = [
    ['a@x.example', ['a@x.example']],
    [' Ann <a@x.example>\r\n', ['a@x.example']],
    ['a@x.example, b@y.example', ['a@x.example', 'b@y.example']],
    ['"Doe, Jane" <jane@x.example>, "a@b" <c@d>', ['jane@x.example', 'c@d']],
    ['=?utf-8?q?J=C3=B6rg,_x?= <j@x.example>', ['j@x.example']],
    ['Ann (her, (nested) \\) <no@x>) <a@x.example> (b@y)', ['a@x.example']],
    ['team: a@x.example, Bob <b@y.example>; , c@z.example', ['a@x.example', 'b@y.example', 'c@z.example']],
    ['Undisclosed recipients:;', []],
    ['<@relay.example,@b.example:a@x.example>', ['a@x.example']],
    ['Ann\r\n <a@x.example>,\r\n\tb@y.example\r\n', ['a@x.example', 'b@y.example']],
    ['"a b"@x.example', ['"a b"@x.example']],
    ['a@[192.0.2.1]', ['a@[192.0.2.1]']],
    ['a . b @ x . example', ['a.b@x.example at a . b @ x . example']],
    ['a(c)@x.example', ['a@x.example at a(c)@x.example']],
    ['root', ['root']],
    ['Cron Daemon <root>', ['root']],
    ['root (Cron Daemon)', ['root']],
    ['Cron Daemon', []],
    ['Joe joe@x.example', ['joe@x.example']],
    ['first.last', ['first.last']],
    ['', []],
    ['<>', []],
    ['@x.example', []],
    ['a@', []],
    ['"unclosed <a@x.example>', ['"unclosed <a@x.example>']],
    ['(unclosed a@x.example', []],
    ['a@x.example>', ['a@x.example']],
    [',,;:,a@x.example', ['a@x.example']],
  ]
  it.each(cases)('%j', (value, addresses) => {
    expect(addressesIn(value)).toEqual(addresses)
  })

  it('never reach beyond the field, and never overlap', () => {
    const pieces = fc.constantFrom('a', '@', 'x.example', '<', '>', ',', ';', ':', '(', ')', '"', '\\', '[', ']', '.', ' ', '\r\n ', '=?utf-8?q?a?=', '\xe9')
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        const text = `From:${parts.join('')}\r\nNext: n@x\r\n`
        const end = text.length - 'Next: n@x\r\n'.length
        let last = 5
        for (const span of findAddresses(text, 5, end)) {
          expect(span.start).toBeGreaterThanOrEqual(last)
          expect(span.end).toBeGreaterThan(span.start)
          last = span.end
        }
        expect(last).toBeLessThanOrEqual(end)
      }),
    )
  })

  it('are found in linear time', () => {
    for (const text of ['('.repeat(100_000), 'a@'.repeat(50_000), '<'.repeat(100_000), '"\\'.repeat(50_000), 'a (c) '.repeat(20_000), 'a.'.repeat(50_000)]) {
      const before = performance.now()
      findAddresses(text, 0, text.length)
      expect(performance.now() - before).toBeLessThan(2_000)
    }
  })
})

const HIDE: HeaderEdits = {
  address: (address, field) => {
    if (address === 'old@x.example') return 'new@y.example'
    return address.endsWith('@lan') && field !== 'reply-to' ? 'noreply@y.example' : null
  },
  qualify: (name) => `${name}@host.example`,
  isToBeAnswered: (address) => address.endsWith('@lan'),
}

function edited(header: string, edits: HeaderEdits = HIDE): string {
  const content = Buffer.from(`${header}\r\nbody From: old@x.example\r\n`, 'latin1')
  const scan = scanHeaderBlock(content, { headerOctetsMax: 100_000, ended: true })
  if (scan.kind !== 'block') throw new Error(scan.kind)
  const pieces = applyFixups(content, { cuts: [], blankLineAt: null }, editHeader(scan.block, edits))
  return Buffer.concat(pieces).toString('latin1').replace('\r\nbody From: old@x.example\r\n', '')
}

describe('edits of a header', () => {
  const cases: readonly (readonly [name: string, before: string, after: string])[] = [
    ['touch nothing that no rule knows', 'From: "A, \xe9" <a@x.example> (c)\r\n', 'From: "A, \xe9" <a@x.example> (c)\r\n'],
    ['replace the address alone', 'FROM :\t"A, B"\r\n <old@x.example> (c)\r\n', 'FROM :\t"A, B"\r\n <new@y.example> (c)\r\n'],
    ['are made in From, Sender and Reply-To', 'Sender: old@x.example\r\nReply-To: old@x.example\r\n', 'Sender: new@y.example\r\nReply-To: new@y.example\r\n'],
    [
      'are made nowhere else',
      'To: old@x.example\r\nX-From: old@x.example\r\nCc: old@x.example\r\n',
      'To: old@x.example\r\nX-From: old@x.example\r\nCc: old@x.example\r\n',
    ],
    ['keep comments inside an address', 'From: old(why)@x.example\r\n', 'From: new@y.example (why)\r\n'],
    [
      'give names a domain',
      'From: root (Cron)\r\nTo: root, a@x.example\r\nCc: Bob <bob>\r\nBcc: x\r\n',
      'From: root@host.example (Cron)\r\nTo: root@host.example, a@x.example\r\nCc: Bob <bob@host.example>\r\nBcc: x\r\n',
    ],
    [
      'put the real author as Reply-To',
      'From: Ann\r\n <ann@lan>, bob@x.example\r\nTo: a@x.example\r\n',
      'From: Ann\r\n <noreply@y.example>, bob@x.example\r\nReply-To: Ann\r\n <ann@lan>, bob@x.example\r\nTo: a@x.example\r\n',
    ],
    ['leave a Reply-To that is there', 'Reply-To: r@x.example\r\nFrom: ann@lan\r\n', 'Reply-To: r@x.example\r\nFrom: noreply@y.example\r\n'],
  ]
  it.each(cases)('%s', (_name, before, after) => {
    expect(edited(before)).toBe(after)
  })

  it('are made of addresses beyond ASCII as UTF-8', () => {
    const edits: HeaderEdits = { ...HIDE, address: (address) => (address === 'jörg@x.example' ? 'j@y.example' : null) }
    expect(edited(`From: ${Buffer.from('Jörg <jörg@x.example>').toString('latin1')}\r\n`, edits)).toBe(
      `From: ${Buffer.from('Jörg').toString('latin1')} <j@y.example>\r\n`,
    )
  })

  it('change no octet outside of addresses, whatever the block holds', () => {
    const line = fc.constantFrom(
      'From: old@x.example',
      'Sender: "o" <old@x.example>',
      'Subject: old@x.example',
      ' folded old@x.example',
      'To: root',
      'X: \xff\x80',
      'Reply-To: (old@x.example) a@b',
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const header = lines.map((text) => `${text}\r\n`).join('')
        const none: HeaderEdits = { address: () => null, qualify: () => null, isToBeAnswered: () => false }
        expect(edited(`A: b\r\n${header}`, none)).toBe(`A: b\r\n${header}`)
        const restored = edited(`A: b\r\n${header}`, { ...none, address: (address) => (address === 'old@x.example' ? 'OLD@x.example' : null) })
        expect(restored.toLowerCase()).toBe(`A: b\r\n${header}`.toLowerCase())
      }),
    )
  })
})
