/**
 * Which replies ask a stranger to come back soon (RFC 6647, O14).
 */
import { describe, expect, it } from 'vitest'
import type { AttemptPhase } from '../../src/core/outcome.ts'
import type { EnhancedStatus } from '../../src/core/reply.ts'
import { saysGreylisted } from '../../src/core/reply-texts.ts'

function says(phase: AttemptPhase, text: string): boolean {
  const [, code, digits] = /^(\d{3})(?: (\d\.\d+\.\d+))?/.exec(text) ?? []
  const [cls, subject, detail] = (digits ?? '').split('.').map(Number)
  const enhanced = digits === undefined ? null : ({ class: cls, subject, detail } as EnhancedStatus)
  return saysGreylisted(phase, { code: Number(code), enhanced, lines: [text.slice(4)] })
}

describe('a greylisting reply', () => {
  it.each<[AttemptPhase, string]>([
    ['rcpt', '450 4.2.0 <bob@example.com>: Recipient address rejected: Greylisted, see http://postgrey.example/help'],
    ['rcpt', '451 4.7.1 Greylisting in action, please come back later'],
    ['rcpt', '451 4.7.1 <bob@example.com>: Try again later'],
    ['rcpt', '450 4.7.1 Client host rejected: cannot find your hostname'],
    ['rcpt', '451 GRAYLISTED'],
    ['rcpt', '451 Please try again in 300 seconds'],
    ['final-dot', '451 4.7.1 greylisted by content'],
    ['data', '451 4.3.0 Message grey listed'],
  ])('at %s: %s', (phase, text) => expect(says(phase, text)).toBe(true))
})

describe('no greylisting reply', () => {
  it.each<[AttemptPhase, string]>([
    ['rcpt', '451 4.3.0 Temporary lookup failure'],
    ['rcpt', '450 4.2.1 The user you are trying to contact is receiving mail too quickly'],
    ['rcpt', '452 4.7.1 greylisted'],
    ['rcpt', '550 5.7.1 greylisted'],
    ['rcpt', '421 4.7.0 greylisted'],
    ['data', '451 4.7.1 Try again later'],
    ['mail', '451 4.7.1 greylisted'],
    ['greeting', '451 4.7.1 greylisted'],
  ])('at %s: %s', (phase, text) => expect(says(phase, text)).toBe(false))
})
