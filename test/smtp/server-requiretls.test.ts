import { describe, expect, it } from 'vitest'
import { codes, openServerSession } from '../support/server-session.ts'

const OFFERED = { settings: { startTls: true, offerRequireTls: true } }
const WITH = 'MAIL FROM:<u@y> REQUIRETLS\r\n'

describe('REQUIRETLS (RFC 8689)', () => {
  it('is offered inside TLS only, and taken there', () => {
    const session = openServerSession(OFFERED)
    session.take()
    expect(session.say('EHLO a\r\n')).not.toContain('REQUIRETLS')
    expect(codes(session.say(WITH))).toEqual(['555 5.5.4'])
    session.say('STARTTLS\r\n')
    session.engine.tlsStarted()
    expect(session.say('EHLO a\r\n')).toContain('REQUIRETLS')
    expect(codes(session.say(WITH))).toEqual(['250 2.1.0'])
  })
  it('is neither offered nor taken where it is switched off', () => {
    const session = openServerSession({ implicitTls: true })
    session.take()
    expect(session.say('EHLO a\r\n')).not.toContain('REQUIRETLS')
    expect(codes(session.say(WITH))).toEqual(['555 5.5.4'])
  })
  it('takes no value', () => {
    const session = openServerSession({ ...OFFERED, implicitTls: true })
    session.take()
    session.say('EHLO a\r\n')
    expect(codes(session.say('MAIL FROM:<u@y> REQUIRETLS=1\r\n'))[0]).toMatch(/^5/)
  })
})
