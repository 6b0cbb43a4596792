import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cheapHash, type Harness, makeListener, makeUser, startIntake, type Talker } from './harness.ts'

/** Every way known to slip a foreign recipient past a server that looks at addresses by eye. */
const ADDRESSES: readonly string[] = [
  '<user@ext.example>',
  '<u%ext.example@mail.example.com>',
  '<u%ext.example>',
  '<ext.example!u>',
  '<ext.example!u@mail.example.com>',
  '<@mail.example.com:u@ext.example>',
  '<@[127.0.0.1]:u@ext.example>',
  '<@a.example,@b.example:u@ext.example>',
  '<"u@ext.example">',
  '<"u@ext.example"@mail.example.com>',
  '<"u%ext.example"@mail.example.com>',
  '<u@ext.example@mail.example.com>',
  '<u@[192.0.2.9]>',
  '<u@[IPv6:::1]>',
  '<u@[127.0.0.1]>',
  '<u@[IPv6:::ffff:127.0.0.1]>',
  '<u@ext.example.>',
  '<u@EXT.EXAMPLE>',
  '<u @ext.example>',
  '<<u@ext.example>>',
  '<u@ext.example,u@mail.example.com>',
  '<u@ext.example\0@mail.example.com>',
  '<u(@mail.example.com)@ext.example>',
  '<u@mail.example.com(c)@ext.example>',
  '<=?utf-8?q?u=40ext=2Eexample=3E?=@mail.example.com>',
  '<u@\u00e9xt.example>',
  '<postmaster@ext.example>',
  '<Postmaster@mail.example.com>',
  '<u@localhost>',
  '<u@localhost.localdomain>',
  '<u@mail.example.com>',
  '<root@mail.example.com>',
  '<u@>',
  '<@ext.example>',
  '<u>',
  '<root>',
  '<>',
  '< u@ext.example>',
  '<u@ext.example >',
  'u@ext.example',
  'u@ext.example>',
  '<u@ext.example',
  '<u@ext.example> NOTIFY=NEVER',
  '<u@ext.example>SIZE=1',
  '<u@ext..example>',
  '<.u@ext.example>',
  '<u.@ext.example>',
  '<u@-ext.example>',
  '<u@ext.example\\>',
  '<"u\\"@ext.example"@x.example>',
  '<"u@ext.example>',
  '<u@[ext.example]>',
  '<u@[300.1.1.1]>',
  '<u@192.0.2.9>',
  '<u;v@ext.example>',
  '<$(id)@ext.example>',
  '<|sh@ext.example>',
  '</etc/passwd@ext.example>',
  '<:include:/etc/passwd>',
  '<u@ext.example>\tX',
  '<u\t@ext.example>',
  "<'; DROP TABLE x@ext.example>",
]

describe('a client that may not relay', () => {
  let harness: Harness
  beforeAll(async () => {
    harness = await startIntake({ settings: { networks: ['127.0.0.1/32'], users: [makeUser('jira', cheapHash('secret'))] } })
  })
  afterAll(() => harness.end())

  it('is refused every recipient there is, however it is written', async () => {
    expect(ADDRESSES.length).toBeGreaterThanOrEqual(60)
    const taken: string[] = []
    for (const address of ADDRESSES) {
      const client = await harness.client({ from: '127.0.0.2' })
      await client.hello()
      await client.say('MAIL FROM:<app@example.com>')
      const reply = await client.say(`RCPT TO:${address}`)
      if (!/^5\d\d 5\.\d\.\d+ /.test(reply)) taken.push(`${address} ${reply}`)
      expect(await client.say('DATA')).toMatch(/^(554|503) 5\.5\.1 /)
      client.destroy()
    }
    expect(taken).toEqual([])
    expect(harness.store.state.messages.size).toBe(0)
  })

  it('is not helped by a trusted name, a forged AUTH parameter, XCLIENT or a PROXY line', async () => {
    const client = await harness.client({ from: '127.0.0.2' })
    await client.reply()
    await client.say('EHLO [127.0.0.1]')
    expect(await client.say('XCLIENT ADDR=127.0.0.1')).toMatch(/^50[02] /)
    expect(await client.say('MAIL FROM:<app@example.com> AUTH=jira@example.com')).toMatch(/^250 /)
    expect(await client.say('RCPT TO:<u@ext.example>')).toMatch(/^554 5\.7\.1 /)
    const proxy = await harness.client({ from: '127.0.0.2' })
    await proxy.reply()
    expect(await proxy.say('PROXY TCP4 127.0.0.1 127.0.0.1 1 25')).toMatch(/^5/)
  })

  it('may relay once it has logged in, and not before', async () => {
    const client = await harness.client({ from: '127.0.0.2' })
    await client.hello()
    expect(await client.say(`AUTH PLAIN ${Buffer.from('\0jira\0wrong').toString('base64')}`)).toMatch(/^535 5\.7\.8 /)
    await client.say('MAIL FROM:<app@example.com>')
    expect(await client.say('RCPT TO:<u@ext.example>')).toMatch(/^554 5\.7\.1 /)
    await client.say('RSET')
    expect(await client.say(`AUTH PLAIN ${Buffer.from('\0jira\0secret').toString('base64')}`)).toMatch(/^235 /)
    expect(await client.submit('From: a@x\r\n\r\nx\r\n', { to: ['u@ext.example'] })).toMatch(/^250 2\.0\.0 queued as /)
  })
})

describe('a client in networks', () => {
  let harness: Harness
  let client: Talker
  beforeAll(async () => {
    harness = await startIntake({ settings: { networks: ['127.0.0.1/32'] } })
    client = await harness.client()
    await client.hello()
  })
  afterAll(() => harness.end())

  it('may send to anybody, and a source route is left out', async () => {
    expect(await client.submit('x: y\r\n\r\n', { to: ['@a.example,@b.example:u@EXT.example'] })).toMatch(/^250 2\.0\.0 /)
    const [message] = [...harness.store.state.messages.values()]
    expect(message?.envelope.recipients[0].forwardPath).toEqual({ localPart: 'u', domain: 'ext.example' })
  })

  it('may use the null reverse-path', async () => {
    expect(await client.submit('x: y\r\n\r\n', { from: '' })).toMatch(/^250 2\.0\.0 /)
    expect([...harness.store.state.messages.values()].at(-1)?.envelope.reversePath.kind).toBe('null')
  })

  it('reaches a postmaster without a domain in any case, and no other bare name', async () => {
    await client.say('MAIL FROM:<app@example.com>')
    expect(await client.say('RCPT TO:<PostMaster>')).toMatch(/^250 /)
    expect(await client.say('RCPT TO:<root>')).toMatch(/^5\d\d 5\.1\.\d /)
    await client.say('DATA')
    expect(await client.say('x: y\r\n\r\n.')).toMatch(/^250 /)
    const paths = [...harness.store.state.messages.values()].at(-1)?.envelope.recipients.map((recipient) => recipient.forwardPath)
    expect(paths).toEqual([{ localPart: 'postmaster', domain: 'mail.example.com' }])
  })
})

describe('a listener that wants a login', () => {
  it('takes nothing from anybody without one', async () => {
    const harness = await startIntake({ settings: { listeners: [makeListener({ requireAuth: true })], users: [makeUser('jira', cheapHash('secret'))] } })
    const client = await harness.client()
    await client.hello()
    expect(await client.say('MAIL FROM:<app@example.com>')).toMatch(/^530 5\.7\.0 /)
    await harness.end()
  })
})
