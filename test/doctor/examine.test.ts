import { describe, expect, it } from 'vitest'
import { examine } from '../../src/doctor/examine.ts'
import { CHECKS, formatDnsLine } from '../../src/doctor/finding.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { BY_RELAY, DIRECT_SENDER, examined, makeSubject, only } from './make-subject.ts'

describe('the doctor', () => {
  it('finds nothing wrong with a healthy server', async () => {
    const found = await examined(CHECKS)
    expect(found.filter(({ state }) => state !== 'ok').map(({ check, says }) => `${check}: ${says}`)).toEqual([
      'alignment: nothing was sent in the last day',
      'relay: no relay is configured',
    ])
    expect(new Set(found.map(({ check }) => check))).toEqual(new Set(CHECKS))
  })

  it('tells how many checks are left', async () => {
    const told: string[] = []
    await examine(makeSubject(), { names: ['disk', 'store'], clock: createFakeClock(), done: (name, left) => told.push(`${name} ${left}`) })
    expect(told.toSorted()).toEqual(expect.arrayContaining([expect.stringMatching(/ 1$/), expect.stringMatching(/ 0$/)]))
  })

  it('does not wait for a check for ever', async () => {
    const clock = createFakeClock()
    const silent = makeSubject({ parts: { probePort25: () => new Promise(() => undefined) } })
    const all = examine(silent, { names: ['port25'], clock, done: () => undefined })
    await clock.advance(60_000)
    expect(await all).toMatchObject([{ check: 'port25', state: 'skipped', says: 'no answer within 45 s' }])
  })

  it('says of a check that was asked for and finds nobody to ask that it was not made', async () => {
    const facts = { senders: [{ ...DIRECT_SENDER, departures: [] }], delivery: { direct: false, stays: true } }
    const nothing = { state: 'skipped', says: expect.stringContaining('nothing to examine') }
    expect(await examined(['spf', 'dmarc'], { facts })).toMatchObject([nothing, nothing])
    expect((await examined(['spf', 'disk'], { facts })).map(({ check }) => check)).toEqual(['disk'])
  })

  it('takes a check that breaks for a finding', async () => {
    const broken = { parts: { probePort25: () => Promise.reject(new Error('boom')) } }
    expect(await only('port25', broken)).toMatchObject({ state: 'skipped', says: 'the check itself failed: boom' })
  })
})

describe('our name', () => {
  it.each(['localhost', 'jira', 'jira.localdomain', 'jira.local'])('%s is not fully qualified', async (hostname) => {
    expect(await only('hostname', { facts: { hostname } })).toMatchObject({ state: 'fault', remedy: expect.stringContaining('config set hostname') })
  })

  it('must resolve, and the line to add is shown', async () => {
    const finding = await only('hostname', { zone: { 'A mail.example.com': [] } })
    expect(finding.state).toBe('fault')
    expect(finding.record && formatDnsLine(finding.record)).toBe('mail.example.com. A 192.0.2.1')
  })

  it('should resolve to the address that mail leaves from', async () => {
    expect(await only('hostname', { zone: { 'A mail.example.com': ['192.0.2.99'] } })).toMatchObject({ state: 'warning' })
  })

  it.each(['192.0.2.1', 'mail.invalid'])('%s is no name for others', async (hostname) => {
    expect(await only('hostname', { facts: { hostname } })).toMatchObject({ state: 'fault' })
  })

  it('is shown with a line for each address family', async () => {
    const egress = [
      { address: '192.0.2.1', family: 4, isPublic: true, heloName: 'mail.example.com' },
      { address: '2001:db8::1', family: 6, isPublic: true, heloName: 'mail.example.com' },
    ] as const
    const found = await examined(['hostname'], { facts: { egress }, zone: { 'A mail.example.com': [] } })
    expect(found.map(({ record }) => record && formatDnsLine(record))).toEqual(['mail.example.com. A 192.0.2.1', 'mail.example.com. AAAA 2001:db8::1'])
  })

  it('is compared by address, however that is written', async () => {
    const egress = [{ address: '2001:db8::1', family: 6, isPublic: true, heloName: 'mail.example.com' }] as const
    expect(await only('hostname', { facts: { egress }, zone: { 'AAAA mail.example.com': ['2001:DB8:0:0::1'] } })).toMatchObject({ state: 'ok' })
  })

  it('is no fault where a relay is what others see', async () => {
    expect(await only('hostname', { facts: { ...BY_RELAY, hostname: 'jira' } })).toMatchObject({ state: 'warning' })
    expect(await only('hostname', { facts: BY_RELAY, zone: { 'A mail.example.com': [] } })).toMatchObject({ state: 'warning', record: null })
    expect(await only('hostname', { facts: BY_RELAY, zone: { 'A mail.example.com': ['10.0.0.5'] } })).toMatchObject({ state: 'ok' })
  })

  it('is not blamed for a dead resolver', async () => {
    expect(await only('hostname', { zone: { 'A mail.example.com': 'SERVFAIL', 'AAAA mail.example.com': 'SERVFAIL' } })).toMatchObject({ state: 'skipped' })
  })
})

describe('PTR', () => {
  it('must be there', async () => {
    const finding = await only('ptr', { zone: { 'PTR 192.0.2.1': [] } })
    expect(finding.state).toBe('fault')
    expect(finding.record && formatDnsLine(finding.record)).toBe('1.2.0.192.in-addr.arpa. PTR mail.example.com.')
  })

  it('of an IPv6 address is nibbles', async () => {
    const egress = [{ address: '2001:db8::1', family: 6, isPublic: true, heloName: 'mail.example.com' }] as const
    const finding = await only('ptr', { facts: { egress } })
    expect(finding.record?.name).toBe('1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa')
  })

  it('must lead back to the address', async () => {
    expect(await only('ptr', { zone: { 'PTR 192.0.2.1': ['host1.isp.example'] } })).toMatchObject({ state: 'fault', says: expect.stringContaining('back') })
  })

  it('that is right wants an address record, not another PTR record', async () => {
    const finding = await only('ptr', { zone: { 'A mail.example.com': [] } })
    expect(finding.state).toBe('fault')
    expect(finding.record && formatDnsLine(finding.record)).toBe('mail.example.com. A 192.0.2.1')
  })

  it('is not blamed when the way back cannot be asked for', async () => {
    expect(await only('ptr', { zone: { 'A mail.example.com': 'SERVFAIL' } })).toMatchObject({ state: 'skipped' })
  })

  it('should be the name we say in EHLO', async () => {
    const zone = { 'PTR 192.0.2.1': ['host1.isp.example'], 'A host1.isp.example': ['192.0.2.1'] }
    expect(await only('ptr', { zone })).toMatchObject({ state: 'warning' })
  })

  it('is the relay’s affair when mail leaves through relays', async () => {
    expect(await only('ptr', { facts: BY_RELAY })).toMatchObject({ state: 'skipped' })
  })

  it('cannot be looked for behind NAT', async () => {
    const egress = [{ address: '10.0.0.5', family: 4, isPublic: false, heloName: 'mail.example.com' }] as const
    expect(await only('ptr', { facts: { egress } })).toMatchObject({ state: 'skipped', remedy: expect.stringContaining('--address') })
  })
})

describe('DKIM', () => {
  const at = 'TXT s1._domainkey.example.com'
  it.each([
    [['v=DKIM1; p=REVG'], 'fault', 'another one'],
    [['v=DKIM1; p='], 'fault', 'revoked'],
    [['v=DKIM1; t=y; p=QUJD'], 'warning', 't=y'],
    [['v=DKIM1; p=QU JD'], 'ok', 'the one we sign with'],
    [['hello'], 'fault', 'no DKIM key'],
    [['v=DKIM1; p=QUJD', 'v=DKIM1; p=REVG'], 'fault', 'several keys'],
    [[], 'fault', 'not published'],
  ])('record %j is %s', async (records, state, says) => {
    expect(await only('dkim', { zone: { [at]: records } })).toMatchObject({ state, says: expect.stringContaining(says) })
  })

  it('without a key is a warning that says how to make one', async () => {
    const senders = [{ ...DIRECT_SENDER, signed: false }]
    expect(await only('dkim', { facts: { keys: [], senders } })).toMatchObject({
      state: 'warning',
      remedy: expect.stringContaining('postern dkim create example.com'),
    })
  })
})

describe('keys', () => {
  it('that are all out of their time are a fault', async () => {
    expect(await only('dkim', { facts: { keys: [], keylessDomains: ['example.com'] } })).toMatchObject({
      state: 'fault',
      remedy: expect.stringContaining('rotate'),
    })
  })

  it('are not missed where a relay may sign', async () => {
    const [sender] = BY_RELAY.senders
    expect(await only('dkim', { facts: { ...BY_RELAY, keys: [], senders: [{ ...sender, signed: false }] } })).toMatchObject({ state: 'skipped' })
  })
})

describe('a sender domain', () => {
  it('with a null MX is a fault', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': ['0 '] } })).toMatchObject({ state: 'fault', says: expect.stringContaining('null MX') })
  })
  it('without MX and address is a fault', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': [] } })).toMatchObject({ state: 'fault' })
  })
  it('that stands in From only, as of reports, is warned of', async () => {
    const senders = [{ ...DIRECT_SENDER, domain: 'jira.example.com', inReversePath: false }]
    expect(await only('null-mx', { facts: { senders } })).toMatchObject({ state: 'warning', remedy: expect.stringContaining('dsn.from') })
  })
  it('is not blamed when one address family cannot be asked for', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': [], 'AAAA example.com': 'SERVFAIL' } })).toMatchObject({ state: 'skipped' })
  })
  it('without MX takes mail at its address', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': [], 'A example.com': ['192.0.2.9'] } })).toMatchObject({ state: 'ok' })
  })
})

describe('a DNS line', () => {
  it('splits texts longer than one string', () => {
    const line = formatDnsLine({ name: 's1._domainkey.example.com', type: 'TXT', value: 'a'.repeat(300) })
    expect(line).toBe(`s1._domainkey.example.com. TXT "${'a'.repeat(255)}" "${'a'.repeat(45)}"`)
  })
})
