import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EpochMs, QueueId } from '../../src/core/brand.ts'
import { enhanced, reply } from '../../src/core/reply.ts'
import { composeDsn, type DsnKind, type DsnRecipient, type DsnRequest, type OriginalMessage } from '../../src/message/dsn.ts'
import { makeMailbox } from '../support/make-message.ts'
import { readReport } from '../support/read-report.ts'

const ORIGINAL = 'Received: from app by mx; Sun, 1 Mar 2026 12:00:00 +0000\r\nFrom: app@sender.example\r\nSubject: Hi\r\n\r\nHello.\r\n'

function recipientOf(changes: Partial<DsnRecipient> = {}): DsnRecipient {
  return {
    mailbox: makeMailbox('ann@receiver.example'),
    originalRecipient: null,
    status: enhanced(5, 1, 1),
    reason: 'the server refused the recipient while sending RCPT TO',
    reply: reply(550, enhanced(5, 1, 1), 'No such user'),
    remoteMta: { host: 'relay.test', address: '192.0.2.25' },
    duplicatePossible: false,
    ...changes,
  }
}
function originalOf(changes: Partial<OriginalMessage> = {}): OriginalMessage {
  return {
    queueId: '0123456789A' as QueueId,
    acceptedAt: Date.UTC(2026, 2, 1, 12) as EpochMs,
    envelopeId: null,
    subject: 'Hi',
    messageId: '<1@sender.example>',
    smtputf8: false,
    content: Buffer.from(ORIGINAL),
    whole: true,
    ...changes,
  }
}
function requestOf(changes: Partial<DsnRequest> = {}): DsnRequest {
  return {
    kind: 'failed',
    queueId: 'ABCDEFGHJKM' as QueueId,
    token: 'k3j9',
    hostname: 'mx.sender.example',
    from: 'MAILER-DAEMON@sender.example',
    to: makeMailbox('app@sender.example'),
    at: Date.UTC(2026, 2, 1, 13) as EpochMs,
    recipients: [recipientOf()],
    original: originalOf(),
    retryUntil: null,
    ...changes,
  }
}
const read = (changes: Partial<DsnRequest> = {}) => readReport(composeDsn(requestOf(changes)).content)
const textOf = (changes: Partial<DsnRequest> = {}) => (read(changes).parts[0]?.body ?? '').replace(/\r\n +/g, ' ')

describe('a report', () => {
  it('has a header that no program answers, and three parts (RFC 6522)', () => {
    const { header, parts } = read()
    expect(Object.fromEntries(header)).toMatchObject({
      from: 'Mail Delivery System <MAILER-DAEMON@sender.example>',
      to: '<app@sender.example>',
      subject: 'Undelivered mail returned to sender',
      date: 'Sun, 01 Mar 2026 13:00:00 +0000',
      'message-id': '<ABCDEFGHJKM.k3j9@mx.sender.example>',
      'in-reply-to': '<1@sender.example>',
      'auto-submitted': 'auto-replied',
      'mime-version': '1.0',
    })
    expect(header.get('content-type')).toMatch(/^multipart\/report; report-type=delivery-status; boundary=/)
    expect(parts.map((part) => part.header.get('content-type'))).toEqual(['text/plain; charset=utf-8', 'message/delivery-status', 'message/rfc822'])
    expect(parts.every((part) => part.header.get('content-transfer-encoding') === '7bit')).toBe(true)
  })

  it('tells programs what RFC 3464 wants', () => {
    const { groups } = read({
      original: originalOf({ envelopeId: 'Q+2B1' }),
      recipients: [
        recipientOf({ originalRecipient: 'rfc822;ann+2Bx@old.example' }),
        recipientOf({ mailbox: makeMailbox('bob@receiver.example'), reply: null, remoteMta: null }),
      ],
    })
    expect(groups.map((group) => Object.fromEntries(group))).toEqual([
      {
        'reporting-mta': 'dns; mx.sender.example',
        'original-envelope-id': 'Q+1',
        'x-postern-queue-id': '0123456789A',
        'arrival-date': 'Sun, 01 Mar 2026 12:00:00 +0000',
      },
      {
        'original-recipient': 'rfc822; ann+x@old.example',
        'final-recipient': 'rfc822; ann@receiver.example',
        action: 'failed',
        status: '5.1.1',
        'remote-mta': 'dns; relay.test',
        'diagnostic-code': 'smtp; 550 5.1.1 No such user',
      },
      {
        'final-recipient': 'rfc822; bob@receiver.example',
        action: 'failed',
        status: '5.1.1',
        'diagnostic-code': 'x-postern; the server refused the recipient while sending RCPT TO',
      },
    ])
  })

  it('tells people what happened, in the words of the server, and what to do', () => {
    const text = textOf()
    expect(text).toContain('could not be delivered')
    expect(text).toContain('<ann@receiver.example>')
    expect(text).toContain('> 550 5.1.1 No such user')
    expect(text).toContain('relay.test [192.0.2.25]')
    expect(text).toContain('Check the address for typing mistakes.')
    expect(text).toContain('Subject:   Hi')
    expect(text).not.toContain('twice')
  })

  it('says that the message may have arrived when that is possible', () => {
    expect(textOf({ recipients: [recipientOf({ duplicatePossible: true })] })).toContain('may have arrived all the same')
  })

  it.each([
    ['failed', 'failed', 'It will not be tried again.'],
    ['expired', 'failed', 'in the time allowed for it'],
    ['delayed', 'delayed', 'until Fri, 06 Mar 2026 12:00:00 +0000. There is no need to send it again.'],
    ['relayed', 'relayed', 'does not report what becomes of it'],
    ['delivered', 'delivered', 'Your message is in the mailbox'],
  ] as const)('of kind %s has action %s and says so', (kind: DsnKind, action: string, words: string) => {
    const changes = { kind, retryUntil: Date.UTC(2026, 2, 6, 12) as EpochMs }
    expect(textOf(changes).replace(/\r\n/g, ' ')).toContain(words)
    const group = read(changes).groups[1]
    expect(group?.get('action')).toBe(action)
    expect(group?.get('will-retry-until')).toBe(kind === 'delayed' ? 'Fri, 06 Mar 2026 12:00:00 +0000' : undefined)
  })
})

describe('the original message', () => {
  const typeOf = (original: Partial<OriginalMessage>) => read({ original: originalOf(original) }).parts[2]
  it('comes back whole, byte for byte', () => {
    expect(typeOf({})?.body).toBe(ORIGINAL)
  })
  it.each([
    ['only its header is wanted', { whole: false }],
    ['a line is too long for a report', { content: Buffer.from(`Subject: Hi\r\n\r\n${'x'.repeat(999)}\r\n`) }],
    ['it has a bare LF', { content: Buffer.from('Subject: Hi\r\n\r\na\nb\r\n') }],
    ['it has a bare CR', { content: Buffer.from('Subject: Hi\r\n\r\na\rb\r\n') }],
    ['it has a NUL', { content: Buffer.from('Subject: Hi\r\n\r\na\0b\r\n') }],
  ])('comes back as its header if %s', (_, changes) => {
    const part = typeOf(changes)
    expect(part?.header.get('content-type')).toBe('text/rfc822-headers')
    expect(part?.body).toMatch(/^(Received.*\r\nFrom.*\r\n)?Subject: Hi\r\n$/)
  })
  it('has over-long and broken header lines mended', () => {
    const part = typeOf({ whole: false, content: Buffer.from(`Subject: ${'é'.repeat(3_000)}\r\nX-Odd: a\rb\nc\0d\r\n\r\nbody`) })
    expect(part?.body.replace(/\r\n /g, '')).toContain(`Subject: ${'é'.repeat(3_000)}\r\n`)
    expect(part?.body).toContain('X-Odd: a b c d\r\n')
    expect(part?.body).not.toContain('body')
  })
  it('is named by what intake took note of when its content is gone', () => {
    expect(typeOf({ content: null, whole: false })?.body).toBe('Subject: Hi\r\nMessage-ID: <1@sender.example>\r\n')
  })
  it('of 8-bit content makes the report 8bitmime', () => {
    const eight = Buffer.concat([Buffer.from('Subject: Hi\r\n\r\n'), Buffer.from([0xe4, 0xf6, 0xfc]), Buffer.from('\r\n')])
    const dsn = composeDsn(requestOf({ original: originalOf({ content: eight }) }))
    expect(dsn.body).toBe('8bitmime')
    expect(Buffer.from(dsn.content).includes(eight)).toBe(true)
    expect(readReport(dsn.content).parts.map((part) => part.header.get('content-transfer-encoding'))).toEqual(['7bit', '7bit', '8bit'])
    expect(composeDsn(requestOf()).body).toBe('7bit')
  })
  it('cannot contain the boundary, whoever knew it', () => {
    const guessed = Buffer.from('Subject: Hi\r\n\r\n--=_ABCDEFGHJKM.k3j9--\r\n\r\n--=_ABCDEFGHJKM.k3j9.1\r\n')
    expect(read({ original: originalOf({ content: guessed }) }).parts.length).toBe(3)
  })
})

describe('addresses with letters outside ASCII (RFC 6533)', () => {
  it('make it a global report, which needs SMTPUTF8 only if the sender has one', () => {
    const toAscii = composeDsn(requestOf({ recipients: [recipientOf({ mailbox: makeMailbox('jörg@müller.example') })] }))
    expect(toAscii).toMatchObject({ smtputf8: false, body: '8bitmime' })
    const { header, parts, groups } = readReport(toAscii.content)
    expect(header.get('content-type')).toContain('report-type=global-delivery-status')
    expect(parts.map((part) => part.header.get('content-type'))).toEqual(['text/plain; charset=utf-8', 'message/global-delivery-status', 'message/global'])
    expect(groups[1]?.get('final-recipient')).toBe('utf-8; jörg@müller.example')
    expect(composeDsn(requestOf({ to: makeMailbox('jörg@müller.example') })).smtputf8).toBe(true)
  })
  it('that the server does not take may stand in the header alone: the advice covers both', () => {
    expect(textOf({ recipients: [recipientOf({ status: enhanced(5, 6, 7), reply: null })] })).toContain('in addresses or in the header')
  })
  it('in the words of a server do not: they are shown to people, and as ASCII to programs', () => {
    const changes = { recipients: [recipientOf({ reply: reply(550, null, 'Empfänger unbekannt') })] as const }
    expect(textOf(changes)).toContain('Empfänger unbekannt')
    expect(read(changes).groups[1]?.get('diagnostic-code')).toBe('smtp; 550 Empf?nger unbekannt')
  })
})

describe('a report to another reader', () => {
  const script =
    'import sys,email,email.policy,json; m=email.message_from_bytes(sys.stdin.buffer.read(),policy=email.policy.SMTP); print(json.dumps([[p.get_content_type(),[type(d).__name__ for d in p.defects]] for p in m.walk()]))'
  const readByPython = (request: DsnRequest) =>
    JSON.parse(execFileSync('python3', ['-c', script], { input: composeDsn(request).content }).toString()) as readonly (readonly [string, readonly string[]])[]
  const text = (type: string): readonly [string, readonly string[]] => [type, []]

  // Python takes the groups of a delivery-status for messages of their own.
  it.each([
    [
      'with the header of a mail that has a line of a megabyte',
      requestOf({ original: originalOf({ content: Buffer.from(`${ORIGINAL}${'x'.repeat(1_000_000)}\r\n`) }) }),
      ['text/rfc822-headers'],
    ],
    [
      'with words in HTML',
      requestOf({ recipients: [recipientOf({ reply: reply(550, null, '<script>alert(1)</script></pre>') })] }),
      ['message/rfc822', 'text/plain'],
    ],
    [
      'with letters outside ASCII in the original',
      requestOf({ original: originalOf({ content: Buffer.from('Subject: Grüße\r\n\r\nGrüße\r\n') }) }),
      ['message/rfc822', 'text/plain'],
    ],
  ])('is a report without defects: %s', (_, request, original) => {
    const parts = readByPython(request)
    expect(parts.filter(([, defects]) => defects.length > 0)).toEqual([])
    expect(parts).toEqual([
      text('multipart/report'),
      text('text/plain'),
      text('message/delivery-status'),
      text('text/plain'),
      text('text/plain'),
      ...original.map(text),
    ])
  })
})

describe('what others wrote', () => {
  it.each([
    ['a header', 'No\r\nBcc: evil@x.test\r\n\r\nbody'],
    ['terminal escapes', '\u001b[2J\u0007hello'],
    ['a line separator', 'a\u2028b\u0085c'],
    ['reversed text', '\u202egpj.exe'],
    ['a lone surrogate', 'a\ud800b'],
    ['ten thousand octets without a space', 'x'.repeat(10_000)],
  ])('cannot add %s', (_, hostile) => {
    const evil = recipientOf({
      reason: hostile,
      reply: { code: 550, enhanced: null, lines: [hostile, hostile] },
      remoteMta: { host: hostile, address: hostile },
      originalRecipient: `rfc822;${hostile}`,
    })
    const original = originalOf({ subject: hostile, envelopeId: hostile, messageId: hostile })
    const { header, groups, parts } = read({ recipients: [evil], original })
    expect(header.has('bcc')).toBe(false)
    expect(groups.length).toBe(2)
    expect(groups.every((group) => !group.has('bcc'))).toBe(true)
    expect(parts.length).toBe(3)
  })

  it('makes no irregular report whatever it is', () => {
    const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'grapheme', maxLength: 300 }))
    fc.assert(
      fc.property(anything, anything, fc.uint8Array({ maxLength: 2_000 }), fc.boolean(), (one, two, content, whole) => {
        const lines: [string, ...string[]] = [one.replace(/[\r\n]/g, ''), two]
        const evil = recipientOf({
          reason: two,
          reply: { code: 450, enhanced: null, lines },
          remoteMta: { host: one, address: two },
          originalRecipient: `${one};${two}`,
        })
        const composed = composeDsn(
          requestOf({ recipients: [evil], original: originalOf({ subject: one, envelopeId: two, messageId: one, content: null, whole: false }) }),
        )
        expect(readReport(composed.content).groups.length).toBe(2)
        const returned = composeDsn(requestOf({ original: originalOf({ content: Buffer.concat([Buffer.from('A: b\r\n'), content]), whole }) }))
        const raw = Buffer.from(returned.content).toString('latin1')
        expect(raw.replace(/\r\n/g, '')).not.toMatch(/[\r\n\0]/)
        expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998)
      }),
      { numRuns: 300 },
    )
  })

  it('is decoded from xtext only where that gives text', () => {
    const groupOf = (originalRecipient: string, envelopeId: string) => {
      const { groups } = read({ recipients: [recipientOf({ originalRecipient })], original: originalOf({ envelopeId }) })
      return [groups[1]?.get('original-recipient'), groups[0]?.get('original-envelope-id')]
    }
    expect(groupOf('rfc822;a+40b+3Dc', 'x+20y')).toEqual(['rfc822; a@b=c', 'x y'])
    expect(groupOf('rfc822;a+0D+0ABcc:+20x', 'x+00y')).toEqual(['rfc822; a+0D+0ABcc:+20x', 'x+00y'])
    expect(groupOf('rfc822;broken+', 'broken+zz')).toEqual(['rfc822; broken+', 'broken+zz'])
    expect(groupOf('utf-8;j\\x{f6}rg@x.test', 'a')).toEqual(['utf-8; j\\x{f6}rg@x.test', 'a'])
  })
})
