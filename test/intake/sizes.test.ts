import { afterEach, describe, expect, it } from 'vitest'
import type { IntakeLimits } from '../../src/intake/settings.ts'
import { type Harness, LIMITS, makeListener, startIntake, type Talker } from './harness.ts'

let harness: Harness
afterEach(() => harness.end())

async function start(limits: Partial<IntakeLimits> = {}, pipelining = false): Promise<void> {
  const all = { ...LIMITS, ...limits }
  harness = await startIntake({ settings: { limits: all, limitsUnderPressure: all, listeners: [makeListener({ pipelining })] } })
}
async function inContent(): Promise<Talker> {
  const client = await harness.client()
  await client.hello()
  for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await client.say(line)
  return client
}
describe('sizes (B07, S05)', () => {
  it('refuses a declared size above the limit at once, and believes no other', async () => {
    await start({ messageOctets: 1_000 })
    const client = await harness.client()
    await client.hello()
    expect(await client.say('MAIL FROM:<a@x.example> SIZE=1001')).toMatch(/^552 5\.3\.4 /)
    expect(await client.say('MAIL FROM:<a@x.example> SIZE=1e30')).toMatch(/^501 /)
    expect(await client.say('MAIL FROM:<a@x.example> SIZE=-1')).toMatch(/^501 /)
    expect(await client.say('MAIL FROM:<a@x.example> SIZE=10')).toMatch(/^250 /)
    await client.say('RCPT TO:<b@y.example>')
    await client.say('DATA')
    client.send(`From: a@x\r\n\r\n${'x'.repeat(70)}\r\n`.repeat(20))
    client.send('MAIL FROM:<smuggled@x.example>\r\n.\r\n')
    expect(await client.reply()).toMatch(/^552 5\.3\.4 /)
    expect(await client.say('NOOP')).toMatch(/^250 /)
    expect(harness.store.state.messages.size).toBe(0)
  })

  it.each([
    ['a header block above the limit', `X-A: ${'x'.repeat(900)}\r\n`.repeat(200), /^552 5\.3\.4 /],
    ['too many hops', 'Received: x\r\n'.repeat(60), /^554 5\.4\.6 /],
    ['two authors', 'From: a@x\r\nFrom: b@y\r\n', /^550 5\.6\.0 /],
  ])('reads content with %s to its true end and runs no line of it', async (_, header, expected) => {
    await start({ messageOctets: 10_000_000 })
    for (const body of ['MAIL FROM:<smuggled@x.example>\r\n', `${'x'.repeat(998)}\r\n`.repeat(1_000)]) {
      const client = await inContent()
      client.send(`${header}\r\n${body}`)
      client.send('RSET\r\n.\r\n')
      expect(await client.reply()).toMatch(expected)
      expect(await client.say('NOOP')).toMatch(/^250 /)
      expect(await client.submit('From: a@x\r\n\r\nok\r\n')).toMatch(/^250 2\.0\.0 /)
      client.destroy()
    }
    expect(harness.store.state.messages.size).toBe(2)
    expect(harness.store.state.contents.size).toBe(2)
  })

  it('takes an empty message and content with dots (S06)', async () => {
    await start()
    const client = await harness.client()
    await client.hello()
    expect(await client.submit('')).toMatch(/^250 2\.0\.0 /)
    expect(await client.submit('From: a@x\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\n..\r\n..x\r\nx.\r\n')).toMatch(/^250 2\.0\.0 /)
    expect((await harness.stored(1)).endsWith('\r\n\r\n.\r\n.x\r\nx.\r\n')).toBe(true)
  })
})
