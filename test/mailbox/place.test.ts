import { describe, expect, it } from 'vitest'
import { formatStatus } from '../../src/core/reply.ts'
import { faultOf } from '../../src/mailbox/mailbox-fault.ts'
import { whyNot } from '../../src/mailbox/order.ts'
import { type MailboxPlace, placeOf, spoolOf, templateFault } from '../../src/mailbox/place.ts'
import { parseEntry } from '../../src/mailbox/system-users.ts'

const BOB = { name: 'bob', home: '/home/bob' }
/** M01. */
const HOSTILE = [
  '../../etc/x',
  'a/b',
  '.',
  '..',
  'a\0b',
  '-rf',
  '%2e%2e',
  '．．／x',
  '∕etc',
  'x'.repeat(300),
  '',
  ' ',
  'a b',
  'a\nb',
  '~root',
  '$HOME',
  '|sh',
  '*',
]

describe('the place of a mailbox', () => {
  it.each<[string, MailboxPlace]>([
    ['~/Maildir/', { base: '/home/bob', own: ['Maildir'] }],
    ['%h/mail/inbox', { base: '/home/bob', own: ['mail', 'inbox'] }],
    ['/var/mail/%u', { base: '/var/mail', own: ['bob'] }],
    ['/srv/mail/%u/Maildir', { base: '/srv/mail', own: ['bob', 'Maildir'] }],
    ['/srv/mail-%u', { base: '/srv', own: ['mail-bob'] }],
  ])('%s', (template, expected) => {
    expect(templateFault(template)).toBe(null)
    expect(placeOf(template, BOB)).toEqual(expected)
  })

  it.each(['Maildir', '', '/var/mail/all', '~', '~/', '%h', '/var/%h/x', '~/../x/%u', '/var/./%u', '~/%d', '/var/mail/%u%x', '/var/mail/%u\n', '~/a/~/%u'])(
    'is not %j',
    (template) => {
      expect(templateFault(template)).not.toBe(null)
      expect(() => placeOf(template, BOB)).toThrow()
    },
  )

  it.each(HOSTILE)('is never made from a name like %j (M01)', (name) => {
    expect(() => placeOf('/var/mail/%u', { name, home: '/home/x' })).toThrow()
  })

  it('has a folder of all mailboxes only where there is one', () => {
    expect([spoolOf('/var/mail/%u'), spoolOf('~/Maildir'), spoolOf('/srv/%u/Maildir'), spoolOf('/srv/%u/%u')]).toEqual(['/var/mail', null, null, null])
  })
})

describe('a line of the user database', () => {
  it('is believed for the very name that was asked for', () => {
    expect(parseEntry('bob:x:1001:1002:Bob,,,:/home/bob:/bin/sh\n', 'bob')).toEqual({ name: 'bob', uid: 1001, gid: 1002, home: '/home/bob' })
    for (const line of ['bob:x:1001:1002::/home/bob:/bin/sh', 'BOB:x:1:1::/h:/s', '1001:x:-1:1::/h:/s', '1001:x:1:1::home:/s', '', '1001:x:1:1::/h'])
      expect(parseEntry(line, '1001')).toBe(null)
  })
})

describe('a user', () => {
  const rules = { uidMin: 1000, users: ['www-data', 'root'] }
  it('gets mail if it is a person, or named; root never', () => {
    const user = (name: string, uid: number) => ({ name, uid, gid: uid, home: '/' })
    expect(whyNot(user('bob', 1000), rules)).toBe(null)
    expect(whyNot(user('www-data', 33), rules)).toBe(null)
    expect(whyNot(user('daemon', 1), rules)).toMatch(/below 1000.*alias/)
    expect(whyNot(user('root', 0), rules)).toMatch(/is root/)
    expect(whyNot(user('toor', 0), { ...rules, uidMin: 0 })).toMatch(/is root/)
  })
})

describe('an error of the file system', () => {
  it.each([
    ['ENOSPC', '4.2.2'],
    ['EDQUOT', '4.2.2'],
    ['EFBIG', '4.2.2'],
    ['EACCES', '4.2.0'],
    ['ELOOP', '4.2.0'],
    ['EXDEV', '4.2.0'],
    ['EIO', '4.3.0'],
    ['EROFS', '4.3.0'],
    ['EWHATEVER', '4.2.0'],
  ])('%s lets the mail wait with %s, and says what and why', (code, status) => {
    const fault = faultOf(Object.assign(new Error(`${code}: words of the system`), { code }), '/var/mail/bob')
    expect(formatStatus(fault.status)).toBe(status)
    expect(fault.message).toMatch(new RegExp(`^/var/mail/bob: .*${code}`))
    expect(faultOf(fault, 'elsewhere')).toBe(fault)
  })
})
