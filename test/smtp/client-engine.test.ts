import { describe, expect, it } from 'vitest'
import { ClientEngine } from '../../src/smtp/client-engine.ts'
import { type ClientPhase, isAnswer, nextSessionState, OUTSTANDING, PHASES, SESSION, type SessionState } from '../../src/smtp/client-machine.ts'
import { CommandFault } from '../../src/smtp/command-format.ts'
import { createExchange, type SaslExchange } from '../../src/smtp/sasl.ts'
import { type ClientSession, makePlan, openClientSession, readyClientSession, type TestPlan } from '../support/client-session.ts'
import { everyWay } from '../support/feed.ts'

const ENVELOPE = 'MAIL FROM:<u@y>\r\nRCPT TO:<v@z>\r\nDATA\r\n'
const OK_ENVELOPE = '250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go\r\n'

/** One transaction up to 354. */
function inContent(session: ClientSession, plan: TestPlan = makePlan()): TestPlan {
  session.engine.submit(plan)
  for (let i = 0; i < 3 && plan.sendContent === 0; i++)
    session.hear(i === 0 && session.capabilities?.pipelining ? OK_ENVELOPE : i === 2 ? '354 Go\r\n' : '250 Ok\r\n')
  expect(plan.sendContent).toBe(1)
  session.take()
  return plan
}
function sendContent(session: ClientSession, text = 'Subject: x\r\n\r\nbody\r\n'): string {
  session.engine.writeContent(Buffer.from(text))
  session.engine.endContent()
  return session.take()
}
const noHmac = () => ''

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

describe('setting up', () => {
  it('greets, says EHLO and is ready, however the replies are cut', () => {
    for (const feeding of everyWay('220-mx.test\r\n220 hello\r\n')) {
      const session = openClientSession()
      expect(session.engine.phase).toBe('greeting')
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(session.take()).toBe('EHLO client.test\r\n')
      expect(session.engine.phase).toBe('ehlo')
      session.hear('250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000\r\n')
      expect(session.log).toEqual(['ready'])
      expect(session.capabilities).toMatchObject({ pipelining: true, sizeOctets: 1000 })
      expect([session.engine.phase, session.engine.idle, session.engine.usable, session.engine.room]).toEqual([null, true, true, 2])
      expect(session.engine.greeting?.lines).toEqual(['mx.test', 'hello'])
    }
  })

  it('falls back to HELO when EHLO is refused for good (O03)', () => {
    for (const refusal of ['500 what', '502 no', '550 no']) {
      const session = openClientSession()
      session.hear('220 mx\r\n')
      expect(session.hear(`${refusal}\r\n`)).toBe('HELO client.test\r\n')
      session.hear('250-mx\r\n250 PIPELINING\r\n')
      expect(session.capabilities).toMatchObject({ esmtp: false, pipelining: false })
    }
  })

  const refusals: readonly (readonly [name: string, replies: readonly string[], log: readonly string[]])[] = [
    ['a 421 greeting', ['421 busy'], ['refused greeting 421', 'fault closing']],
    ['a 450 greeting', ['450 later'], ['refused greeting 450', 'fault refused']],
    ['a 521 greeting', ['521 no mail here'], ['refused greeting 521', 'fault refused']],
    ['a 554 greeting', ['554 no'], ['refused greeting 554', 'fault refused']],
    ['a 354 greeting', ['354 what'], ['fault desynchronised']],
    ['a 421 EHLO', ['220 mx', '421 busy'], ['refused ehlo 421', 'fault closing']],
    ['a 450 EHLO', ['220 mx', '450 later'], ['refused ehlo 450', 'fault refused']],
    ['EHLO and HELO refused', ['220 mx', '500 no', '501 no'], ['refused ehlo 501', 'fault refused']],
    ['POP3', ['+OK ready'], ['fault malformed']],
    ['SSH', ['SSH-2.0-x'], ['fault malformed']],
    ['no code', ['22 x'], ['fault malformed']],
    ['a code of four digits', ['2200 x'], ['fault malformed']],
    ['differing codes', ['220 mx', '250-a\r\n251 b'], ['fault malformed']],
  ]
  it.each(refusals)('ends at %s (O02, O03)', (_, replies, log) => {
    const session = openClientSession()
    for (const reply of replies) session.hear(`${reply}\r\n`)
    expect(session.log).toEqual(log)
    expect([session.engine.usable, session.engine.idle, session.engine.room]).toEqual([false, false, 0])
  })

  it('stops at a greeting without end (O02, O06)', () => {
    const long = openClientSession()
    long.hear('220 '.padEnd(70_000, 'x'))
    expect(long.log).toEqual(['fault malformed'])
    const many = openClientSession()
    many.hear('220-x\r\n'.repeat(10_000))
    expect(many.log).toEqual(['fault malformed'])
  })

  it('takes nothing for the reply to EHLO that came before EHLO (O08)', () => {
    for (const early of ['250 mx\r\n', '250', '2']) {
      const session = openClientSession()
      expect(session.hear(`220 mx\r\n${early}`)).toBe('')
      expect(session.log).toEqual(['fault desynchronised'])
    }
  })
})

describe('STARTTLS', () => {
  it('asks, hands over, and says EHLO again: only what comes then counts (C04, C11)', () => {
    const session = readyClientSession('STARTTLS', 'AUTH PLAIN', 'PIPELINING')
    session.engine.startTls()
    expect(session.take()).toBe('STARTTLS\r\n')
    expect(session.hear('220 go\r\n')).toBe('')
    expect(session.log).toEqual(['ready', 'tls'])
    session.engine.tlsStarted()
    expect(session.take()).toBe('EHLO client.test\r\n')
    session.hear('250 mx\r\n')
    expect(session.capabilities).toMatchObject({ authMechanisms: [], pipelining: false, startTls: false })
  })

  it.each(['454 later', '502 no', '500 what'])('says that it was refused with %s, and the session may go on (C02)', (refusal) => {
    const session = readyClientSession('STARTTLS')
    session.engine.startTls()
    session.hear(`${refusal}\r\n`)
    expect(session.log).toEqual(['ready', `refused starttls ${refusal.slice(0, 3)}`])
    expect(session.engine.idle).toBe(true)
  })

  it.each(['354 go', 'garbage', '421 bye'])('ends at %s (C02)', (reply) => {
    const session = readyClientSession('STARTTLS')
    session.engine.startTls()
    session.hear(`${reply}\r\n`)
    expect(session.fault).not.toBeNull()
    expect(session.log).not.toContain('tls')
  })

  it('uses nothing of what was sent in plain behind 220, at once or later (C03)', () => {
    for (const injected of ['250-x\r\n250 AUTH PLAIN\r\n', '2', '\r\n']) {
      const session = readyClientSession('STARTTLS')
      session.engine.startTls()
      session.hear(`220 go\r\n${injected}`)
      expect(session.log, injected).toEqual(['ready', 'fault desynchronised'])
      const later = readyClientSession('STARTTLS')
      later.engine.startTls()
      later.hear('220 go\r\n')
      later.hear(injected)
      expect(later.log, injected).toEqual(['ready', 'tls', 'fault desynchronised'])
      later.engine.tlsStarted()
      expect(later.take()).toBe('')
    }
  })
})

describe('logging in', () => {
  const plain = () => createExchange('PLAIN', 'u', 'canary', noHmac)

  it('sends PLAIN with its initial response, and LOGIN step by step', () => {
    const session = readyClientSession('AUTH PLAIN LOGIN')
    session.engine.authenticate(plain())
    expect(session.take()).toBe(`AUTH PLAIN ${Buffer.from('\0u\0canary').toString('base64')}\r\n`)
    expect(session.engine.phase).toBe('auth')
    session.hear('235 2.7.0 ok\r\n')
    expect(session.log).toEqual(['ready', 'authenticated'])
    expect([session.engine.authenticated, session.engine.idle]).toEqual([true, true])

    const login = readyClientSession('AUTH LOGIN')
    login.engine.authenticate(createExchange('LOGIN', 'u', 'p', noHmac))
    expect(login.take()).toBe('AUTH LOGIN\r\n')
    expect(login.hear('334 VXNlcm5hbWU6\r\n')).toBe('dQ==\r\n')
    expect(login.hear('334 UGFzc3dvcmQ6\r\n')).toBe('cA==\r\n')
    login.hear('235 ok\r\n')
    expect(login.log).toEqual(['ready', 'authenticated'])
  })

  it('leaves a long initial response to the challenge', () => {
    const session = readyClientSession('AUTH PLAIN')
    session.engine.authenticate(createExchange('PLAIN', 'u', 'p'.repeat(400), noHmac))
    expect(session.take()).toBe('AUTH PLAIN\r\n')
    expect(session.hear('334 \r\n')).toBe(`${Buffer.from(`\0u\0${'p'.repeat(400)}`).toString('base64')}\r\n`)
  })

  it.each(['535 5.7.8 no', '454 later', '534 weak'])('says that it was refused with %s; the session may try another way (C10)', (refusal) => {
    const session = readyClientSession('AUTH PLAIN LOGIN')
    session.engine.authenticate(plain())
    session.hear(`${refusal}\r\n`)
    expect(session.log).toEqual(['ready', `refused auth ${refusal.slice(0, 3)}`])
    expect([session.engine.idle, session.engine.authenticated]).toEqual([true, false])
    session.engine.authenticate(createExchange('LOGIN', 'u', 'p', noHmac))
    expect(session.take()).toBe('AUTH LOGIN\r\n')
  })

  it('cancels when it has nothing to say, and when challenges do not end', () => {
    const session = readyClientSession('AUTH CRAM-MD5')
    session.engine.authenticate(createExchange('CRAM-MD5', 'u', 'p', noHmac))
    expect(session.hear('334 !!!\r\n')).toBe('AUTH CRAM-MD5\r\n*\r\n')
    session.hear('501 cancelled\r\n')
    expect(session.log).toEqual(['ready', 'refused auth 501'])
    const endless = readyClientSession('AUTH PLAIN')
    const talkative: SaslExchange = { mechanism: 'PLAIN', initial: null, next: () => 'AAAA' }
    endless.engine.authenticate(talkative)
    for (let i = 0; i < 4; i++) endless.hear('334 \r\n')
    endless.take()
    expect(endless.hear('334 \r\n')).toBe('*\r\n')
  })

  it('sends nothing that is no base64', () => {
    const session = readyClientSession('AUTH LOGIN')
    const evil: SaslExchange = { mechanism: 'LOGIN', initial: null, next: () => 'AA\r\nMAIL FROM:<evil@x>' }
    session.engine.authenticate(evil)
    session.take()
    expect(session.hear('334 \r\n')).toBe('*\r\n')
    const bad: SaslExchange = { mechanism: 'PLAIN', initial: 'A\r\nB', next: () => null }
    expect(() => readyClientSession('AUTH PLAIN').engine.authenticate(bad)).toThrow(CommandFault)
  })

  it('ends at 421 and at a close', () => {
    const session = readyClientSession('AUTH PLAIN')
    session.engine.authenticate(plain())
    session.hear('421 bye\r\n')
    expect(session.log).toEqual(['ready', 'refused auth 421', 'fault closing'])
    const lost = readyClientSession('AUTH PLAIN')
    lost.engine.authenticate(plain())
    lost.engine.lost('closed')
    expect(lost.fault).toEqual({ kind: 'lost', phase: 'auth', reason: 'closed', reply: null })
  })

  it('shows no secret to whoever watches', () => {
    const session = readyClientSession('AUTH PLAIN LOGIN')
    session.engine.authenticate(plain())
    session.hear('535 no\r\n')
    session.engine.authenticate(createExchange('LOGIN', 'u', 'canary', noHmac))
    session.hear('334 \r\n')
    session.hear('334 \r\n')
    expect(session.shown.join('\n')).not.toMatch(/canary|Y2FuYXJ5|Y2FuYX/)
    expect(session.shown).toContain('> AUTH PLAIN')
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

describe('a server that is out of step or leaves', () => {
  const unasked: readonly (readonly [reply: string, kind: string])[] = [
    ['250 hello', 'desynchronised'],
    ['550 what', 'desynchronised'],
    ['421 idle too long', 'closing'],
    ['nonsense', 'malformed'],
  ]
  it.each(unasked)('sends %s to an idle session: %s', (reply, kind) => {
    for (const feeding of everyWay(`${reply}\r\n`)) {
      const session = readyClientSession('PIPELINING')
      for (const chunk of feeding.chunks) session.engine.receive(chunk)
      expect(session.fault, feeding.name).toMatchObject({ kind, phase: null })
    }
  })

  it('sends one reply too many behind a transaction', () => {
    const session = readyClientSession('PIPELINING')
    const plan = inContent(session)
    sendContent(session)
    session.hear('250 queued\r\n250 again\r\n')
    expect(plan.ended[0]?.end).toBe('completed')
    expect(session.fault?.kind).toBe('desynchronised')
  })

  it('has half a reply in the line when the next command would leave', () => {
    const session = readyClientSession('PIPELINING')
    session.hear('25')
    const plan = makePlan()
    session.engine.submit(plan)
    expect(plan.ended[0]).toMatchObject({ end: 'broken', fault: { kind: 'desynchronised' } })
    expect(session.hear('0 stale\r\n')).toBe('')
  })

  it('cannot make a stale 250 count for the final dot (O08)', () => {
    const early = readyClientSession('PIPELINING')
    const plan = makePlan()
    early.engine.submit(plan)
    early.hear(`${OK_ENVELOPE}250 already queued\r\n`)
    expect(plan.ended[0]).toMatchObject({ end: 'broken', sent: 'content', finalReply: null, fault: { kind: 'desynchronised' } })
    // The same with a transport that writes everything from inside the callback.
    const eager = readyClientSession('PIPELINING')
    const eagerPlan = makePlan(['v@z'], {}, () => {
      eager.engine.writeContent(Buffer.from('x\r\n'))
      eager.engine.endContent()
    })
    eager.engine.submit(eagerPlan)
    eager.hear(`${OK_ENVELOPE}250 already queued\r\n`)
    expect(eagerPlan.ended[0]).toMatchObject({ end: 'broken', sent: 'content', finalReply: null })
  })

  it.each([
    ['552 too large', 'early-reply'],
    ['451 disk full', 'early-reply'],
    ['421 going', 'closing'],
    ['250 fine', 'desynchronised'],
  ])('says %s in the middle of content: %s, and no dot follows', (reply, kind) => {
    const session = readyClientSession('PIPELINING')
    const plan = inContent(session)
    session.engine.writeContent(Buffer.from('a\r\n'))
    session.take()
    session.hear(`${reply}\r\n`)
    session.engine.writeContent(Buffer.from('b\r\n'))
    session.engine.endContent()
    expect(session.take()).toBe('')
    expect(plan.ended[0]).toMatchObject({ end: 'broken', sent: 'content', fault: { kind, phase: 'content' } })
  })

  it.each(['250 ok', '251 ok', '220 ok'])('answers DATA with %s: neither yes nor no (O11)', (reply) => {
    const session = readyClientSession('PIPELINING')
    const plan = makePlan()
    session.engine.submit(plan)
    session.hear(`250 ok\r\n250 ok\r\n${reply}\r\n`)
    expect(plan.sendContent).toBe(0)
    expect(plan.ended[0]).toMatchObject({ end: 'broken', sent: 'envelope', fault: { kind: 'desynchronised', phase: 'data' } })
  })

  const finals: readonly (readonly [reply: string, end: string, code: number | null])[] = [
    ['250 ok', 'completed', 250],
    ['251 ok', 'completed', 251],
    ['252 ok', 'completed', 252],
    ['299 ok', 'completed', 299],
    ['452 later', 'completed', 452],
    ['552 no', 'completed', 552],
    ['354 go on', 'broken', 354],
    ['121 what', 'broken', null],
    ['999 what', 'broken', null],
    ['250-half\r\n251 other', 'broken', null],
  ]
  it.each(finals)('answers the final dot with %s (O12)', (reply, end, code) => {
    const session = readyClientSession('PIPELINING')
    const plan = inContent(session)
    sendContent(session)
    session.hear(`${reply}\r\n`)
    expect(plan.ended[0]).toMatchObject({ end, sent: 'final-dot' })
    expect(plan.ended[0]?.finalReply?.code ?? null).toBe(code)
    if (end === 'broken') expect(plan.ended[0]?.fault?.phase).toBe('final-dot')
  })

  /** Where the connection dies, and what is known then. */
  const deaths: readonly (readonly [name: string, phase: ClientPhase | null, sent: string, drive: (session: ClientSession) => void])[] = [
    ['after MAIL', 'mail', 'envelope', () => undefined],
    ['after a reply to MAIL', 'rcpt', 'envelope', (session) => session.hear('250 ok\r\n')],
    ['after DATA', 'data', 'envelope', (session) => session.hear('250 ok\r\n250 ok\r\n')],
    ['after 354', 'content', 'content', (session) => session.hear(OK_ENVELOPE)],
    [
      'in the content',
      'content',
      'content',
      (session) => {
        session.hear(OK_ENVELOPE)
        session.engine.writeContent(Buffer.from('half'))
      },
    ],
    [
      'after the final dot',
      'final-dot',
      'final-dot',
      (session) => {
        session.hear(OK_ENVELOPE)
        sendContent(session)
      },
    ],
    [
      'in the reply to the final dot',
      'final-dot',
      'final-dot',
      (session) => {
        session.hear(OK_ENVELOPE)
        sendContent(session)
        session.hear('250-qu')
      },
    ],
  ]
  it.each(deaths)('closes %s: the transport knows exactly how far we got (O07)', (_, phase, sent, drive) => {
    const session = readyClientSession('PIPELINING')
    const plan = makePlan()
    session.engine.submit(plan)
    drive(session)
    expect(session.engine.phase).toBe(phase)
    session.take()
    session.engine.lost('connection reset')
    session.engine.lost('again')
    expect(plan.ended).toHaveLength(1)
    expect(plan.ended[0]).toMatchObject({ end: 'broken', sent, finalReply: null, fault: { kind: 'lost', phase, reason: 'connection reset' } })
    expect(session.log.filter((entry) => entry.startsWith('fault'))).toEqual(['fault lost'])
    expect(session.hear('250 late\r\n')).toBe('')
  })

  it.each([0, 1, 2])('says 421 to command %s of the envelope (O15)', (place) => {
    for (const keywords of [['PIPELINING'], []]) {
      const session = readyClientSession(...keywords)
      const plan = makePlan()
      session.engine.submit(plan)
      for (let i = 0; i < place; i++) session.hear('250 ok\r\n')
      session.hear('421 4.3.2 going\r\n')
      const [transaction] = plan.ended
      expect(transaction).toMatchObject({ end: 'broken', fault: { kind: 'closing', reply: { code: 421 } } })
      expect([transaction?.mailReply, transaction?.rcptReplies[0], transaction?.dataReply][place]?.code).toBe(421)
      expect(session.engine.usable).toBe(false)
    }
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
