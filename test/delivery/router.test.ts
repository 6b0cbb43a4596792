import { describe, expect, it } from 'vitest'
import { compileGlob } from '../../src/core/pattern.ts'
import { laneOf } from '../../src/core/route.ts'
import type { LocalMailNow } from '../../src/delivery/local-routes.ts'
import { createRouter, type RouteQuery } from '../../src/delivery/router.ts'
import type { DeliverySettings } from '../../src/delivery/settings.ts'
import { makeCredential, makeRelay, makeRule, makeSettings } from './rig.ts'

const google = {
  settings: makeRelay('google'),
  credentials: [makeCredential('domain', ['example.com']), makeCredential('address', ['jira@example.com']), makeCredential('rest', [], true)],
}
const relay = (name: string, credential: string | null = null) => ({ kind: 'relay', relay: name, credential }) as const

function query(changes: Partial<RouteQuery> = {}): RouteQuery {
  return { from: 'jira@example.com', to: 'ann@x.test', submitter: 'login:jira', header: [], ...changes }
}
function router(changes: Partial<DeliverySettings>) {
  return createRouter(makeSettings({ relays: new Map([['google', google]]), ...changes }))
}

describe('a route', () => {
  const headerRule = makeRule({ kind: 'hold', reason: 'list' }, {}, 'by header')
  const routes = [
    makeRule({ kind: 'capture' }, { to: 'capture.test' }, 'by recipient'),
    makeRule({ kind: 'discard' }, { from: '<>' }, 'bounces'),
    makeRule({ kind: 'hold', reason: 'batch' }, { submitter: 'login:batch' }, 'by submitter'),
    { ...headerRule, match: { ...headerRule.match, header: [['list-id', compileGlob('*announce*')] as const] } },
    makeRule({ kind: 'hold', reason: 'both' }, { from: 'both.test', to: 'both.test' }, 'both'),
    makeRule(relay('google'), {}, 'all'),
  ]
  const cases: [string, Partial<RouteQuery>, string][] = [
    ['the first rule that matches, not the best', { to: 'a@capture.test', from: '<>' }, 'by recipient'],
    ['the null reverse-path by its own pattern', { from: '<>' }, 'bounces'],
    ['the submitter', { submitter: 'login:batch' }, 'by submitter'],
    ['a header field', { header: [['list-id', 'x <announce.example.com>']] }, 'by header'],
    ['no header field of another name', { header: [['subject', 'announce']] }, 'all'],
    ['all parts of a rule together', { from: 'a@both.test', to: 'b@both.test' }, 'both'],
    ['not one part of a rule alone', { from: 'a@both.test' }, 'all'],
    ['case-insensitively', { to: 'A@CAPTURE.test' }, 'by recipient'],
  ]
  it.each(cases)('is found by %s', (_, changes, rule) => {
    expect(router({ routes }).decide(query(changes)).rule).toBe(rule)
  })

  it('is explained by the same rules, step by step, up to the one that matched', () => {
    const explained = router({ routes }).explain(query({ from: '<>' }))
    expect(explained).toMatchObject({
      steps: [
        { rule: 'by recipient', matched: false, why: 'the recipient is ann@x.test' },
        { rule: 'bounces', matched: true },
      ],
      decision: 'discard',
      lane: 'discard',
      credential: null,
    })
  })

  it('is explained without a word where a rule takes all mail', () => {
    expect(router({ routes }).explain(query({})).steps.at(-1)).toEqual({ rule: 'all', matched: true, why: '' })
  })

  it.each(cases)('is the same explained as decided: %s', (_, changes) => {
    const made = router({ routes })
    expect(made.explain(query(changes)).lane).toBe(laneOf(made.decide(query(changes)).route))
  })
})

describe('a credential', () => {
  const routes = [makeRule(relay('google'))]
  it.each([
    ['the sender address first', 'jira@example.com', 'address'],
    ['then the sender domain', 'wiki@example.com', 'domain'],
    ['then the fallback', 'a@other.test', 'rest'],
    ['the fallback for bounces', '<>', 'rest'],
  ])('is chosen by %s', (_, from, name) => {
    const { route } = router({ routes }).decide(query({ from }))
    expect(route.kind === 'relay' && route.credential?.name).toBe(name)
    expect(laneOf(route)).toBe(`smtp:google/${name}`)
  })

  it('named by the route wins over the sender', () => {
    const { route } = router({ routes: [makeRule(relay('google', 'rest'))] }).decide(query())
    expect(route.kind === 'relay' && route.credential?.name).toBe('rest')
  })

  it('is none when none is for the sender and there is no fallback', () => {
    const relays = new Map([['google', { settings: makeRelay('google'), credentials: [makeCredential('domain', ['example.com'])] }]])
    const made = router({ relays, routes })
    expect(laneOf(made.decide(query({ from: 'a@other.test' })).route)).toBe('smtp:google/-')
    expect(laneOf(made.decide(query()).route)).toBe('smtp:google/domain')
  })

  it('is none where the relay has none', () => {
    const relays = new Map([['google', { settings: makeRelay('google'), credentials: [] }]])
    expect(laneOf(router({ relays, routes }).decide(query()).route)).toBe('smtp:google/-')
  })

  it('never appears with its password in an explanation', () => {
    expect(JSON.stringify(router({ routes }).explain(query()))).not.toContain('secret')
    expect(router({ routes }).explain(query()).decision).toBe('relay google as address (address@login.test)')
  })
})

describe('what is undecided is held', () => {
  it.each([
    ['no rule matches', { routes: [] }, 'no route matches'],
    ['the relay is unknown', { routes: [makeRule(relay('gone'))] }, 'there is no relay named gone'],
    ['the credential is unknown', { routes: [makeRule(relay('google', 'gone'))] }, 'relay google has no credential named gone'],
    ['the configuration cannot be read', { routes: [makeRule({ kind: 'capture' } as const)], holdAll: 'broken file' }, 'broken file'],
  ])('when %s', (_, changes, reason) => {
    expect(router(changes).decide(query()).route).toEqual({ kind: 'hold', reason })
    expect(router(changes).explain(query()).decision).toBe(`hold: ${reason}`)
  })
})

it('answers with the same route object every time, so that lanes can be found by it', () => {
  const made = router({ routes: [makeRule(relay('google'))] })
  expect(made.decide(query()).route).toBe(made.decide(query({ to: 'b@y.test' })).route)
})

describe('a route to mailboxes of this machine', () => {
  const users = new Map([
    ['bob', 'bob'],
    ['ann', 'Ann'],
  ])
  const localMail = () => ({ domains: new Set(['host.test']), recipientDelimiter: '+', users })
  const byAddress = makeRule({ kind: 'local', user: null }, { to: 'host.test' }, 'local domains')
  const toBox = makeRule({ kind: 'local', user: 'catchall' }, {}, 'sandbox')
  const routerOf = (changes: Partial<DeliverySettings> = {}, mail: LocalMailNow = localMail) =>
    createRouter(makeSettings({ routes: [byAddress, toBox], ...changes }), mail)
  const routeOf = (to: string, changes: Partial<DeliverySettings> = {}) => routerOf(changes).decide(query({ to })).route

  it.each([
    ['bob@host.test', { kind: 'mailbox', user: 'bob' }, 'local:bob'],
    ['BOB+news@host.test', { kind: 'mailbox', user: 'bob' }, 'local:bob'],
    ['ann@host.test', { kind: 'mailbox', user: 'Ann' }, 'local:Ann'],
    ['eve@host.test', { kind: 'mailbox', user: null }, 'local:-'],
    ['x@elsewhere.test', { kind: 'mailbox', user: 'catchall' }, 'local:catchall'],
  ])('finds the user of %s', (to, route, lane) => {
    expect(routeOf(to)).toEqual(route)
    expect(laneOf(routeOf(to))).toBe(lane)
  })

  it('is the same object for the same user, so that the lane is found by it', () => {
    const { decide } = routerOf()
    expect(decide(query({ to: 'bob@host.test' })).route).toBe(decide(query({ to: 'bob+x@host.test' })).route)
  })

  it('holds the mail where users cannot be known', () => {
    expect(routerOf({}, () => null).decide(query({ to: 'bob@host.test' })).route).toMatchObject({ kind: 'hold' })
  })

  it('goes to an LMTP server instead, if there is one, but not where a user is named', () => {
    const lmtp = makeRelay('local')
    expect(routeOf('eve@host.test', { localLmtp: lmtp })).toEqual({ kind: 'relay', relay: lmtp, credential: null })
    expect(routeOf('x@elsewhere.test', { localLmtp: lmtp })).toEqual({ kind: 'mailbox', user: 'catchall' })
  })

  it('is explained by the mailbox', () => {
    expect(routerOf().explain(query({ to: 'bob@host.test' }))).toMatchObject({
      decision: 'local: the mailbox of bob',
      lane: 'local:bob',
      credential: null,
    })
  })
})
