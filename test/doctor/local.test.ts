import { describe, expect, it } from 'vitest'
import { examined, only, type SubjectChanges } from './make-subject.ts'

const ROOT = { kind: 'goes', to: ['ops@example.com'] } as const

describe('the mail of root', () => {
  it('that somebody gets is well, and says who', async () => {
    expect(await only('local')).toMatchObject({ state: 'ok', says: "mail for root, such as cron's, goes to ops@example.com" })
  })
  it('that nobody gets is a warning that says why and what to do', async () => {
    const facts = { local: { domains: [], root: { kind: 'lost', why: 'it is not delivered to root' } as const } }
    expect(await only('local', { facts })).toMatchObject({
      state: 'warning',
      says: expect.stringContaining('it is not delivered to root'),
      remedy: expect.stringContaining('postern config set local.root'),
    })
  })
  it('that is refused because no domain is local is told, and no fault', async () => {
    expect(await only('local', { facts: { local: { domains: [], root: { kind: 'no-domain' } } } })).toMatchObject({ state: 'skipped' })
  })
})

describe('a local domain', () => {
  const facts = { local: { domains: ['localhost', '[127.0.0.1]', 'example.com'], root: ROOT } }
  const zone = { 'MX example.com': ['10 in.example.com'], 'A in.example.com': ['198.51.100.9'] }
  const states = async (subject: SubjectChanges) => (await examined(['local'], subject)).map(({ state }) => state)
  it('whose mail is taken elsewhere is a warning that names the server', async () => {
    const found = await examined(['local'], { facts, zone })
    expect(found.at(-1)).toMatchObject({ state: 'warning', says: expect.stringContaining('in.example.com'), remedy: expect.stringContaining('local.domains') })
  })
  it.each([
    ['without MX', { 'MX example.com': [] }],
    ['whose MX is this server by name', { 'MX example.com': ['10 Mail.example.com'] }],
    ['whose MX is this server by address', { ...zone, 'A in.example.com': ['192.0.2.1'] }],
  ])('%s is ours', async (_, table) => {
    expect(await states({ facts, zone: table })).toEqual(['ok'])
  })
  it('is not asked of anybody while nothing leaves the machine', async () => {
    expect(await states({ facts: { ...facts, delivery: { direct: false, stays: true } }, zone })).toEqual(['ok'])
  })
})
