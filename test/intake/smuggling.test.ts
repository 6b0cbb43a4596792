import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FALSE_ENDS } from '../support/false-ends.ts'
import { type Harness, makeListener, startIntake, type Talker } from './harness.ts'

/** Without those in which a true end stands: what is behind it is another matter. */
const FAKE_ENDS = FALSE_ENDS.filter((sequence) => !sequence.includes('\r\n.\r\n'))
const INNER = 'MAIL FROM:<smuggled@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n'

for (const pipelining of [false, true]) {
  for (const bareLineEnds of ['refuse', 'normalize'] as const) {
    describe(`content with a false end, pipelining ${pipelining ? 'on' : 'off'}, bare line ends: ${bareLineEnds}`, () => {
      let harness: Harness
      beforeEach(async () => {
        harness = await startIntake({ settings: { listeners: [makeListener({ pipelining, bareLineEnds })] } })
      })
      afterEach(() => harness.end())

      const begin = async (): Promise<Talker> => {
        const client = await harness.client()
        await client.hello()
        for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) expect(await client.say(line)).toMatch(/^[23]/)
        return client
      }

      it.each(FAKE_ENDS)('is one message or none for %j', async (end) => {
        const client = await begin()
        client.send(`From: a@x.example\r\n\r\nbefore${end}${INNER}`)
        // The inner final dot is the true end of the outer content.
        const reply = await client.reply()
        expect(reply).toMatch(/^(250 2\.0\.0 |550 5\.|closed)/)
        await harness.clock.settle()
        expect(harness.store.state.messages.size).toBeLessThanOrEqual(1)
        for (const message of harness.store.state.messages.values()) {
          expect(message.envelope.reversePath).toMatchObject({ mailbox: { localPart: 'a' } })
          const stored = await harness.stored()
          expect(stored).not.toMatch(/\r(?!\n)|(?<!\r)\n|\0/)
          expect(stored).toContain('MAIL FROM:<smuggled@x.example>')
        }
      })
    })
  }
}

describe('a session', () => {
  let harness: Harness
  beforeEach(async () => {
    harness = await startIntake()
  })
  afterEach(() => harness.end())

  it('stores nothing when the client half-closes in the middle of the final dot', async () => {
    for (const tail of ['\r\n', '\r\n.', '\r\n.\r']) {
      const client = await harness.client()
      await client.hello()
      for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await client.say(line)
      client.send(`From: a@x.example\r\n\r\nbody${tail}`)
      client.socket.end()
      await client.gone()
    }
    await harness.clock.settle()
    expect(harness.store.state.messages.size).toBe(0)
    expect(harness.clock.pending).toBe(0)
  })

  it('answers a client that sends its message and half-closes at once', async () => {
    const client = await harness.client()
    await client.hello()
    for (const line of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await client.say(line)
    client.socket.end('From: a@x.example\r\n\r\nbody\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 2\.0\.0 queued/)
    await client.gone()
    expect(harness.store.state.messages.size).toBe(1)
  })

  it('survives a reset at every octet of a dialogue, and stores only what was whole', async () => {
    const dialogue = ['EHLO app.example\r\n', 'MAIL FROM:<a@x.example>\r\n', 'RCPT TO:<b@y.example>\r\n', 'DATA\r\n', 'From: a@x.example\r\n\r\nbody\r\n.\r\n']
    const octets = dialogue.join('').length
    for (let cut = 0; cut < octets; cut += 3) {
      const client = await harness.client()
      await client.reply()
      let left = cut
      for (const part of dialogue) {
        client.send(part.slice(0, left))
        left -= part.length
        if (left < 0) break
        await client.reply()
      }
      client.socket.resetAndDestroy()
    }
    await harness.clock.settle()
    expect(harness.store.state.messages.size).toBe(0)
    const honest = await harness.client()
    await honest.hello()
    expect(await honest.submit('From: a@x\r\n\r\nok\r\n')).toMatch(/^250 2\.0\.0 /)
  })

  it('ends at an HTTP request, at an early talker and at content sent before 354', async () => {
    const http = await harness.client()
    await http.reply()
    http.send('POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<a@x.example>\r\n')
    await http.gone()
    const early = await harness.client()
    await early.hello()
    await early.say('MAIL FROM:<a@x.example>')
    await early.say('RCPT TO:<b@y.example>')
    early.send('DATA\r\nFrom: a@x.example\r\n\r\nbody\r\n.\r\n')
    expect(await early.reply()).toMatch(/^554 5\.5\.0 /)
    await early.gone()
    expect(harness.store.state.messages.size).toBe(0)
  })
})
