/**
 * What is stored is what was signed: after every fix and rewriting, however the content came, in memory or streamed.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { HeaderEdits } from '../../src/core/header-edits.ts'
import type { Rewriter } from '../../src/ports/rewriter.ts'
import { dkimResults, makeBrokenKey, makeKey, makeSigner, verifyDkim } from '../support/dkim.ts'
import { type Harness, startIntake } from './harness.ts'

const HEADER = 'From: app@sender.example\r\nTo: one@rcpt.example\r\nSubject: signed\r\n'
const BOTH = { keys: [makeKey(), makeKey({ type: 'ed25519' })] }
let harness: Harness | null = null

afterEach(async () => {
  await harness?.end()
  harness = null
})

async function hand(
  content: string,
  signer = makeSigner(BOTH),
  headerEdits: HeaderEdits | null = null,
): Promise<{ readonly reply: string; readonly stored: () => Promise<Buffer> }> {
  const rewriter = { headerEdits, recipientsMax: 100, checkRecipient: () => ({ kind: 'accepted', recipients: 1 }) } as unknown as Rewriter
  const identity = {
    rewriteSender: (path: unknown) => path,
    rewriteRecipients: (list: readonly object[]) => list.map((one) => ({ ...one, unrewritten: null })),
  }
  harness = await startIntake({
    backend: (plain) => ({
      ...plain,
      signer,
      ...(headerEdits === null ? {} : { rewriter: () => ({ ...rewriter, ...identity, headerEdits }) as unknown as Rewriter }),
    }),
  })
  const { stored } = harness
  const client = await harness.client()
  await client.hello()
  for (const line of ['MAIL FROM:<app@sender.example>', 'RCPT TO:<one@rcpt.example>', 'DATA']) {
    client.send(Buffer.from(`${line}\r\n`))
    await client.reply()
  }
  client.send(Buffer.from(`${content.replace(/^\./gm, '..')}.\r\n`, 'latin1'))
  return { reply: await client.reply(), stored: async () => Buffer.from(await stored(), 'latin1') }
}

describe('what is stored verifies', () => {
  it.each([
    ['as it came', `${HEADER}\r\n.dots\r\n  and  blanks \r\n\r\n`],
    ['without a body', HEADER],
    ['with Bcc taken out', `${HEADER}Bcc: secret@rcpt.example,\r\n\tother@rcpt.example\r\nX: y\r\n\r\nx\r\n`],
    ['with a blank line put in', `${HEADER}this is no field\r\nx\r\n`],
    ['streamed', `${HEADER}\r\n${'A line  of  many. \r\n'.repeat(30_000)}\r\n\r\n`],
    ['streamed, with Bcc taken out', `${HEADER}Bcc: x@y.example\r\n\r\n${'A line.\r\n'.repeat(60_000)}`],
  ])('%s', async (_name, content) => {
    const { reply, stored } = await hand(content)
    expect(reply).toMatch(/^250 /)
    expect(await dkimResults(await stored())).toEqual(['r1 pass', 'e1 pass'])
    expect(String(await stored())).not.toMatch(/^bcc:/im)
  })

  it('with the author that a rule has put in, and his key', async () => {
    const edits: HeaderEdits = {
      address: (address, field) => (field === 'from' && address === 'root@host.local' ? 'it@sender.example' : null),
      qualify: () => null,
      isToBeAnswered: () => false,
    }
    const { stored } = await hand('From: root@host.local\r\nSubject: cron\r\n\r\nx\r\n', makeSigner(), edits)
    const message = await stored()
    expect(String(message)).toMatch(/^From: it@sender\.example\r$/m)
    expect(await verifyDkim(message)).toMatchObject([{ domain: 'sender.example', result: 'pass' }])
  })
})

describe('nothing is signed', () => {
  it('for a domain without a key', async () => {
    const { stored } = await hand(HEADER.replace('sender.example', 'other.example'))
    expect(String(await stored())).not.toContain('DKIM-Signature')
  })

  it('and nothing accepted if the key does not work', async () => {
    const { reply } = await hand(`${HEADER}\r\nx\r\n`, makeSigner({ keys: [makeBrokenKey()] }))
    expect(reply).toBe('451 4.7.5 The message cannot be signed now, try again later')
    expect(harness?.store.state.messages.size).toBe(0)
    expect(harness?.notes.map(({ facts }) => facts.reason)).toEqual([expect.stringMatching(/^DKIM: the signature could not be made: /)])
  })

  it('but accepted all the same if that is wanted', async () => {
    const { reply, stored } = await hand(`${HEADER}\r\nx\r\n`, makeSigner({ keys: [makeBrokenKey()], onFailure: 'send' }))
    expect(reply).toMatch(/^250 /)
    expect(String(await stored())).not.toContain('DKIM-Signature')
  })
})
