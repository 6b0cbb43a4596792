import { describe, expect, it } from 'vitest'
import { clientKey, compileNetworks, normalizeAddress, parseNetwork } from '../../src/intake/client-address.ts'

describe('normalizeAddress', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['127.0.0.1', '127.0.0.1'],
    ['::ffff:127.0.0.1', '127.0.0.1'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
    ['::ffff:zzz', '::ffff:zzz'],
  ]
  it.each(cases)('reads %s as %s', (address, expected) => {
    expect(normalizeAddress(address)).toBe(expected)
  })
})

describe('compileNetworks', () => {
  const inside: readonly (readonly [string, string])[] = [
    ['127.0.0.0/8', '127.255.255.255'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.0/31', '192.0.2.1'],
    ['0.0.0.0/0', '203.0.113.9'],
    ['::1', '::1'],
    ['2001:db8::/32', '2001:db8:ffff::1'],
    ['fe80::/10', 'fe80::1'],
    ['::/0', '2001:db8::1'],
  ]
  it.each(inside)('%s holds %s', (network, address) => {
    expect(compileNetworks([network])(address)).toBe(true)
  })
  const outside: readonly (readonly [string, string])[] = [
    ['127.0.0.0/8', '128.0.0.1'],
    ['192.0.2.0/31', '192.0.2.2'],
    ['10.0.0.0/8', '1.0.0.0'],
    ['::1', '::2'],
    ['2001:db8::/32', '2001:db9::1'],
    ['127.0.0.0/8', '::1'],
    ['127.0.0.0/8', 'localhost'],
    ['127.0.0.0/8', ''],
  ]
  it.each(outside)('%s does not hold %s', (network, address) => {
    expect(compileNetworks([network])(address)).toBe(false)
  })
  it('holds nobody when there is no network', () => {
    expect(compileNetworks([])('127.0.0.1')).toBe(false)
  })

  it.each([
    '127.0.0.1/8',
    '192.0.2.1/31',
    '2001:db8::1/32',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/8x',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0/8',
    '10.0.0.0/8/8',
    'fe80::1%eth0',
    'localhost',
    '',
    '010.0.0.0/8',
    '0x7f.0.0.1',
  ])('is an error for %s, and never matches nothing or everything by accident', (network) => {
    expect(() => compileNetworks([network])).toThrow(RangeError)
  })
  it('reads IPv6 that ends in IPv4', () => {
    expect(parseNetwork('::ffff:0.0.0.0/96')).toEqual({ address: '::ffff:0.0.0.0', family: 'ipv6', prefixBits: 96 })
  })
})

describe('clientKey', () => {
  it('counts each IPv4 address alone and each IPv6 /64 together', () => {
    expect(clientKey('192.0.2.7')).toBe('192.0.2.7')
    expect(clientKey('2001:db8:1:2::7')).toBe(clientKey('2001:0db8:1:2:ffff::9'))
    expect(clientKey('2001:db8:1:2::7')).not.toBe(clientKey('2001:db8:1:3::7'))
  })
})
