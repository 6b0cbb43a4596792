import { describe, expect, it } from 'vitest'
import type { ClientPhase } from '../../src/smtp/client-machine.ts'
import { type ClientSession, inContent, makePlan, OK_ENVELOPE, readyClientSession, sendContent } from '../support/client-session.ts'
import { everyWay } from '../support/feed.ts'

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
