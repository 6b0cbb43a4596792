import { afterEach, describe, expect, it } from 'vitest'
import { cheapHash, type Harness, LIMITS, makeListener, makeUser, startIntake } from './harness.ts'

let harness: Harness
afterEach(() => harness.end())

const noted = (text: string) => harness.notes.filter((note) => note.text === text).map(({ facts }) => facts)

describe('a message that an application hands over and we do not take', () => {
  it.each([
    ['bare line ends', 'Subject: x\n\nx\r\n', '550 5.5.2'],
    ['NUL', 'Subject: x\r\n\r\na\0b\r\n', '550 5.6.0'],
    ['too many hops', `${'Received: x\r\n'.repeat(60)}\r\nx\r\n`, '554 5.4.6'],
    ['more than may be', `Subject: x\r\n\r\n${'x'.repeat(70)}\r\n${'y'.repeat(70)}\r\n`, '552 5.3.4'],
  ])('stands in the log with its reply: %s', async (name, content, code) => {
    const limits = { ...LIMITS, hops: 50, messageOctets: name === 'more than may be' ? 100 : LIMITS.messageOctets }
    harness = await startIntake({ settings: { limits } })
    const client = await harness.client()
    await client.hello()
    for (const line of ['MAIL FROM:<app@x.example>', 'RCPT TO:<b@y.example>', 'RCPT TO:<c@y.example>', 'DATA']) await client.say(line)
    client.send(`${content}.\r\n`)
    expect(await client.reply()).toMatch(new RegExp(`^${code}`))
    expect(noted('message refused')).toEqual([
      expect.objectContaining({
        client: '127.0.0.1',
        user: null,
        from: 'app@x.example',
        to: 'b@y.example',
        nrcpt: 2,
        reply: expect.stringMatching(`^${code}`),
      }),
    ])
  })

  it('is named by its sender where the sender is refused', async () => {
    const users = [makeUser('jira', cheapHash('secret'), ['*@x.example'])]
    harness = await startIntake({ settings: { listeners: [makeListener({ authWithoutTls: true })], users } })
    const client = await harness.client()
    await client.hello()
    await client.say(`AUTH PLAIN ${Buffer.from('\0jira\0secret').toString('base64')}`)
    expect(await client.say('MAIL FROM:<a@evil.example>')).toMatch(/^553 5\.7\.1/)
    expect(noted('sender refused')).toEqual([expect.objectContaining({ user: 'jira', from: 'a@evil.example', reply: expect.stringMatching(/^553 5\.7\.1/) })])
  })

  it.each([
    ['a size above the limit', 'MAIL FROM:<a@x.example> SIZE=999999999', '552 5.3.4'],
    ['a parameter that nobody knows', 'MAIL FROM:<a@x.example> XYZ=1', '555 5.5.4'],
    ['an address beyond ASCII without SMTPUTF8', 'MAIL FROM:<b\u00fccher@x.example>', '553 5.6.7'],
    ['a bad address', 'MAIL FROM:<a@@x.example>', '501 5.1.7'],
    ['a command out of order', 'RCPT TO:<b@y.example>', '503 5.5.1'],
  ])('is named by the command that we refuse without asking anybody: %s', async (_, line, code) => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    expect(await client.say(Buffer.from(line).toString('latin1'))).toMatch(new RegExp(`^${code}`))
    expect(noted('command refused')).toEqual([
      expect.objectContaining({ client: '127.0.0.1', user: null, command: line, reply: expect.stringMatching(`^${code}`) }),
    ])
  })

  it('is named by each recipient above the limit', async () => {
    harness = await startIntake({ settings: { limits: { ...LIMITS, recipients: 1 } } })
    const client = await harness.client()
    await client.hello()
    for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'RCPT TO:<c@y.example>']) await client.say(line)
    expect(noted('command refused')).toEqual([expect.objectContaining({ command: 'RCPT TO:<c@y.example>', reply: expect.stringMatching(/^452 4\.5\.3/) })])
  })

  it('stays unnamed where it cannot have been one: noise of scanners, and what was asked and answered', async () => {
    harness = await startIntake()
    const client = await harness.client()
    await client.hello()
    for (const line of ['EXPN list', 'XYZZY', 'VRFY', 'MAIL FROM:<a@x.example>', 'RSET']) await client.say(line)
    expect(noted('command refused')).toEqual([])
  })
})
