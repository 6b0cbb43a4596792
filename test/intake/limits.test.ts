import { afterEach, describe, expect, it } from 'vitest'
import type { IntakeLimits } from '../../src/intake/settings.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
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
/** Lets octets that were written arrive before time moves. */
async function arrived(): Promise<void> {
  await harness.clock.settle()
}

describe('time (D01)', () => {
  it('ends a session that sends an octet now and then but no whole command', async () => {
    await start({ commandMs: 60_000 })
    const client = await harness.client()
    await client.hello()
    for (let i = 0; i < 5; i++) {
      client.send('N')
      await arrived()
      await harness.clock.advance(10_000)
    }
    expect(client.ended).toBe(false)
    await harness.clock.advance(10_001)
    expect(await client.reply()).toBe('421 4.4.2 Timeout')
    await client.gone()
    expect(harness.notes.map((note) => note.text)).toContain('session timed out')
  })

  it('gives each whole command its time anew', async () => {
    await start({ commandMs: 60_000 })
    const client = await harness.client()
    await client.hello()
    for (let i = 0; i < 5; i++) {
      await harness.clock.advance(50_000)
      expect(await client.say('NOOP')).toMatch(/^250 /)
    }
  })

  it('ends a session that says nothing after the greeting, in a login, or in a line of content', async () => {
    await start({ commandMs: 60_000, minOctetsPerSecond: 0 })
    const silent = await harness.client()
    await silent.reply()
    const content = await inContent()
    content.send('From: a@x\r\n\r\nunfinished')
    await arrived()
    await harness.clock.advance(60_001)
    expect(await silent.reply()).toMatch(/^421 4\.4\.2 /)
    expect(await content.reply()).toMatch(/^421 4\.4\.2 /)
    expect(harness.store.state.messages.size).toBe(0)
  })

  it('ends content that comes below the least rate, after ten seconds of grace', async () => {
    await start({ minOctetsPerSecond: 500 })
    const client = await inContent()
    for (let i = 0; i < 9; i++) {
      client.send('X-A: b\r\n')
      await arrived()
      await harness.clock.advance(1_000)
    }
    expect(client.ended).toBe(false)
    await harness.clock.advance(1_001)
    expect(await client.reply()).toBe('421 4.4.2 Content comes too slowly')
    expect(harness.store.state.messages.size).toBe(0)
  })

  it('lets content take as long as it needs at a good rate', async () => {
    await start({ minOctetsPerSecond: 500, commandMs: 60_000 })
    const client = await inContent()
    client.send('From: a@x\r\n\r\n')
    for (let i = 0; i < 30; i++) {
      client.send(`${'x'.repeat(998)}\r\n`.repeat(3))
      await arrived()
      await harness.clock.advance(5_000)
    }
    client.send('.\r\n')
    expect(await client.reply()).toMatch(/^250 2\.0\.0 /)
  })

  it('ends a session that has lasted too long, but not in the middle of content', async () => {
    await start({ sessionMs: 100_000, minOctetsPerSecond: 0 })
    const idle = await harness.client()
    await idle.hello()
    const busy = await inContent()
    await harness.clock.advance(100_001)
    expect(await idle.reply()).toBe('421 4.4.2 The session has lasted too long')
    busy.send('From: a@x\r\n\r\nx\r\n.\r\n')
    expect(await busy.reply()).toMatch(/^250 2\.0\.0 /)
  })

  it('counts no time that the store takes', async () => {
    let release: (() => void) | null = null
    harness = await startIntake({
      settings: { limits: { ...LIMITS, commandMs: 60_000 } },
      backend: (plain) => ({
        ...plain,
        store: { enqueue: (acceptance) => new Promise((resolve) => (release = () => resolve(plain.store.enqueue(acceptance)))) },
      }),
    })
    const client = await inContent()
    client.send('From: a@x\r\n\r\nx\r\n.\r\n')
    await waitUntil(() => release !== null)
    await harness.clock.advance(3_600_000)
    ;(release as (() => void) | null)?.()
    expect(await client.reply()).toMatch(/^250 2\.0\.0 /)
  })

  it('leaves no timer behind', async () => {
    await start()
    const client = await harness.client()
    await client.hello()
    await client.say('QUIT')
    client.destroy()
    await waitUntil(() => harness.intake.status()[0]?.sessions === 0)
    expect(harness.clock.pending).toBe(0)
  })
})

describe('connections (D02)', () => {
  it('are limited per client and in all, with a 421', async () => {
    await start({ connections: 5, connectionsPerClient: 3 })
    for (let i = 0; i < 3; i++) expect(await (await harness.client({ from: '127.0.0.3' })).reply()).toMatch(/^220 /)
    const fourth = await harness.client({ from: '127.0.0.3' })
    expect(await fourth.reply()).toMatch(/^421 4\.7\.0 Too many connections from your address/)
    for (let i = 0; i < 2; i++) expect(await (await harness.client({ from: '127.0.0.4' })).reply()).toMatch(/^220 /)
    const sixth = await harness.client({ from: '127.0.0.5' })
    expect(await sixth.reply()).toMatch(/^421 4\.7\.0 Too many connections, /)
    await sixth.gone()
  })

  it('leave room again when they end', async () => {
    await start({ connectionsPerClient: 1 })
    for (let i = 0; i < 5; i++) {
      const client = await harness.client()
      expect(await client.reply()).toMatch(/^220 /)
      client.destroy()
      await waitUntil(() => harness.intake.status()[0]?.sessions === 0)
    }
  })

  it('that were refused are closed even if the client never goes, and noted a few times only', async () => {
    await start({ connectionsPerClient: 1 })
    await (await harness.client()).reply()
    const refused = await Promise.all(Array.from({ length: 40 }, () => harness.client()))
    for (const client of refused) expect(await client.reply()).toMatch(/^421 /)
    await harness.clock.advance(5_000)
    expect(harness.notes.filter((note) => note.text === 'connection refused')).toHaveLength(20)
    expect(harness.clock.pending).toBe(1)
  })
})

describe('what one session may do', () => {
  it('stops reading from a client that does not read its replies, then closes (D03)', async () => {
    await start({ junkPerSession: 10_000_000, commandMs: 60_000 }, true)
    const client = await harness.client()
    await client.hello()
    client.socket.pause()
    let written = 0
    const flood = Buffer.from('NOOP\r\n'.repeat(20_000))
    await new Promise<void>((resolve) => {
      const more = (): void => {
        while (written < 100_000_000) {
          written += flood.length
          if (!client.socket.write(flood)) break
        }
      }
      client.socket.on('drain', more)
      more()
      void waitUntil(() => harness.clock.dueTimes.length > 0 && client.socket.writableLength > 0).then(async () => {
        await harness.clock.settle()
        resolve()
      })
    })
    expect(written).toBeLessThan(40_000_000)
    await harness.clock.advance(60_001)
    await waitUntil(() => harness.notes.some((note) => note.text === 'client does not read replies'))
    await waitUntil(() => harness.intake.status()[0]?.sessions === 0)
  })

  it('is limited in errors and in commands that deliver nothing (D04, S15)', async () => {
    await start({ errorsPerSession: 5, junkPerSession: 7 }, true)
    const wrong = await harness.client()
    await wrong.hello()
    wrong.send('FOO\r\n'.repeat(100))
    const answers: string[] = []
    for (let answer = await wrong.reply(); answer !== 'closed'; answer = await wrong.reply()) answers.push(answer.slice(0, 3))
    expect(answers).toEqual(['500', '500', '500', '500', '500', '421'])
    const idle = await harness.client()
    await idle.hello()
    idle.send('NOOP\r\n'.repeat(1_000))
    const idleAnswers: string[] = []
    for (let answer = await idle.reply(); answer !== 'closed'; answer = await idle.reply()) idleAnswers.push(answer.slice(0, 3))
    expect(idleAnswers).toEqual([...Array(7).fill('250'), '421'])
  })

  it('answers 1,000 pipelined recipients in order (D04)', async () => {
    await start({ recipients: 1_000 }, true)
    const client = await harness.client()
    await client.hello()
    const rcpts = Array.from({ length: 1_000 }, (_, i) => `RCPT TO:<u${i}@y.example>\r\n`).join('')
    client.send(`MAIL FROM:<a@x.example>\r\n${rcpts}DATA\r\n`)
    for (let i = 0; i < 1_001; i++) expect(await client.reply()).toMatch(/^250 /)
    expect(await client.reply()).toMatch(/^354 /)
    client.send('From: a@x\r\n\r\nx\r\n.\r\n')
    expect(await client.reply()).toMatch(/^250 2\.0\.0 /)
    const [message] = [...harness.store.state.messages.values()]
    expect(message?.envelope.recipients).toHaveLength(1_000)
    expect(await harness.stored()).not.toContain('for <')
  })

  it('closes at an endless line (D05, B06)', async () => {
    await start({ commandLineOctets: 512 })
    const client = await harness.client()
    await client.hello()
    expect(await client.say(`NOOP ${'x'.repeat(600)}`)).toMatch(/^500 /)
    expect(await client.say('NOOP')).toMatch(/^250 /)
    client.send('x'.repeat(1_000_000))
    await client.gone()
  })

  it('takes recipients up to the limit, answers 452 above it, and delivers to those taken (B05)', async () => {
    await start({ recipients: 3 })
    const client = await harness.client()
    await client.hello()
    await client.say('MAIL FROM:<a@x.example>')
    const answers: string[] = []
    for (let i = 0; i < 5; i++) answers.push((await client.say(`RCPT TO:<u${i}@y.example>`)).slice(0, 9))
    expect(answers).toEqual(['250 2.1.5', '250 2.1.5', '250 2.1.5', '452 4.5.3', '452 4.5.3'])
    await client.say('DATA')
    expect(await client.say('x: y\r\n\r\nz\r\n.')).toMatch(/^250 2\.0\.0 /)
    expect(harness.accepted[0]?.recipients).toBe(3)
  })

  it('makes one recipient of a mailbox that is named twice, and keeps local parts apart by case (B05)', async () => {
    await start()
    const client = await harness.client()
    await client.hello()
    const to = ['bob@y.example', 'bob@Y.EXAMPLE', 'Bob@y.example', 'bob@y.example', 'ann@y.example']
    expect(await client.submit('x: y\r\n\r\n', { to })).toMatch(/^250 2\.0\.0 /)
    const [message] = [...harness.store.state.messages.values()]
    expect(message?.envelope.recipients.map((recipient) => recipient.forwardPath.localPart)).toEqual(['bob', 'Bob', 'ann'])
  })
})
