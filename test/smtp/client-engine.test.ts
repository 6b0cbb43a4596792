import { describe, expect, it } from 'vitest'
import { ClientEngine } from '../../src/smtp/client-engine.ts'
import { isAnswer, nextSessionState, OUTSTANDING, PHASES, SESSION, type SessionState } from '../../src/smtp/client-machine.ts'
import { CommandFault } from '../../src/smtp/command-format.ts'
import { ENVELOPE, inContent, makePlan, OK_ENVELOPE, openClientSession, readyClientSession, sendContent } from '../support/client-session.ts'
import { everyWay } from '../support/feed.ts'

describe('the tables of the client', () => {
  it('reach every session state, and an end from every one', () => {
    const reached = new Set<SessionState>(['greeting'])
    for (const state of reached) for (const next of Object.values(SESSION[state]) as SessionState[]) reached.add(next)
    expect([...reached].sort()).toEqual(Object.keys(SESSION).sort())
    for (const [state, exits] of Object.entries(SESSION)) {
      if (state === 'closed' || state === 'broken') expect(exits).toEqual({})
      else expect(exits).toHaveProperty('fault')
    }
  })
  it('throw where an event is out of order', () => {
    expect(() => nextSessionState('greeting', 'quit')).toThrow(/quit in state greeting/)
    expect(nextSessionState('ready', 'quit')).toBe('quitting')
  })
  it('name a timeout for every phase, and answers for every one that awaits any', () => {
    for (const [phase, facts] of Object.entries(PHASES)) {
      expect(facts.timeout).toMatch(/Ms$/)
      expect(facts.answers.length > 0).toBe(phase !== 'content')
    }
    for (const phase of Object.values(OUTSTANDING)) if (phase !== null) expect(PHASES).toHaveProperty(phase)
    expect(isAnswer('data', { code: 250, enhanced: null, lines: [''] })).toBe(false)
  })
})

describe('a transaction with PIPELINING', () => {
  it('sends the envelope in one write, and the final dot when told', () => {
    const session = readyClientSession('PIPELINING')
    const plan = makePlan()
    const transaction = session.engine.submit(plan)
    expect(session.writes.at(-1)).toBe(ENVELOPE)
    expect(session.engine.phase).toBe('mail')
    session.hear('250 2.1.0 Ok\r\n')
    expect(session.engine.phase).toBe('rcpt')
    session.hear('250 2.1.5 Ok\r\n')
    expect(session.engine.phase).toBe('data')
    expect(plan.sendContent).toBe(0)
    session.hear('354 Go\r\n')
    expect([plan.sendContent, session.engine.phase, transaction.sent]).toEqual([1, 'content', 'content'])
    session.take()
    expect(sendContent(session, '.a\r\nb')).toBe('..a\r\nb\r\n.\r\n')
    expect([session.engine.phase, transaction.sent, transaction.end]).toEqual(['final-dot', 'final-dot', null])
    session.hear('250 2.0.0 queued\r\n')
    expect(plan.ended).toEqual([transaction])
    expect([transaction.end, transaction.finalReply?.code, session.engine.idle]).toEqual(['completed', 250, true])
  })

  it('matches replies in one write, bytewise or at any split (O09)', () => {
    for (const feeding of everyWay('250 a\r\n250 b\r\n550-c\r\n550 c\r\n450 d\r\n354 e\r\n')) {
      const session = readyClientSession('PIPELINING')
      const plan = makePlan(['a@z', 'b@z', 'c@z'])
      const transaction = session.engine.submit(plan)
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(transaction.mailReply?.lines).toEqual(['a'])
      expect(transaction.rcptReplies.map((reply) => reply?.code)).toEqual([250, 550, 450])
      expect(transaction.dataReply?.code).toBe(354)
      expect(plan.sendContent).toBe(1)
    }
  })

  it('sends a lone dot when nobody was taken but 354 came (O10)', () => {
    const session = readyClientSession('PIPELINING')
    const plan = makePlan(['a@z', 'b@z'])
    const transaction = session.engine.submit(plan)
    session.take()
    expect(session.hear('250 ok\r\n550 no\r\n451 later\r\n354 go\r\n')).toBe('.\r\n')
    expect([plan.sendContent, transaction.loneDot]).toEqual([0, true])
    session.hear('250 empty message\r\n')
    expect(transaction.end).toBe('refused')
    expect(session.engine.idle).toBe(true)
  })

  it('sends a lone dot when MAIL was refused but the rest was not', () => {
    const session = readyClientSession('PIPELINING')
    const transaction = session.engine.submit(makePlan())
    session.take()
    expect(session.hear('550 no\r\n250 yes?\r\n354 go\r\n')).toBe('.\r\n')
    expect([transaction.anyAccepted, transaction.loneDot]).toEqual([false, true])
    session.hear('250 ok\r\n')
    expect(transaction.end).toBe('refused')
  })

  it('resets a peer that still has our envelope, and only such a one', () => {
    const refusedAll = readyClientSession('PIPELINING')
    const plan = makePlan()
    refusedAll.engine.submit(plan)
    refusedAll.take()
    expect(refusedAll.hear('250 ok\r\n550 no\r\n554 no recipients\r\n')).toBe('RSET\r\n')
    expect(plan.ended[0]?.end).toBe('refused')
    expect([refusedAll.engine.phase, refusedAll.engine.idle, refusedAll.engine.usable]).toEqual(['rset', false, true])
    refusedAll.hear('250 reset\r\n')
    expect(refusedAll.engine.idle).toBe(true)

    const refusedMail = readyClientSession('PIPELINING')
    refusedMail.engine.submit(makePlan())
    refusedMail.take()
    expect(refusedMail.hear('550 no\r\n503 no\r\n503 no\r\n')).toBe('')
    expect(refusedMail.engine.idle).toBe(true)

    const refusedData = readyClientSession('PIPELINING')
    refusedData.engine.submit(makePlan())
    refusedData.take()
    expect(refusedData.hear('250 ok\r\n250 ok\r\n451 no\r\n')).toBe('RSET\r\n')
  })

  it('does not reuse a session whose RSET was refused (O30)', () => {
    const session = readyClientSession('PIPELINING')
    session.engine.submit(makePlan())
    session.hear('250 ok\r\n550 no\r\n554 no\r\n')
    const waiting = makePlan()
    session.engine.submit(waiting)
    session.hear('502 what is RSET\r\n')
    expect(session.fault?.kind).toBe('refused')
    expect(waiting.ended[0]).toMatchObject({ end: 'broken', sent: 'nothing' })
    expect(session.engine.usable).toBe(false)
  })
})

describe('a transaction without PIPELINING', () => {
  it('sends one command at a time', () => {
    const session = readyClientSession()
    session.take()
    const plan = makePlan(['a@z', 'b@z'])
    session.engine.submit(plan)
    expect(session.take()).toBe('MAIL FROM:<u@y>\r\n')
    expect(session.hear('250 ok\r\n')).toBe('RCPT TO:<a@z>\r\n')
    expect(session.hear('550 no\r\n')).toBe('RCPT TO:<b@z>\r\n')
    expect(session.hear('250 ok\r\n')).toBe('DATA\r\n')
    session.hear('354 go\r\n')
    expect(sendContent(session)).toBe('Subject: x\r\n\r\nbody\r\n.\r\n')
    session.hear('250 ok\r\n')
    expect(plan.ended[0]).toMatchObject({ end: 'completed', sent: 'final-dot' })
  })

  it('does not say DATA when nobody was taken, but RSET', () => {
    const session = readyClientSession()
    const plan = makePlan()
    session.engine.submit(plan)
    session.hear('250 ok\r\n')
    expect(session.hear('550 no\r\n')).toBe('RSET\r\n')
    expect(plan.ended[0]).toMatchObject({ end: 'refused', sent: 'envelope', dataReply: null })
  })

  it('says nothing more when MAIL was refused, and begins the next one', () => {
    const session = readyClientSession()
    session.engine.submit(makePlan())
    session.engine.submit(makePlan(['w@z'], { reversePath: { kind: 'null' } }))
    session.take()
    expect(session.hear('550 no\r\n')).toBe('MAIL FROM:<>\r\n')
  })

  it('never rides behind a body', () => {
    const session = readyClientSession()
    inContent(session)
    session.engine.submit(makePlan())
    expect(sendContent(session)).toBe('Subject: x\r\n\r\nbody\r\n.\r\n')
    expect(session.hear('250 ok\r\n')).toBe('MAIL FROM:<u@y>\r\n')
  })

  it('begins nothing when the final dot was answered with 421', () => {
    const session = readyClientSession()
    inContent(session)
    const waiting = makePlan()
    session.engine.submit(waiting)
    sendContent(session)
    expect(session.hear('421 4.3.2 closing\r\n')).toBe('')
    expect(waiting.ended[0]).toMatchObject({ end: 'broken', sent: 'nothing' })
  })

  it('takes no reply for the next command that came before it (O08)', () => {
    for (const early of ['250 early\r\n', '2']) {
      const session = readyClientSession()
      const plan = makePlan()
      session.engine.submit(plan)
      session.take()
      expect(session.hear(`250 ok\r\n${early}`)).toBe('')
      expect(plan.ended[0]).toMatchObject({ end: 'broken', sent: 'envelope' })
      expect(session.fault?.kind).toBe('desynchronised')
    }
  })
})

describe('chained envelopes', () => {
  it('leave in the same write as the final dot before them', () => {
    const session = readyClientSession('PIPELINING')
    const first = inContent(session)
    const second = makePlan(['w@z'])
    const behind = session.engine.submit(second)
    expect(session.take()).toBe('')
    expect([behind.sent, session.engine.room]).toEqual(['nothing', 0])
    session.engine.writeContent(Buffer.from('a\r\n'))
    session.engine.endContent()
    expect(session.writes.at(-1)).toBe('.\r\nMAIL FROM:<u@y>\r\nRCPT TO:<w@z>\r\nDATA\r\n')
    expect(session.engine.phase).toBe('final-dot')
    session.hear('250 queued\r\n250 ok\r\n')
    expect(first.ended[0]?.end).toBe('completed')
    expect([session.engine.phase, session.engine.room]).toEqual(['rcpt', 1])
    session.hear('250 ok\r\n354 go\r\n')
    expect(second.sendContent).toBe(1)
    sendContent(session)
    session.hear('250 queued\r\n')
    expect(second.ended[0]?.end).toBe('completed')
  })

  it('may also be handed over while the reply to the final dot is awaited', () => {
    const session = readyClientSession('PIPELINING')
    inContent(session)
    sendContent(session)
    session.engine.submit(makePlan(['w@z']))
    expect(session.take()).toBe('MAIL FROM:<u@y>\r\nRCPT TO:<w@z>\r\nDATA\r\n')
  })

  it('go on when the message before them was refused', () => {
    const session = readyClientSession('PIPELINING')
    const first = inContent(session)
    const second = makePlan()
    session.engine.submit(second)
    sendContent(session)
    session.hear(`554 spam\r\n${OK_ENVELOPE}`)
    expect(first.ended[0]).toMatchObject({ end: 'completed', finalReply: { code: 554 } })
    expect(second.sendContent).toBe(1)
  })

  it('end with the session when 421 comes at the final dot: what waited was not delivered (O15)', () => {
    const session = readyClientSession('PIPELINING')
    const first = inContent(session)
    const second = makePlan()
    session.engine.submit(second)
    sendContent(session)
    session.hear('421 4.3.2 closing\r\n')
    expect(first.ended[0]).toMatchObject({ end: 'completed', finalReply: { code: 421 } })
    expect(second.ended[0]).toMatchObject({ end: 'broken', sent: 'envelope', mailReply: null, fault: { kind: 'closing' } })
    expect(session.engine.usable).toBe(false)
  })

  it('follow a lone dot, too', () => {
    const session = readyClientSession('PIPELINING')
    session.engine.submit(makePlan())
    session.engine.submit(makePlan(['w@z']))
    session.take()
    expect(session.hear('250 ok\r\n550 no\r\n354 go\r\n')).toBe('.\r\nMAIL FROM:<u@y>\r\nRCPT TO:<w@z>\r\nDATA\r\n')
  })

  it('are at most one', () => {
    const session = readyClientSession('PIPELINING')
    session.engine.submit(makePlan())
    session.engine.submit(makePlan())
    expect(() => session.engine.submit(makePlan())).toThrow(/no room/)
  })
})

describe('ending and probing a session', () => {
  it('says QUIT, and is closed whatever comes (O20)', () => {
    for (const answer of ['221 bye\r\n', '500 what\r\n', '421 bye\r\n', '221 bye\r\n'.repeat(1000)]) {
      const session = readyClientSession()
      session.take()
      session.engine.quit()
      expect(session.take()).toBe('QUIT\r\n')
      expect(session.engine.phase).toBe('quit')
      session.hear(answer)
      expect(session.log).toEqual(['ready', 'quit'])
    }
    const session = readyClientSession()
    session.engine.quit()
    session.engine.lost('closed')
    expect(session.log).toEqual(['ready', 'quit'])
  })

  it('probes with RSET', () => {
    const session = readyClientSession()
    session.take()
    session.engine.reset()
    expect(session.take()).toBe('RSET\r\n')
    session.hear('250 ok\r\n')
    expect(session.engine.idle).toBe(true)
    session.engine.reset()
    session.hear('421 idle\r\n')
    expect(session.fault?.kind).toBe('closing')
  })

  it('refuses to be used out of order', () => {
    const session = readyClientSession('PIPELINING')
    session.engine.submit(makePlan())
    expect(() => session.engine.quit()).toThrow(/not idle/)
    expect(() => session.engine.startTls()).toThrow(/not idle/)
    expect(() => session.engine.writeContent(Buffer.from('x'))).toThrow(/no content is awaited/)
    expect(() => session.engine.endContent()).toThrow(/no content is awaited/)
    expect(() => openClientSession().engine.submit(makePlan())).toThrow(/no room/)
  })

  it('sends nothing of a transaction that cannot be said', () => {
    const session = readyClientSession('PIPELINING')
    session.take()
    const evil = makePlan(['good@z', 'b@y.test>\r\nRCPT TO:<evil@z'])
    expect(() => session.engine.submit(evil)).toThrow(CommandFault)
    expect(session.take()).toBe('')
    expect([session.engine.idle, evil.ended.length]).toEqual([true, 0])
  })

  it('drops the connection rather than send NUL', () => {
    const session = readyClientSession('PIPELINING')
    const plan = inContent(session)
    session.engine.writeContent(Buffer.from('a\0b'))
    expect(session.take()).toBe('')
    expect(plan.ended[0]).toMatchObject({ end: 'broken', sent: 'content', fault: { kind: 'content' } })
  })

  it('lets one timer watch it: the serial changes with every step', () => {
    const session = readyClientSession('PIPELINING')
    const serials = [session.engine.phaseSerial]
    const plan = makePlan()
    session.engine.submit(plan)
    serials.push(session.engine.phaseSerial)
    session.hear('250 ok\r\n')
    serials.push(session.engine.phaseSerial)
    session.hear('250 ok\r\n354 go\r\n')
    serials.push(session.engine.phaseSerial)
    session.engine.writeContent(Buffer.from('x'))
    serials.push(session.engine.phaseSerial)
    session.hear('25')
    expect(session.engine.phaseSerial).toBe(serials.at(-1))
    expect(new Set(serials).size).toBe(serials.length)
  })

  it('exports its class under the name that transports use', () => {
    expect(new ClientEngine({ heloName: 'a', events: {} as never }).phase).toBe('greeting')
  })
})
