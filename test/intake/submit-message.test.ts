import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { normalizeLineEnds, SubmissionRefused } from '../../src/intake/submit-message.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { type Harness, LIMITS, startIntake } from './harness.ts'

describe('submit', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await startIntake({ settings: { limits: { ...LIMITS, recipients: 3, messageOctets: 2_000_000 } } })
  })
  afterEach(() => harness.end())
  const submit = (content: string, to: readonly string[] = ['bob@example.net'], from = 'app@example.com') =>
    harness.intake.submit({ from, to, content: Buffer.from(content) })

  it('takes the same road as SMTP: fix-ups, line ends, history, journal', async () => {
    const id = await submit('From: a@x\nBcc: secret@y\nSubject: caf\u00e9\n\nline one\nline two')
    expect(await harness.stored()).toBe(
      Buffer.from(
        `Received: by mail.example.com id ${id}\r\n\tfor <bob@example.net>;\r\n\tThu, 01 Jan 2026 00:00:00 +0000\r\n` +
          `Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <${id}@mail.example.com>\r\nFrom: a@x\r\nSubject: caf\u00e9\r\n\r\nline one\r\nline two\r\n`,
      ).toString('latin1'),
    )
    const [message] = [...harness.store.state.messages.values()]
    expect(message?.origin).toEqual({ kind: 'cli', submitter: 'app@example.com', login: null, clientAddress: null, heloName: null, protocol: 'CLI' })
    expect(message?.envelope.body).toBe('8bitmime')
    expect(message?.header.messageId).toBe(`<${id}@mail.example.com>`)
    expect(harness.committed).toEqual([id])
  })

  it('collapses recipients and marks addresses that need SMTPUTF8', async () => {
    await submit('x: y\n\n', ['bob@example.net', 'bob@EXAMPLE.net', 'j\u00f6rg@example.net'])
    const [message] = [...harness.store.state.messages.values()]
    expect(message?.envelope.recipients.map((recipient) => recipient.forwardPath.localPart)).toEqual(['bob', 'j\u00f6rg'])
    expect(message?.envelope.smtputf8).toBe(true)
  })

  it('streams large content', async () => {
    const text = `From: a@x\n\n${`${'x'.repeat(79)}\n`.repeat(10_000)}`
    await submit(text)
    expect((await harness.stored()).endsWith(text.slice(-800).replaceAll('\n', '\r\n'))).toBe(true)
    expect(harness.accepted[0]?.sizeOctets).toBe(text.length + 10_002)
  })

  it.each([
    ['a sender that is none', ['x: y\n\n', ['bob@example.net'], 'not an address'], /^501 5\.1\.7 /],
    ['a recipient that is none', ['x: y\n\n', ['bob'], 'a@x.example'], /^501 5\.1\.3 /],
    ['a line break in a recipient', ['x: y\n\n', ['bob@example.net>\r\nRCPT TO:<evil@z.example'], 'a@x.example'], /^501 5\.1\.3 /],
    ['no recipient', ['x: y\n\n', [], 'a@x.example'], /^554 5\.5\.1 /],
    ['too many recipients', ['x: y\n\n', ['a@x.example', 'b@x.example', 'c@x.example', 'd@x.example'], 'a@x.example'], /^550 5\.5\.3 /],
    ['too large a message', ['x'.repeat(2_000_001), ['bob@example.net'], 'a@x.example'], /^552 5\.3\.4 /],
    ['NUL', ['x: y\n\na\0b', ['bob@example.net'], 'a@x.example'], /^550 5\.6\.0 NUL/],
    ['too long a line', [`x: y\n\n${'a'.repeat(LIMITS.textLineOctets + 1)}\nb`, ['bob@example.net'], 'a@x.example'], /^550 5\.6\.0 Line/],
    ['two authors', ['From: a@x\nFrom: b@y\n\n', ['bob@example.net'], 'a@x.example'], /^550 5\.6\.0 /],
  ] as const)('refuses %s as SMTP would', async (_, [content, to, from], expected) => {
    const refused = await submit(content, to, from).catch((fault: unknown) => fault)
    expect(refused).toBeInstanceOf(SubmissionRefused)
    expect((refused as Error).message).toMatch(expected)
    expect(harness.store.state.messages.size).toBe(0)
  })

  it('takes a line of exactly the limit', async () => {
    await submit(`x: y\n\n${'a'.repeat(LIMITS.textLineOctets)}`)
    expect(harness.store.state.messages.size).toBe(1)
  })

  it('gives faults of the store to the caller', async () => {
    harness.store.fail(new StoreFault('full', 'no space'))
    await expect(submit('x: y\n\n')).rejects.toThrow(StoreFault)
  })
})

describe('normalizeLineEnds', () => {
  const normalized = (text: string): string => Buffer.from(normalizeLineEnds(Buffer.from(text, 'latin1'))).toString('latin1')
  it.each([
    ['', ''],
    ['a', 'a\r\n'],
    ['a\nb\n', 'a\r\nb\r\n'],
    ['a\rb\r', 'a\r\nb\r\n'],
    ['a\r\nb\r\n', 'a\r\nb\r\n'],
    ['a\n\n.\nb', 'a\r\n\r\n.\r\nb\r\n'],
    ['a\r\r\nb', 'a\r\n\r\nb\r\n'],
    ['\n', '\r\n'],
  ])('makes %j to %j', (text, expected) => {
    expect(normalized(text)).toBe(expected)
  })

  it('does not copy what is right already', () => {
    const content = Buffer.from('a\r\nb\r\n')
    expect(normalizeLineEnds(content)).toBe(content)
  })

  it('leaves no bare CR or LF, ends in CRLF, changes nothing else, and does nothing twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '.', '\r', '\n', '\0', '\xff'), maxLength: 60 }), (text) => {
        const once = normalized(text)
        expect(once).not.toMatch(/\r(?!\n)|(?<!\r)\n/)
        if (text !== '') expect(once.endsWith('\r\n')).toBe(true)
        expect(once.replace(/[\r\n]/g, '')).toBe(text.replace(/[\r\n]/g, ''))
        expect(normalized(once)).toBe(once)
      }),
    )
  })
})
