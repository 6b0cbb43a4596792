import { describe, expect, it } from 'vitest'
import type { LaneKey, LeaseToken } from '../../src/core/brand.ts'
import type { AttemptReport } from '../../src/core/outcome.ts'
import { enhanced, formatStatus } from '../../src/core/reply.ts'
import type { StoredContent } from '../../src/ports/body-store.ts'
import type { MailboxAnswer, MailboxDelivery, Mailboxes } from '../../src/ports/mailboxes.ts'
import type { DeliveryBatch } from '../../src/ports/transport.ts'
import { createMailboxTransport } from '../../src/transports/mailbox-transport.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { type MessageOptions, makeMessage, NOON } from '../support/make-message.ts'

const CONTENT = 'From: a\r\nSubject: x\r\n\r\nbody\r\n'

interface Bench extends Mailboxes {
  readonly got: { readonly delivery: MailboxDelivery; readonly text: string }[]
}
function mailboxesThat(answer: (delivery: MailboxDelivery) => MailboxAnswer): Bench {
  const got: Bench['got'] = []
  return {
    got,
    async deliver(delivery) {
      let text = ''
      const verdict = answer(delivery)
      if (verdict.kind !== 'unknown-user') for await (const chunk of delivery.content()) text += Buffer.from(chunk).toString('latin1')
      got.push({ delivery, text })
      return verdict
    },
    close: () => Promise.resolve(),
  }
}
const delivering = (): Bench => mailboxesThat(() => ({ kind: 'delivered' }))
const refusing = (hangs: boolean): Bench =>
  mailboxesThat(() => ({ kind: 'refused', status: enhanced(4, 2, 2), reason: 'the mailbox is full', hangs, duplicatePossible: false }))

function atHand(text: string): StoredContent {
  return { sizeOctets: text.length, whole: Buffer.from(text, 'latin1'), chunks: () => inPieces(text, text.length) }
}
function streamed(text: string, octets: number): StoredContent {
  return { sizeOctets: text.length, whole: null, chunks: () => inPieces(text, octets) }
}
async function* inPieces(text: string, octets: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += octets) yield Buffer.from(text.slice(at, at + octets), 'latin1')
}

function batchOf(user: string | null, options: MessageOptions = {}, content: StoredContent = atHand(CONTENT)): DeliveryBatch {
  const message = makeMessage({ to: ['bob@host.test'], prefix: 'Received: by us\r\n', ...options })
  const [first, ...rest] = message.envelope.recipients.map((recipient) => ({
    message,
    recipient,
    token: 'token' as LeaseToken,
    leaseUntil: NOON,
    attempts: 1,
    dueAt: NOON,
    delayNoticeSent: false,
  }))
  if (first === undefined) throw new Error('no recipient')
  const route = { kind: 'mailbox', user } as const
  return { message, lane: 'local:bob' as LaneKey, route, recipients: [first, ...rest], sessionsMax: 1, openContent: () => Promise.resolve(content) }
}
function deliver(mailboxes: Mailboxes, batch: DeliveryBatch): Promise<AttemptReport> {
  return createMailboxTransport({ mailboxes, clock: createFakeClock() }).deliver(batch, new AbortController().signal)
}
function told(report: AttemptReport): readonly string[] {
  return [...report.outcomes.values()].map((outcome) => (outcome.kind === 'untried' ? 'untried' : `${outcome.kind} ${formatStatus(outcome.status)}`))
}

describe('delivery into a mailbox', () => {
  it('writes the fields of final delivery in front of ours and of the content', async () => {
    const mailboxes = delivering()
    const report = await deliver(mailboxes, batchOf('bob', { to: ['bob+x@host.test'], originalRecipient: 'rfc822;robert+2Bx@host.test' }))
    expect(told(report)).toEqual(['delivered 2.0.0'])
    expect([...report.outcomes.values()][0]).toMatchObject({ final: true, relayedWithoutDsn: false, remoteMta: { host: 'local', address: 'bob' } })
    expect(mailboxes.got[0]?.text).toBe(
      `Return-Path: <app@sender.example>\r\nX-Original-To: robert+x@host.test\r\nDelivered-To: bob+x@host.test\r\nReceived: by us\r\n${CONTENT}`,
    )
    expect(mailboxes.got[0]?.delivery).toMatchObject({ user: 'bob', from: 'app@sender.example' })
  })

  it('names MAILER-DAEMON where there is no sender', async () => {
    const mailboxes = delivering()
    await deliver(mailboxes, batchOf('bob', { from: '<>' }))
    expect(mailboxes.got[0]?.delivery.from).toBe('MAILER-DAEMON')
    expect(mailboxes.got[0]?.text).toMatch(/^Return-Path: <>\r\n/)
  })

  it('takes forged fields out of a header that comes in pieces, and nothing out of the body', async () => {
    const body = `\r\n\r\nReturn-Path: <in@body>\r\n${'x'.repeat(2_000)}\r\n`
    for (const octets of [1, 7, 100, 10_000]) {
      const mailboxes = delivering()
      await deliver(mailboxes, batchOf('bob', {}, streamed(`Return-Path: <forged@x>\r\nSubject: x${body}`, octets)))
      expect(mailboxes.got[0]?.text.slice(mailboxes.got[0].text.indexOf('Received'))).toBe(`Received: by us\r\nSubject: x${body}`)
    }
  })

  it('is done for each recipient of one user, with his own fields', async () => {
    const mailboxes = delivering()
    const report = await deliver(mailboxes, batchOf('bob', { to: ['bob+a@host.test', 'bob+b@host.test'] }, streamed(CONTENT, 10)))
    expect(told(report)).toEqual(['delivered 2.0.0', 'delivered 2.0.0'])
    expect(mailboxes.got.map(({ text }) => /Delivered-To: (\S+)/.exec(text)?.[1])).toEqual(['bob+a@host.test', 'bob+b@host.test'])
    expect(mailboxes.got.map(({ text }) => text.endsWith(CONTENT))).toEqual([true, true])
  })

  it('ends a loop at the recipient that had the message already, and only there (M09)', async () => {
    const mailboxes = delivering()
    const report = await deliver(mailboxes, batchOf('bob', { to: ['bob@host.test', 'bob+b@host.test'] }, atHand(`Delivered-To: bob@host.test\r\n${CONTENT}`)))
    expect(told(report)).toEqual(['failed 5.4.6', 'delivered 2.0.0'])
  })

  it('fails for a user who is not, by the address or by the user database', async () => {
    expect(told(await deliver(delivering(), batchOf(null)))).toEqual(['failed 5.1.1'])
    expect(
      told(
        await deliver(
          mailboxesThat(() => ({ kind: 'unknown-user' })),
          batchOf('bob'),
        ),
      ),
    ).toEqual(['failed 5.1.1'])
  })

  it('lets the mail wait for a mailbox that is full, and slows nobody down for it (M08)', async () => {
    const report = await deliver(refusing(false), batchOf('bob', { to: ['bob@host.test', 'bob+b@host.test'] }))
    expect(told(report)).toEqual(['deferred 4.2.2', 'deferred 4.2.2'])
    expect(report.hop.kind).toBe('healthy')
  })

  it('stops the lane of a mailbox that hangs, without trying the rest', async () => {
    const mailboxes = refusing(true)
    const report = await deliver(mailboxes, batchOf('bob', { to: ['bob@host.test', 'bob+b@host.test'] }))
    expect(told(report)).toEqual(['deferred 4.2.2', 'untried'])
    expect(report.hop).toMatchObject({ kind: 'unwell', reason: 'the mailbox is full' })
    expect(mailboxes.got).toHaveLength(1)
  })

  it('gives back what it was told to stop, and rejects with what the store threw', async () => {
    expect(
      told(
        await deliver(
          mailboxesThat(() => ({ kind: 'given-up' })),
          batchOf('bob'),
        ),
      ),
    ).toEqual(['untried'])
    const broken: StoredContent = {
      sizeOctets: 10,
      whole: null,
      async *chunks() {
        yield Buffer.from(CONTENT)
        throw new Error('damaged')
      },
    }
    await expect(deliver(delivering(), batchOf('bob', {}, broken))).rejects.toThrow('damaged')
  })

  it('lets go of content that nobody read to the end', async () => {
    let ended = false
    const content: StoredContent = {
      sizeOctets: 10,
      whole: null,
      async *chunks() {
        try {
          for (;;) yield Buffer.from(`${CONTENT}\r\n`)
        } finally {
          ended = true
        }
      },
    }
    await deliver(
      mailboxesThat(() => ({ kind: 'unknown-user' })),
      batchOf('bob', {}, content),
    )
    expect(ended).toBe(true)
  })
})
