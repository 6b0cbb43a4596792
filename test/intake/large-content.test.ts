import { afterEach, describe, expect, it } from 'vitest'
import { type Acceptance, INLINE_OCTETS_MAX } from '../../src/ports/queue-store.ts'
import { StoreFault } from '../../src/ports/store-fault.ts'
import { turnEventLoop } from '../support/fake-clock.ts'
import { waitUntil } from '../support/wait-for-signal.ts'
import { type Harness, LIMITS, makeListener, startIntake } from './harness.ts'

let harness: Harness
afterEach(() => harness.end())

const LARGE = { ...LIMITS, messageOctets: 60_000_000 }
const HEADER = 'From: App <app@example.com>\r\nSubject: A test\r\nX-Kind: digest\r\n\r\n'

describe('large content', () => {
  const line = `${'0123456789'.repeat(7)}\r\n`

  it.each([INLINE_OCTETS_MAX - 1, INLINE_OCTETS_MAX, INLINE_OCTETS_MAX + 1, 3 * INLINE_OCTETS_MAX])(
    'of %i octets is kept octet for octet, in one piece or streamed',
    async (octets) => {
      harness = await startIntake({ settings: { limits: LARGE } })
      const client = await harness.client()
      await client.hello()
      const head = 'From: a@x\r\nBcc: b@y\r\nDate: x\r\nMessage-ID: <1@x>\r\n\r\n'
      const cut = 'Bcc: b@y\r\n'.length
      const body = line.repeat(Math.ceil(octets / line.length)).slice(0, octets - head.length - 2)
      const content = `${head}${body.replace(/\r?\n?$/, 'x').slice(0, octets - head.length - 2)}\r\n`
      expect(content.length).toBeGreaterThan(octets - 3)
      expect(await client.submit(content)).toMatch(/^250 2\.0\.0 /)
      const [message] = [...harness.store.state.messages.values()]
      expect(message?.sizeOctets).toBe(content.length - cut)
      expect((await harness.stored()).endsWith(content.replace('Bcc: b@y\r\n', ''))).toBe(true)
    },
  )

  it("is nobody else's while the queue has not taken it, and its memory is used again", async () => {
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    harness = await startIntake({
      backend: (plain) => ({ ...plain, store: { enqueue: (acceptance) => gate.then(() => plain.store.enqueue(acceptance)) } }),
    })
    const contents = ['a', 'b', 'c', 'd'].map((letter) => `${HEADER}${`${letter.repeat(70)}\r\n`.repeat(900)}`)
    const clients = await Promise.all(contents.map(() => harness.client()))
    for (const client of clients) await client.hello()
    const answers = clients.map((client, index) => client.submit(contents[index] ?? ''))
    await turnEventLoop()
    open()
    for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^250 2\.0\.0 /)
    for (const [index, client] of clients.entries()) expect(await client.submit(contents[3 - index] ?? '')).toMatch(/^250 /)
    const stored = await Promise.all(Array.from({ length: 8 }, (_, index) => harness.stored(index)))
    const bodies = stored.map((text) => text.slice(text.indexOf('\r\n\r\n') + 4))
    const wanted = [...contents, ...contents].map((text) => text.slice(text.indexOf('\r\n\r\n') + 4))
    expect(bodies.toSorted()).toEqual(wanted.toSorted())
  })

  it.each([
    ['small', 'a line\r\n', true],
    ['small, with a dot in front of a line', 'a line\r\n.another\r\n', false],
    ['streamed', `${'b'.repeat(70)}\r\n`.repeat(9_000), true],
    ['streamed, with a dot in front of its last line', `${`${'c'.repeat(70)}\r\n`.repeat(9_000)}.\r\n`, false],
  ])('knows of %s content whether a dot has to be put in front of a line again', async (_name, body, sendsAsIs) => {
    const seen: (boolean | undefined)[] = []
    const note = (acceptance: Acceptance) => void seen.push(acceptance.sendsAsIs)
    harness = await startIntake({
      backend: (plain) => ({
        ...plain,
        store: {
          enqueue(acceptance) {
            note(acceptance)
            return plain.store.enqueue(acceptance)
          },
        },
      }),
    })
    const client = await harness.client()
    await client.hello()
    expect(await client.submit(`${HEADER}${body.replace(/^\./gm, '..')}`)).toMatch(/^250 /)
    expect(seen).toEqual([sendsAsIs])
    expect((await harness.stored(0)).endsWith(`\r\n\r\n${body}`)).toBe(true)
  })

  it('leaves nothing in the store when it is refused, reset or broken off', async () => {
    harness = await startIntake({ settings: { limits: { ...LIMITS, messageOctets: 600_000 } } })
    const tooLarge = await harness.client()
    await tooLarge.hello()
    expect(await tooLarge.submit(`${HEADER}${line.repeat(20_000)}`)).toMatch(/^552 5\.3\.4 /)
    const bare = await harness.client()
    await bare.hello()
    expect(await bare.submit(`${HEADER}${line.repeat(6_000)}bare\nline\r\n`)).toMatch(/^550 5\.5\.2 /)
    const gone = await harness.client()
    await gone.hello()
    for (const command of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await gone.say(command)
    gone.send(`${HEADER}${line.repeat(6_000)}`)
    await waitUntil(() => harness.store.state.contents.size > 0)
    gone.socket.resetAndDestroy()
    await waitUntil(() => harness.store.state.contents.size === 0)
    expect(harness.store.state.messages.size).toBe(0)
  })

  it('gets 452 when the disk fills up in the middle, at its true end, and no line of it is run', async () => {
    let written = 0
    harness = await startIntake({
      settings: { limits: LARGE },
      backend: (plain) => ({
        ...plain,
        bodies: {
          ...plain.bodies,
          put: (ref) => {
            const writer = plain.bodies.put(ref)
            return {
              ...writer,
              finish: () => writer.finish(),
              abort: () => writer.abort(),
              async write(chunk) {
                written += chunk.length
                if (written > 500_000) throw new StoreFault('full', 'no space left')
                await writer.write(chunk)
              },
            }
          },
        },
      }),
    })
    const client = await harness.client()
    await client.hello()
    expect(await client.submit(`${HEADER}${`${line}MAIL FROM:<smuggled@x.example>\r\n`.repeat(20_000)}`)).toMatch(/^452 4\.3\.1 /)
    expect(await client.say('NOOP')).toMatch(/^250 /)
    expect(harness.store.state.messages.size).toBe(0)
    expect(harness.store.state.contents.size).toBe(0)
  })

  it('waits while the store is slow, and goes on when it is not: memory stays flat', async () => {
    let held = 0
    let most = 0
    const waiting: (() => void)[] = []
    harness = await startIntake({
      settings: { limits: LARGE },
      backend: (plain) => ({
        ...plain,
        bodies: {
          ...plain.bodies,
          put: () => ({
            write: (chunk) =>
              new Promise<void>((resolve) => {
                held += chunk.length
                most = Math.max(most, held)
                waiting.push(() => {
                  held -= chunk.length
                  resolve()
                })
              }),
            finish: async () => undefined,
            abort: async () => undefined,
          }),
        },
        store: { enqueue: async () => undefined },
      }),
    })
    const client = await harness.client()
    await client.hello()
    let done = false
    const answered = client.submit(`${HEADER}${line.repeat(100_000)}`).then((reply) => {
      done = true
      return reply
    })
    await waitUntil(() => waiting.length > 0)
    await harness.clock.settle()
    // The store does not answer: everything else waits in the kernel and at the client.
    expect(client.socket.writableLength).toBeGreaterThan(1_000_000)
    await waitUntil(() => {
      waiting.shift()?.()
      return done
    })
    expect(await answered).toMatch(/^250 2\.0\.0 /)
    expect(most).toBeLessThan(1_500_000)
    expect(harness.accepted[0]?.sizeOctets).toBe(HEADER.length + 100_000 * line.length)
  })

  it('five times 50 MB at once takes little memory (B11)', async () => {
    harness = await startIntake({
      settings: { limits: LARGE, listeners: [makeListener()] },
      backend: (plain) => ({
        ...plain,
        bodies: { ...plain.bodies, put: () => ({ write: async () => undefined, finish: async () => undefined, abort: async () => undefined }) },
        store: { enqueue: async () => undefined },
      }),
    })
    const piece = Buffer.from(line.repeat(1_000))
    const pieces = Math.floor(50_000_000 / piece.length)
    const rss = (): number => process.memoryUsage.rss()
    const before = rss()
    let most = before
    const replies = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const client = await harness.client()
        await client.hello()
        for (const command of ['MAIL FROM:<a@x.example>', 'RCPT TO:<b@y.example>', 'DATA']) await client.say(command)
        client.send(HEADER)
        for (let i = 0; i < pieces; i++) {
          if (!client.socket.write(piece)) await new Promise<void>((resolve) => client.socket.once('drain', () => resolve()))
          most = Math.max(most, rss())
        }
        client.send('.\r\n')
        return client.reply()
      }),
    )
    expect(replies.every((reply) => reply.startsWith('250 2.0.0 '))).toBe(true)
    expect(harness.accepted.map((record) => record.sizeOctets)).toEqual(Array(5).fill(HEADER.length + pieces * piece.length))
    expect(most - before).toBeLessThan(128 * 1024 * 1024)
  })
})
