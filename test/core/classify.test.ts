import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AttemptFault, classifyFault, classifyReply, hopVerdict, saysTooManyRecipients, triesNextHost } from '../../src/core/classify.ts'
import type { AttemptPhase } from '../../src/core/outcome.ts'
import { formatStatus, type SmtpReply } from '../../src/core/reply.ts'
import { SOFT_DESPITE_5YZ, WIDER_THAN_SAID } from '../../src/core/reply-texts.ts'

const PHASES: readonly AttemptPhase[] = ['greeting', 'ehlo', 'starttls', 'auth', 'mail', 'rcpt', 'data', 'content', 'final-dot']

function replyOf(text: string): SmtpReply {
  const match = /^(\d{3}) (?:([245])\.(\d+)\.(\d+)(?: |$))?/.exec(text)
  if (match === null) throw new Error(`no reply: ${text}`)
  const [, code, group, subject, detail] = match
  const enhanced = group === undefined ? null : { class: Number(group) as 2 | 4 | 5, subject: Number(subject), detail: Number(detail) }
  return { code: Number(code), enhanced, lines: [text.slice(4)] }
}

const cases = readFileSync(new URL('../fixtures/replies.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => line.split('|').map((part) => part.trim()))

describe('replies of real servers', () => {
  it.each(cases)('at %s means %s, scope %s, hop %s: %s (%s)', (phase, kind, scope, hop, text) => {
    const judgement = classifyReply(phase as AttemptPhase, replyOf(text!))
    expect(judgement.kind).toBe(kind)
    if (judgement.kind === 'delivered') return
    expect([judgement.scope, judgement.hop]).toEqual([scope, hop])
    expect(judgement.status.class).toBe(kind === 'failed' ? 5 : 4)
    expect(judgement.reason).not.toMatch(/[\r\n]/)
  })
})

describe('the status', () => {
  it("is the peer's own, in the class of its code", () => {
    const status = (phase: AttemptPhase, text: string) => formatStatus(classifyReply(phase, replyOf(text)).status)
    expect(status('rcpt', '550 5.1.1 unknown')).toBe('5.1.1')
    expect(status('rcpt', '550 4.7.1 contradictory')).toBe('5.7.1')
    expect(status('rcpt', '450 5.2.2 contradictory')).toBe('4.2.2')
    expect(status('final-dot', '250 5.1.1 contradictory')).toBe('2.0.0')
    expect(status('rcpt', '550 no status')).toBe('5.0.0')
  })
  it('of a refused login is 4.7.8, whatever 5yz it was', () => {
    expect(formatStatus(classifyReply('auth', replyOf('535 5.7.0 no')).status)).toBe('4.7.8')
    expect(formatStatus(classifyReply('auth', replyOf('454 4.7.0 wait')).status)).toBe('4.7.0')
  })
})

describe('any reply at all', () => {
  const anyReply = fc.record({
    code: fc.integer({ min: 100, max: 999 }),
    enhanced: fc.option(
      fc.record({
        class: fc.constantFrom(2 as const, 4 as const, 5 as const),
        subject: fc.integer({ min: 0, max: 999 }),
        detail: fc.integer({ min: 0, max: 999 }),
      }),
    ),
    lines: fc.string().map((text) => [text] as const),
  })
  it('fails only with a 5yz, about a message or a recipient', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PHASES), anyReply, (phase, reply) => {
        const judgement = classifyReply(phase, reply)
        if (judgement.kind !== 'failed') return
        expect(Math.floor(reply.code / 100)).toBe(5)
        expect(['mail', 'rcpt', 'data', 'content', 'final-dot']).toContain(phase)
        expect(['message', 'recipient']).toContain(judgement.scope)
      }),
    )
  })
  it('is a delivery only as a 2yz to the final dot', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PHASES), anyReply, (phase, reply) => {
        expect(classifyReply(phase, reply).kind === 'delivered').toBe(phase === 'final-dot' && reply.code >= 200 && reply.code <= 299)
      }),
    )
  })
  it('leaves a duplicate possible only when it is no answer to the final dot', () => {
    fc.assert(
      fc.property(fc.constantFrom(...PHASES), anyReply, (phase, reply) => {
        const judgement = classifyReply(phase, reply)
        const clear = reply.code >= 400 && reply.code <= 599
        if (judgement.kind === 'deferred') expect(judgement.duplicatePossible).toBe(phase === 'final-dot' && !clear)
      }),
    )
  })
})

describe('faults without a reply', () => {
  const FAULTS: readonly (readonly [AttemptPhase, AttemptFault, string, string])[] = [
    ['mx-lookup', { kind: 'network', code: 'ENOTFOUND', message: 'no such host' }, '4.4.4', 'hop'],
    ['mx-lookup', { kind: 'network', code: 'EAI_AGAIN', message: 'resolver is down' }, '4.4.3', 'hop'],
    ['connect', { kind: 'network', code: 'ECONNREFUSED', message: 'connection refused' }, '4.4.1', 'hop'],
    ['connect', { kind: 'timeout', afterMs: 30_000 }, '4.4.1', 'hop'],
    ['greeting', { kind: 'closed' }, '4.4.2', 'hop'],
    ['greeting', { kind: 'protocol', detail: 'no reply' }, '4.5.0', 'hop'],
    ['starttls', { kind: 'tls-missing' }, '4.7.4', 'hop'],
    ['starttls', { kind: 'tls-failed', code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' }, '4.7.5', 'hop'],
    ['starttls', { kind: 'tls-injection' }, '4.7.5', 'hop'],
    ['greeting', { kind: 'loop' }, '4.4.6', 'hop'],
    ['auth', { kind: 'no-login', detail: 'no common mechanism' }, '4.7.8', 'credential'],
    ['mail', { kind: 'timeout', afterMs: 300_000 }, '4.4.2', 'session'],
    ['content', { kind: 'network', code: 'ECONNRESET', message: 'reset' }, '4.4.2', 'session'],
    ['final-dot', { kind: 'closed' }, '4.4.2', 'session'],
  ]
  it.each(FAULTS)('at %s %o defer with %s, scope %s', (phase, fault, status, scope) => {
    const judgement = classifyFault(phase, fault)
    expect([judgement.kind, formatStatus(judgement.status), judgement.scope]).toEqual(['deferred', status, scope])
    expect(judgement.duplicatePossible).toBe(phase === 'final-dot')
    expect(triesNextHost(judgement)).toBe(scope !== 'credential')
    expect(hopVerdict(judgement, null)?.kind).toBe(scope === 'credential' ? 'credential-refused' : 'unwell')
  })
  it.each([
    ['connect', 'ECONNREFUSED', 'connect ECONNREFUSED 192.0.2.1:25', 'the server refused the connection (ECONNREFUSED 192.0.2.1:25)'],
    ['content', 'ECONNRESET', 'read ECONNRESET', 'the server broke the connection (ECONNRESET) while sending the content'],
    ['mx-lookup', 'EAI_AGAIN', 'look-up of mx.test failed: getaddrinfo EAI_AGAIN mx.test', 'the name servers do not answer (EAI_AGAIN mx.test)'],
    ['mx-lookup', 'ENOTFOUND', 'mx.test has no address', 'there is no such host (mx.test has no address)'],
    ['connect', 'EBADMSG', 'connect EBADMSG 192.0.2.1:25', 'connect EBADMSG 192.0.2.1:25 while connecting'],
  ] as const)('at %s %s is said in words, with the code behind them', (phase, code, message, reason) => {
    expect(classifyFault(phase, { kind: 'network', code, message }).reason).toBe(reason)
  })
  it('name the certificate fault as OpenSSL does', () => {
    expect(classifyFault('starttls', { kind: 'tls-failed', code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' }).reason).toContain('CERT_HAS_EXPIRED')
  })
})

describe('the verdict on a hop', () => {
  const verdictOn = (phase: AttemptPhase, text: string) => {
    const judgement = classifyReply(phase, replyOf(text))
    if (judgement.kind === 'delivered') throw new Error('not refused')
    return hopVerdict(judgement, replyOf(text))
  }
  it('has the reply in its reason, once, word for word', () => {
    expect(verdictOn('auth', '535 5.7.8 bad password')).toMatchObject({
      kind: 'credential-refused',
      reason: 'the server refused the login: 535 5.7.8 bad password',
    })
    expect(verdictOn('mail', '421 4.7.0 slow down')).toMatchObject({ kind: 'unwell', reason: expect.stringMatching(/: 421 4\.7\.0 slow down$/) })
    expect(verdictOn('ehlo', '354 what')).toMatchObject({ reason: expect.stringMatching(/^(?!.*354.*354)/) })
  })
  it('is no longer than a line', () => expect(JSON.stringify(verdictOn('greeting', `554 ${'x'.repeat(5000)}`)).length).toBeLessThan(400))
  it('says nothing of a recipient that was refused', () => expect(verdictOn('rcpt', '550 5.1.1 who')).toEqual({ kind: 'healthy' }))
})

describe('too many recipients', () => {
  it.each([
    ['452 4.5.3 too many recipients', true],
    ['452 too many recipients', true],
    ['552 too many recipients', true],
    ['550 5.5.3 too many recipients', true],
    ['552 5.2.2 mailbox full', false],
    ['452 4.2.2 mailbox full', false],
    ['450 4.2.0 greylisted', false],
    ['250 2.5.3 fine', false],
  ])('%s: %s', (text, expected) => expect(saysTooManyRecipients(replyOf(text))).toBe(expected))
})

describe('the tables of texts', () => {
  it('hold lower case, and a reason for each line', () => {
    for (const meaning of [...SOFT_DESPITE_5YZ, ...WIDER_THAN_SAID]) {
      for (const text of meaning.texts) expect(text).toBe(text.toLowerCase())
      expect(meaning.reason.length).toBeGreaterThan(20)
    }
  })
  it('are about the classes of codes they stand for', () => {
    for (const { codes } of SOFT_DESPITE_5YZ) for (const code of codes) expect(code).toBeGreaterThanOrEqual(500)
    for (const { codes } of WIDER_THAN_SAID) for (const code of codes) expect(Math.floor(code / 100)).toBe(4)
  })
})
