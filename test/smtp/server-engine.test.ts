import { describe, expect, it } from 'vitest'
import { enhanced, reply, type SmtpReply } from '../../src/core/reply.ts'
import { bytewise, everyWay, inChunks, toBytes } from '../support/feed.ts'
import { codes, greeted, inContent, openServerSession } from '../support/server-session.ts'

const REFUSED: SmtpReply = reply(550, enhanced(5, 7, 1), 'No')

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

  it('counts recipients of each transaction anew', () => {
    const session = greeted({ limits: { recipients: 1 } })
    for (const end of ['RSET', 'EHLO a', 'DATA']) {
      session.say('MAIL FROM:<u@y>\r\n')
      expect(codes(session.say('RCPT TO:<v@z>\r\n'))).toEqual(['250 2.1.5'])
      expect(codes(session.say('RCPT TO:<w@z>\r\n'))).toEqual(['452 4.5.3'])
      session.say(`${end}\r\n`)
    }
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
    const session = greeted()
    expect(codes(session.say('WIZ\r\n'))).toEqual(['500 5.5.2'])
    session.limits.errorsPerSession = 1
    expect(codes(session.say('WIZ\r\n'))).toEqual(['421 4.7.0'])
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
