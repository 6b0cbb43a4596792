import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expand } from '../../src/rewrite/expand.ts'
import { makeMailbox } from '../support/make-message.ts'
import { endsOf, makeRewrite, type SettingsText } from './settings.ts'

type Case = readonly [name: string, settings: SettingsText, address: string, ends: readonly string[]]

describe('rules for recipients', () => {
  const cases: readonly Case[] = [
    ['leaves what no rule knows', { recipients: ['a@x.example b@y.example'] }, 'c@x.example', ['c@x.example']],
    ['maps an address to several', { recipients: ['s@x.example a@y.example, b@z.example'] }, 's@x.example', ['a@y.example', 'b@z.example']],
    ['compares keys without case', { recipients: ['Sales@X.example a@y.example'] }, 'sALES@x.example', ['a@y.example']],
    ['maps a domain and keeps the name', { recipients: ['@old.example @new.example'] }, 'Bob+x@old.example', ['Bob+x@new.example']],
    ['maps a domain to one address', { recipients: ['@old.example all@new.example'] }, 'bob@old.example', ['all@new.example']],
    ['prefers the address to its domain', { recipients: ['@x.example d@y.example\nbob@x.example b@y.example'] }, 'bob@x.example', ['b@y.example']],
    ['fills in what brackets matched', { recipients: ['/^(.*)\\.(.*)@x\\.example$/ $2+$1@y.example'] }, 'Ann.Lee@x.example', ['Lee+Ann@y.example']],
    ['lets the first rule decide', { recipients: ['a@x.example one@y.example', 'a@x.example two@y.example'] }, 'a@x.example', ['one@y.example']],
    ['looks results up again, from the first rule', { recipients: ['b@x.example c@x.example', 'a@x.example b@x.example'] }, 'a@x.example', ['c@x.example']],
    ['keeps an address that names itself', { recipients: ['a@x.example a@x.example, b@y.example'] }, 'a@x.example', ['a@x.example', 'b@y.example']],
    [
      'merges duplicates',
      { recipients: ['a@x.example b@x.example, c@x.example\nc@x.example B@x.example'] },
      'a@x.example',
      ['b@x.example', 'B@x.example: again'],
    ],
    ['sees a circle of two', { recipients: ['a@x.example b@x.example\nb@x.example a@x.example'] }, 'a@x.example', ['a@x.example: loop']],
    ['sees a circle through domains', { recipients: ['@x.example @y.example\n@y.example @x.example'] }, 'a@x.example', ['a@x.example: loop']],
    [
      'stops at the tenth rule that follows from another',
      { recipients: [Array.from({ length: 12 }, (_, i) => `a${i}@x.example a${i + 1}@x.example`).join('\n')] },
      'a0@x.example',
      ['a10@x.example: too-deep'],
    ],
    ['stops before a table that cannot be read', { recipients: ['a@x.example b@y.example', null] }, 'c@x.example', ['c@x.example: unavailable']],
    ['needs the table for results, too', { recipients: ['a@x.example b@y.example', null] }, 'a@x.example', ['b@y.example: unavailable']],
    ['says when a pattern gives no address', { recipients: ['/^(.*)@x\\.example$/ $1..@y.example'] }, 'a@x.example', ['a@x.example: invalid']],
    ['says when a name has no domain', { recipients: ['a@x.example bob'] }, 'a@x.example', [': invalid']],
    ['gives a name the domain there is', { recipients: ['a@x.example bob'], bareDomain: 'host.example' }, 'a@x.example', ['bob@host.example']],
    [
      'carries a tag over that was not part of the key',
      { recipients: ['bob@x.example ann@y.example'], local: {} },
      'bob+news@x.example',
      ['ann+news@y.example'],
    ],
    ['takes a tag that is part of the key', { recipients: ['bob+news@x.example ann@y.example'], local: {} }, 'bob+news@x.example', ['ann@y.example']],
    ['takes a bare key for names of local domains only', { recipients: ['info ann@y.example'], local: {} }, 'info@localhost', ['ann@y.example']],
    ['does not take it for others', { recipients: ['info ann@y.example'], local: {} }, 'info@x.example', ['info@x.example']],
  ]
  it.each(cases)('%s', (_name, settings, address, ends) => {
    expect(endsOf(address, makeRewrite(settings))).toEqual(ends)
  })
})

describe('aliases of local domains', () => {
  const local = (aliases: string | null, more: SettingsText['local'] = {}): SettingsText => ({ local: { aliases, ...more } })
  const cases: readonly Case[] = [
    ['leave users alone', local(''.padEnd(1, '#')), 'bob@host.example', ['bob@host.example']],
    ['know no such user', local('#'), 'nobody@host.example', ['nobody@host.example: unknown-user']],
    ['lead to users and elsewhere', local('team: bob, ext@y.example'), 'Team@localhost', ['bob@localhost', 'ext@y.example']],
    ['are found without a tag', local('team: bob'), 'team+x@localhost', ['bob@localhost']],
    ['may keep the user himself', local('bob: bob, ann@y.example'), 'bob@host.example', ['bob@host.example', 'ann@y.example']],
    ['may end at a user with a backslash', local('bob: \\root\nroot: ann@y.example'), 'bob@host.example', ['root@host.example']],
    ['see a circle', local('a: b\nb: a'), 'a@host.example', ['a@host.example: loop']],
    ['go before users', local('bob: ann@y.example'), 'bob@host.example', ['ann@y.example']],
    ['give postmaster to root', local('#'), 'Postmaster@host.example', ['root@host.example']],
    ['give mailer-daemon to postmaster', local('postmaster: bob'), 'MAILER-DAEMON@host.example', ['bob@host.example']],
    ['leave root to local.root', local('#', { root: ['ops@y.example'] }), 'postmaster@host.example', ['ops@y.example']],
    ['give root what is for a program', local('#', { users: ['root', 'www-data'], programs: ['www-data'] }), 'www-data+x@host.example', ['root@host.example']],
    ['go before a program', local('www-data: bob', { users: ['bob', 'www-data'], programs: ['www-data'] }), 'www-data@host.example', ['bob@host.example']],
    ['go before local.root', local('root: bob', { root: ['ops@y.example'] }), 'root@host.example', ['bob@host.example']],
    ['never run a command', local('cmd: "|/bin/x y", bob'), 'cmd@host.example', [': off', 'bob@host.example']],
    ['never write a file', local('file: /var/mail/x'), 'file@host.example', [': off']],
    ['include nothing without leave', local('list: :include:/etc/list'), 'list@host.example', [': off']],
    ['of quoted names', local('"john doe": bob'), '"john doe"@host.example', ['bob@host.example']],
    ['send unknown users where it says', local('#', { unknownUsers: 'bob' }), 'nobody@host.example', ['bob@host.example']],
    ['that cannot be read are missed', local(null), 'bob@host.example', ['bob@host.example: unavailable']],
    ['miss the list of users', local('#', { users: null }), 'bob@host.example', ['bob@host.example: unavailable']],
    ['are nothing to other domains', local('bob: x@y.example'), 'bob@other.example', ['bob@other.example']],
  ]
  it.each(cases)('%s', (_name, settings, address, ends) => {
    expect(endsOf(address, makeRewrite(settings))).toEqual(ends)
  })
})

describe('a catch-all for a sandbox', () => {
  const CATCH_ALL = '# Reroute all email\n#/.*@.*/        root\n/.*@.*/        mailcatchall'
  const sandbox = (aliases: string, users = ['mailcatchall', 'root']) => makeRewrite({ recipients: [CATCH_ALL], local: { users, aliases } })

  it('takes everything to one local user', () => {
    for (const address of ['anybody@anywhere.example', 'root@host.example', '"odd one"@[192.0.2.1]', 'mailcatchall@host.example']) {
      expect(endsOf(address, sandbox('#'))).toEqual(['mailcatchall@host.example'])
    }
  })

  it('goes on to local aliases, as in Postfix', () => {
    expect(endsOf('a@b.example', sandbox('mailcatchall: root'))).toEqual(['root@host.example'])
  })

  it('is not led around by an alias that leaves the machine', () => {
    expect(endsOf('a@b.example', sandbox('mailcatchall: dev@corp.example'))).toEqual(['mailcatchall@host.example: loop'])
  })
})

describe('limits', () => {
  const list = (count: number): string => `all@x.example ${Array.from({ length: count }, (_, i) => `u${i}@y.example`).join(', ')}`

  it('allow as many recipients as they say', () => {
    expect(endsOf('all@x.example', makeRewrite({ recipients: [list(1000)] })).at(-1)).toBe('u999@y.example')
    expect(endsOf('all@x.example', makeRewrite({ recipients: [list(1001)] })).at(-1)).toBe('u1000@y.example: too-many')
  })

  it('follow lists that overlap only once', () => {
    const names = Array.from({ length: 9 }, (_, level) => Array.from({ length: 10 }, (_, i) => `l${level}n${i}@x.example`))
    const lines = names.slice(0, -1).flatMap((level, depth) => level.map((name) => `${name} ${names[depth + 1]?.join(', ')}`))
    const ends = endsOf('l0n0@x.example', makeRewrite({ recipients: [lines.join('\n')] }))
    expect(ends.filter((end) => !end.endsWith(': again'))).toEqual(names.at(-1))
  })

  it('hold for any rules: expansion ends, within its bounds', () => {
    const name = fc.integer({ min: 0, max: 7 }).map((i) => `n${i}@x.example`)
    const table = fc.array(fc.tuple(name, fc.array(name, { minLength: 1, maxLength: 5 })), { maxLength: 12 })
    fc.assert(
      fc.property(table, name, fc.integer({ min: 1, max: 12 }), (lines, start, recipientsMax) => {
        const text = lines.map(([key, targets]) => `${key} ${targets.join(', ')}`).join('\n')
        const ends = endsOf(start, makeRewrite({ recipients: [text], limits: { recipientsMax, depthMax: 5 } }))
        const reached = ends.filter((end) => !end.includes(': '))
        expect(reached.length).toBeLessThanOrEqual(recipientsMax)
        expect(new Set(reached).size).toBe(reached.length)
      }),
    )
  })
})

it('says by which rule each step was taken', () => {
  const tree = expand(makeMailbox('sales@x.example'), makeRewrite({ recipients: ['sales@x.example team'], local: { aliases: 'team: bob' } }))
  expect([tree.rule, tree.children[0]?.rule, tree.children[0]?.children[0]?.end]).toEqual(['rule 0', 'alias team', { kind: 'local-user', user: 'bob' }])
})
