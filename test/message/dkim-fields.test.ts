import { describe, expect, it } from 'vitest'
import { headerOf } from '../../src/message/dkim-content.ts'
import { coverFields, signedNames } from '../../src/message/dkim-fields.ts'

const cover = (header: string, more: readonly string[] = [], prefix = '') =>
  coverFields([headerOf(Buffer.from(prefix)), headerOf(Buffer.from(header, 'latin1'))], signedNames(more))

describe('the fields that a signature covers', () => {
  it('are those a reader sees, and the single ones once more than they occur', () => {
    expect(cover('From: a@b.c\r\nX-Other: x\r\nSubject: s\r\nList-Id: l\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n').names).toEqual([
      'From',
      'From',
      'Subject',
      'Subject',
      'List-Id',
      'List-Unsubscribe-Post',
    ])
  })

  it('come in relaxed form, in the order of the names', () => {
    expect(cover('subject: two  words\r\n\tfolded \r\nFROM :a@b.c\r\n').octets).toBe('from:a@b.c\r\nsubject:two words folded\r\n')
  })

  it('are taken from the last one up where there are several', () => {
    expect(cover('From: a@b.c\r\nResent-To: one\r\nResent-To: two\r\n').octets).toBe('from:a@b.c\r\nresent-to:two\r\nresent-to:one\r\n')
  })

  it('include a second Subject, which some reader may show', () => {
    const { names, octets } = cover('From: a@b.c\r\nSubject: one\r\nSubject: two\r\n')
    expect(names).toEqual(['From', 'From', 'Subject', 'Subject', 'Subject'])
    expect(octets).toBe('from:a@b.c\r\nsubject:two\r\nsubject:one\r\n')
  })

  it('are never those that change on the way', () => {
    const trace = 'Received: x\r\nReturn-Path: <x>\r\nDKIM-Signature: v=1\r\nAuthentication-Results: x\r\nARC-Seal: x\r\nComments: x\r\nKeywords: x\r\n'
    expect(cover(`${trace}From: a@b.c\r\n`, ['Received', 'dkim-signature', 'X-Mine']).names).toEqual(['From', 'From'])
  })

  it('are joined by those that the configuration names', () => {
    expect(cover('From: a@b.c\r\nx-mine: 1\r\nX-Mine: 2\r\n', ['X-Mine'])).toEqual({
      names: ['From', 'From', 'X-Mine', 'X-Mine'],
      octets: 'from:a@b.c\r\nx-mine:2\r\nx-mine:1\r\n',
    })
  })

  it('are those of our own lines, too, which stand above', () => {
    const prefix = 'Received: by us\r\nDate: today\r\nMessage-ID: <1@us>\r\n'
    expect(cover('From: a@b.c\r\n', [], prefix).octets).toBe('from:a@b.c\r\ndate:today\r\nmessage-id:<1@us>\r\n')
  })

  it('are fifty of one name at most, from below', () => {
    const many = Array.from({ length: 60 }, (_, n) => `To: ${n}\r\n`).join('')
    const { names, octets } = cover(`From: a@b.c\r\n${many}`)
    expect(names.filter((name) => name === 'To')).toHaveLength(50)
    expect(octets.split('\r\n').slice(1, -1)).toEqual(Array.from({ length: 50 }, (_, n) => `to:${59 - n}`))
  })
})
