import { describe, expect, it } from 'vitest'
import { parseMailbox } from '../../src/core/address.ts'
import { bareLocalPart, isLocal, type LocalMail, localUserOf, splitExtension } from '../../src/core/local-address.ts'

const LOCAL: LocalMail = {
  domains: new Set(['localhost', 'host.example', '[127.0.0.1]']),
  recipientDelimiter: '+-',
  users: new Map([
    ['root', 'root'],
    ['bob', 'Bob'],
    ['www-data', 'www-data'],
    ['john doe', 'john doe'],
  ]),
}

function mailbox(address: string) {
  const parsed = parseMailbox(address)
  if (parsed === null) throw new Error(`no mailbox: ${address}`)
  return parsed
}

describe('localUserOf', () => {
  const cases: readonly (readonly [address: string, user: string | null, extension: string | null])[] = [
    ['root@localhost', 'root', null],
    ['ROOT@LOCALHOST', 'root', null],
    ['bob@host.example', 'Bob', null],
    ['bob+News@host.example', 'Bob', 'News'],
    ['bob-News+x@host.example', 'Bob', 'News+x'],
    ['www-data@host.example', 'www-data', null],
    ['root@[127.0.0.1]', 'root', null],
    ['"john doe"@localhost', 'john doe', null],
    ['+bob@localhost', null, null],
    ['alice@localhost', null, null],
    ['www@localhost', null, null],
    ['root@example.com', null, null],
    ['root@sub.localhost', null, null],
    ['"../bob"@localhost', null, null],
  ]
  it.each(cases)('%s', (address, user, extension) => {
    expect(localUserOf(mailbox(address), LOCAL)).toEqual(user === null ? null : { name: user, extension })
  })

  it('splits nothing without a delimiter', () => {
    expect(localUserOf(mailbox('bob+x@localhost'), { ...LOCAL, recipientDelimiter: '' })).toBeNull()
  })
})

it('calls a mailbox local by its domain alone', () => {
  expect(isLocal(mailbox('nobody-here@LocalHost'), LOCAL)).toBe(true)
  expect(isLocal(mailbox('root@localhost.example'), LOCAL)).toBe(false)
})

it('splits at the first delimiter, never before the first character', () => {
  expect(splitExtension('a+b+c', '+')).toEqual({ base: 'a', extension: 'b+c' })
  expect(splitExtension('a+', '+')).toEqual({ base: 'a', extension: '' })
  expect(splitExtension('+a', '+')).toBeNull()
})

it('takes the quotes off a local part', () => {
  expect(bareLocalPart('"a \\"b\\\\"')).toBe('a "b\\')
  expect(bareLocalPart('plain')).toBe('plain')
})
