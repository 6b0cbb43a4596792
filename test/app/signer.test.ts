import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signedNames } from '../../src/message/dkim-fields.ts'
import { SigningFault } from '../../src/ports/signer.ts'
import { dkimResults, makeBrokenKey, makeDkimSettings, makeKey, makeSigner, type SignerOptions, verifyDkim } from '../support/dkim.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { bytewise, everyWay, inChunks } from '../support/feed.ts'

const HEADER = 'From: App <app@sender.example>\r\nTo: ann@receiver.example\r\nSubject: A  test\r\n\tfolded \r\nMIME-Version: 1.0\r\n'
const CONTENT = `${HEADER}\r\n  Hello \t there,  \r\n\r\n.dot\r\n\r\n\r\n`
const PREFIX = 'Received: from x by y\r\n\tid z;\r\n\ttoday\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <z@y>\r\n'
const BOTH: SignerOptions = { keys: [makeKey(), makeKey({ type: 'ed25519' })] }

async function signatureOf(content: string, options: SignerOptions = {}, chunks?: readonly Uint8Array[], prefix = PREFIX): Promise<string> {
  const pass = makeSigner(options).begin()
  if (pass === null) throw new Error('there are keys')
  for (const chunk of chunks ?? [Buffer.from(content, 'latin1')]) pass.push(chunk)
  return Buffer.from(await pass.sign(Buffer.from(prefix))).toString('latin1')
}
const signed = async (content: string, options: SignerOptions = {}) => Buffer.from((await signatureOf(content, options)) + PREFIX + content, 'latin1')

describe('a signed message', () => {
  it('verifies, with RSA and with Ed25519', async () => {
    expect(await verifyDkim(await signed(CONTENT, BOTH))).toEqual([
      { domain: 'sender.example', selector: 'r1', algorithm: 'rsa-sha256', result: 'pass', comment: undefined },
      { domain: 'sender.example', selector: 'e1', algorithm: 'ed25519-sha256', result: 'pass', comment: undefined },
    ])
  })

  it.each([
    ['without a body', HEADER],
    ['with an empty body', `${HEADER}\r\n`],
    ['with a body of blank lines', `${HEADER}\r\n\r\n \r\n`],
    ['with octets above 127 in header and body', `${HEADER}X: \xfc\r\nReply-To: \xc3\xbc <a@b>\r\n\r\nGr\xfc\xdfe\r\n`],
    ['with a line of 998 octets', `${HEADER}\r\n${'x '.repeat(499)}\r\n`],
    ['with many fields of every kind', `${HEADER}${'To: x@y.example\r\n'.repeat(20)}List-Id: <l>\r\nList-Unsubscribe: <https://x>\r\n\r\nx\r\n`],
    ['with a header that was never folded', `${HEADER}References: ${'<x@y.example> '.repeat(60)}\r\n\r\nx\r\n`],
    ['with fields in the old syntax', 'FROM : app@sender.example\r\nsubject\t: x\r\n\r\nx\r\n'],
  ])('verifies %s', async (_name, content) => expect(await dkimResults(await signed(content))).toEqual(['r1 pass']))

  it('has the same signature however it is cut', async () => {
    const whole = await signatureOf(CONTENT)
    for (const { chunks, name } of [
      bytewise(CONTENT),
      ...everyWay(CONTENT)
        .slice(2)
        .filter((_, at) => at % 7 === 0),
    ])
      expect(await signatureOf(CONTENT, {}, chunks), name).toBe(whole)
  })

  it('verifies whatever its text is', async () => {
    const word = fc.constantFrom('a', ' ', '\t', '\r\n', '.', 'Gr\xfc\xdfe', '  ', 'x'.repeat(80))
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 60 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 4 }), async (words, sizes) => {
        const content = `${HEADER}\r\n${words.join('')}\r\n`
        const signature = await signatureOf(content, { keys: [makeKey({ type: 'ed25519' })] }, inChunks(content, sizes).chunks)
        expect(await dkimResults(Buffer.from(signature + PREFIX + content, 'latin1'))).toEqual(['e1 pass'])
      }),
      { numRuns: 60 },
    )
  })

  it('does not verify once anything that it covers was changed', async () => {
    const message = (await signed(CONTENT)).toString('latin1')
    const changes: readonly (readonly [string, string])[] = [
      ['there,', 'there;'],
      ['A  test', 'A test!'],
      ['Date: Sun', 'Date: Mon'],
      ['<z@y>', '<y@z>'],
      ['MIME-Version: 1.0\r\n', 'MIME-Version: 1.0\r\nSubject: another\r\n'],
      ['MIME-Version: 1.0\r\n', 'MIME-Version: 1.0\r\nFrom: eve@evil.example\r\n'],
    ]
    for (const [before, after] of changes) {
      expect(message).toContain(before)
      expect(await dkimResults(Buffer.from(message.replace(before, after), 'latin1')), after).not.toEqual(['r1 pass'])
    }
  })

  it('still verifies when a relay folds anew, adds trace fields and takes blanks away', async () => {
    const message = (await signed(CONTENT)).toString('latin1')
    const relayed = `Received: from a by b; now\r\n${message
      .replace('Subject: A  test\r\n\tfolded ', 'SUBJECT:   A test folded')
      .replace('Hello \t there,  ', 'Hello there,')
      .replace(/\r\n\r\n\r\n$/, '\r\n')}`
    expect(relayed).not.toContain('\t there')
    expect(await dkimResults(Buffer.from(relayed, 'latin1'))).toEqual(['r1 pass'])
  })

  it('keeps the signature that the application made, and both verify', async () => {
    const byApplication = await signatureOf(CONTENT, { keys: [makeKey({ type: 'ed25519' })] }, undefined, '')
    const content = byApplication + CONTENT
    expect(await dkimResults(await signed(content))).toEqual(['r1 pass', 'e1 pass'])
  })
})

describe('the field', () => {
  it('is folded within 76 columns, and has no l=', async () => {
    const more = Array.from({ length: 30 }, (_, n) => `List-${n}`)
    const names = signedNames(more)
    const content = `From: a@sender.example\r\n${more.map((name) => `${name}: x\r\n`).join('')}\r\nx\r\n`
    const field = await signatureOf(content, { ...BOTH, names })
    const lines = field.split('\r\n')
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(76)
    expect(lines.filter((line) => line !== '' && !/^(DKIM-Signature:| \S)/.test(line))).toEqual([])
    expect(field).not.toMatch(/[; ]l=/)
    expect(await dkimResults(Buffer.from(field + content))).toEqual(['r1 fail', 'e1 fail'])
    expect(await dkimResults(Buffer.from(field + PREFIX + content))).toEqual(['r1 pass', 'e1 pass'])
  })

  it('says when it was made, and until when it counts if that is wanted', async () => {
    const clock = createFakeClock()
    const seconds = Math.floor(clock.now() / 1000)
    expect(await signatureOf(CONTENT, { clock })).toMatch(new RegExp(` t=${seconds};`))
    expect(await signatureOf(CONTENT, { clock })).not.toContain('x=')
    const limited = await signatureOf(CONTENT, { clock, validMs: 7 * 86_400_000 })
    expect(limited).toMatch(new RegExp(`\\sx=${seconds + 7 * 86_400};`))
  })
})

describe('whose key signs', () => {
  const domainOf = async (from: string, options: SignerOptions) => / d=([^;]+);/.exec(await signatureOf(`From: ${from}\r\n\r\nx\r\n`, options))?.[1] ?? null
  const keys = [makeKey({ domain: 'sender.example' }), makeKey({ domain: 'sub.sender.example', selector: 'r2' }), makeKey({ domain: 'xn--bcher-kva.example' })]

  it.each([
    ['a@sender.example', {}, 'sender.example'],
    ['A@Sender.Example', {}, 'sender.example'],
    ['a@sub.sender.example', {}, 'sub.sender.example'],
    ['a@deep.sub.sender.example', {}, 'sub.sender.example'],
    ['a@other.sender.example', {}, 'sender.example'],
    ['a@other.sender.example', { subdomains: false }, null],
    ['a@b\xc3\xbccher.example', {}, 'xn--bcher-kva.example'],
    ['a@notsender.example', {}, null],
    ['a@example', {}, null],
    ['a@other.example', { defaultDomain: 'sender.example' }, 'sender.example'],
    ['nobody', { defaultDomain: 'sender.example' }, null],
  ])('for %s with %j: %s', async (from, options, domain) => expect(await domainOf(from, { keys, ...options })).toBe(domain))

  it('is nobody’s for a message without From', async () =>
    expect(await signatureOf('To: a@sender.example\r\n\r\nx\r\n', { defaultDomain: 'sender.example' })).toBe(''))

  it('is the last one of each algorithm that is in its time', async () => {
    const clock = createFakeClock()
    const now = clock.now()
    const selectors = async (...rotated: readonly Parameters<typeof makeKey>[0][]) => {
      const field = await signatureOf(CONTENT, { clock, keys: rotated.map(makeKey) })
      return [...field.matchAll(/ s=([^;]+);/g)].map((match) => match[1])
    }
    expect(await selectors({ selector: 'r1' }, { selector: 'r2' })).toEqual(['r2'])
    expect(await selectors({ selector: 'r1' }, { selector: 'r2', active: false })).toEqual(['r1'])
    expect(await selectors({ selector: 'r1', notAfter: now }, { selector: 'r2', notBefore: now })).toEqual(['r2'])
    expect(await selectors({ selector: 'r1', notAfter: now + 1 }, { selector: 'r2', notBefore: now + 1 })).toEqual(['r1'])
    expect(await selectors({ type: 'ed25519' }, { selector: 'r1' }, { selector: 'r2' })).toEqual(['r2', 'e1'])
  })
})

describe('when no signature can be made', () => {
  it('the message is refused by default', async () => {
    await expect(signatureOf(CONTENT, { keys: [makeBrokenKey()] })).rejects.toThrow(SigningFault)
    await expect(signatureOf(CONTENT, { keys: [makeKey({ notAfter: 1 })] })).rejects.toThrow('DKIM: no key of sender.example is within its time')
  })

  it('the fault names neither key nor file', async () => {
    const fault = await signatureOf(CONTENT, { keys: [makeBrokenKey()] }).catch((error: Error) => error)
    expect(String(fault)).not.toMatch(/PRIVATE|MII|\.pem/)
  })

  it('it may leave unsigned, which is said once a minute', async () => {
    const notes: string[] = []
    const clock = createFakeClock()
    const signer = makeSigner({ keys: [makeBrokenKey()], onFailure: 'send', notes, clock })
    const once = async () => {
      const pass = signer.begin()
      pass?.push(Buffer.from(CONTENT))
      expect(await pass?.sign(Buffer.from(PREFIX))).toHaveLength(0)
    }
    await once()
    await once()
    expect(notes).toEqual(['error: mail leaves unsigned'])
    await clock.advance(60_000)
    await once()
    expect(notes).toHaveLength(2)
  })

  it('a key that waits is no reason to refuse', async () => expect(await signatureOf(CONTENT, { keys: [makeKey({ active: false })] })).toBe(''))
})

describe('the signer', () => {
  it('looks at nothing while there are no keys', () => expect(makeSigner({ keys: [] }).begin()).toBeNull())

  it('takes new keys at a reload; what is coming in ends with the old ones', async () => {
    const signer = makeSigner()
    const before = signer.begin()
    signer.reload(makeDkimSettings({ keys: [makeKey({ selector: 'r2' })] }))
    const after = signer.begin()
    for (const pass of [before, after]) pass?.push(Buffer.from(CONTENT))
    expect(Buffer.from((await before?.sign(Buffer.from(PREFIX))) ?? []).toString()).toContain('s=r1;')
    expect(Buffer.from((await after?.sign(Buffer.from(PREFIX))) ?? []).toString()).toContain('s=r2;')
  })
})
