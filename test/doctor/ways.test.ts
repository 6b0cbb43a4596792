import { describe, expect, it } from 'vitest'
import { BY_RELAY, examined, GOOGLE, makeSubject, only, REACHED } from './make-subject.ts'

const DAY = 24 * 3_600_000
const { now: NOW } = makeSubject().facts

describe('a relay', () => {
  const facts = BY_RELAY
  it('that takes the login over verified TLS is well', async () => {
    const parts = { probeRelay: () => Promise.resolve({ ...REACHED, login: 'jira' }) }
    expect(await only('relay', { facts, parts })).toMatchObject({
      group: 'relay google',
      state: 'ok',
      says: expect.stringContaining('login as jira is accepted'),
    })
  })
  it('that refuses the login is a fault of the login', async () => {
    const parts = { probeRelay: () => Promise.resolve({ kind: 'failed', phase: 'auth', reason: '535 5.7.8 no', greeting: null } as const) }
    expect(await only('relay', { facts, parts })).toMatchObject({ state: 'fault', remedy: expect.stringContaining('password') })
  })
  it('whose certificate is not trusted is a warning', async () => {
    const parts = { probeRelay: () => Promise.resolve({ ...REACHED, certificate: 'untrusted', certificateFault: 'CERT_HAS_EXPIRED' } as const) }
    expect(await only('relay', { facts, parts })).toMatchObject({ state: 'warning', says: expect.stringContaining('CERT_HAS_EXPIRED') })
  })
  it.each([
    ['weeks before its end', 90, 8, 'ok'],
    ['days before its end', 90, 6, 'warning'],
    ['days before its end, when it lives for days only', 6, 3, 'ok'],
    ['hours before its end', 6, 0.5, 'warning'],
  ])('whose certificate is %s', async (_, days, left, state) => {
    const until = NOW + left * DAY
    const reached = { ...REACHED, certificateTime: { from: until - days * DAY, until } }
    const found = await only('relay', { facts, parts: { probeRelay: () => Promise.resolve(reached) } })
    expect(found.state).toBe(state)
    if (state === 'warning') expect(found.says).toContain(`its certificate is good until ${new Date(until).toISOString().slice(0, 10)} only`)
  })
  it('without TLS is a warning, but not on this machine', async () => {
    const plain = { ...REACHED, tls: null, certificate: 'none' } as const
    expect(await only('relay', { facts, parts: { probeRelay: () => Promise.resolve(plain) } })).toMatchObject({ state: 'warning' })
    const here = { ...facts, relays: [{ ...GOOGLE, hosts: ['/run/dovecot/lmtp'], local: true }] }
    expect(await only('relay', { facts: here, parts: { probeRelay: () => Promise.resolve({ ...plain, address: '/run/dovecot/lmtp' }) } })).toMatchObject({
      state: 'ok',
    })
  })
})

describe('the way out', () => {
  it('is closed when port 25 cannot be reached', async () => {
    const parts = { probePort25: () => Promise.resolve({ kind: 'failed', phase: 'connect', reason: 'timed out after 30 s', greeting: null } as const) }
    expect(await only('port25', { parts })).toMatchObject({ state: 'fault', remedy: expect.stringContaining('block port 25') })
  })
  it('is open when the peer does not want to talk with us', async () => {
    const parts = { probePort25: () => Promise.resolve({ kind: 'failed', phase: 'greeting', reason: '554 blocked', greeting: '554 blocked' } as const) }
    expect(await only('port25', { parts })).toMatchObject({ state: 'warning', says: expect.stringContaining('is open') })
  })
  it('is tried at the mail server of a domain', async () => {
    const tried: string[] = []
    const probePort25 = (host: string) => {
      tried.push(host)
      return Promise.resolve(REACHED)
    }
    const zone = { 'MX example.net': ['20 backup.example.net', '10 mx1.example.net'] }
    expect(await only('port25', { facts: { port25Host: 'example.net' }, zone, parts: { probePort25 } })).toMatchObject({ state: 'ok' })
    expect(tried).toEqual(['mx1.example.net'])
  })
  it('is not asked for when nobody was chosen', async () => {
    expect(await only('port25', { facts: { port25Host: null } })).toMatchObject({ state: 'skipped' })
  })
})

describe('the resolver', () => {
  it('that answers nothing is a fault', async () => {
    const zone = { 'MX example.com': 'SERVFAIL', 'MX mail.example.com': 'SERVFAIL', 'MX arpa': 'SERVFAIL' } as const
    expect(await only('resolver', { zone })).toMatchObject({ state: 'fault' })
    expect(await only('resolver', { zone, facts: BY_RELAY })).toMatchObject({ state: 'warning' })
  })
  it('that fails for a domain of ours only is a fault of that domain', async () => {
    const found = await examined(['resolver'], { zone: { 'MX example.com': 'SERVFAIL' } })
    expect(found.map(({ state }) => state)).toEqual(['ok', 'fault'])
    expect(found[1]?.says).toContain('example.com cannot be looked up')
  })
  it('validates, if only the root of a signed zone shows it: our own domains need not be signed', async () => {
    const asked: string[] = []
    const { parts } = makeSubject({ dns: { validates: true, secure: true } })
    const unsigned = makeSubject({ dns: { validates: true, secure: false } }).parts.dns
    const mx = (name: string) => {
      asked.push(name)
      return name === 'arpa' ? parts.dns.mx(name) : unsigned.mx(name)
    }
    expect(await only('resolver', { parts: { dns: { ...unsigned, mx } } })).toMatchObject({ state: 'ok' })
    expect(asked).toContain('arpa')
  })
  it('that drops questions for TLSA makes mail wait', async () => {
    const found = await examined(['resolver'], { zone: { 'TLSA _25._tcp.arpa': 'SERVFAIL' } })
    expect(found.map(({ state }) => state)).toEqual(['ok', 'warning'])
    expect(found[1]?.says).toContain('TLSA')
  })
  it('whose word is not taken, because it is not here, is a warning that says so', async () => {
    expect(await only('resolver', { dns: { validates: false } })).toMatchObject({ state: 'warning', says: expect.stringContaining('loopback') })
  })
  it('that does not validate is a warning for direct delivery only', async () => {
    expect(await only('resolver', { dns: { validates: false }, facts: { validatingAsked: false } })).toMatchObject({ state: 'warning' })
    expect(await only('resolver', { dns: { validates: false }, facts: BY_RELAY })).toMatchObject({ state: 'ok' })
  })
  it('that should validate, but marks nothing, is a warning', async () => {
    expect(await only('resolver', { dns: { validates: true, secure: false } })).toMatchObject({ state: 'warning' })
  })
})

describe('the clock', () => {
  const telling = (date: string) => ({ parts: { probePort25: () => Promise.resolve({ ...REACHED, greeting: `220 mx.example.net ESMTP Exim 4.98 ${date}` }) } })
  it('is compared with the date in a greeting', async () => {
    expect(await only('clock', telling('Sun, 22 Nov 2026 13:00:20 +0100'))).toMatchObject({ state: 'ok' })
    expect(await only('clock', telling('Sun, 22 Nov 2026 11:00:00 +0000'))).toMatchObject({ state: 'fault', says: expect.stringContaining('3600 s ahead') })
  })
  it('counts as right when NTP sets it and nobody tells the time', async () => {
    expect(await only('clock')).toMatchObject({ state: 'ok' })
    expect(await only('clock', { facts: { clockSynchronised: false } })).toMatchObject({ state: 'warning' })
    expect(await only('clock', { facts: { clockSynchronised: null } })).toMatchObject({ state: 'skipped' })
  })
})
