/**
 * What kind of place an address is (N05), and which networks it is in.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isInNetwork, isLoopbackAddress, kindOfAddress, kindWhereAllowed, parseIp, parseIpNetwork } from '../../src/core/ip-address.ts'

const kindOf = (text: string) => {
  const ip = parseIp(text)
  return ip === null ? null : kindOfAddress(ip)
}

describe('the kind of an address', () => {
  it.each([
    ['192.0.2.1', 'public'],
    ['8.8.8.8', 'public'],
    ['2001:db8::1', 'public'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.255', 'loopback'],
    ['128.0.0.0', 'public'],
    ['0.0.0.0', 'loopback'],
    ['::', 'loopback'],
    ['::1', 'loopback'],
    ['::2', 'nowhere'],
    ['10.0.0.1', 'private'],
    ['172.15.255.255', 'public'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.168.1.1', 'private'],
    ['100.64.0.1', 'private'],
    ['169.254.169.254', 'private'],
    ['fe80::1', 'private'],
    ['fd00::1', 'private'],
    ['fec0::1', 'private'],
    ['224.0.0.1', 'nowhere'],
    ['255.255.255.255', 'nowhere'],
    ['ff02::1', 'nowhere'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:192.0.2.1', 'nowhere'],
    ['::ffff:7f00:1', 'loopback'],
    ['64:ff9b::192.0.2.1', 'public'],
    ['64:ff9b::7f00:1', 'loopback'],
    ['64:ff9b::10.0.0.1', 'private'],
  ])('%s is %s', (address, kind) => expect(kindOf(address)).toBe(kind))

  it.each(['', '1.2.3', '1.2.3.4.5', '010.0.0.1', '1.2.3.256', 'fe80::1%eth0', ':::', '1::2::3', 'mx.example.com', '[::1]'])('%j is no address', (text) =>
    expect(parseIp(text)).toBeNull(),
  )
})

describe('an allowed network', () => {
  const allowed = ['127.0.0.0/8', '10.0.0.0/8', '224.0.0.0/4'].map(parseIpNetwork)
  it.each([
    ['127.0.0.1', 'public'],
    ['10.1.2.3', 'public'],
    ['192.168.1.1', 'private'],
    ['::1', 'loopback'],
    ['8.8.8.8', 'public'],
    ['224.0.0.1', 'nowhere'],
  ])('makes %s %s', (address, kind) => {
    const ip = parseIp(address)
    expect(ip === null ? null : kindWhereAllowed(ip, allowed)).toBe(kind)
  })
})

describe('an address that only this machine can have', () => {
  it.each(['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1', '::ffff:7f09:1'])('is %s', (text) => expect(isLoopbackAddress(text)).toBe(true))
  it.each(['0.0.0.0', '::', '126.255.255.255', '128.0.0.1', '::2', '::ffff:128.0.0.1', '64:ff9b::7f00:1', '::1%lo', '127.1', 'localhost', ''])(
    'is not %j',
    (text) => expect(isLoopbackAddress(text)).toBe(false),
  )
})

describe('networks', () => {
  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.0.0.0', '10.0.0.0/8', false],
    ['10.1.2.3', '0.0.0.0/0', true],
    ['10.1.2.3', '::/0', false],
    ['2001:db8:1::5', '2001:db8:1::/48', true],
    ['2001:db8:2::5', '2001:db8:1::/48', false],
    ['192.0.2.1', '192.0.2.1', true],
  ])('%s in %s: %s', (address, network, is) => {
    const ip = parseIp(address)
    expect(ip !== null && isInNetwork(ip, parseIpNetwork(network))).toBe(is)
  })

  it.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'x/8', '::/129', ''])('%j is none', (text) => expect(() => parseIpNetwork(text)).toThrow(RangeError))

  it('hold exactly the addresses that share their prefix', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (a, b, bits) => {
        const number = (text: string) => text.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
        const same = Math.floor(number(a) / 2 ** (32 - bits)) === Math.floor(number(b) / 2 ** (32 - bits))
        const ip = parseIp(a)
        expect(ip !== null && isInNetwork(ip, parseIpNetwork(`${b}/${bits}`))).toBe(same)
      }),
    )
  })
})
