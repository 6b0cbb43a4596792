import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bareHost, formatMailbox, formatReversePath, isIpv4, isIpv6, parseMailbox, parsePath, parseReversePath, sameMailbox } from '../../src/core/address.ts'

function shown(text: string, smtputf8 = false): string | null {
  const mailbox = parseMailbox(text, { smtputf8 })
  return mailbox === null ? null : formatMailbox(mailbox)
}

describe('parseMailbox', () => {
  const accepted: readonly (readonly [input: string, output: string])[] = [
    ['u@ext', 'u@ext'],
    ['u@EXT', 'u@ext'],
    ['John.Doe@Example.COM', 'John.Doe@example.com'],
    ["!#$%&'*+-/=?^_`{|}~@y", "!#$%&'*+-/=?^_`{|}~@y"],
    ['u%ext@local', 'u%ext@local'],
    ['ext!u@local', 'ext!u@local'],
    ['"u@ext"@local', '"u@ext"@local'],
    ['"u%ext"@local', 'u%ext@local'],
    ['"a b"@y', '"a b"@y'],
    ['"a\\"b"@y', '"a\\"b"@y'],
    ['"a\\\\b"@y', '"a\\\\b"@y'],
    ['"\\a"@y', 'a@y'],
    ['"John.Doe"@y', 'John.Doe@y'],
    ['""@y', '""@y'],
    ['"a..b"@y', '"a..b"@y'],
    ['u@[192.0.2.1]', 'u@[192.0.2.1]'],
    ['u@[IPv6:::1]', 'u@[IPv6:::1]'],
    ['u@[ipv6:2001:DB8::A]', 'u@[IPv6:2001:db8::a]'],
    ['u@[IPv6:::ffff:127.0.0.1]', 'u@[IPv6:::ffff:127.0.0.1]'],
    ['=?utf-8?q?u=40ext=3E?=@local', '=?utf-8?q?u=40ext=3E?=@local'],
    ['u@xn--bcher-kva.example', 'u@xn--bcher-kva.example'],
    ['root@my_app_1', 'root@my_app_1'],
    ['u@1.2.3.4', 'u@1.2.3.4'],
    [`${'a'.repeat(64)}@y`, `${'a'.repeat(64)}@y`],
    [`u@${'a'.repeat(63)}.y`, `u@${'a'.repeat(63)}.y`],
  ]
  it.each(accepted)('takes %s', (input, output) => {
    expect(shown(input)).toBe(output)
  })

  const refused = [
    '',
    '@',
    'u',
    'u@',
    '@y',
    '<>',
    'u%ext',
    'ext!u',
    '"u@ext"',
    'u@ext@local',
    'u@ext.',
    'u@.ext',
    'u@a..b',
    'u @ext',
    'u@ ext',
    ' u@ext',
    'u@ext ',
    '<u@ext>',
    '<<u@ext>>',
    'u@ext,u@local',
    'u@ext\0@local',
    'u\0@ext',
    'u(@local)@ext',
    'u@local(c)@ext',
    'u@local(c)',
    '.u@y',
    'u.@y',
    'u..v@y',
    'Postmaster@',
    'u@-y',
    'u@y-',
    'u@[ext-ip]',
    'u@[1.2.3]',
    'u@[1.2.3.256]',
    'u@[1.2.3.04]',
    'u@[1.2.3.4',
    'u@[IPv6:1::2::3]',
    'u@[IPv6:12345::]',
    'u@[IPv6:1:2:3:4:5:6:7]',
    'u@[x:y]',
    'u@[]',
    'u\r@y',
    'u\n@y',
    'u\t@y',
    'u@y\r\nRCPT TO:<z@y>',
    '"a\r\nb"@y',
    '"a\0b"@y',
    '"a"b"@y',
    '"a\\"@y',
    '"a@y',
    'a"b"@y',
    'u@y\x7f',
    'ü@y',
    'u@bücher.example',
    'a@b\u2028c',
    `${'a'.repeat(65)}@y`,
    `u@${'a'.repeat(64)}.y`,
    `${'a'.repeat(1000)}@y`,
    `u@${'a.'.repeat(127)}aa`,
  ]
  it.each(refused)('refuses %j', (input) => {
    expect(shown(input)).toBeNull()
  })

  it('takes letters outside ASCII only when told so, and never what hides or splits', () => {
    expect(shown('ü@y')).toBeNull()
    expect(shown('ü@Bücher.example', true)).toBe('ü@bücher.example')
    expect(shown('"ü b"@y', true)).toBe('"ü b"@y')
    expect(shown('u@例え.テスト', true)).toBe('u@例え.テスト')
    for (const hidden of ['\u2028', '\u2029', '\u0085', '\u00a0', '\u200b', '\u202e', '\u3002', '\uff0e', '\uff61', '\uff20', '\ud800', '\ufeff']) {
      expect(shown(`u${hidden}v@y`, true), JSON.stringify(hidden)).toBeNull()
      expect(shown(`u@y${hidden}z`, true), JSON.stringify(hidden)).toBeNull()
    }
  })

  it('counts octets, not letters', () => {
    expect(shown(`${'ü'.repeat(32)}@y`, true)).not.toBeNull()
    expect(shown(`${'ü'.repeat(33)}@y`, true)).toBeNull()
    expect(shown(`u@${'ü'.repeat(32)}.example`, true)).toBeNull()
  })

  it('gives back what it takes: parsing its own output changes nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), fc.constantFrom('y', 'Y.example', '[192.0.2.1]', 'ü.example'), (local, domain) => {
        for (const text of [`${local}@${domain}`, `"${local}"@${domain}`]) {
          const first = parseMailbox(text, { smtputf8: true })
          if (first === null) continue
          const second = parseMailbox(formatMailbox(first), { smtputf8: true })
          expect(second).toEqual(first)
          expect(formatMailbox(first)).not.toMatch(/[\0-\x1f\x7f]/)
        }
      }),
    )
  })

  it('stays linear on hostile input', () => {
    const started = performance.now()
    for (const text of [`${'a.'.repeat(120)}@`, `u@${'a-'.repeat(120)}`, `"${'\\a'.repeat(120)}`, `u@${'a'.repeat(240)}-`]) {
      for (let i = 0; i < 200; i++) parseMailbox(text)
    }
    expect(performance.now() - started).toBeLessThan(500)
  })
})

describe('parsePath', () => {
  const cases: readonly (readonly [input: string, kind: string | null, end: number])[] = [
    ['<>', 'null', 2],
    ['<> SIZE=1', 'null', 2],
    ['<u@y>', 'mailbox', 5],
    ['<u@y> BODY=7BIT', 'mailbox', 5],
    ['<"a>b"@y>', 'mailbox', 9],
    ['<"a\\">b"@y> X', 'mailbox', 11],
    ['<@local:u@ext>', 'mailbox', 14],
    ['<@a.example,@b.example:u@ext>', 'mailbox', 29],
    ['<@[127.0.0.1]:u@ext>', 'mailbox', 20],
    ['<@[IPv6:::1]:u@ext>', 'mailbox', 19],
    ['<postmaster>', 'postmaster', 12],
    ['<PostMaster>', 'postmaster', 12],
    ['<@a:postmaster>', null, 0],
    ['<@y>', null, 0],
    ['<@a,:u@y>', null, 0],
    ['<@a u@y>', null, 0],
    ['<@:u@y>', null, 0],
    ['u@y', null, 0],
    ['<u@y', null, 0],
    ['<<u@y>>', null, 0],
    ['<u@y>>', 'mailbox', 5],
    ['< u@y>', null, 0],
    ['<u>', null, 0],
    ['', null, 0],
    ['<', null, 0],
    ['<"u@y>', null, 0],
  ]
  it.each(cases)('reads %j as %s', (input, kind, end) => {
    const path = parsePath(input, 0)
    expect(path?.kind ?? null).toBe(kind)
    if (path !== null) expect(path.end).toBe(end)
  })

  it('ignores source routes', () => {
    const path = parsePath('<@a,@b:u@ext>', 0)
    expect(path?.kind === 'mailbox' ? formatMailbox(path.mailbox) : null).toBe('u@ext')
  })
})

describe('reverse-paths and comparison', () => {
  it('shows the null reverse-path as <> and reads it back', () => {
    expect(formatReversePath({ kind: 'null' })).toBe('<>')
    expect(parseReversePath('<>')).toEqual({ kind: 'null' })
    expect(parseReversePath('')).toEqual({ kind: 'null' })
    expect(parseReversePath('nobody')).toBeNull()
    expect(parseReversePath('U@Y.example')).toEqual({ kind: 'mailbox', mailbox: { localPart: 'U', domain: 'y.example' } })
  })

  it('compares local parts by case and domains without', () => {
    const parse = (text: string) => parseMailbox(text)!
    expect(sameMailbox(parse('u@Y'), parse('u@y'))).toBe(true)
    expect(sameMailbox(parse('U@y'), parse('u@y'))).toBe(false)
    expect(sameMailbox(parse('"u"@y'), parse('u@y'))).toBe(true)
    expect(sameMailbox(parse('u@[192.0.2.1]'), parse('u@[192.0.2.2]'))).toBe(false)
  })
})

describe('address literals', () => {
  it.each(['::', '::1', '1::', '2001:db8::1', '1:2:3:4:5:6:7:8', '::ffff:192.0.2.1', '1:2:3:4:5:6:192.0.2.1', 'FE80::1'])('%s is IPv6', (text) => {
    expect(isIpv6(text)).toBe(true)
  })
  it.each([
    '',
    ':',
    ':::',
    '1',
    '1:2',
    '1:2:3:4:5:6:7:8:9',
    '1::2::3',
    'g::',
    '12345::',
    '::1%eth0',
    '192.0.2.1',
    '192.0.2.1::',
    '::1.2.3',
    '1:2:3:4:5:6:7::8',
  ])('%j is not IPv6', (text) => {
    expect(isIpv6(text)).toBe(false)
  })
  it.each([
    ['[192.0.2.1]', '192.0.2.1'],
    ['[IPv6:2001:db8::1]', '2001:db8::1'],
    ['[ipv6:::1]', '::1'],
    ['[::1]', '::1'],
    ['mx.example.com', 'mx.example.com'],
    ['192.0.2.1', '192.0.2.1'],
  ])('%s as a host is %s', (host, bare) => expect(bareHost(host)).toBe(bare))
  it('takes IPv4 in dotted decimal only', () => {
    expect(isIpv4('192.0.2.1')).toBe(true)
    for (const text of ['192.0.2', '192.0.2.1.', '192.0.2.256', '01.2.3.4', '1.2.3.4.5', '0x7f.0.0.1', '']) expect(isIpv4(text), text).toBe(false)
  })
})
