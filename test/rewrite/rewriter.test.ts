import { describe, expect, it } from 'vitest'
import { formatMailbox, formatReversePath } from '../../src/core/address.ts'
import type { Notify } from '../../src/core/envelope.ts'
import { formatReply } from '../../src/core/reply.ts'
import type { RewriteRecipient } from '../../src/ports/rewriter.ts'
import { createRewriter } from '../../src/rewrite/rewriter.ts'
import { makeMailbox, makeReversePath } from '../support/make-message.ts'
import { makeRewrite, type SettingsText } from './settings.ts'

function recipient(address: string, notify: Notify = null, originalRecipient: string | null = null): RewriteRecipient {
  return { forwardPath: makeMailbox(address), notify, originalRecipient }
}

/** `address` or `address held: reason`, NOTIFY and ORCPT where there are any. */
function rewrite(settings: SettingsText, first: RewriteRecipient, ...others: readonly RewriteRecipient[]): readonly string[] {
  return createRewriter(makeRewrite(settings))
    .rewriteRecipients([first, ...others])
    .map(({ forwardPath, notify, originalRecipient, unrewritten }) =>
      [
        formatMailbox(forwardPath),
        ...(notify === null ? [] : [`NOTIFY=${[notify].flat().join()}`]),
        ...(originalRecipient === null ? [] : [`ORCPT=${originalRecipient}`]),
        ...(unrewritten === null ? [] : [`held: ${unrewritten}`]),
      ].join(' '),
    )
}

describe('recipients of a message', () => {
  const map: SettingsText = { recipients: ['sales@x.example a@y.example, b@y.example\nteam@x.example b@y.example'] }

  it('keep the address they had as ORCPT, unless the client gave one', () => {
    expect(rewrite(map, recipient('sales@x.example'))).toEqual(['a@y.example ORCPT=rfc822;sales@x.example', 'b@y.example ORCPT=rfc822;sales@x.example'])
    expect(rewrite(map, recipient('sales@x.example', null, 'rfc822;first@z.example'))).toEqual([
      'a@y.example ORCPT=rfc822;first@z.example',
      'b@y.example ORCPT=rfc822;first@z.example',
    ])
    expect(rewrite(map, recipient('other@x.example'))).toEqual(['other@x.example'])
  })

  it('write what xtext cannot hold in its own way', () => {
    const all = { recipients: ['/./ all@y.example'] }
    expect(rewrite(all, recipient('a+b=c@x.example'))).toEqual(['all@y.example ORCPT=rfc822;a+2Bb+3Dc@x.example'])
    expect(rewrite(all, recipient('jörg@x.example'))).toEqual(['all@y.example ORCPT=utf-8;j\\x{F6}rg@x.example'])
  })

  it('inherit NOTIFY, and are told by the sum of it when they are merged', () => {
    expect(rewrite(map, recipient('sales@x.example', ['success']))).toEqual([
      'a@y.example NOTIFY=success ORCPT=rfc822;sales@x.example',
      'b@y.example NOTIFY=success ORCPT=rfc822;sales@x.example',
    ])
    expect(rewrite(map, recipient('sales@x.example', 'never'), recipient('team@x.example', ['success'])).at(-1)).toBe(
      'b@y.example NOTIFY=success ORCPT=rfc822;sales@x.example',
    )
    expect(rewrite(map, recipient('team@x.example'), recipient('b@y.example', ['success']))).toEqual([
      'b@y.example NOTIFY=failure,delay,success ORCPT=rfc822;team@x.example',
    ])
  })

  it('are held as they came where a table is missing', () => {
    expect(rewrite({ recipients: ['a@x.example b@y.example', null] }, recipient('a@x.example'), recipient('c@x.example'))).toEqual([
      'a@x.example held: a rewriting table cannot be used: the table is gone',
      'c@x.example held: a rewriting table cannot be used: the table is gone',
    ])
  })

  it('are held where rules have come to turn in a circle since RCPT', () => {
    expect(rewrite({ recipients: ['a@x.example b@x.example\nb@x.example a@x.example'] }, recipient('a@x.example'))).toEqual([
      'a@x.example held: the address is rewritten in a loop',
    ])
  })
})

describe('at RCPT', () => {
  const local = { users: ['bob', 'root'], aliases: 'cmd: |/bin/x\nboth: |/bin/x, bob\nlost: gone\nhalf: gone, bob\na: b\nb: a' }
  const cases: readonly (readonly [address: string, reply: RegExp | number])[] = [
    ['bob@host.example', 1],
    ['anybody@elsewhere.example', 1],
    ['nobody@host.example', /^550 5\.1\.1 User unknown/],
    ['postmaster@host.example', 1],
    ['cmd@host.example', /^550 5\.3\.5 The alias leads to a command/],
    ['both@host.example', 2],
    ['lost@host.example', /^550 5\.1\.1/],
    ['half@host.example', 2],
    ['a@host.example', /^554 5\.4\.6 The address is rewritten in a loop/],
    ['list@x.example', 3],
    ['bad@x.example', /^553 5\.1\.3/],
  ]
  it.each(cases)('%s: %s', (address, expected) => {
    const rewriter = createRewriter(makeRewrite({ local, recipients: ['list@x.example a@y.example, b@y.example, c@y.example', '/^bad()@/ $1@y.example'] }))
    const check = rewriter.checkRecipient(makeMailbox(address))
    if (check.kind === 'accepted') expect(check.recipients).toBe(expected)
    else expect(formatReply(check.reply)).toMatch(expected as RegExp)
  })

  it('what a table is missing for is taken: it will be held', () => {
    const rewriter = createRewriter(makeRewrite({ recipients: [null], local }))
    expect(rewriter.checkRecipient(makeMailbox('nobody@host.example'))).toEqual({ kind: 'accepted', recipients: 1 })
  })
})

describe('senders', () => {
  const cases: readonly (readonly [name: string, settings: SettingsText, from: string, to: string])[] = [
    ['stay if no rule knows them', { senders: ['a@x.example b@x.example'] }, 'c@x.example', 'c@x.example'],
    ['are mapped once', { senders: ['a@x.example b@x.example\nb@x.example c@x.example'] }, 'a@x.example', 'b@x.example'],
    ['are mapped by domain', { senders: ['@lan @corp.example'] }, 'App+1@lan', 'App+1@corp.example'],
    ['are mapped by pattern', { senders: ['/^(.*)@host\\.lan$/ $1@corp.example'] }, 'app@HOST.lan', 'app@corp.example'],
    ['lose their host', { masquerade: ['corp.example'] }, 'app@a.b.corp.example', 'app@corp.example'],
    ['keep it if they are excepted', { masquerade: ['corp.example'], except: ['root'] }, 'Root@a.corp.example', 'Root@a.corp.example'],
    ['keep it if a domain before says so', { masquerade: ['lab.corp.example', 'corp.example'] }, 'a@lab.corp.example', 'a@lab.corp.example'],
    ['are no part of another domain', { masquerade: ['corp.example'] }, 'a@xcorp.example', 'a@xcorp.example'],
    ['send as another', { sendAs: [{ from: '*', as: 'noreply@corp.example' }] }, 'ann@lan', 'noreply@corp.example'],
    ['are masqueraded before that', { masquerade: ['corp.example'], sendAs: [{ from: 'corp.example', as: 'x@y.example' }] }, 'a@h.corp.example', 'x@y.example'],
    ['may be null, and stay so', { sendAs: [{ from: '*', as: 'noreply@corp.example' }] }, '<>', '<>'],
  ]
  it.each(cases)('%s', (_name, settings, from, to) => {
    expect(formatReversePath(createRewriter(makeRewrite(settings)).rewriteSender(makeReversePath(from)))).toBe(to)
  })

  it('have no header edits where no rule is about them', () => {
    expect(createRewriter(makeRewrite({ recipients: ['a@x.example b@y.example'] })).headerEdits).toBeNull()
  })
})

it('gives names a domain where there is one', () => {
  const { qualify } = createRewriter(makeRewrite({ local: {} }))
  expect([qualify('root'), qualify('"a b"'), qualify('a b')].map((mailbox) => mailbox && formatMailbox(mailbox))).toEqual([
    'root@host.example',
    '"a b"@host.example',
    '"a b"@host.example',
  ])
  expect(createRewriter(makeRewrite()).qualify('root')).toBeNull()
})
