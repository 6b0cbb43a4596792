import { describe, expect, it } from 'vitest'
import { enhanced, reply, type SmtpReply } from '../../src/core/reply.ts'
import type { Decision } from '../../src/smtp/server-engine.ts'
import { bytewise, everyWay, inChunks, toBytes } from '../support/feed.ts'
import { codes, openServerSession, type ServerSession, type ServerSessionOptions } from '../support/server-session.ts'

const REFUSED: SmtpReply = reply(550, enhanced(5, 7, 1), 'No')
const ENVELOPE = 'MAIL FROM:<u@y>\r\nRCPT TO:<v@z>\r\n'

function greeted(options: ServerSessionOptions = {}): ServerSession {
  const session = openServerSession(options)
  session.say('EHLO client.test\r\n')
  return session
}
/** Up to 354, one command at a time. */
function inContent(options: ServerSessionOptions = {}): ServerSession {
  const session = greeted(options)
  for (const line of ['MAIL FROM:<u@y>', 'RCPT TO:<v@z>', 'DATA']) session.say(`${line}\r\n`)
  expect(session.engine.state).toBe('content')
  return session
}

describe('a plain session', () => {
  it('takes a message', () => {
    const session = openServerSession()
    expect(session.take()).toBe('220 mx.test ESMTP Postern\r\n')
    expect(session.say('EHLO client.test\r\n')).toBe('250-mx.test\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 DSN\r\n')
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['250 2.1.0'])
    expect(codes(session.say('RCPT TO:<v@z>\r\n'))).toEqual(['250 2.1.5'])
    expect(codes(session.say('DATA\r\n'))).toEqual(['354'])
    expect(session.say('Subject: x\r\n\r\n..dot\r\n')).toBe('')
    expect(codes(session.say('.\r\n'))).toEqual(['250 2.0.0'])
    expect(codes(session.say('QUIT\r\n'))).toEqual(['221 2.0.0'])
    expect(session.closed).toBe('quit')
    expect(session.stored).toEqual([{ from: 'u@y', to: ['v@z'], content: 'Subject: x\r\n\r\n.dot\r\n' }])
    expect(session.log).toEqual(['ehlo', 'mail', 'rcpt', 'data', 'content'])
  })

  it('says each reply in one write, and answers HELO in one line', () => {
    const session = openServerSession()
    session.say('HELO client.test\r\n')
    expect(session.writes).toBe(2)
    expect(session.engine.esmtp).toBe(false)
    expect(session.engine.ehloName).toBe('client.test')
  })

  it.each([
    ['EHLO', '501 5.5.4'],
    ['EHLO a b', '501 5.5.4'],
    ['EHLO \xc3\xbc', '501 5.5.4'],
    [`EHLO ${'a'.repeat(256)}`, '501 5.5.4'],
    ['EHLO my_host', '250'],
    ['EHLO localhost', '250'],
    ['EHLO 10.0.0.1', '250'],
    ['EHLO [IPv6:::1]', '250'],
    ['VRFY u', '252 2.5.2'],
    ['VRFY', '501 5.5.4'],
    ['EXPN list', '502 5.5.1'],
    ['HELP', '214 2.0.0'],
    ['NOOP whatever', '250 2.0.0'],
    ['RSET', '250 2.0.0'],
    ['RSET now', '501 5.5.4'],
    ['BDAT 10', '502 5.5.1'],
    ['TURN', '502 5.5.1'],
    ['XCLIENT ADDR=127.0.0.1', '502 5.5.1'],
    ['DEBUG', '500 5.5.2'],
    ['', '500 5.5.2'],
    ['NO\tOP', '500 5.5.2'],
    ['NOOP a\rb', '500 5.5.2'],
    ['NOOP a\0b', '500 5.5.2'],
    ['NOOP \xff', '500 5.5.2'],
    ['AUTH PLAIN', '502 5.5.1'],
    ['STARTTLS', '502 5.5.1'],
  ])('answers %j with %s', (line, expected) => {
    for (const feeding of [[toBytes(`${line}\r\n`)], bytewise(`${line}\r\n`).chunks]) {
      const session = greeted()
      for (const chunk of feeding) session.engine.receive(chunk)
      expect(codes(session.take())[0]).toBe(expected)
      expect(session.closed).toBeNull()
    }
  })

  it('gives the caller what came with MAIL and RCPT, and refuses as the caller says', () => {
    const session = greeted({ policy: { mail: (from) => (from === '<>' ? REFUSED : 'accept'), rcpt: (to) => (to === 'postmaster' ? 'accept' : REFUSED) } })
    expect(codes(session.say('MAIL FROM:<>\r\n'))).toEqual(['550 5.7.1'])
    expect(session.engine.state).toBe('greeted')
    session.say('MAIL FROM:<u@y>\r\n')
    expect(codes(session.say('RCPT TO:<v@z>\r\n'))).toEqual(['550 5.7.1'])
    expect(codes(session.say('DATA\r\n'))).toEqual(['554 5.5.1'])
    expect(codes(session.say('RCPT TO:<PostMaster>\r\n'))).toEqual(['250 2.1.5'])
    expect(session.engine.state).toBe('rcpt')
  })

  it('tells the caller when a transaction is gone, and only then', () => {
    const session = greeted()
    session.say('RSET\r\n')
    expect(session.log).not.toContain('reset')
    for (const command of ['RSET', 'EHLO a', 'QUIT']) {
      session.say('MAIL FROM:<u@y>\r\n')
      session.say(`${command}\r\n`)
    }
    expect(session.log.filter((entry) => entry === 'reset')).toHaveLength(3)
  })

  it('passes the reply of the policy on, line by line', () => {
    const queued: SmtpReply = { code: 250, enhanced: null, lines: ['2.0.0 queued as ABC', 'thank you'] }
    const session = inContent({ policy: { content: () => queued } })
    expect(session.say('.\r\n')).toBe('250-2.0.0 queued as ABC\r\n250 thank you\r\n')
    expect(session.stored).toHaveLength(1)
  })

  it('closes when the policy says 421', () => {
    const session = greeted({ policy: { mail: () => reply(421, enhanced(4, 3, 2), 'Going down') } })
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['421 4.3.2'])
    expect(session.closed).toBe('refused')
    expect(session.say('NOOP\r\n')).toBe('')
  })
})

describe('limits', () => {
  it('refuses a declared size over the limit at MAIL (B07)', () => {
    const session = greeted({ limits: { messageOctets: 1000 } })
    expect(codes(session.say('MAIL FROM:<u@y> SIZE=1001\r\n'))).toEqual(['552 5.3.4'])
    expect(codes(session.say('MAIL FROM:<u@y> SIZE=99999999999999999999\r\n'))).toEqual(['552 5.3.4'])
    expect(codes(session.say('MAIL FROM:<u@y> SIZE=10\r\n'))).toEqual(['250 2.1.0'])
  })

  it('counts the real size, whatever was declared', () => {
    const session = inContent({ limits: { messageOctets: 10 } })
    expect(session.say('0123456789\r\n')).toBe('')
    expect(codes(session.say('.\r\n'))).toEqual(['552 5.3.4'])
    expect(session.stored).toHaveLength(0)
  })

  it('answers 452 above the number of recipients, and delivers to the others (B05)', () => {
    const session = greeted({ limits: { recipients: 3, errorsPerSession: 5 } })
    session.say('MAIL FROM:<u@y>\r\n')
    const answers = Array.from({ length: 50 }, (_, index) => codes(session.say(`RCPT TO:<r${index}@z>\r\n`))[0])
    expect(answers).toEqual([...Array<string>(3).fill('250 2.1.5'), ...Array<string>(47).fill('452 4.5.3')])
    session.say('DATA\r\n')
    session.say('.\r\n')
    expect(session.stored[0]?.to).toEqual(['r0@z', 'r1@z', 'r2@z'])
  })

  it('closes with 421 after too many errors, and after too many commands that deliver nothing', () => {
    const errors = greeted({ limits: { errorsPerSession: 3 } })
    expect(Array.from({ length: 4 }, () => codes(errors.say('WIZ\r\n'))[0])).toEqual(['500 5.5.2', '500 5.5.2', '500 5.5.2', '421 4.7.0'])
    expect(errors.closed).toBe('too-many-errors')
    const junk = greeted({ limits: { junkPerSession: 2 } })
    expect(['NOOP', 'RSET', 'VRFY u'].map((line) => codes(junk.say(`${line}\r\n`))[0])).toEqual(['250 2.0.0', '250 2.0.0', '421 4.7.0'])
  })

  it('forgives junk when a message was accepted', () => {
    const session = greeted({ limits: { junkPerSession: 2 } })
    for (let i = 0; i < 10; i++) {
      session.say('RSET\r\n')
      for (const line of ['MAIL FROM:<u@y>', 'RCPT TO:<v@z>', 'DATA', '.']) session.say(`${line}\r\n`)
    }
    expect(session.stored).toHaveLength(10)
    expect(session.closed).toBeNull()
  })

  it('asks for its limits each time: pressure may come in the middle', () => {
    const limits = { errorsPerSession: 100 }
    const session = greeted({ limits })
    expect(codes(session.say('WIZ\r\n'))).toEqual(['500 5.5.2'])
  })

  it.each([
    [510, '250 2.0.0'],
    [511, '500 5.5.2'],
    [2048, '500 5.5.2'],
    [20_000, '500 5.5.2'],
  ])('takes a command line of %s octets before its CRLF: %s (B06)', (octets, expected) => {
    const line = `${`NOOP ${'x'.repeat(octets)}`.slice(0, octets)}\r\n`
    for (const feeding of [inChunks(line, [octets + 2]), inChunks(line, [700]), inChunks(line, [1])]) {
      const session = greeted({ limits: { commandLineOctets: 512 } })
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(codes(session.take()), feeding.name).toEqual([expected])
      expect(codes(session.say('NOOP\r\n'))).toEqual(['250 2.0.0'])
    }
  })

  it('gives up on a command line without end (D05)', () => {
    const session = greeted()
    const mega = 'x'.repeat(1_000_000)
    expect(codes(session.say(mega))).toEqual(['500 5.5.2'])
    expect(session.closed).toBe('bad-line')
  })

  it('measures lines of content', () => {
    expect(codes(inContent({ limits: { textLineOctets: 998 } }).say(`${'x'.repeat(998)}\r\n.\r\n`))).toEqual(['250 2.0.0'])
    expect(codes(inContent({ limits: { textLineOctets: 998 } }).say(`${'x'.repeat(999)}\r\n.\r\n`))).toEqual(['550 5.6.0'])
  })

  it('lets a million empty commands cost nothing but a close (S15)', () => {
    const session = greeted({ settings: { pipelining: true } })
    const answers = codes(session.say('NOOP\r\n'.repeat(1_000_000)))
    expect(answers).toHaveLength(101)
    expect(answers.at(-1)).toBe('421 4.7.0')
  })
})

describe('content that is refused', () => {
  it('is read to its true end, whatever it holds, and no line of it is run (S05)', () => {
    const commands = 'MAIL FROM:<evil@x>\r\nRCPT TO:<w@z>\r\nDATA\r\n'
    for (const feeding of everyWay(`${'x'.repeat(30)}\r\n${commands}..\r\n.\r\n`)) {
      const session = inContent({ limits: { messageOctets: 20 } })
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(codes(session.take()), feeding.name).toEqual(['552 5.3.4'])
      expect(session.log.filter((entry) => entry === 'mail')).toHaveLength(1)
      expect(session.engine.state).toBe('greeted')
    }
  })

  it('may be refused by the caller in the middle: the first reason wins', () => {
    const session = inContent()
    session.say('abc\r\n')
    session.engine.refuseContent(reply(452, enhanced(4, 3, 1), 'Disk full'))
    session.engine.refuseContent(REFUSED)
    expect(session.say('def\nghi\r\n')).toBe('')
    expect(codes(session.say('.\r\n'))).toEqual(['452 4.3.1'])
    expect(session.stored).toHaveLength(0)
    session.engine.refuseContent(REFUSED)
    for (const line of ['MAIL FROM:<u@y>', 'RCPT TO:<v@z>', 'DATA']) session.say(`${line}\r\n`)
    expect(codes(session.say('ok\r\n.\r\n'))).toEqual(['250 2.0.0'])
  })

  it('is not given to the caller after a fault, but its end is told once', () => {
    const session = inContent()
    session.say('a\nb\r\n')
    session.say('c\r\n.\r\n')
    expect(session.log.at(-1)).toBe('content')
    expect(session.log.filter((entry) => entry === 'content')).toHaveLength(1)
  })

  it('cannot be refused too late: nothing happens outside content', () => {
    const session = greeted()
    session.engine.refuseContent(REFUSED)
    expect(codes(session.say('NOOP\r\n'))).toEqual(['250 2.0.0'])
  })

  it('refuses NUL, and keeps octets above 127', () => {
    expect(codes(inContent().say('a\0b\r\n.\r\n'))).toEqual(['550 5.6.0'])
    const session = inContent()
    session.say('\x80\xff\xc3\r\n.\r\n')
    expect(session.stored[0]?.content).toBe('\x80\xff\xc3\r\n')
  })
})

/** S01 to S03: what must never end a message, and what may. */
const BEFORE = 'Subject: x\r\n\r\nbefore'
const SMUGGLED = 'MAIL FROM:<smuggled@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n'
const SEQUENCES = [
  ...[
    '\n.\n',
    '\n.\r\n',
    '\r\n.\n',
    '\r.\r',
    '\r.\n',
    '\n.\r',
    '\r.\r\n',
    '\r\n.\r',
    '\r\n.\r\r\n',
    '\r\r\n.\r\r\n',
    '\r\r\n.\r\n',
    '\r\n\r.\r\n',
    '\n\n.\r\n',
  ],
  ...['\r\n\0.\r\n', '\r\n.\0\r\n', '\r\n.\r\0\n', '\r\0\n.\r\n', '\x0b.\x0b', '\x0c.\x0c', '\x85.\x85', '\xe2\x80\xa8.\xe2\x80\xa8', '\x8d\x8a.\x8d\x8a'],
  ...Array.from({ length: 256 }, (_, octet) => `\r\n.${String.fromCharCode(octet)}\r\n`).filter((sequence) => sequence !== '\r\n.\r\r\n'),
]

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

describe('answers that come later', () => {
  const later: Record<'mail' | 'rcpt' | 'content', () => Decision> = { mail: () => 'later', rcpt: () => 'later', content: () => 'later' }

  it('are said when they come', () => {
    const session = greeted({ policy: later })
    expect(session.say('MAIL FROM:<u@y>\r\n')).toBe('')
    expect(session.engine.answerOwed).toBe(true)
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0'])
    session.say('RCPT TO:<v@z>\r\n')
    session.engine.answer(REFUSED)
    expect(codes(session.take())).toEqual(['550 5.7.1'])
    expect(session.engine.state).toBe('mail')
    expect(() => session.engine.answer('accept')).toThrow(/no answer is owed/)
  })

  it('hold the commands behind them back, in order, with PIPELINING', () => {
    const session = greeted({ settings: { pipelining: true }, policy: later })
    expect(session.say(`${ENVELOPE}RCPT TO:<w@z>\r\nDATA\r\n`)).toBe('')
    expect(session.engine.wantsInput).toBe(false)
    session.engine.answer('accept')
    session.engine.answer('accept')
    expect(session.engine.wantsInput).toBe(false)
    session.engine.answer(REFUSED)
    expect(codes(session.take())).toEqual(['250 2.1.0', '250 2.1.5', '550 5.7.1', '354'])
    expect(session.engine.wantsInput).toBe(true)
    expect(session.say(`x\r\n.\r\n${ENVELOPE}`)).toBe('')
    expect(session.say('RCPT TO:<x@z>\r\n')).toBe('')
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.0.0'])
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0'])
  })

  it('are said first, and then 554, when input came without PIPELINING', () => {
    const session = greeted({ policy: later })
    session.say('MAIL FROM:<u@y>\r\n')
    expect(session.say('RCPT TO:<v@z>\r\n')).toBe('')
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0', '554 5.5.0'])
    expect(session.closed).toBe('synchronization')
    expect(session.log).not.toContain('rcpt')
  })

  it('may come after a close, and are then of no use', () => {
    const session = greeted({ policy: later })
    session.say('MAIL FROM:<u@y>\r\n')
    session.engine.close(reply(421, enhanced(4, 3, 2), 'Shutting down'))
    expect(codes(session.take())).toEqual(['421 4.3.2'])
    session.engine.answer('accept')
    session.engine.close(null)
    expect(session.take()).toBe('')
    expect(session.closed).toBe('asked')
  })

  it('do not make us hold input without end', () => {
    const session = greeted({ settings: { pipelining: true }, policy: later })
    session.say('MAIL FROM:<u@y>\r\n')
    for (let i = 0; i < 300; i++) session.say('x'.repeat(1000))
    session.engine.answer('accept')
    expect(codes(session.take())).toEqual(['250 2.1.0', '554 5.5.0'])
  })
})

describe('STARTTLS', () => {
  const settings = { startTls: true, auth: 'always' } as const

  it('is offered outside TLS, and forgets everything', () => {
    const session = openServerSession({ settings })
    expect(session.say('EHLO a\r\n')).toContain('250-STARTTLS\r\n')
    session.say('AUTH PLAIN AHUAcA==\r\n')
    expect(session.engine.login).toBe('u')
    expect(codes(session.say('STARTTLS\r\n'))).toEqual(['503 5.5.1'])
    const fresh = greeted({ settings })
    expect(codes(fresh.say('STARTTLS\r\n'))).toEqual(['220 2.0.0'])
    expect(fresh.log).toContain('starttls')
    fresh.engine.tlsStarted()
    expect([fresh.engine.tls, fresh.engine.ehloName, fresh.engine.state]).toEqual([true, null, 'connected'])
    expect(codes(fresh.say('MAIL FROM:<u@y>\r\n'))).toEqual(['503 5.5.1'])
    expect(fresh.say('EHLO a\r\n')).not.toContain('STARTTLS')
    expect(codes(fresh.say('STARTTLS\r\n'))).toEqual(['503 5.5.1'])
  })

  it('refuses a parameter, and its place inside a transaction', () => {
    const session = greeted({ settings })
    expect(codes(session.say('STARTTLS now\r\n'))).toEqual(['501 5.5.4'])
    session.say('MAIL FROM:<u@y>\r\n')
    expect(codes(session.say('STARTTLS\r\n'))).toEqual(['503 5.5.1'])
  })

  it('never runs what came in plain behind it (T01, T02)', () => {
    for (const injected of ['EHLO inj\r\n', 'NOOP\r\n', 'x'.repeat(16_384), 'R']) {
      const session = greeted({ settings })
      expect(codes(session.say(`STARTTLS\r\n${injected}`))).toEqual(['554 5.5.0'])
      expect(session.closed).toBe('synchronization')
      const split = greeted({ settings })
      split.say('STARTTLS\r\n')
      expect(split.say(injected)).toBe('')
      expect(split.closed).toBe('synchronization')
      expect(split.log).toEqual(['ehlo', 'starttls'])
    }
  })

  it('must come first where TLS is demanded (T08)', () => {
    const session = openServerSession({ settings: { ...settings, requireTls: true } })
    session.take()
    for (const command of ['HELO a', 'MAIL FROM:<u@y>', 'AUTH PLAIN', 'RSET', 'VRFY u', 'HELP', 'WIZ']) {
      expect(codes(session.say(`${command}\r\n`)), command).toEqual(['530 5.7.0'])
    }
    expect(codes(session.say('NOOP\r\n'))).toEqual(['250 2.0.0'])
    session.say('EHLO a\r\n')
    expect(codes(session.say('STARTTLS\r\n'))).toEqual(['220 2.0.0'])
    session.engine.tlsStarted()
    session.say('EHLO a\r\n')
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['250 2.1.0'])
  })
})

describe('AUTH', () => {
  const auth = { settings: { auth: 'always' } } as const

  it('logs in with PLAIN and LOGIN', () => {
    const plain = greeted(auth)
    expect(codes(plain.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['235 2.7.0'])
    expect(plain.engine.login).toBe('u')
    const asked = greeted(auth)
    expect(asked.say('AUTH PLAIN\r\n')).toBe('334 \r\n')
    expect(codes(asked.say('AHUAcA==\r\n'))).toEqual(['235 2.7.0'])
    const login = greeted(auth)
    expect(login.say('AUTH LOGIN\r\n')).toBe('334 VXNlcm5hbWU6\r\n')
    expect(login.say('dQ==\r\n')).toBe('334 UGFzc3dvcmQ6\r\n')
    expect(codes(login.say('cA==\r\n'))).toEqual(['235 2.7.0'])
    expect(login.log).toContain('auth')
  })

  const cases: readonly (readonly [name: string, lines: readonly string[], last: string])[] = [
    ['a cancel', ['AUTH PLAIN', '*'], '501 5.7.0'],
    ['an empty initial response', ['AUTH PLAIN ='], '501 5.5.2'],
    ['invalid base64', ['AUTH PLAIN !!!!'], '501 5.5.2'],
    ['an unknown mechanism', ['AUTH GSSAPI'], '504 5.5.4'],
    ['no mechanism', ['AUTH'], '501 5.5.4'],
    ['too many words', ['AUTH PLAIN AHUAcA== x'], '501 5.5.4'],
    ['another identity', [`AUTH PLAIN ${Buffer.from('a\0u\0p').toString('base64')}`], '535 5.7.8'],
    ['a second time', ['AUTH PLAIN AHUAcA==', 'AUTH PLAIN AHUAcA=='], '503 5.5.1'],
    ['inside a transaction', ['MAIL FROM:<u@y>', 'AUTH PLAIN AHUAcA=='], '503 5.5.1'],
    ['a long line of login', ['AUTH PLAIN', 'A'.repeat(12_288)], '501 5.5.2'],
    ['a line over the limit', ['AUTH PLAIN', 'A'.repeat(12_289)], '500 5.5.2'],
  ]
  it.each(cases)('answers %s as RFC 4954 wants', (_, lines, last) => {
    const session = greeted(auth)
    let answer = ''
    for (const line of lines) answer = session.say(`${line}\r\n`)
    expect(codes(answer)).toEqual([last])
    expect(session.closed).toBeNull()
  })

  it('takes commands again after a failed login', () => {
    for (const failing of ['*', '!', 'A'.repeat(13_000)]) {
      const session = greeted(auth)
      session.say('AUTH LOGIN\r\n')
      session.say(`${failing}\r\n`)
      expect(codes(session.say('NOOP\r\n'))).toEqual(['250 2.0.0'])
    }
  })

  it('is refused outside TLS where TLS is needed, and not announced (T07)', () => {
    const session = openServerSession({ settings: { auth: 'with-tls', startTls: true } })
    expect(session.say('EHLO a\r\n')).not.toContain('AUTH')
    expect(codes(session.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['538 5.7.11'])
    expect(session.log).not.toContain('auth')
    const inside = greeted({ settings: { auth: 'with-tls' }, implicitTls: true })
    expect(codes(inside.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['235 2.7.0'])
  })

  it('needs EHLO, not HELO', () => {
    const session = openServerSession(auth)
    session.say('HELO a\r\n')
    expect(codes(session.say('AUTH PLAIN AHUAcA==\r\n'))).toEqual(['503 5.5.1'])
  })

  it('is demanded before MAIL where the settings say so', () => {
    const session = greeted({ settings: { auth: 'always', requireAuth: true } })
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['530 5.7.0'])
    session.say('AUTH PLAIN AHUAcA==\r\n')
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['250 2.1.0'])
  })

  it('never shows a secret to whoever watches the dialogue', () => {
    const session = greeted({ settings: { auth: 'with-tls' } })
    const secret = Buffer.from('\0user\0canary').toString('base64')
    for (const line of [`AUTH PLAIN ${secret}`, 'AUTH PLAIN', secret, 'AUTH LOGIN', secret]) session.say(`${line}\r\n`)
    const open = greeted({ settings: { auth: 'always' }, policy: { auth: () => REFUSED } })
    for (const line of [`AUTH PLAIN ${secret}`, 'AUTH PLAIN', secret, 'AUTH LOGIN', secret, secret]) open.say(`${line}\r\n`)
    const shown = [...session.shown, ...open.shown].join('\n')
    expect(shown).toContain('AUTH PLAIN')
    expect(shown).not.toContain(secret)
    expect(shown).not.toContain('canary')
  })
})

describe('what a caller can watch', () => {
  it('sees progress with whole commands and lines, not with octets', () => {
    const session = greeted()
    const before = session.engine.progress
    for (const octet of 'NOOP') session.say(octet)
    expect(session.engine.progress).toBe(before)
    session.say('\r\n')
    expect(session.engine.progress).toBe(before + 1)
    const content = inContent()
    const start = content.engine.progress
    for (const octet of 'abcdef') content.say(octet)
    expect(content.engine.progress).toBe(start)
    content.say('\r\n')
    expect(content.engine.progress).toBe(start + 1)
  })

  it('may close from inside a callback', () => {
    const session = openServerSession({
      policy: {
        mail: () => {
          session.engine.close(reply(421, enhanced(4, 3, 2), 'Now'))
          return 'accept'
        },
      },
    })
    session.say('EHLO a\r\n')
    expect(codes(session.say('MAIL FROM:<u@y>\r\n'))).toEqual(['421 4.3.2'])
    expect(session.closed).toBe('asked')
  })
})
