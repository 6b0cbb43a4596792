import { describe, expect, it } from 'vitest'
import { checkName, mixCase, readName } from '../../../src/net/dns/names.ts'
import { serversOfResolvConf } from '../../../src/net/dns/resolv-conf.ts'

describe('a name to ask for', () => {
  it.each([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['_25._tcp.mx.example', '_25._tcp.mx.example'],
    ['1.0/25.2.0.192.in-addr.arpa', '1.0/25.2.0.192.in-addr.arpa'],
    ['localhost', 'localhost'],
  ])('%s is %s', (written, name) => expect(checkName(written)).toEqual({ kind: 'name', name }))
  it.each(['', '.', 'a..b', 'a.b..', 'a b', 'a\tb', 'a\\b', 'a\x7fb', `${'a'.repeat(64)}.b`, 'a.'.repeat(128)])('%j cannot be', (written) =>
    expect(checkName(written)).toEqual({ kind: 'impossible' }),
  )
  it('that is not in A-labels is our mistake, not that there is none', () => expect(checkName('bücher.example')).toEqual({ kind: 'not-ascii' }))
})

describe('the case of letters', () => {
  it('is one bit of chance each', () => {
    expect(mixCase('abcdefghij', Uint8Array.of(0b0000_0101, 0b10))).toBe('AbCdefghiJ')
    expect(mixCase('a1.b', Uint8Array.of(0xff))).toBe('A1.B')
  })
})

describe('a name on the wire', () => {
  it('may end in a pointer to one before it', () => {
    const bytes = Buffer.from('\x01a\x07example\x00\x01b\xc0\x02', 'latin1')
    expect(readName(bytes, 11)).toEqual({ name: 'b.example', end: 15 })
    expect(readName(bytes, 10)).toEqual({ name: '', end: 11 })
  })
  it('of 255 octets is read, of 256 is not', () => {
    const labels = (last: number) =>
      Buffer.concat([...[63, 63, 63, last].map((length) => Buffer.concat([Buffer.from([length]), Buffer.alloc(length, 'a')])), Buffer.alloc(1)])
    expect(readName(labels(61), 0).name).toHaveLength(253)
    expect(() => readName(labels(62), 0)).toThrow('too long')
  })
})

describe('resolv.conf', () => {
  const local = { address: '127.0.0.1', port: 53 }
  it('names servers, and nothing else that counts', () => {
    const text =
      '# x\nnameserver 192.0.2.1\n\tnameserver\t2001:db8::1 \nsearch example.com\noptions ndots:5\nnameserver dns.example\nnameserver fe80::1%eth0\n;nameserver 192.0.2.9\n'
    expect(serversOfResolvConf(text).map(({ address }) => address)).toEqual(['192.0.2.1', '2001:db8::1', 'fe80::1%eth0'])
  })
  it.each([null, '', 'search example.com\n', 'nameserver\n'])('%j means this machine', (text) => expect(serversOfResolvConf(text)).toEqual([local]))
  it('is not read without end', () => expect(serversOfResolvConf('nameserver 192.0.2.1\n'.repeat(100))).toHaveLength(8))
})
