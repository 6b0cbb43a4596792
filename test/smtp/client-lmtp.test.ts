import { describe, expect, it } from 'vitest'
import { makePlan, openClientSession, sendContent, type TestPlan } from '../support/client-session.ts'
import { everyWay } from '../support/feed.ts'

type Session = ReturnType<typeof openClientSession>

function ready(...keywords: readonly string[]): Session {
  const session = openClientSession('client.test', true)
  expect(session.hear('220 store.test LMTP\r\n')).toBe('LHLO client.test\r\n')
  const lines = ['store.test', ...keywords]
  session.hear(lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join(''))
  session.take()
  return session
}
/** Three recipients, of which the second is refused; content and dot are out. */
function afterDot(session: Session): TestPlan {
  const plan = makePlan(['a@z', 'b@z', 'c@z'])
  session.engine.submit(plan)
  session.hear('250 ok\r\n250 a\r\n550 5.1.1 b\r\n250 c\r\n354 go\r\n')
  sendContent(session)
  return plan
}
const codes = (plan: TestPlan) => plan.ended[0]?.finalReplies?.map((reply) => reply?.code ?? null)

describe('an LMTP session (RFC 2033)', () => {
  it('begins with LHLO, after TLS as well, and never falls back to HELO', () => {
    const session = ready('STARTTLS', 'PIPELINING')
    session.engine.startTls()
    session.hear('220 go\r\n')
    session.engine.tlsStarted()
    expect(session.writes.slice(-2)).toEqual(['STARTTLS\r\n', 'LHLO client.test\r\n'])
    const refused = openClientSession('client.test', true)
    refused.hear('220 store.test\r\n')
    refused.hear('500 what is LHLO\r\n')
    expect([refused.log, refused.take()]).toEqual([['refused ehlo 500', 'fault refused'], ''])
  })

  it('has a reply for each recipient that was taken, in their order, cut anywhere', () => {
    for (const feeding of everyWay('250-2.0.0 a\r\n250 2.0.0 saved\r\n452 4.2.2 c is full\r\n')) {
      const session = ready('PIPELINING')
      const plan = afterDot(session)
      for (const [index, chunk] of feeding.chunks.entries()) {
        expect(plan.ended, feeding.name).toHaveLength(0)
        expect(session.engine.phase).toBe('final-dot')
        session.engine.receive(chunk)
        if (index + 1 < feeding.chunks.length && plan.ended.length > 0) throw new Error('ended before its last octet')
      }
      expect(codes(plan)).toEqual([250, null, 452])
      expect([plan.ended[0]?.end, session.engine.idle]).toEqual(['completed', true])
    }
  })

  it('is the same without PIPELINING', () => {
    const session = ready()
    const plan = makePlan(['a@z', 'b@z'])
    session.engine.submit(plan)
    for (const reply of ['250 ok', '250 a', '250 b', '354 go']) session.hear(`${reply}\r\n`)
    sendContent(session)
    session.hear('250 a\r\n')
    expect(plan.ended).toHaveLength(0)
    session.hear('550 b\r\n')
    expect(codes(plan)).toEqual([250, 550])
  })

  it('ends with the replies that came, when too few came (O18)', () => {
    const session = ready('PIPELINING')
    const plan = afterDot(session)
    session.hear('250 a\r\n')
    session.engine.lost('timeout')
    expect(codes(plan)).toEqual([250, null, null])
    expect(plan.ended[0]?.end).toBe('broken')
  })

  it('ends when too many came (O18)', () => {
    const session = ready('PIPELINING')
    const plan = afterDot(session)
    session.hear('250 a\r\n250 c\r\n250 and one more\r\n')
    expect([codes(plan), plan.ended[0]?.end, session.fault?.kind]).toEqual([[250, null, 250], 'completed', 'desynchronised'])
  })

  it("takes no envelope behind a dot: one answer too many would be read as that one's", () => {
    const session = ready('PIPELINING')
    expect(session.engine.room).toBe(1)
    const plan = afterDot(session)
    expect(session.engine.room).toBe(0)
    session.hear('250 a\r\n250 c\r\n')
    expect([plan.ended.length, session.engine.room]).toEqual([1, 1])
    const next = makePlan(['d@z'])
    session.engine.submit(next)
    session.hear('250 ok\r\n250 d\r\n354 go\r\n')
    sendContent(session)
    session.hear('250 d\r\n')
    expect(codes(next)).toEqual([250])
  })

  it('ends where DATA is taken without a recipient: nobody knows how many answers would come', () => {
    const session = ready('PIPELINING')
    const plan = makePlan(['a@z'])
    session.engine.submit(plan)
    session.take()
    expect(session.hear('250 ok\r\n550 a\r\n354 go\r\n')).toBe('')
    expect([session.fault?.kind, plan.ended[0]?.end, plan.ended[0]?.rcptReplies[0]?.code]).toEqual(['desynchronised', 'broken', 550])
  })

  it('ends with a 421 among the answers; what was said before it stands', () => {
    const session = ready('PIPELINING')
    const plan = afterDot(session)
    session.hear('250 a\r\n421 4.3.2 going down\r\n')
    expect([codes(plan), session.fault?.kind]).toEqual([[250, null, 421], 'closing'])
  })

  it('knows nothing of such answers in SMTP', () => {
    const session = openClientSession()
    session.hear('220 x\r\n')
    session.hear('250 x\r\n')
    const plan = makePlan(['a@z', 'b@z'])
    const transaction = session.engine.submit(plan)
    for (const reply of ['250 ok', '250 a', '250 b', '354 go']) session.hear(`${reply}\r\n`)
    sendContent(session)
    session.hear('250 both\r\n')
    expect([transaction.finalReplies, plan.ended.length]).toEqual([null, 1])
  })
})
