/**
 * Decides where a recipient's mail goes: first rule that matches, then the credential by sender.
 *
 * Pure, and the only place that decides it: attempts, placements and `route explain` call the same
 * function, so that an explanation is never a second opinion. Whatever is undecided or unknown is
 * held; nothing falls back to delivering (architecture decision 15).
 */
import type { Credential, Route } from '../core/route.ts'
import { laneOf } from '../core/route.ts'
import type { RouteExplanation } from '../ports/server-control.ts'
import { type LocalMailNow, localRoutes } from './local-routes.ts'
import type { ConfiguredRelay, DeliverySettings, RouteMatch, RouteRule } from './settings.ts'

export interface RouteQuery {
  /** `<>` for the null reverse-path. */
  readonly from: string
  readonly to: string
  readonly submitter: string
  /** Names in lower case. */
  readonly header: readonly (readonly [name: string, value: string])[]
  /** An operator has let it go: rules that hold are passed over. */
  readonly released?: boolean
}
export interface RouteDecision {
  readonly route: Route
  /** Label of the rule, or why there is none. */
  readonly rule: string
}
export interface Router {
  decide(query: RouteQuery): RouteDecision
  explain(query: RouteQuery): RouteExplanation
}

/** One per settings: its routes are the same objects at every call, so that lanes can be found by them. */
export function createRouter(settings: DeliverySettings, localMail: LocalMailNow = () => null): Router {
  const rules = settings.routes.map((rule) => ({ rule, resolve: resolverOf(rule, settings, localMail) }))
  const holdAll: RouteDecision | null = settings.holdAll === null ? null : { route: { kind: 'hold', reason: settings.holdAll }, rule: 'everything is held' }
  const noRule: RouteDecision = { route: { kind: 'hold', reason: 'no route matches' }, rule: 'no route matches' }

  const decide = (query: RouteQuery): RouteDecision => {
    if (holdAll !== null) return holdAll
    for (const { rule, resolve } of rules) {
      if (query.released === true && rule.target.kind === 'hold') continue
      if (mismatchOf(rule.match, query) === null) return resolve(query)
    }
    return noRule
  }
  return {
    decide,
    explain(query) {
      const decision = decide(query)
      const steps = holdAll === null ? stepsOf(settings.routes, query) : [{ rule: holdAll.rule, matched: true, why: settings.holdAll ?? '' }]
      const credential = decision.route.kind === 'relay' ? (decision.route.credential?.name ?? null) : null
      const { route } = decision
      return { from: query.from, to: query.to, steps, decision: describeRoute(route), lane: laneOf(route), credential, hosts: null, obstacle: null }
    },
  }
}

/** For people: `relay google as jira (jira@example.com)`, `hold: no route matches`, `capture`. */
export function describeRoute(route: Route): string {
  if (route.kind === 'hold') return `hold: ${route.reason}`
  if (route.kind === 'mx') return "mx: to the servers of the recipient's domain"
  if (route.kind === 'mailbox') return route.user === null ? 'local: there is no such user' : `local: the mailbox of ${route.user}`
  if (route.kind !== 'relay') return route.kind
  const { relay, credential } = route
  return credential === null ? `relay ${relay.name} without login` : `relay ${relay.name} as ${credential.name} (${credential.username})`
}

type Resolve = (query: RouteQuery) => RouteDecision

function resolverOf(rule: RouteRule, { relays, direct, localLmtp }: DeliverySettings, localMail: LocalMailNow): Resolve {
  const { target, label } = rule
  const always = (route: Route): Resolve => {
    const decision: RouteDecision = { route, rule: label }
    return () => decision
  }
  if (target.kind === 'mx') return always({ kind: 'mx', direct, destination: null })
  if (target.kind === 'local') {
    const routeTo = localRoutes(target.user, localLmtp ?? null, localMail)
    return ({ to }) => ({ route: routeTo(to), rule: label })
  }
  if (target.kind !== 'relay') return always(target)
  const relay = relays.get(target.relay)
  if (relay === undefined) return always({ kind: 'hold', reason: `there is no relay named ${target.relay}` })
  if (target.credential !== null && target.credential !== BY_SENDER) {
    const named = relay.credentials.find(({ credential }) => credential.name === target.credential)
    if (named === undefined) return always({ kind: 'hold', reason: `relay ${target.relay} has no credential named ${target.credential}` })
    return always({ kind: 'relay', relay: relay.settings, credential: named.credential })
  }
  if (relay.credentials.length === 0) return always({ kind: 'relay', relay: relay.settings, credential: null })
  return bySender(relay, label)
}

const BY_SENDER = 'by-sender'

/** Sender address before sender domain before fallback, whatever the order in the file; without fallback no login. */
function bySender(relay: ConfiguredRelay, label: string): Resolve {
  const decisionFor = (credential: Credential | null): RouteDecision => ({ route: { kind: 'relay', relay: relay.settings, credential }, rule: label })
  const choices = relay.credentials.flatMap(({ credential, senders }) => {
    const decision = decisionFor(credential)
    return senders.map(({ matches, kind }) => ({ matches, kind, decision }))
  })
  const ordered = [...choices.filter((choice) => choice.kind === 'address'), ...choices.filter((choice) => choice.kind === 'domain')]
  const fallback = relay.credentials.find((configured) => configured.fallback)
  // As in Postfix: a relay may take some senders by login and the others by address; `config check` warns of it.
  const otherwise = decisionFor(fallback?.credential ?? null)
  return (query) => {
    for (const { matches, decision } of ordered) if (matches(query.from)) return decision
    return otherwise
  }
}

/** The part of a rule that does not match, as a sentence; null: all of it matches. */
function mismatchOf(match: RouteMatch, query: RouteQuery): string | null {
  if (match.from !== null && !match.from(query.from)) return `the sender is ${query.from}`
  if (match.to !== null && !match.to(query.to)) return `the recipient is ${query.to}`
  if (match.submitter !== null && !match.submitter(query.submitter)) return `the submitter is ${query.submitter}`
  for (const [name, pattern] of match.header) {
    if (!query.header.some(([field, value]) => field === name && pattern(value))) return `no ${name} field matches`
  }
  return null
}

function asksForNothing({ from, to, submitter, header }: RouteMatch): boolean {
  return from === null && to === null && submitter === null && header.length === 0
}

function stepsOf(routes: readonly RouteRule[], query: RouteQuery): RouteExplanation['steps'] {
  const steps: { rule: string; matched: boolean; why: string }[] = []
  for (const { label, match } of routes) {
    const mismatch = mismatchOf(match, query)
    steps.push({ rule: label, matched: mismatch === null, why: mismatch ?? (asksForNothing(match) ? '' : 'all that it asks for matches') })
    if (mismatch === null) break
  }
  return steps
}
