import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makePlan, openClientSession, type TestPlan } from '../support/client-session.ts'
import { inChunks } from '../support/feed.ts'
import { openServerSession } from '../support/server-session.ts'

const cut = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 })
const commandPart = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      'EHLO a',
      'MAIL FROM:<u@y>',
      'RCPT TO:<v@z>',
      'DATA',
      '.',
      'RSET',
      'QUIT',
      'NOOP',
      'STARTTLS',
      'AUTH PLAIN',
      'AUTH LOGIN',
      '*',
      'dQ==',
      'VRFY x',
    ),
  },
  { weight: 5, arbitrary: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '\0', ' ') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
)
const replyPart = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '220 hi',
      '250 ok',
      '250-more',
      '354 go',
      '421 bye',
      '450 later',
      '550 no',
      '235 in',
      '334 ',
      '221 bye',
      '250-PIPELINING',
      '250 STARTTLS',
    ),
  },
  { weight: 5, arbitrary: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r') },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 20 }) },
)

describe('a hostile client', () => {
  it('gets well-formed replies or nothing, and never an exception of ours', () => {
    fc.assert(
      fc.property(fc.array(commandPart, { maxLength: 60 }), cut, fc.boolean(), (parts, sizes, pipelining) => {
        const session = openServerSession({ settings: { pipelining, startTls: true, auth: 'always' } })
        for (const chunk of inChunks(Buffer.from(parts.join(''), 'latin1'), sizes).chunks) {
          session.engine.receive(chunk)
          if (session.log.at(-1) === 'starttls' && session.closed === null) session.engine.tlsStarted()
        }
        expect(session.take()).toMatch(/^(?:[2-5]\d\d[ -][ -~]*\r\n)+$/)
        for (const message of session.stored) expect(message.content.replaceAll('\r\n', '')).not.toMatch(/[\r\n\0]/)
      }),
      { numRuns: 1500 },
    )
  })
})

describe('a hostile server', () => {
  it('gets well-formed commands or nothing, and every transaction ends once', () => {
    fc.assert(
      fc.property(fc.array(replyPart, { maxLength: 60 }), cut, fc.boolean(), (parts, sizes, ready) => {
        const session = openClientSession()
        const setup = ready ? '220 hi\r\n250-mx\r\n250 PIPELINING\r\n' : ''
        for (const line of setup.split(/(?<=\n)/)) if (line !== '') session.engine.receive(Buffer.from(line))
        const plans: TestPlan[] = []
        const give = () => {
          if (session.engine.room === 0) return
          const plan = makePlan(['v@z', 'w@z'], {}, () => {
            session.engine.writeContent(Buffer.from('Subject: x\r\n\r\n.\r\n'))
            session.engine.endContent()
          })
          plans.push(plan)
          session.engine.submit(plan)
        }
        for (const chunk of inChunks(Buffer.from(parts.join(''), 'latin1'), sizes).chunks) {
          give()
          session.engine.receive(chunk)
        }
        session.engine.lost('end')
        expect(session.take()).toMatch(/^(?:[ -~]*\r\n)*$/)
        for (const plan of plans) {
          expect(plan.ended).toHaveLength(1)
          const [transaction] = plan.ended
          // Delivered is only what got a 2yz after its final dot, with a recipient that was taken.
          if (transaction?.finalReply?.code === 250 && !transaction.loneDot) expect([transaction.sent, transaction.anyAccepted]).toEqual(['final-dot', true])
          if (transaction?.end === 'broken') expect(transaction.fault).not.toBeNull()
        }
        expect(session.engine.usable).toBe(false)
        expect(session.engine.phase).toBeNull()
      }),
      { numRuns: 1500 },
    )
  })
})
