import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseMapFile } from '../../src/rewrite/address-map.ts'
import { parseAliases, parseIncluded, resolveIncludes } from '../../src/rewrite/aliases-file.ts'
import { lookUpPatterns, parsePatternFile } from '../../src/rewrite/pattern-file.ts'
import { parsePasswd } from '../../src/rewrite/system-users.ts'
import { readTableLines, TableFault } from '../../src/rewrite/table-lines.ts'
import type { Target } from '../../src/rewrite/target.ts'
import { makeMailbox } from '../support/make-message.ts'

function shown(targets: readonly Target[] | undefined): readonly string[] {
  return (targets ?? []).map((target) => {
    if (target.kind === 'mailbox') return `${target.mailbox.localPart}@${String(target.mailbox.domain)}`
    if (target.kind === 'domain') return `@${String(target.domain)}`
    return target.kind === 'off' ? `off: ${target.what}` : `${target.exact ? '\\' : ''}${target.localPart}`
  })
}

describe('lines of a table', () => {
  it('are joined where the next begins with white space, and know where they began', () => {
    expect(readTableLines('# x\n\na b\r\n  c,\n\t# d\n e\nf\n')).toEqual([
      { number: 3, text: 'a b c, e' },
      { number: 7, text: 'f' },
    ])
  })

  const faults: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ['a first line that goes on with nothing', '  a b', /line 1: begins with white space/],
    ['a NUL', 'a b\n\0c d', /line 2: holds a NUL/],
  ]
  it.each(faults)('refuse %s', (_name, text, message) => {
    expect(() => readTableLines(text)).toThrow(message)
  })

  it('take a byte order mark for nothing', () => {
    expect(readTableLines('\ufeffa b')).toEqual([{ number: 1, text: 'a b' }])
  })
})

describe('a table in the format of virtual(5)', () => {
  const cases: readonly (readonly [line: string, key: string, targets: readonly string[]])[] = [
    ['a@x.example b@y.example', 'a@x.example', ['b@y.example']],
    ['A@X.example   b@y.example ,c@z.example', 'a@x.example', ['b@y.example', 'c@z.example']],
    ['a@x.example: b@y.example', 'a@x.example', ['b@y.example']],
    ['@x.example @y.example', '@x.example', ['@y.example']],
    ['info root', 'info', ['root']],
    ['x.example anything', 'x.example', ['anything']],
    ['"a b"@x.example "c,d"@y.example, e@y.example', '"a b"@x.example', ['"c,d"@y.example', 'e@y.example']],
    ['a@x.example\n  b@y.example', 'a@x.example', ['b@y.example']],
  ]
  it.each(cases)('%s', (text, key, targets) => {
    expect(shown(parseMapFile(text).get(key))).toEqual(targets)
  })

  const faults: readonly (readonly [text: string, message: RegExp])[] = [
    ['# one\na@x.example', /line 2: "a@x.example" leads nowhere/],
    ['a@x.example b@@y', /line 1: "b@@y" is no address/],
    ['a@x.example b@y.example c@y.example', /line 1: "b@y.example c@y.example" is no address/],
    ['a@ b@y.example', /line 1: "a@" is no address/],
    ['/.*/ root', /a table of patterns has format: regexp/],
  ]
  it.each(faults)('refuses %s', (text, message) => {
    expect(() => parseMapFile(text)).toThrow(message)
  })
})

describe('a table of patterns', () => {
  const hits: readonly (readonly [table: string, address: string, targets: readonly string[] | null])[] = [
    ['/.*@.*/        mailcatchall', 'Any.one@X.example', ['mailcatchall']],
    ['/^bob@/ ann@y.example', 'BOB@x.example', ['ann@y.example']],
    ['/^bob@/i ann@y.example', 'BOB@x.example', null],
    ['/^(a+)(b+)@/ $2-$1@y.example, $(1)$$$(2)@y.example', 'aabb@x.example', ['bb-aa@y.example', 'aa$bb@y.example']],
    ['!/@x\\.example$/ out@y.example', 'a@z.example', ['out@y.example']],
    ['!/@x\\.example$/ out@y.example', 'a@x.example', null],
    ['|^a/b@| c@y.example', 'a/b@x.example', ['c@y.example']],
    ['/^a\\/b@/ c@y.example', 'a/b@x.example', ['c@y.example']],
    ['/a b/ c@y.example', '"a b"@x.example', ['c@y.example']],
    ['/^x/ a@y.example\n/^xx/ b@y.example', 'xx@x.example', ['a@y.example']],
    ['/^x/ a@y.example\n# c\n/^y/\n  b@y.example', 'y@x.example', ['b@y.example']],
  ]
  it.each(hits)('%s for %s', (table, address, targets) => {
    const hit = lookUpPatterns(parsePatternFile(table, 'pcre'), makeMailbox(address))
    expect(hit?.kind === 'targets' ? shown(hit.targets) : hit).toEqual(targets)
  })

  it('takes the longest match in the style of POSIX', () => {
    const first = lookUpPatterns(parsePatternFile('/^(a|ab)(c|bcd)?/ $1@y.example', 'pcre'), makeMailbox('abcd@x.example'))
    const longest = lookUpPatterns(parsePatternFile('/^(a|ab)(c|bcd)?/ $1-$2@y.example', 'regexp'), makeMailbox('abcd@x.example'))
    expect([first, longest].map((hit) => (hit?.kind === 'targets' ? shown(hit.targets) : hit))).toEqual([['a@y.example'], ['a-bcd@y.example']])
  })

  const faults: readonly (readonly [table: string, message: RegExp])[] = [
    ['if /@x/\n/a/ b@y.example\nendif', /line 1: if and endif are not supported/],
    ['# x\nendif', /line 2: if and endif/],
    ['/a/', /line 1: the pattern leads nowhere/],
    ['/a b@y.example', /line 1: the pattern does not end/],
    ['/(a/ b@y.example', /line 1: .*missing closing \)/],
    ['/a(?=b)/ b@y.example', /linear time/],
    ['/(a)\\1/ b@y.example', /linear time/],
    ['/\\<a/ b@y.example', /\\< and \\> are not known/],
    ['/a/q b@y.example', /the flag "q" is not known/],
    ['/a/ $1@y.example', /asks for bracket 1, the pattern has 0/],
    ['!/(a)/ $1@y.example', /asks for bracket 1, the pattern has 0/],
    ['/(a)/ $x@y.example', /a dollar that stands for nothing/],
    ['/a/ b@@y', /"b@@y" is no address/],
    ['abc def', /line 1: the pattern does not end|is no pattern/],
  ]
  it.each(faults)('refuses %s', (table, message) => {
    expect(() => parsePatternFile(table, 'pcre')).toThrow(message)
  })

  it('cannot be made slow by what a client writes', () => {
    const patterns = parsePatternFile('/^(([a-z])+.)+[0-9]([a-z])+$/ a@y.example\n/(a*)*b@/ b@y.example\n/(x+x+)+y/ c@y.example', 'pcre')
    const before = performance.now()
    for (const address of [`${'a'.repeat(1_000_000)}@x.example`, `${'x'.repeat(1_000_000)}@x.example`]) {
      expect(lookUpPatterns(patterns, makeMailbox(address))).toBeNull()
    }
    // Backtracking would take longer than the universe has been there.
    expect(performance.now() - before).toBeLessThan(20_000)
  })

  it('fills nothing in that becomes a second recipient', () => {
    const patterns = parsePatternFile('/^(.*)@x\\.example$/ $1@y.example', 'pcre')
    expect(lookUpPatterns(patterns, makeMailbox('"a,root"@x.example'))).toEqual({ kind: 'targets', targets: [expect.objectContaining({ kind: 'mailbox' })] })
    expect(lookUpPatterns(patterns, makeMailbox('"a@b, c"@x.example'))).toMatchObject({ kind: 'targets', targets: [{ kind: 'mailbox' }] })
  })
})

describe('aliases', () => {
  it('are read as sendmail reads them', () => {
    const table = resolveIncludes(parseAliases('# x\nroot: bob,ann@y.example\n"john doe" : "odd one",\n  \\bob\nx:|/bin/x\n'), { read: null, depthMax: 3 })
    expect([...table].map(([name, targets]) => [name, shown(targets)])).toEqual([
      ['root', ['bob', 'ann@y.example']],
      ['john doe', ['"odd one"', '\\bob']],
      ['x', ['off: a command, and commands are never run']],
    ])
  })

  const faults: readonly (readonly [text: string, message: RegExp])[] = [
    ['root bob', /line 1: NAME: TARGET is wanted/],
    ['root:', /line 1: "root" leads nowhere/],
    ['a@x.example: bob', /line 1: "a@x.example": an alias is a name of this machine/],
    ['root: b@@y', /line 1: "b@@y" is no address/],
    ['root: @y.example', /line 1: "@y.example" is no address/],
  ]
  it.each(faults)('refuse %s', (text, message) => {
    expect(() => parseAliases(text)).toThrow(message)
  })

  const include = (files: Readonly<Record<string, string>>, entry = ':include:/a') =>
    resolveIncludes(parseAliases(`list: ${entry}`), {
      depthMax: 3,
      read: (path) => {
        const text = files[path]
        if (text === undefined) throw new TableFault(null, 'is not there')
        return text
      },
    }).get('list')

  it('include files that include files', () => {
    expect(shown(include({ '/a': '# people\nann@y.example\nbob, :include:/b\n', '/b': 'root' }))).toEqual(['ann@y.example', 'bob', 'root'])
  })

  const wrong: readonly (readonly [name: string, files: Readonly<Record<string, string>>, message: RegExp])[] = [
    ['itself', { '/a': ':include:/a' }, /\/a includes itself/],
    ['itself by another', { '/a': ':include:/b', '/b': ':include:/a' }, /\/a includes itself/],
    ['what is not there', { '/a': ':include:/b' }, /\/b: is not there/],
    ['too deep', { '/a': ':include:/b', '/b': ':include:/c', '/c': ':include:/d', '/d': 'x' }, /more than 3 deep/],
    ['broken lines', { '/a': 'bob\nb@@y' }, /\/a: line 2: "b@@y" is no address/],
    ['more than an alias may have', { '/a': Array(200).fill(':include:/b').join(','), '/b': Array(200).fill('bob').join(',') }, /more than 10000 targets/],
  ]
  it.each(wrong)('do not include %s', (_name, files, message) => {
    expect(() => include(files)).toThrow(message)
  })
})

const PEOPLE = { uidMin: 1000, named: [] }

it('takes user names from passwd(5), and no table without one', () => {
  const users = parsePasswd('root:x:0:0:root:/root:/bin/bash\nDebian-exim:x:101::\n+::::::\n../x:x:1:1::\nbroken\n', PEOPLE)
  expect([...users.names]).toEqual([
    ['root', 'root'],
    ['debian-exim', 'Debian-exim'],
  ])
  expect(() => parsePasswd('', PEOPLE)).toThrow(/no users/)
})

it('knows by their numbers which users are programs, unless they are named', () => {
  const text = ['root:x:0', 'www-data:x:33', 'Jira:x:999', 'bob:x:1000', 'nobody:x:65534', 'odd:x:', 'list:x:38'].map((line) => `${line}:1:::`).join('\n')
  expect([...parsePasswd(text, { uidMin: 1000, named: ['list'] }).programs]).toEqual(['www-data', 'jira', 'nobody'])
  expect([...parsePasswd(text, { uidMin: 100, named: [] }).programs]).toEqual(['www-data', 'nobody', 'list'])
})

it('ends with a table or with a fault that names the line, whatever is in the file', () => {
  const pieces = fc.constantFrom(
    'a@x.example',
    '@x',
    'bob',
    ' ',
    '\t',
    '\n',
    '\r\n',
    ',',
    ':',
    '"',
    '\\',
    '/',
    '(',
    ')',
    '$1',
    '!',
    '#',
    '|',
    ':include:/x',
    'é',
    '\0',
  )
  const parsers = [parseMapFile, parseAliases, parseIncluded, (text: string) => parsePatternFile(text, 'regexp'), (text: string) => parsePasswd(text, PEOPLE)]
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), fc.nat(parsers.length - 1), (parts, which) => {
      try {
        parsers[which]?.(parts.join(''))
      } catch (fault) {
        expect(fault).toBeInstanceOf(TableFault)
      }
    }),
    { numRuns: 2_000 },
  )
})

it('reads every beginning of a table that is being written', () => {
  const text = '# aliases\nroot: bob,\n  "john doe", ann@y.example\nlist: :include:/x, "|/bin/y z"\n'
  for (let end = 0; end <= text.length; end++) {
    try {
      parseAliases(text.slice(0, end))
    } catch (fault) {
      expect(fault).toBeInstanceOf(TableFault)
    }
  }
})
