import { describe, expect, it } from 'vitest'
import type { StsFetch } from '../../src/ports/sts-fetcher.ts'
import { MtaSts } from '../../src/tls/mta-sts.ts'
import { createFakeClock, turnEventLoop } from '../support/fake-clock.ts'
import { SILENT_JOURNAL } from '../support/silent-journal.ts'
import { none, publishDns, records, SERVFAIL } from './published-dns.ts'

const text = (mode: string, options: { readonly maxAge?: number; readonly mx?: string } = {}): StsFetch => ({
  kind: 'text',
  text: `version: STSv1\nmode: ${mode}\nmx: ${options.mx ?? 'mx.example.test'}\nmax_age: ${options.maxAge ?? 604_800}\n`,
})
const FAULT: StsFetch = { kind: 'fault', name: 'sts-webpki-invalid', detail: 'the certificate is not for mta-sts.example.test' }
const DAY = 86_400_000

function rig(kept: { text: string | null } = { text: null }) {
  const clock = createFakeClock()
  const dns = publishDns()
  const fetched: string[] = []
  const server: { answer: (domain: string) => StsFetch | Promise<StsFetch> } = { answer: () => text('enforce') }
  const notes: string[] = []
  const sts = new MtaSts({
    resolver: dns,
    clock,
    fetcher: {
      fetch: (domain) => {
        fetched.push(domain)
        return Promise.resolve(server.answer(domain))
      },
    },
    kept: {
      read: () => Promise.resolve(kept.text),
      write: (written) => {
        kept.text = written
        return Promise.resolve()
      },
    },
    journal: { ...SILENT_JOURNAL, note: (_subsystem, level, note) => void notes.push(`${level} ${note}`) },
  })
  const announce = (id: string | null, domain = 'example.test') => dns.txts.set(`_mta-sts.${domain}`, id === null ? none() : records([`v=STSv1; id=${id};`]))
  const mode = async (domain = 'example.test') => {
    const answer = await sts.policyOf(domain)
    return answer.kind === 'policy' ? answer.policy.mode : `none ${answer.fault?.name ?? ''}`.trimEnd()
  }
  return { clock, dns, fetched, server, notes, sts, announce, mode, kept }
}

describe('a domain that was never asked before', () => {
  it('without a record has no policy, and nobody is dialled', async () => {
    const { mode, fetched } = rig()
    expect(await mode()).toBe('none')
    expect(fetched).toEqual([])
  })
  it('with a record has the policy that is fetched', async () => {
    const { mode, fetched, announce } = rig()
    announce('1')
    expect([await mode(), await mode()]).toEqual(['enforce', 'enforce'])
    expect(fetched).toEqual(['example.test'])
  })
  it('whose policy cannot be had has none, and is asked again after minutes', async () => {
    const { mode, fetched, announce, server, clock, notes } = rig()
    announce('1')
    server.answer = () => FAULT
    expect([await mode(), await mode()]).toEqual(['none sts-webpki-invalid', 'none sts-webpki-invalid'])
    expect(fetched).toHaveLength(1)
    expect(notes).toHaveLength(1)
    server.answer = () => text('enforce')
    await clock.advance(5 * 60_000)
    expect(await mode()).toBe('enforce')
  })
  it.each([
    ['an unknown mode', text('report')],
    ['a damaged text', { kind: 'text', text: '<html>' } as const],
  ])('whose policy has %s has none', async (_, answer) => {
    const { mode, announce, server } = rig()
    announce('1')
    server.answer = () => answer
    expect(await mode()).toBe('none sts-policy-invalid')
  })
  it('is fetched once, however many ask', async () => {
    const { mode, fetched, announce } = rig()
    announce('1')
    expect(await Promise.all([mode(), mode(), mode()])).toEqual(['enforce', 'enforce', 'enforce'])
    expect(fetched).toHaveLength(1)
  })
  it('keeps nobody else waiting while its server is silent', async () => {
    const { mode, announce, server } = rig()
    announce('1')
    announce('1', 'other.test')
    const silence = Promise.withResolvers<StsFetch>()
    server.answer = (domain) => (domain === 'example.test' ? silence.promise : text('testing'))
    const slow = mode()
    expect(await mode('other.test')).toBe('testing')
    silence.resolve(text('enforce'))
    expect(await slow).toBe('enforce')
  })
})

describe('a policy that is known', () => {
  it.each([
    ['the record is gone', (one: ReturnType<typeof rig>) => one.announce(null)],
    ['the record cannot be looked up', (one: ReturnType<typeof rig>) => one.dns.txts.set('_mta-sts.example.test', SERVFAIL)],
    ['there are two records', (one: ReturnType<typeof rig>) => one.dns.txts.set('_mta-sts.example.test', records(['v=STSv1; id=8', 'v=STSv1; id=9']))],
    [
      'the record is new and the server is down',
      (one: ReturnType<typeof rig>) => {
        one.announce('2')
        one.server.answer = () => FAULT
      },
    ],
    [
      'the record is new and the policy is damaged',
      (one: ReturnType<typeof rig>) => {
        one.announce('2')
        one.server.answer = () => text('off')
      },
    ],
  ])('binds although %s, until it expires', async (_, change) => {
    const one = rig()
    one.announce('1')
    expect(await one.mode()).toBe('enforce')
    change(one)
    expect(await one.mode()).toBe('enforce')
    await one.clock.advance(7 * DAY - 1_000)
    expect(await one.mode()).toBe('enforce')
    await one.clock.advance(2_000)
    expect(await one.mode()).toMatch(/^none/)
  })
  it('is replaced when the id changes', async () => {
    const { mode, announce, server, fetched } = rig()
    announce('1')
    await mode()
    server.answer = () => text('testing')
    expect(await mode()).toBe('enforce')
    announce('2')
    expect(await mode()).toBe('testing')
    expect(fetched).toHaveLength(2)
  })
  it('serves while a new one is slow to come, and no longer than seconds', async () => {
    const { mode, announce, server, clock } = rig()
    announce('1')
    await mode()
    const slow = Promise.withResolvers<StsFetch>()
    server.answer = () => slow.promise
    announce('2')
    const waiting = mode()
    await clock.advance(10_000)
    expect(await waiting).toBe('enforce')
    slow.resolve(text('none'))
    await turnEventLoop()
    expect(await mode()).toBe('none')
  })
  it('that gets old is fetched again behind the mail that asked', async () => {
    const { mode, announce, clock, fetched } = rig()
    announce('1')
    await mode()
    await clock.advance(DAY + 1)
    expect(await mode()).toBe('enforce')
    expect(fetched).toHaveLength(2)
    // Fetched again, its life begins anew.
    await clock.advance(7 * DAY - 1)
    expect(await mode()).toBe('enforce')
  })
  it('of a domain that gets no mail stays fresh, too', async () => {
    const { mode, announce, clock, fetched, sts } = rig()
    sts.start()
    announce('1')
    await mode()
    await clock.advance(DAY + 3_600_000)
    await turnEventLoop()
    expect(fetched).toHaveLength(2)
    await sts.stop()
    expect(clock.pending).toBe(0)
  })
  it('with max_age 0 counts for the mail that asked, and is not kept', async () => {
    const { mode, announce, server, fetched } = rig()
    announce('1')
    server.answer = () => text('enforce', { maxAge: 0 })
    expect([await mode(), await mode()]).toEqual(['enforce', 'enforce'])
    expect(fetched).toHaveLength(2)
  })
})

describe('a restart', () => {
  it('forgets no policy', async () => {
    const before = rig()
    before.announce('1')
    await before.mode()
    await before.sts.stop()
    const after = rig(before.kept)
    expect(await after.mode()).toBe('enforce')
    expect(after.fetched).toEqual([])
  })
  it('writes down a policy a second after it was fetched', async () => {
    const { announce, mode, clock, kept } = rig()
    announce('1')
    await mode()
    await clock.advance(1_000)
    expect(kept.text).toContain('mode: enforce')
  })
  it('with a damaged text fetches anew, and says so', async () => {
    const { announce, mode, notes, fetched } = rig({ text: '{"format":1,"policies":[{"domain"' })
    announce('1')
    expect(await mode()).toBe('enforce')
    expect(fetched).toHaveLength(1)
    expect(notes.join()).toContain('cannot be read')
  })
})
