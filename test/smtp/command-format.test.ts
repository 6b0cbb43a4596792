import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DomainName } from '../../src/core/brand.ts'
import type { Mailbox } from '../../src/core/envelope.ts'
import { type Capabilities, NO_CAPABILITIES } from '../../src/smtp/capabilities.ts'
import { parseMail, parseRcpt } from '../../src/smtp/command.ts'
import { CommandFault, formatMail, formatRcpt, formatWords, type MailParameters, type RcptParameters } from '../../src/smtp/command-format.ts'

const EVERYTHING: Capabilities = {
  ...NO_CAPABILITIES,
  esmtp: true,
  pipelining: true,
  eightBitMime: true,
  smtputf8: true,
  dsn: true,
  size: true,
  requireTls: true,
}
function mailbox(localPart: string, domain = 'y.example'): Mailbox {
  return { localPart, domain: domain as DomainName }
}
const MAIL: MailParameters = {
  reversePath: { kind: 'mailbox', mailbox: mailbox('u') },
  sizeOctets: 4096,
  body: '8bitmime',
  smtputf8: false,
  requireTls: true,
  envelopeId: 'QQ+2B1',
  returnContent: 'headers',
}
const RCPT: RcptParameters = { forwardPath: mailbox('v'), notify: ['success', 'delay'], originalRecipient: 'rfc822;v+2Bx@y' }

describe('formatMail and formatRcpt', () => {
  it('say all that the peer offers', () => {
    expect(formatMail(MAIL, EVERYTHING)).toBe('MAIL FROM:<u@y.example> SIZE=4096 BODY=8BITMIME REQUIRETLS RET=HDRS ENVID=QQ+2B1\r\n')
    expect(formatRcpt(RCPT, false, EVERYTHING)).toBe('RCPT TO:<v@y.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;v+2Bx@y\r\n')
    expect(formatRcpt({ ...RCPT, notify: 'never' }, false, EVERYTHING)).toContain('NOTIFY=NEVER')
  })
  it('say nothing that the peer does not offer', () => {
    expect(formatMail(MAIL, NO_CAPABILITIES)).toBe('MAIL FROM:<u@y.example>\r\n')
    expect(formatRcpt(RCPT, false, NO_CAPABILITIES)).toBe('RCPT TO:<v@y.example>\r\n')
  })
  it('say the null reverse-path, literals and quoted local parts', () => {
    expect(formatMail({ ...MAIL, reversePath: { kind: 'null' } }, NO_CAPABILITIES)).toBe('MAIL FROM:<>\r\n')
    const literal: Mailbox = { localPart: '"a> b"', domain: { addressLiteral: 'IPv6:::1' } }
    expect(formatRcpt({ ...RCPT, forwardPath: literal }, false, NO_CAPABILITIES)).toBe('RCPT TO:<"a> b"@[IPv6:::1]>\r\n')
  })
  it('send letters outside ASCII only with SMTPUTF8, and that only to a peer that has it', () => {
    const mail = { ...MAIL, reversePath: { kind: 'mailbox', mailbox: mailbox('ü') } } as const
    expect(() => formatMail(mail, EVERYTHING)).toThrow(CommandFault)
    expect(formatMail({ ...mail, smtputf8: true }, EVERYTHING)).toContain('<ü@y.example> SIZE=4096 BODY=8BITMIME SMTPUTF8')
    expect(() => formatMail({ ...mail, smtputf8: true }, { ...EVERYTHING, smtputf8: false })).toThrow(CommandFault)
  })

  it('are read by our own server as what was meant', () => {
    const parsedMail = parseMail(formatMail(MAIL, EVERYTHING).slice('MAIL '.length).trimEnd())
    expect(parsedMail).toEqual({ kind: 'command', command: { ...MAIL, auth: null } })
    const parsedRcpt = parseRcpt(formatRcpt(RCPT, false, EVERYTHING).slice('RCPT '.length).trimEnd(), false)
    expect(parsedRcpt).toEqual({ kind: 'command', command: RCPT })
  })

  it('write one CRLF, at the end, or throw, whatever is in their fields (I02)', () => {
    const evil = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.string({ unit: fc.constantFrom('a', '\r', '\n', '\0', '>', '<', ' ', '"', '\\', '@', '\u010d', '\u010a', '\u0085', '\u2028', 'ü'), maxLength: 8 }),
    )
    const field = fc.record({ local: evil, domain: evil, text: evil, smtputf8: fc.boolean() })
    fc.assert(
      fc.property(field, ({ local, domain, text, smtputf8 }) => {
        const path = mailbox(local, domain)
        const literal: Mailbox = { localPart: local, domain: { addressLiteral: domain } }
        const commands = [
          () => formatMail({ ...MAIL, reversePath: { kind: 'mailbox', mailbox: path }, smtputf8 }, EVERYTHING),
          () => formatMail({ ...MAIL, envelopeId: text, smtputf8 }, EVERYTHING),
          () => formatRcpt({ ...RCPT, forwardPath: path }, smtputf8, EVERYTHING),
          () => formatRcpt({ ...RCPT, forwardPath: literal }, smtputf8, EVERYTHING),
          () => formatRcpt({ ...RCPT, originalRecipient: text }, smtputf8, EVERYTHING),
          () => formatWords('EHLO', text),
          () => formatWords('AUTH', 'PLAIN', text),
        ]
        for (const command of commands) expect(oneLine(command)).toBe(true)
      }),
      { numRuns: 3000 },
    )
  })

  it('never let an address end its own path: what JavaMail did', () => {
    for (const local of ['b@y.test>\r\nRCPT TO:<evil', 'b@y.test> NOTIFY=NEVER <x', '"a"b', '"a\\"', '"a"@x> "b"', '"a" b"']) {
      expect(() => formatRcpt({ ...RCPT, forwardPath: mailbox(local) }, false, EVERYTHING), local).toThrow(CommandFault)
    }
  })

  it.each([-1, 1.5, Number.NaN, 2 ** 60])('refuse SIZE=%s', (sizeOctets) => {
    expect(() => formatMail({ ...MAIL, sizeOctets }, EVERYTHING)).toThrow(CommandFault)
  })
})

function oneLine(command: () => string): boolean {
  try {
    const wire = Buffer.from(command(), 'utf8').toString('latin1')
    return wire.indexOf('\r\n') === wire.length - 2 && !/[\r\n\0]/.test(wire.slice(0, -2))
  } catch (error) {
    return error instanceof CommandFault
  }
}
