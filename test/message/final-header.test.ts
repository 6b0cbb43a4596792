import { describe, expect, it } from 'vitest'
import { composeFinalHeader, type FinalDelivery } from '../../src/message/final-header.ts'
import { scanHeaderBlock } from '../../src/message/header-block.ts'

const DELIVERY: FinalDelivery = { reversePath: 'app@sender.test', recipient: 'bob+news@host.test', originalRecipient: 'robert@host.test' }
const OWN = 'Return-Path: <app@sender.test>\r\nX-Original-To: robert@host.test\r\nDelivered-To: bob+news@host.test\r\n'

function compose(content: string, delivery: FinalDelivery = DELIVERY): string {
  const bytes = Buffer.from(content)
  const scan = scanHeaderBlock(bytes, { headerOctetsMax: 10_000, ended: true })
  if (scan.kind !== 'block') throw new Error(scan.kind)
  const header = composeFinalHeader(bytes, scan.block, delivery)
  return header.kind === 'loop' ? 'loop' : Buffer.concat(header.pieces).toString()
}

describe('the header of a message in a mailbox', () => {
  it('says where the message came from and for whom, in front', () => {
    expect(compose('From: a\r\n\r\nbody\r\n')).toBe(`${OWN}From: a\r\n\r\nbody\r\n`)
    expect(compose('From: a\r\n\r\n', { ...DELIVERY, reversePath: '' })).toMatch(/^Return-Path: <>\r\n/)
  })

  it('has each of these fields once, whatever the sender wrote', () => {
    const forged =
      'RETURN-PATH: <x@y>\r\nFrom: a\r\nReturn-Path : <p@q>\r\n\t(folded)\r\nX-Original-To: z@z\r\nDelivered-To: ann@elsewhere.test\r\nSubject: s\r\n\r\nReturn-Path: <in@body>\r\n'
    expect(compose(forged)).toBe(`${OWN}From: a\r\nX-Delivered-To: ann@elsewhere.test\r\nSubject: s\r\n\r\nReturn-Path: <in@body>\r\n`)
  })

  it.each([
    'Delivered-To: bob+news@host.test',
    'delivered-to:BOB+news@HOST.test',
    'Delivered-To:\r\n\t<bob+news@host.test>',
    'X-Delivered-To: bob+news@host.test',
  ])('tells a loop by %j', (field) => {
    expect(compose(`From: a\r\n${field}\r\n\r\n`)).toBe('loop')
  })

  it('takes no word of the body for a loop, and none that is for another', () => {
    expect(compose('From: a\r\n\r\nDelivered-To: bob+news@host.test\r\n')).toContain('\r\n\r\nDelivered-To: bob+news')
    expect(compose('From: a\r\nDelivered-To: bob@host.test\r\n\r\n')).toContain('X-Delivered-To: bob@host.test\r\n')
  })

  it('lets no address begin a line of its own', () => {
    const header = compose('From: a\r\n\r\n', { ...DELIVERY, originalRecipient: 'x@y\r\nBcc: z@z\r\n\r\nbody' })
    expect(header.split('\r\n').filter((line) => /^(?:Bcc|body)/.test(line))).toEqual([])
  })
})
