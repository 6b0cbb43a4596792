/**
 * Who is one receiver, and who must not be taken for another.
 */
import { describe, expect, it } from 'vitest'
import type { UsableHost } from '../../src/transports/mx-policy.ts'
import { MxSites } from '../../src/transports/mx-sites.ts'

/** `10 mx.example=192.0.2.1,192.0.2.2`. */
function hosts(...texts: readonly string[]): readonly [UsableHost, ...UsableHost[]] {
  const [first, ...rest] = texts.map((text): UsableHost => {
    const [preference = '', name = '', addresses = ''] = text.split(/[ =]/)
    const [one = '', ...more] = addresses.split(',')
    return { preference: Number(preference), name, addresses: [one, ...more].map((address) => ({ address, family: 4 })) as unknown as UsableHost['addresses'] }
  })
  if (first === undefined) throw new Error('no host')
  return [first, ...rest]
}

describe('the name of a site', () => {
  it.each<[string, readonly string[], string]>([
    ['one host', ['10 mx.example.com=192.0.2.1'], 'mx.example.com'],
    ['only the best hosts count', ['10 mx.example.com=192.0.2.1', '20 backup.example=192.0.2.2'], 'mx.example.com'],
    ['hosts of one domain, in whatever order', ['10 mx2.example.com=192.0.2.2', '10 mx1.example.com=192.0.2.1'], 'mx1+mx2.example.com'],
    ['hosts of several domains', ['10 mx.b.example=192.0.2.2', '10 mx.a.example=192.0.2.1'], 'mx.a.example+mx.b.example'],
    ['a host and one below it', ['10 b.a.example=192.0.2.2', '10 a.example=192.0.2.1'], 'a.example+b.a.example'],
    ['Microsoft, by the zone', ['0 customer-com.mail.protection.outlook.com=192.0.2.1'], 'outlook.com'],
    ['Google, by the zone', ['1 aspmx.l.google.com=192.0.2.1', '1 aspmx2.googlemail.com=192.0.2.2'], 'google.com'],
    [
      'a provider beside a stranger is not the provider',
      ['1 aspmx.l.google.com=192.0.2.1', '1 mx.evil.example=192.0.2.2'],
      'aspmx.l.google.com+mx.evil.example',
    ],
    ['a name that only ends like a provider', ['1 evilgoogle.com=192.0.2.1'], 'evilgoogle.com'],
  ])('%s', (_, texts, site) => expect(new MxSites().siteOf('rcpt.example', hosts(...texts))).toBe(site))

  it('is the domain where the names are too long', () => {
    const long = Array.from({ length: 5 }, (_, i) => `10 ${'x'.repeat(50)}.h${i}.example=192.0.2.${i}`)
    expect(new MxSites().siteOf('rcpt.example', hosts(...long))).toBe('rcpt.example')
  })
})

describe('hosts that are one receiver', () => {
  it('share a site by exactly the same addresses', () => {
    const sites = new MxSites()
    expect(sites.siteOf('a.example', hosts('10 mx.a.example=192.0.2.1,192.0.2.2'))).toBe('mx.a.example')
    expect(sites.siteOf('b.example', hosts('10 mx.b.example=192.0.2.2,192.0.2.1'))).toBe('mx.a.example')
  })

  it('keep it while their addresses go round', () => {
    const sites = new MxSites()
    expect(sites.siteOf('a.example', hosts('10 mx.a.example=192.0.2.1'))).toBe('mx.a.example')
    expect(sites.siteOf('a.example', hosts('10 mx.a.example=192.0.2.7'))).toBe('mx.a.example')
  })
})

describe('a stranger', () => {
  it('who lists the address of another beside his own is not the other', () => {
    const sites = new MxSites()
    sites.siteOf('victim.example', hosts('10 mx.victim.example=192.0.2.1'))
    expect(sites.siteOf('evil.example', hosts('10 mx.evil.example=192.0.2.1,203.0.113.9'))).toBe('mx.evil.example')
  })

  it('who was there first with more addresses does not draw the other in', () => {
    const sites = new MxSites()
    sites.siteOf('evil.example', hosts('10 mx.evil.example=192.0.2.1,203.0.113.9'))
    expect(sites.siteOf('victim.example', hosts('10 mx.victim.example=192.0.2.1'))).toBe('mx.victim.example')
  })

  it('who was the same and goes elsewhere does not take the site along', () => {
    const sites = new MxSites()
    expect(sites.siteOf('evil.example', hosts('10 mx.evil.example=192.0.2.1'))).toBe('mx.evil.example')
    expect(sites.siteOf('victim.example', hosts('10 mx.victim.example=192.0.2.1'))).toBe('mx.evil.example')
    expect(sites.siteOf('evil.example', hosts('10 mx.evil.example=203.0.113.9'))).toBe('mx.evil.example[203.0.113.9]')
    expect(sites.siteOf('victim.example', hosts('10 mx.victim.example=192.0.2.1'))).toBe('mx.evil.example')
  })
})
