import { describe, expect, it } from 'vitest'
import { BY_RELAY, DIRECT_SENDER, examined, GOOGLE, only } from './make-subject.ts'

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
    const facts = { ...BY_RELAY, relays: [{ ...GOOGLE, hosts: ['mail.corp.example'] }] }
    const zone = { 'A mail.corp.example': ['203.0.113.5'] }
    expect(await only('spf', { facts, zone })).toMatchObject({ state: 'warning' })
    expect(await only('spf', { facts, zone: { ...zone, 'TXT example.com': ['v=spf1 ip4:203.0.113.5 -all'] } })).toMatchObject({ state: 'ok' })
  })

  it('of the HELO name should let the address send', async () => {
    expect(await only('helo-spf', { zone: { 'TXT mail.example.com': [] } })).toMatchObject({ state: 'warning' })
    expect(await only('helo-spf', { zone: { 'TXT mail.example.com': ['v=spf1 -all'] } })).toMatchObject({ state: 'fault' })
  })

  it('of a sender domain that is the HELO name is told once, so that nobody pastes two records', async () => {
    const senders = ['example.com', 'mail.example.com'].map((domain) => ({ ...DIRECT_SENDER, domain }))
    const found = await examined(['spf', 'helo-spf'], { facts: { senders } })
    expect(found.map(({ check, group }) => `${check} ${group}`)).toEqual(['helo-spf server', 'spf example.com'])
  })

  it('that cannot be asked for is no fault of the domain', async () => {
    expect(await only('spf', { zone: { 'TXT example.com': 'SERVFAIL' } })).toMatchObject({ state: 'skipped' })
  })

  it('of the HELO name is completed, not replaced', async () => {
    const zone = { 'TXT mail.example.com': ['v=spf1 include:_spf.other.example -all'], 'TXT _spf.other.example': ['v=spf1 ip4:203.0.113.1 -all'] }
    expect(await only('helo-spf', { zone })).toMatchObject({ state: 'fault', record: { value: 'v=spf1 include:_spf.other.example ip4:192.0.2.1 -all' } })
  })

  it('of a HELO name that leads elsewhere lists the address itself', async () => {
    const zone = { 'TXT mail.example.com': [], 'A mail.example.com': ['203.0.113.9'] }
    expect((await only('helo-spf', { zone })).record?.value).toBe('v=spf1 a ip4:192.0.2.1 -all')
  })

  it('that is missing for a HELO name which sends mail itself is a fault', async () => {
    const facts = { senders: [{ ...DIRECT_SENDER, domain: 'mail.example.com' }] }
    expect(await examined(['helo-spf', 'spf'], { facts, zone: { 'TXT mail.example.com': [] } })).toMatchObject([{ check: 'helo-spf', state: 'fault' }])
  })

  it('of a domain that nobody uses as reverse-path is not asked for', async () => {
    const senders = [{ ...DIRECT_SENDER, domain: 'jira.example.com', inReversePath: false }]
    expect(await only('spf', { facts: { senders } })).toMatchObject({ group: 'server', state: 'skipped', remedy: expect.stringContaining('--domain') })
  })

  it('of a domain whose mail stays here is not asked for', async () => {
    const facts = { keys: [], senders: [{ ...DIRECT_SENDER, departures: [], signed: false }] }
    expect(await examined(['spf', 'dmarc', 'dkim', 'disk'], { facts })).toMatchObject([{ check: 'disk' }])
  })
})

describe('the SPF record that is proposed', () => {
  const SIX = { address: '2001:db8::1', family: 6, isPublic: true, heloName: 'mail.example.com' } as const
  const FOUR = { address: '192.0.2.1', family: 4, isPublic: true, heloName: 'mail.example.com' } as const

  it('is the same for both address families: a domain has one record', async () => {
    const found = await examined(['spf'], { facts: { egress: [FOUR, SIX] }, zone: { 'TXT example.com': ['v=spf1 mx -all'] } })
    expect(found.map(({ state, record }) => `${state} ${record?.value}`)).toEqual([
      'fault v=spf1 mx ip4:192.0.2.1 ip6:2001:db8::1 -all',
      'fault v=spf1 mx ip4:192.0.2.1 ip6:2001:db8::1 -all',
    ])
  })

  it('adds nothing that passes already', async () => {
    const [four, six] = await examined(['spf'], { facts: { egress: [FOUR, SIX] } })
    expect(four?.state).toBe('ok')
    expect(six?.record?.value).toBe('v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all')
  })

  it('holds every relay that a domain uses', async () => {
    const relays = [GOOGLE, { ...GOOGLE, name: 'office', hosts: ['smtp.office365.com'] }]
    const departures = relays.map(({ name }) => ({ kind: 'relay' as const, relay: name }))
    const facts = { ...BY_RELAY, relays, senders: [{ ...DIRECT_SENDER, departures }] }
    const found = await examined(['spf'], { facts, zone: { 'TXT example.com': ['v=spf1 -all'] } })
    expect(new Set(found.map(({ record }) => record?.value))).toEqual(new Set(['v=spf1 include:_spf.google.com include:spf.protection.outlook.com -all']))
  })

  it('keeps redirect= at its end', async () => {
    const zone = { 'TXT example.com': ['v=spf1 redirect=_spf.other.example'], 'TXT _spf.other.example': ['v=spf1 ip4:203.0.113.1 -all'] }
    expect((await only('spf', { zone })).record?.value).toBe('v=spf1 ip4:192.0.2.1 redirect=_spf.other.example')
  })

  it('goes to the front where an earlier mechanism says no', async () => {
    expect((await only('spf', { zone: { 'TXT example.com': ['v=spf1 -ip4:192.0.2.0/24 mx ~all'] } })).record?.value).toBe(
      'v=spf1 ip4:192.0.2.1 -ip4:192.0.2.0/24 mx ~all',
    )
  })

  it('is none where it would need more than ten look-ups', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `s${i}.example`)
    const zone = {
      'TXT example.com': [`v=spf1 ${names.map((name) => `include:${name}`).join(' ')} -all`],
      ...Object.fromEntries(names.map((name) => [`TXT ${name}`, ['v=spf1 ip4:198.51.100.1 -all']])),
    }
    expect(await only('spf', { facts: BY_RELAY, zone })).toMatchObject({ state: 'fault', record: null, remedy: expect.stringContaining('ten look-ups') })
  })

  it('is none for a record that is broken', async () => {
    expect(await only('spf', { zone: { 'TXT example.com': ['v=spf1 ip4:999 -all'] } })).toMatchObject({
      record: null,
      remedy: expect.stringContaining('Correct'),
    })
  })

  it('puts two records into one', async () => {
    const zone = { 'TXT example.com': ['v=spf1 mx -all', 'v=spf1 ip4:203.0.113.1 ~all'] }
    expect(await only('spf', { zone })).toMatchObject({ state: 'fault', record: { value: 'v=spf1 mx ip4:203.0.113.1 ip4:192.0.2.1 -all' } })
  })
})

describe('SPF of mail through a relay', () => {
  it.each([
    ['includes at one remove', ['v=spf1 include:_spf.example.com -all'], { 'TXT _spf.example.com': ['v=spf1 include:_spf.google.com ~all'] }],
    ['redirects', ['v=spf1 redirect=_spf.google.com'], {}],
    ['lists the addresses themselves', ['v=spf1 ip4:203.0.113.0/24 -all'], {}],
    ['asks with a macro', ['v=spf1 exists:%{i}._spf.example.com -all'], { 'A 203.0.113.0._spf.example.com': ['127.0.0.2'] }],
  ])('passes when the record %s', async (_, record, more) => {
    expect(await only('spf', { facts: BY_RELAY, zone: { ...more, 'TXT example.com': record } })).toMatchObject({ state: 'ok' })
  })

  it('is not judged by an include that cannot be looked up', async () => {
    const zone = { 'TXT _spf.google.com': 'SERVFAIL', 'TXT example.com': ['v=spf1 -all'] } as const
    expect(await only('spf', { facts: BY_RELAY, zone })).toMatchObject({ state: 'skipped' })
  })

  it('does not take another name for the include', async () => {
    expect(await only('spf', { facts: BY_RELAY, zone: { 'TXT example.com': ['v=spf1 include:not_spf.google.com -all'] } })).toMatchObject({ state: 'fault' })
  })

  it.each([['email-smtp.eu-west-1.amazonaws.com'], ['smtp.sendgrid.net'], ['smtp.postmarkapp.com'], ['smtp.mailgun.org']])(
    'is no fault with %s, which puts its own reverse-path',
    async (host) => {
      const facts = { ...BY_RELAY, relays: [{ ...GOOGLE, hosts: [host] }] }
      expect(await only('spf', { facts })).toMatchObject({ state: 'skipped', record: null })
    },
  )

  it('takes a server at Amazon for what it is', async () => {
    const facts = { ...BY_RELAY, relays: [{ ...GOOGLE, hosts: ['ec2-203-0-113-5.compute.amazonaws.com'] }] }
    const zone = { 'A ec2-203-0-113-5.compute.amazonaws.com': ['203.0.113.5'] }
    expect(await only('spf', { facts, zone })).toMatchObject({ state: 'warning', says: expect.stringContaining('203.0.113.5') })
  })

  it.each([
    ['10.0.0.5', 'skipped'],
    ['203.0.113.5', 'warning'],
    ['192.0.2.1', 'ok'],
  ])('through %s is %s', async (host, state) => {
    expect(await only('spf', { facts: { ...BY_RELAY, relays: [{ ...GOOGLE, hosts: [host] }] } })).toMatchObject({ state })
  })

  it('knows relays that have IPv6 only', async () => {
    const facts = { ...BY_RELAY, relays: [{ ...GOOGLE, hosts: ['six.example.net'] }] }
    const zone = { 'AAAA six.example.net': ['2001:db8::5'], 'TXT example.com': ['v=spf1 ip6:2001:db8::/32 -all'] }
    expect(await only('spf', { facts, zone })).toMatchObject({ state: 'ok' })
  })
})
