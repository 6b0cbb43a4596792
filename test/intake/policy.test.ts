import { describe, expect, it } from 'vitest'
import { formatReply } from '../../src/core/reply.ts'
import { type ClientStanding, decideRelay, decideSender } from '../../src/intake/policy.ts'
import { makeReversePath } from '../support/make-message.ts'
import { makeUser } from './harness.ts'

const foreign: ClientStanding = { trusted: false, user: null, requireAuth: false }
const trusted: ClientStanding = { ...foreign, trusted: true }
const jira = makeUser('jira', '', ['jira@example.com', 'example.net', '*@alerts.example'])
const loggedIn: ClientStanding = { ...foreign, user: jira }

function said(refusal: ReturnType<typeof decideRelay>): string {
  return refusal === null ? 'yes' : formatReply(refusal).slice(0, 9)
}

describe('decideRelay', () => {
  const cases: readonly (readonly [string, ClientStanding, string])[] = [
    ['a foreign client', foreign, '554 5.7.1'],
    ['a client in networks', trusted, 'yes'],
    ['a foreign client that logged in', loggedIn, 'yes'],
    ['a client in networks where login is wanted', { ...trusted, requireAuth: true }, '530 5.7.0'],
    ['a client that logged in where login is wanted', { ...loggedIn, requireAuth: true }, 'yes'],
  ]
  it.each(cases)('answers %s', (_, standing, expected) => {
    expect(said(decideRelay(standing))).toBe(expected)
  })
})

describe('decideSender', () => {
  const cases: readonly (readonly [string, ClientStanding, string, string])[] = [
    ['any sender of a client in networks', trusted, 'anybody@anywhere.example', 'yes'],
    ['an allowed address', loggedIn, 'jira@example.com', 'yes'],
    ['an allowed address in another case', loggedIn, 'Jira@Example.com', 'yes'],
    ['another address of that domain', loggedIn, 'boss@example.com', '553 5.7.1'],
    ['an allowed domain', loggedIn, 'x@example.net', 'yes'],
    ['a domain that ends like an allowed one', loggedIn, 'x@evilexample.net', '553 5.7.1'],
    ['a subdomain of an allowed one', loggedIn, 'x@sub.example.net', '553 5.7.1'],
    ['the null reverse-path', loggedIn, '<>', 'yes'],
    ['any sender of a user without a list', { ...foreign, user: makeUser('any', '') }, 'x@y.example', 'yes'],
    ['a sender in networks of a user that logged in', { ...loggedIn, trusted: true }, 'boss@example.com', '553 5.7.1'],
    ['any sender before the login that is wanted', { ...trusted, requireAuth: true }, 'x@y.example', '530 5.7.0'],
  ]
  it.each(cases)('answers %s', (_, standing, from, expected) => {
    expect(said(decideSender(standing, makeReversePath(from)))).toBe(expected)
  })
})
