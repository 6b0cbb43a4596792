import { describe, expect, it } from 'vitest'
import { DIRECT_SENDER, examined, only } from './make-subject.ts'

describe('DMARC', () => {
  const zone = (records: readonly string[]) => ({ 'TXT _dmarc.example.com': records })
  it('is found above the domain', async () => {
    const senders = [{ ...DIRECT_SENDER, domain: 'app.example.com' }]
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

  it('that is broken is not to be replaced by another policy', async () => {
    expect(await only('dmarc', { zone: zone(['v=DMARC1; p=rejected; rua=mailto:a@example.com']) })).toMatchObject({ state: 'fault', record: null })
  })

  it('is wanted once for a domain and those below it, and so is a key', async () => {
    const senders = [
      { ...DIRECT_SENDER, domain: 'mail.example.com', signed: false },
      { ...DIRECT_SENDER, signed: false },
    ]
    const found = await examined(['dmarc', 'dkim'], { facts: { senders, keys: [] }, zone: zone([]) })
    expect(found.flatMap(({ record }) => (record === null ? [] : [record.name]))).toEqual(['_dmarc.example.com'])
    expect(found.filter(({ check }) => check === 'dkim').map(({ remedy }) => remedy?.split(': ')[1])).toEqual([
      'postern dkim create example.com',
      'postern dkim create example.com',
    ])
  })

  it('is not asked of a domain that stands in reverse-paths only', async () => {
    expect(await examined(['dmarc', 'dkim', 'disk'], { facts: { keys: [], senders: [{ ...DIRECT_SENDER, inFrom: false, signed: false }] } })).toMatchObject([
      { check: 'disk' },
    ])
  })

  it('is that of the organisation, with sp= for the domains below', async () => {
    const senders = [{ ...DIRECT_SENDER, domain: 'a.app.example.com' }]
    const records = { 'TXT _dmarc.app.example.com': ['v=DMARC1; p=none'], 'TXT _dmarc.example.com': ['v=DMARC1; p=none; sp=reject'] }
    expect((await only('dmarc', { facts: { senders }, zone: records })).says).toContain('policy is reject, from _dmarc.example.com')
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

  const app = (envelope: string, signedBy: readonly string[]) => ({ ...mail(envelope, signedBy), from: 'app.example.com' })
  it('belongs to the organisation above, even if the domain has a record of its own', async () => {
    const zone = { 'TXT _dmarc.app.example.com': ['v=DMARC1; p=reject'] }
    expect(await only('alignment', { facts: { sent: [app('bounce.example.com', [])] }, zone })).toMatchObject({ state: 'ok' })
  })

  it.each([
    ['psd=n', 'v=DMARC1; p=reject; psd=n', 'fault'],
    ['no psd', 'v=DMARC1; p=reject', 'ok'],
  ])('ends at a record with %s', async (_, record, state) => {
    const zone = { 'TXT _dmarc.app.example.com': [record] }
    expect(await only('alignment', { facts: { sent: [app('example.com', [])] }, zone })).toMatchObject({ state })
  })

  it('does not reach beyond a public suffix', async () => {
    const zone = { 'TXT _dmarc.example.com': ['v=DMARC1; p=reject; psd=y'] }
    expect(await only('alignment', { facts: { sent: [app('other.example.com', [])] }, zone })).toMatchObject({ state: 'fault' })
  })

  it('of a bare host name cannot be mended by a key', async () => {
    const sent = [{ ...mail(null, []), from: 'vm' }]
    expect(await only('alignment', { facts: { sent } })).toMatchObject({ state: 'warning', remedy: expect.stringMatching(/^No receiver knows this name: /) })
  })

  it('may be signed by a relay, which we cannot see', async () => {
    const sent = [{ ...mail('elsewhere.example', []), departure: { kind: 'relay', relay: 'ses' } as const }]
    expect(await only('alignment', { facts: { sent } })).toMatchObject({ state: 'warning', says: expect.stringContaining('relay ses may sign') })
  })
})
