import { afterEach, describe, expect, it } from 'vitest'
import { StoreFault, type StoreFaultKind } from '../../src/ports/store-fault.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { type Harness, startIntake } from './harness.ts'

let harness: Harness
afterEach(() => harness.end())

const HEADER = 'From: App <app@example.com>\r\nSubject: A test\r\nX-Kind: digest\r\n\r\n'

describe('a message that was accepted', () => {
  it('is answered only when it is durable, then handed to delivery, then written down', async () => {
    const order: string[] = []
    let release: () => void = () => undefined
    const durable = new Promise<void>((resolve) => (release = resolve))
    harness = await startIntake({
      backend: (plain) => ({
        ...plain,
        store: {
          async enqueue(acceptance) {
            order.push('enqueue')
            await durable
            await plain.store.enqueue(acceptance)
            order.push('durable')
          },
        },
        admission: {
          place(message) {
            order.push('place')
            return plain.admission.place(message)
          },
          committed: () => void order.push('committed'),
          abandoned: () => void order.push('abandoned'),
        },
      }),
    })
    const client = await harness.client()
    await client.hello()
    const answered = client.submit(`${HEADER}body\r\n`).then((reply) => {
      order.push('reply read')
      return reply
    })
    await waitUntil(() => order.includes('enqueue'))
    await harness.clock.settle()
    expect(order).toEqual(['place', 'enqueue'])
    release()
    expect(await answered).toMatch(/^250 2\.0\.0 queued as [0-9A-Z]{11}$/)
    expect(order).toEqual(['place', 'enqueue', 'durable', 'committed', 'reply read'])
    expect(harness.accepted).toHaveLength(1)
  })

  it('is handed to delivery even if it cannot be written down', async () => {
    const work: (() => void)[] = []
    const accepted = () => {
      throw new Error('made up')
    }
    harness = await startIntake({ journal: { accepted }, backend: (plain) => ({ ...plain, afterwards: (one) => void work.push(one) }) })
    const client = await harness.client()
    await client.hello()
    await client.submit(`${HEADER}body\r\n`)
    expect(work[0]).toThrow('made up')
    expect(harness.committed).toHaveLength(1)
  })

  it('is answered before anything else is done with it', async () => {
    const work: (() => void)[] = []
    harness = await startIntake({ backend: (plain) => ({ ...plain, afterwards: (one) => void work.push(one) }) })
    const client = await harness.client()
    await client.hello()
    expect(await client.submit(`${HEADER}body\r\n`)).toMatch(/^250 /)
    expect([harness.committed.length, harness.accepted.length, work.length]).toEqual([0, 0, 1])
    work[0]?.()
    expect([harness.committed.length, harness.accepted.length]).toEqual([1, 1])
  })

  it('carries envelope, origin and header facts', async () => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    await client.say('MAIL FROM:<app+tag@example.com> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=Qq+2B314')
    await client.say('RCPT TO:<Bob@Example.NET> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+2Bx@Example.NET')
    await client.say('RCPT TO:<ann@example.net> NOTIFY=NEVER')
    await client.say('DATA')
    const reply = await client.say(`${HEADER}body\r\n.`)
    const [message] = [...harness.store.state.messages.values()]
    expect(reply).toBe(`250 2.0.0 queued as ${message?.envelope.queueId}`)
    expect(message?.envelope).toMatchObject({
      reversePath: { kind: 'mailbox', mailbox: { localPart: 'app+tag', domain: 'example.com' } },
      recipients: [
        {
          id: `${message?.envelope.queueId}.0`,
          forwardPath: { localPart: 'Bob', domain: 'example.net' },
          notify: ['success', 'failure'],
          originalRecipient: 'rfc822;Bob+2Bx@Example.NET',
        },
        { id: `${message?.envelope.queueId}.1`, notify: 'never', originalRecipient: null },
      ],
      body: '8bitmime',
      returnContent: 'headers',
      envelopeId: 'Qq+2B314',
      smtputf8: false,
    })
    expect(message?.origin).toEqual({
      kind: 'smtp',
      submitter: 'app@example.com',
      login: null,
      clientAddress: '127.0.0.1',
      heloName: 'app.example',
      protocol: 'ESMTP',
    })
    expect(message?.header).toMatchObject({ from: 'App <app@example.com>', subject: 'A test' })
    expect(message?.header.fields).toContainEqual(['x-kind', 'digest'])
    expect(harness.accepted[0]).toMatchObject({ from: 'app+tag@example.com', recipients: 2, client: '127.0.0.1', protocol: 'ESMTP' })
  })

  it('keeps the octets of its content, but for Bcc, and gets Received, Date and Message-ID in front', async () => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter((octet) => octet !== 0 && octet !== 10 && octet !== 13)).toString('latin1')
    const reply = await client.submit(`From: a@x\r\nBcc: secret@y,\r\n other@y\r\nTo: c@z\r\n\r\n${body}\r\n`)
    const id = reply.slice(-11)
    const stored = await harness.stored()
    expect(stored).toBe(
      'Received: from app.example ([127.0.0.1])\r\n' +
        `\tby mail.example.com with ESMTP id ${id}\r\n\tfor <bob@example.net>;\r\n\tThu, 01 Jan 2026 00:00:00 +0000\r\n` +
        `Date: Thu, 01 Jan 2026 00:00:00 +0000\r\nMessage-ID: <${id}@mail.example.com>\r\nFrom: a@x\r\nTo: c@z\r\n\r\n${body}\r\n`,
    )
  })

  it('is marked as 8-bit when it is, whatever was declared', async () => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    await client.submit('Subject: caf\xc3\xa9\r\n\r\nx\r\n')
    await client.submit('Subject: x\r\n\r\nx\r\n')
    expect([...harness.store.state.messages.values()].map((message) => message.envelope.body)).toEqual(['8bitmime', '7bit'])
  })

  it('says SMTP for HELO and UTF8SMTP for SMTPUTF8', async () => {
    harness = await startIntake()
    const plain = await harness.client()
    await plain.reply()
    await plain.say('HELO app.example')
    await plain.submit('x: y\r\n\r\n')
    const utf8 = await harness.client()
    await utf8.hello()
    await utf8.say('MAIL FROM:<j\xc3\xb6rg@example.com> SMTPUTF8')
    await utf8.say('RCPT TO:<b@y.example>')
    await utf8.say('DATA')
    await utf8.say('x: y\r\n\r\n.')
    expect(harness.accepted.map((record) => record.protocol)).toEqual(['SMTP', 'UTF8SMTP'])
  })

  it('stays accepted when the client goes before it is told', async () => {
    let release: () => void = () => undefined
    const durable = new Promise<void>((resolve) => (release = resolve))
    let entered = false
    harness = await startIntake({
      backend: (plain) => ({
        ...plain,
        store: {
          async enqueue(acceptance) {
            entered = true
            await durable
            await plain.store.enqueue(acceptance)
          },
        },
      }),
    })
    const client = await harness.client()
    await client.hello()
    for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await client.say(line)
    client.send(`${HEADER}body\r\n.\r\n`)
    await waitUntil(() => entered)
    client.socket.resetAndDestroy()
    await waitUntil(() => harness.intake.status()[0]?.sessions === 0)
    release()
    await waitUntil(() => harness.accepted.length === 1)
    expect(harness.committed).toHaveLength(1)
    expect(harness.notes.filter((note) => note.level === 'error')).toEqual([])
  })

  it('may be one of several in a session', async () => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    for (let i = 0; i < 5; i++) expect(await client.submit(`${HEADER}${i}\r\n`)).toMatch(/^250 2\.0\.0 /)
    expect(await client.say('RCPT TO:<b@y.example>')).toMatch(/^503 /)
    expect(new Set(harness.committed).size).toBe(5)
  })
})

describe('a store that cannot take a message', () => {
  const cases: readonly (readonly [StoreFaultKind, RegExp])[] = [
    ['full', /^452 4\.3\.1 /],
    ['io', /^451 4\.3\.0 /],
    ['busy', /^451 4\.3\.2 /],
    ['damaged', /^451 4\.3\.0 /],
    ['closed', /^421 4\.3\.2 /],
  ]
  it.each(cases)('leaves it with the client: %s', async (kind, expected) => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    harness.store.fail(new StoreFault(kind, 'asked for by the test'))
    expect(await client.submit(`${HEADER}body\r\n`)).toMatch(expected)
    expect(harness.accepted).toEqual([])
    expect(harness.abandoned).toHaveLength(1)
    expect(harness.committed).toEqual([])
    harness.store.mend()
    const again = kind === 'closed' ? await harness.client() : client
    if (again !== client) await again.hello()
    expect(await again.submit(`${HEADER}body\r\n`)).toMatch(/^250 2\.0\.0 /)
  })

  it('gives 451 for a bug of ours, too, and goes on', async () => {
    let broken = true
    harness = await startIntake({
      backend: (plain) => ({
        ...plain,
        admission: {
          ...plain.admission,
          place(message) {
            if (broken) throw new TypeError('a bug')
            return plain.admission.place(message)
          },
        },
      }),
    })
    const client = await harness.client()
    await client.hello()
    expect(await client.submit(`${HEADER}body\r\n`)).toMatch(/^451 4\.3\.0 /)
    broken = false
    expect(await client.submit(`${HEADER}body\r\n`)).toMatch(/^250 2\.0\.0 /)
    expect(harness.notes).toContainEqual(expect.objectContaining({ level: 'error', text: 'a message was not accepted' }))
  })
})
