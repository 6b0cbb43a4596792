import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { enhanced, reply } from '../../src/core/reply.ts'
import { type PairedMessage, runPair } from '../support/engine-pair.ts'

const content = fc
  .array(fc.constantFrom('a', '.', '\r\n', '.\r\n', '\r\n.\r\n', 'no', '\xff', '..', 'MAIL FROM:<evil@x>\r\n'), { maxLength: 12 })
  .map((parts) => parts.join(''))
const name = fc.constantFrom('u', 'v', 'w', 'no1', 'no2')
const message: fc.Arbitrary<PairedMessage> = fc.record({
  from: name,
  to: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.map((local) => `${local}@z`)),
  content,
})

/** What must have happened to it, by our own account. */
function expected(sent: PairedMessage) {
  const taken = sent.from.startsWith('no') ? [] : sent.to.filter((to) => !to.startsWith('no'))
  const stored = taken.length > 0 && !ended(sent.content).startsWith('no')
  return { taken, stored }
}
function ended(text: string): string {
  return text === '' || text.endsWith('\r\n') ? text : `${text}\r\n`
}

describe('a client engine and a server engine', () => {
  it('agree on every message, whatever the policy, the chunking and the order of events', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), fc.boolean(), fc.nat(), (messages, pipelining, seed) => {
        const { outcomes, server, fault } = runPair({ messages, pipelining, seed, refuse: reply(550, enhanced(5, 7, 1), 'No') })
        expect(fault).toBeNull()
        expect(server.closed).toBeNull()
        const wanted = messages.filter((sent) => expected(sent).stored)
        expect(server.stored).toEqual(wanted.map((sent) => ({ from: `${sent.from}@y`, to: expected(sent).taken, content: ended(sent.content) })))
        for (const [index, sent] of messages.entries()) {
          const outcome = outcomes[index]
          const { taken, stored } = expected(sent)
          if (taken.length === 0) expect(outcome?.end).toBe('refused')
          else expect(outcome).toMatchObject({ end: 'completed', finalCode: stored ? 250 : 550 })
          if (!sent.from.startsWith('no')) expect(outcome?.taken.map((local) => `${local}@z`)).toEqual(taken)
        }
      }),
      { numRuns: 400 },
    )
  })

  it('chain envelopes behind bodies with PIPELINING, and never without', () => {
    const messages = Array.from({ length: 20 }, () => ({ from: 'u', to: ['v@z'], content: 'x\r\n' }))
    const refuse = reply(550, enhanced(5, 7, 1), 'No')
    expect(runPair({ messages, pipelining: true, seed: 7, refuse }).chained).toBeGreaterThan(3)
    expect(runPair({ messages, pipelining: false, seed: 7, refuse }).chained).toBe(0)
  })
})
