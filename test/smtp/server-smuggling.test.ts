import { describe, expect, it } from 'vitest'
import { enhanced, reply } from '../../src/core/reply.ts'
import { DOT_AND_OCTET_ENDS, FALSE_ENDS } from '../support/false-ends.ts'
import { bytewise, everyWay, inChunks } from '../support/feed.ts'
import { codes, greeted, inContent, openServerSession } from '../support/server-session.ts'

const ENVELOPE = 'MAIL FROM:<u@y>\r\nRCPT TO:<v@z>\r\n'

/** S01 to S03: what must never end a message, and what may. */
const BEFORE = 'Subject: x\r\n\r\nbefore'
const SMUGGLED = 'MAIL FROM:<smuggled@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n'
const SEQUENCES = [...FALSE_ENDS, ...DOT_AND_OCTET_ENDS]

describe('smuggling (S01 to S04)', () => {
  for (const pipelining of [false, true]) {
    for (const bareLineEnds of ['refuse', 'normalize'] as const) {
      it(`stores one message or none, with pipelining ${pipelining} and bare line ends: ${bareLineEnds}`, () => {
        for (const sequence of SEQUENCES) {
          const wire = `${BEFORE}${sequence}${SMUGGLED}\r\n.\r\n`
          const at = BEFORE.length
          const splits = [0, 1, 2, 3, 4, 5].map((offset) => inChunks(wire, [at + offset, wire.length]))
          for (const feeding of [inChunks(wire, [wire.length]), bytewise(wire), ...splits]) {
            const session = inContent({ settings: { pipelining, bareLineEnds } })
            for (const chunk of feeding.chunks) session.engine.receive(chunk)
            const story = `${JSON.stringify(sequence)} ${feeding.name}`
            expect(session.stored.length, story).toBeLessThanOrEqual(1)
            for (const message of session.stored) {
              expect(message.from, story).toBe('u@y')
              expect(message.content.replaceAll('\r\n', ''), story).not.toMatch(/[\r\n\0]/)
            }
          }
        }
      })
    }
  }

  it('names the bare line end, at the true end, and keeps the session', () => {
    const session = inContent()
    expect(session.say('a\n.\r\nMAIL FROM:<evil@x>\r\n')).toBe('')
    expect(session.say('.\r\n')).toBe('550 5.5.2 Bare <CR> or <LF> in content: lines must end in <CR><LF>\r\n')
    expect(session.closed).toBeNull()
  })

  it('closes after an end that some readers do not see, so that nothing behind it is a command', () => {
    for (const bareLineEnds of ['refuse', 'normalize'] as const) {
      for (const feeding of everyWay('a\r\r\n.\r\n')) {
        const session = inContent({ settings: { bareLineEnds, pipelining: true } })
        for (const chunk of feeding.chunks) session.engine.receive(chunk)
        expect(codes(session.take())).toEqual([bareLineEnds === 'refuse' ? '550 5.5.2' : '250 2.0.0'])
        expect(session.closed, feeding.name).toBe('bad-line')
      }
    }
  })

  it('normalizes bare line ends when told to', () => {
    const session = inContent({ settings: { bareLineEnds: 'normalize' } })
    session.say('a\nb\rc\n.\nd\r\n.\r\n')
    expect(session.stored[0]?.content).toBe('a\r\nb\r\nc\r\n.\r\nd\r\n')
  })

  it('refuses a command that ends in a bare LF, and reads nothing behind it', () => {
    for (const feeding of everyWay('RCPT TO:<v@z>\nRCPT TO:<evil@x>\r\nNOOP\r\n')) {
      const session = greeted({ settings: { pipelining: true } })
      session.say('MAIL FROM:<u@y>\r\n')
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(codes(session.take()), feeding.name).toEqual(['500 5.5.2'])
      expect(session.log).not.toContain('rcpt')
      expect(session.closed).toBe('bad-line')
    }
  })

  it('takes empty content, a first line that is a dot, and a last line without CRLF', () => {
    for (const [wire, content] of [
      ['.\r\n', ''],
      ['..\r\n.\r\n', '.\r\n'],
      ['a\r\n..\r\n.\r\n', 'a\r\n.\r\n'],
    ] as const) {
      for (const feeding of everyWay(wire)) {
        const session = inContent()
        for (const chunk of feeding.chunks) session.engine.receive(chunk)
        expect(session.stored[0]?.content, feeding.name).toBe(content)
      }
    }
  })
})

describe('input in step with replies', () => {
  const early: readonly (readonly [name: string, text: string])[] = [
    ['two commands in one segment: an injection of JavaMail', 'RCPT TO:<b@y.test>\r\nRCPT TO:<evil@z.test>\r\n'],
    ['a whole transaction', `${ENVELOPE}DATA\r\n`],
    ['an over-long line with another behind it', `NOOP ${'x'.repeat(13_000)}\r\nNOOP\r\n`],
  ]
  it.each(early)('without PIPELINING %s gets 554 and a close, and nothing of it is run', (_, text) => {
    const session = greeted()
    session.say('MAIL FROM:<u@y>\r\n')
    expect(codes(session.say(text))).toEqual(['554 5.5.0'])
    expect(session.closed).toBe('synchronization')
    expect(session.log).not.toContain('rcpt')
  })

  it('refuses a command right behind the final dot without PIPELINING, and does not ask for the content (S16)', () => {
    const session = inContent()
    expect(codes(session.say('x\r\n.\r\nMAIL FROM:<u@y>\r\n'))).toEqual(['554 5.5.0'])
    expect(session.log).toEqual(['ehlo', 'mail', 'rcpt', 'data', 'reset'])
    expect(session.stored).toHaveLength(0)
  })

  it('refuses content that came with DATA, PIPELINING or not (S17)', () => {
    for (const pipelining of [false, true]) {
      const session = greeted({ settings: { pipelining } })
      session.say('MAIL FROM:<u@y>\r\n')
      session.say('RCPT TO:<v@z>\r\n')
      expect(codes(session.say('DATA\r\nSubject: x\r\n.\r\n'))).toEqual(['554 5.5.0'])
      expect(session.closed).toBe('synchronization')
      expect(session.log).not.toContain('data')
    }
  })

  it('answers a whole group in one write with PIPELINING', () => {
    const session = greeted({ settings: { pipelining: true } })
    const writes = session.writes
    expect(codes(session.say(`${ENVELOPE}DATA\r\n`))).toEqual(['250 2.1.0', '250 2.1.5', '354'])
    expect(session.writes).toBe(writes + 1)
    expect(codes(session.say(`x\r\n.\r\n${ENVELOPE}DATA\r\n`))).toEqual(['250 2.0.0', '250 2.1.0', '250 2.1.5', '354'])
    expect(session.stored).toHaveLength(1)
  })

  it('refuses whoever talks before the banner (S18)', () => {
    const session = openServerSession({ silent: true })
    expect(codes(session.say('EHLO a\r\n'))).toEqual(['554 5.5.0'])
    expect(session.closed).toBe('synchronization')
    session.engine.start()
    expect(session.take()).toBe('')
  })

  it('closes at the first HTTP verb, in whatever state', () => {
    for (const open of [() => openServerSession(), greeted, () => greeted({ settings: { requireTls: true } })]) {
      const session = open()
      session.take()
      expect(codes(session.say('POST / HTTP/1.1\r\n'))).toEqual(['554 5.5.1'])
      expect(session.closed).toBe('http')
    }
    const whole = openServerSession()
    whole.take()
    expect(codes(whole.say('POST / HTTP/1.1\r\nHost: mx\r\n\r\nEHLO a\r\n'))).toEqual(['554 5.5.0'])
  })

  it('can refuse the connection itself', () => {
    const session = openServerSession({ silent: true })
    session.engine.start(reply(421, enhanced(4, 7, 0), 'Too many connections'))
    expect(codes(session.take())).toEqual(['421 4.7.0'])
    expect(session.closed).toBe('refused')
  })
})
