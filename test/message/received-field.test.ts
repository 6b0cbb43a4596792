import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressLiteral, composePrefix, createDateFormatter, formatDateTime, type TraceFacts } from '../../src/message/received-field.ts'

const DATE = 'Sun, 01 Mar 2026 12:00:00 +0000'
const NOTHING_MISSING = { date: false, messageId: false }

function facts(changes: Partial<TraceFacts> = {}): TraceFacts {
  return {
    hostname: 'mail.example.com',
    queueId: '0G5H2K3M4N5',
    protocol: 'ESMTP',
    heloName: 'app.example',
    clientAddress: '192.0.2.7',
    tls: null,
    onlyRecipient: 'bob@example.net',
    date: DATE,
    ...changes,
  }
}

describe('composePrefix', () => {
  it('writes one Received field', () => {
    expect(composePrefix(facts(), NOTHING_MISSING)).toBe(
      `Received: from app.example ([192.0.2.7])\r\n\tby mail.example.com with ESMTP id 0G5H2K3M4N5\r\n\tfor <bob@example.net>;\r\n\t${DATE}\r\n`,
    )
  })

  it('names the TLS facts in a comment', () => {
    const prefix = composePrefix(facts({ tls: 'TLSv1.3 with cipher TLS_AES_256_GCM_SHA384', protocol: 'ESMTPSA' }), NOTHING_MISSING)
    expect(prefix).toContain('\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n\tby mail.example.com with ESMTPSA id')
  })

  it('says nothing of recipients when there are several', () => {
    expect(composePrefix(facts({ onlyRecipient: null }), NOTHING_MISSING)).not.toContain('for')
  })

  it('leaves out a recipient that is not ASCII, which would keep the header from relays without SMTPUTF8', () => {
    expect(composePrefix(facts({ onlyRecipient: 'bob@b\u00fccher.example' }), NOTHING_MISSING)).not.toContain('for')
  })

  it('has no from clause for a message that came by no connection', () => {
    const prefix = composePrefix(facts({ clientAddress: null, heloName: null, protocol: null }), NOTHING_MISSING)
    expect(prefix).toBe(`Received: by mail.example.com id 0G5H2K3M4N5\r\n\tfor <bob@example.net>;\r\n\t${DATE}\r\n`)
  })

  it('adds Date and Message-ID where they are missing', () => {
    expect(composePrefix(facts(), { date: true, messageId: true })).toMatch(
      /\r\nDate: Sun, 01 Mar 2026 12:00:00 \+0000\r\nMessage-ID: <0G5H2K3M4N5@mail\.example\.com>\r\n$/,
    )
  })

  it('lets no name of a client end a line, open a comment or begin a field', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 600 }), (heloName, onlyRecipient) => {
        const prefix = composePrefix(facts({ heloName, onlyRecipient }), NOTHING_MISSING)
        expect(prefix.endsWith('\r\n')).toBe(true)
        for (const line of prefix.slice(0, -2).split('\r\n').slice(1)) expect(line.startsWith('\t')).toBe(true)
        expect(prefix.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/)
        expect(prefix.slice(0, prefix.indexOf('\r\n'))).toMatch(/^Received: from [\w.:[\]?-]+ \(\[192\.0\.2\.7\]\)$/)
      }),
    )
  })

  it('falls back to the address when the client gave no name', () => {
    expect(composePrefix(facts({ heloName: null }), NOTHING_MISSING)).toMatch(/^Received: from \[192\.0\.2\.7\] \(\[192\.0\.2\.7\]\)\r\n/)
  })
})

describe('addressLiteral', () => {
  it('marks IPv6', () => {
    expect(addressLiteral('2001:db8::1')).toBe('[IPv6:2001:db8::1]')
    expect(addressLiteral('127.0.0.1')).toBe('[127.0.0.1]')
  })
})

describe('formatDateTime', () => {
  it('writes UTC as RFC 5322 wants it', () => {
    expect(formatDateTime(Date.UTC(2026, 2, 1, 12))).toBe(DATE)
    expect(formatDateTime(Date.UTC(2026, 10, 22, 17, 5, 9))).toBe('Sun, 22 Nov 2026 17:05:09 +0000')
  })
})

describe('createDateFormatter', () => {
  it('gives the same as formatDateTime, within a second, across seconds and when the clock steps back', () => {
    const format = createDateFormatter()
    for (const at of [0, 1, 999, 1_000, 1_772_366_400_000, 1_772_366_400_999, 1_772_366_401_000, 500]) expect(format(at)).toBe(formatDateTime(at))
  })
})
