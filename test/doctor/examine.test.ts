import { describe, expect, it } from 'vitest'
import { examine } from '../../src/doctor/examine.ts'
import { CHECKS, type CheckName, type Finding, formatDnsLine } from '../../src/doctor/finding.ts'
import { createFakeClock } from '../support/fake-clock.ts'
import { makeSubject, REACHED, type SubjectChanges } from './make-subject.ts'

async function examined(names: readonly CheckName[], changes: SubjectChanges = {}): Promise<readonly Finding[]> {
  return examine(makeSubject(changes), { names, clock: createFakeClock(), done: () => undefined })
}

async function only(name: CheckName, changes: SubjectChanges = {}): Promise<Finding> {
  const [finding, ...more] = await examined([name], changes)
  if (finding === undefined || more.length > 0) throw new Error(`not one finding: ${JSON.stringify([finding, ...more])}`)
  return finding
}

const RELAY = { name: 'google', hosts: ['smtp-relay.gmail.com'], logins: ['jira'], local: false }
const BY_RELAY: SubjectChanges['facts'] = {
  delivery: { direct: false, captureOnly: false },
  relays: [RELAY],
  senders: [{ domain: 'example.com', origin: 'configured', departures: [{ kind: 'relay', relay: 'google' }], signed: true }],
}

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

describe('SPF', () => {
  it('that does not list our address is a fault, and the record is completed, not replaced', async () => {
    const finding = await only('spf', { zone: { 'TXT example.com': ['v=spf1 include:_spf.other.example mx -all'], 'TXT _spf.other.example': ['v=spf1 -all'] } })
    expect(finding.state).toBe('fault')
    expect(finding.record?.value).toBe('v=spf1 include:_spf.other.example mx ip4:192.0.2.1 -all')
  })

  it('that is missing is a fault', async () => {
    expect(await only('spf', { zone: { 'TXT example.com': ['nothing'] } })).toMatchObject({ state: 'fault', record: { value: 'v=spf1 ip4:192.0.2.1 ~all' } })
  })

  it('twice counts as none', async () => {
    expect(await only('spf', { zone: { 'TXT example.com': ['v=spf1 -all', 'v=spf1 mx -all'] } })).toMatchObject({ state: 'fault' })
  })

  it('that is broken is told', async () => {
    expect(await only('spf', { zone: { 'TXT example.com': ['v=spf1 ip4:999 -all'] } })).toMatchObject({
      state: 'fault',
      says: expect.stringContaining('broken'),
    })
  })

  it('of a domain that uses a relay wants the include of its provider, not our address', async () => {
    const finding = await only('spf', { facts: BY_RELAY })
    expect(finding).toMatchObject({ state: 'fault', record: { value: 'v=spf1 ip4:192.0.2.1 include:_spf.google.com -all' } })
    const zone = { 'TXT example.com': ['v=spf1 include:_spf.google.com ~all'] }
    expect(await only('spf', { facts: BY_RELAY, zone })).toMatchObject({ state: 'ok' })
  })

  it('of a domain that uses an unknown relay is compared with the relay’s address', async () => {
    const facts = { ...BY_RELAY, relays: [{ ...RELAY, hosts: ['mail.corp.example'] }] }
    const zone = { 'A mail.corp.example': ['203.0.113.5'] }
    expect(await only('spf', { facts, zone })).toMatchObject({ state: 'warning' })
    expect(await only('spf', { facts, zone: { ...zone, 'TXT example.com': ['v=spf1 ip4:203.0.113.5 -all'] } })).toMatchObject({ state: 'ok' })
  })

  it('of the HELO name should let the address send', async () => {
    expect(await only('helo-spf', { zone: { 'TXT mail.example.com': [] } })).toMatchObject({ state: 'warning' })
    expect(await only('helo-spf', { zone: { 'TXT mail.example.com': ['v=spf1 -all'] } })).toMatchObject({ state: 'fault' })
  })

  it('of a sender domain that is the HELO name is told once, so that nobody pastes two records', async () => {
    const senders = ['example.com', 'mail.example.com'].map((domain) => ({
      domain,
      origin: 'configured' as const,
      departures: [{ kind: 'direct' as const, relay: '' }],
      signed: true,
    }))
    const found = await examined(['spf', 'helo-spf'], { facts: { senders } })
    expect(found.map(({ check, group }) => `${check} ${group}`)).toEqual(['helo-spf server', 'spf example.com'])
  })

  it('that cannot be asked for is no fault of the domain', async () => {
    expect(await only('spf', { zone: { 'TXT example.com': 'SERVFAIL' } })).toMatchObject({ state: 'skipped' })
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
    const senders = [{ domain: 'example.com', origin: 'configured', departures: [], signed: false }] as const
    expect(await only('dkim', { facts: { keys: [], senders } })).toMatchObject({
      state: 'warning',
      remedy: expect.stringContaining('postern dkim create example.com'),
    })
  })
})

describe('DMARC', () => {
  const zone = (records: readonly string[]) => ({ 'TXT _dmarc.example.com': records })
  it('is found above the domain', async () => {
    const senders = [{ domain: 'app.example.com', origin: 'sent', departures: [], signed: true }] as const
    expect(await only('dmarc', { facts: { senders } })).toMatchObject({ state: 'ok', says: expect.stringContaining('from _dmarc.example.com') })
  })

  it.each([
    [[], 'warning'],
    [['v=DMARC1; p=none', 'v=DMARC1; p=reject'], 'fault'],
    [['v=DMARC1; p=maybe'], 'fault'],
    [['v=DMARC1; rua=mailto:a@example.com'], 'ok'],
    [['v=DMARC10; p=none'], 'warning'],
  ])('%j is %s', async (records, state) => {
    expect(await only('dmarc', { zone: zone(records) })).toMatchObject({ state })
  })
})

describe('what was sent in the last day', () => {
  const mail = (envelope: string | null, signedBy: readonly string[]) => ({
    from: 'example.com',
    envelope,
    signedBy,
    departure: { kind: 'direct', relay: '' } as const,
    messages: 7,
  })
  it.each([
    ['an aligned reverse-path', mail('bounce.example.com', []), 'ok'],
    ['an aligned signature', mail('elsewhere.example', ['example.com']), 'ok'],
    ['neither', mail('elsewhere.example', ['elsewhere.example']), 'fault'],
    ['the null reverse-path and no signature', mail(null, []), 'fault'],
  ])('with %s', async (_, sent, state) => {
    expect(await only('alignment', { facts: { sent: [sent] } })).toMatchObject({ state, group: 'example.com' })
  })

  it('is only a warning under p=none, and strict when the policy says so', async () => {
    const facts = { sent: [mail('bounce.example.com', [])] }
    expect(await only('alignment', { facts, zone: { 'TXT _dmarc.example.com': ['v=DMARC1; p=none; aspf=s'] } })).toMatchObject({ state: 'warning' })
  })

  it('is not known without a server', async () => {
    expect(await only('alignment', { facts: { sent: null } })).toMatchObject({ state: 'skipped' })
  })
})

describe('a sender domain', () => {
  it('with a null MX is a fault', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': ['0 '] } })).toMatchObject({ state: 'fault', says: expect.stringContaining('null MX') })
  })
  it('without MX and address is a fault', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': [] } })).toMatchObject({ state: 'fault' })
  })
  it('without MX takes mail at its address', async () => {
    expect(await only('null-mx', { zone: { 'MX example.com': [], 'A example.com': ['192.0.2.9'] } })).toMatchObject({ state: 'ok' })
  })
})

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
  it('without TLS is a warning, but not on this machine', async () => {
    const plain = { ...REACHED, tls: null, certificate: 'none' } as const
    expect(await only('relay', { facts, parts: { probeRelay: () => Promise.resolve(plain) } })).toMatchObject({ state: 'warning' })
    expect(await only('relay', { facts, parts: { probeRelay: () => Promise.resolve({ ...plain, address: '127.0.0.1' }) } })).toMatchObject({ state: 'ok' })
  })
})

describe('the way out', () => {
  it('is closed when port 25 cannot be reached', async () => {
    const parts = { probePort25: () => Promise.resolve({ kind: 'failed', phase: 'connect', reason: 'timed out after 30 s', greeting: null } as const) }
    expect(await only('port25', { parts })).toMatchObject({ state: 'fault', remedy: expect.stringContaining('block port 25') })
  })
  it('is not asked for when nobody was chosen', async () => {
    expect(await only('port25', { facts: { port25Host: null } })).toMatchObject({ state: 'skipped' })
  })
})

describe('the resolver', () => {
  it('that answers nothing is a fault', async () => {
    const zone = { 'MX example.com': 'SERVFAIL', 'MX mail.example.com': 'SERVFAIL' } as const
    expect(await only('resolver', { zone })).toMatchObject({ state: 'fault' })
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

describe('the machine', () => {
  const storage = makeSubject().facts.storage
  if (storage === null) throw new Error('the healthy server has a store')
  it.each([
    ['nfs4', 'network file system'],
    ['overlay', 'container'],
    ['tmpfs', 'restarts'],
  ])('must not keep the queue on %s', async (fileSystem, says) => {
    expect(await only('store', { facts: { storage: { ...storage, fileSystem } } })).toMatchObject({ state: 'fault', says: expect.stringContaining(says) })
  })
  it('must let the queue be written', async () => {
    expect(await only('store', { facts: { storage: { ...storage, writeFault: 'EACCES' } } })).toMatchObject({ state: 'fault' })
  })
  it('should not be mounted unsafely', async () => {
    expect(await only('store', { facts: { storage: { ...storage, mountOptions: ['rw', 'nobarrier'] } } })).toMatchObject({ state: 'warning' })
  })
  it.each([
    [{ freeOctets: 10e6 }, 'fault'],
    [{ freeOctets: 900e6 }, 'warning'],
    [{ freeInodes: 3 }, 'fault'],
    [{ freeInodes: 0, totalInodes: 0 }, 'ok'],
  ])('with %j free is %s', async (change, state) => {
    expect(await only('disk', { facts: { storage: { ...storage, ...change } } })).toMatchObject({ state })
  })
  it('should allow enough open files', async () => {
    expect(await only('open-files', { facts: { openFiles: { limit: 1024, wanted: 2000 } } })).toMatchObject({ state: 'warning' })
  })
  it('must not relay for everybody', async () => {
    const listeners = [{ url: 'smtp://0.0.0.0:25', loopback: false, requireAuth: false }]
    expect(await only('listener', { facts: { listeners, networks: ['0.0.0.0/0'] } })).toMatchObject({ state: 'fault' })
    expect(await only('listener', { facts: { listeners, networks: ['127.0.0.0/8', '10.0.0.0/8'] } })).toMatchObject({
      state: 'warning',
      says: expect.stringContaining('10.0.0.0/8'),
    })
  })
  it('passes on what the configuration warns of', async () => {
    expect(await only('configuration', { facts: { configWarnings: [{ text: 'odd', remedy: 'Mend it.' }] } })).toMatchObject({ state: 'warning', says: 'odd' })
  })
})

describe('a DNS line', () => {
  it('splits texts longer than one string', () => {
    const line = formatDnsLine({ name: 's1._domainkey.example.com', type: 'TXT', value: 'a'.repeat(300) })
    expect(line).toBe(`s1._domainkey.example.com. TXT "${'a'.repeat(255)}" "${'a'.repeat(45)}"`)
  })
})
