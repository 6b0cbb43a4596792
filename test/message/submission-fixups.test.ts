import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatReply } from '../../src/core/reply.ts'
import { scanHeaderBlock } from '../../src/message/header-block.ts'
import { applyFixups, decideFixups, type FixupDecision } from '../../src/message/submission-fixups.ts'

function decide(content: string, hopsMax = 50): FixupDecision {
  const scan = scanHeaderBlock(Buffer.from(content), { headerOctetsMax: 100_000, ended: true })
  if (scan.kind !== 'block') throw new Error(scan.kind)
  return decideFixups(scan.block, { hopsMax })
}
function fixed(content: string): string {
  const decision = decide(content)
  if (decision.kind === 'refused') throw new Error(formatReply(decision.reply))
  return Buffer.concat([...applyFixups(Buffer.from(content), decision.fixups)]).toString()
}
function refusal(content: string, hopsMax?: number): string | null {
  const decision = decide(content, hopsMax)
  return decision.kind === 'refused' ? formatReply(decision.reply) : null
}

describe('decideFixups', () => {
  it('asks for Date and Message-ID only where they are missing', () => {
    expect(decide('From: a@x\r\n\r\n')).toMatchObject({ fixups: { addDate: true, addMessageId: true } })
    expect(decide('Date: x\r\nMESSAGE-ID: <1@x>\r\n\r\n')).toMatchObject({ fixups: { addDate: false, addMessageId: false } })
    expect(decide('\r\nDate: in the body\r\n')).toMatchObject({ fixups: { addDate: true } })
  })

  it('refuses two authors, in any spelling, and takes one or none', () => {
    expect(refusal('From: a@x\r\nfrom : b@y\r\n\r\n')).toMatch(/^550 5\.6\.0 /)
    expect(refusal('From: a@x\r\n\r\nFrom: b@y\r\n')).toBeNull()
    expect(refusal('Subject: x\r\n\r\n')).toBeNull()
  })

  it('sees a loop by its Received lines', () => {
    expect(refusal('Received: x\r\n'.repeat(50))).toBeNull()
    expect(refusal('Received: x\r\n'.repeat(51))).toMatch(/^554 5\.4\.6 /)
    expect(refusal('Received: x\r\n'.repeat(3), 2)).toMatch(/^554 5\.4\.6 /)
  })
})

describe('applyFixups', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['leaves a message alone that needs nothing', 'From: a@x\r\n\r\nbody\r\n', 'From: a@x\r\n\r\nbody\r\n'],
    ['drops Bcc', 'From: a@x\r\nBcc: b@y\r\nTo: c@z\r\n\r\nbody\r\n', 'From: a@x\r\nTo: c@z\r\n\r\nbody\r\n'],
    ['drops Bcc with its folds', 'Bcc: b@y,\r\n c@z,\r\n\td@w\r\nTo: e@v\r\n\r\n', 'To: e@v\r\n\r\n'],
    ['drops each Bcc and Resent-Bcc in any spelling', 'bCC: a\r\nX: y\r\nRESENT-BCC: b\r\nBcc : c\r\n\r\n', 'X: y\r\n\r\n'],
    ['drops a Bcc that is the last line of all', 'From: a@x\r\nBcc: b@y\r\n', 'From: a@x\r\n'],
    ['leaves a Bcc line in the body alone', 'From: a@x\r\n\r\nBcc: b@y\r\n', 'From: a@x\r\n\r\nBcc: b@y\r\n'],
    ['leaves fields alone whose names only look alike', 'X-Bcc: a\r\nBccs: b\r\n\r\n', 'X-Bcc: a\r\nBccs: b\r\n\r\n'],
    ['puts in the blank line that is missing behind the fields', 'From: a@x\r\nHello\r\n', 'From: a@x\r\n\r\nHello\r\n'],
    ['puts in the blank line before content without a header', 'Hello\r\n', '\r\nHello\r\n'],
    ['does both', 'From: a@x\r\nBcc: b@y\r\nHello\r\n', 'From: a@x\r\n\r\nHello\r\n'],
    ['leaves empty content empty', '', ''],
  ]
  it.each(cases)('%s', (_, content, expected) => {
    expect(fixed(content)).toBe(expected)
  })

  it('gives the same octets back, not a copy, when nothing is to be done', () => {
    const content = Buffer.from('From: a@x\r\n\r\nbody\r\n')
    const decision = decide(content.toString())
    if (decision.kind === 'refused') throw new Error('refused')
    expect(applyFixups(content, decision.fixups)[0]).toBe(content)
  })

  it('touches nothing but Bcc, whatever the header block', () => {
    const field = fc.constantFrom('From: a@x\r\n', 'Bcc: b@y\r\n', 'Bcc:\r\n b@y\r\n', 'To: c\r\n d\r\n', 'Resent-Bcc: z\r\n', 'X: 1\r\n')
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), fc.string(), (fields, body) => {
        fc.pre(fields.filter((one) => one.startsWith('From')).length < 2)
        const expected = `${fields.filter((one) => !/^(resent-)?bcc/i.test(one)).join('')}\r\n${body}`
        expect(fixed(`${fields.join('')}\r\n${body}`)).toBe(Buffer.from(expected).toString())
      }),
    )
  })
})
