/**
 * Whether routes lead somewhere, can be reached, and leave nothing out. Pure.
 */

import { type Fault, quote } from './config-errors.ts'
import { checkedValue, routesOf } from './config-implied.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import { listOf } from './config-scalars.ts'
import type { Config, RouteConfig } from './config-schema.ts'
import { parseVia } from './config-values.ts'
import { nearest } from './nearest.ts'

export function checkRoutes(config: Config): readonly KeyedFault[] {
  const routes = config.routes
  if (routes === undefined) return severalRelays(config)
  return [...routes.flatMap((route, index) => checkTarget(config, route, index)), ...checkReach(routes), ...unusedRelays(config)]
}

function severalRelays(config: Config): KeyedFault[] {
  const names = Object.keys(config.relays)
  if (names.length < 2) return []
  return [
    {
      path: ['relays'],
      part: 'key',
      fault: {
        code: 'missing-key',
        message: `there are ${names.length} relays, but no routes that choose between them`,
        remedy: `Add routes:, at least: - { via: ${names[0]} }`,
      },
    },
  ]
}

function checkTarget(config: Config, route: RouteConfig, index: number): KeyedFault[] {
  const at = (key: string, fault: Fault): KeyedFault => valueFault(['routes', index, key], fault)
  const via = checkedValue(parseVia(route.via))
  if (route.reason !== undefined && via.kind !== 'hold')
    return [at('reason', { code: 'contradiction', message: `a reason is shown only with via: hold, not with ${route.via}`, remedy: 'Remove it.' })]
  if (via.kind !== 'relay') return []
  const relay = Object.hasOwn(config.relays, via.relay) ? config.relays[via.relay] : undefined
  if (relay === undefined)
    return [
      at('via', {
        code: 'unknown-relay',
        message: `there is no relay ${quote(via.relay)}`,
        ...choose(via.relay, [...Object.keys(config.relays), 'mx', 'hold', 'discard', 'capture']),
      }),
    ]
  if (via.credential === null || Object.hasOwn(relay.credentials, via.credential)) return []
  return [
    at('via', {
      code: 'unknown-credential',
      message: `relay ${via.relay} has no credential ${quote(via.credential)}`,
      ...choose(via.credential, Object.keys(relay.credentials)),
    }),
  ]
}

function choose(text: string, choices: readonly string[]): { readonly allowed?: string; readonly remedy?: string } {
  const near = nearest(text, choices)
  return { ...(choices.length === 0 ? {} : { allowed: `one of ${choices.join(', ')}` }), ...(near === null ? {} : { remedy: `Did you mean ${quote(near)}?` }) }
}

function checkReach(routes: readonly RouteConfig[]): KeyedFault[] {
  const total = routes.findIndex(matchesAll)
  const last = routes.length - 1
  if (total === -1) {
    return [
      valueFault(['routes', last], {
        code: 'routes-incomplete',
        message: 'mail that matches no route is held',
        remedy: 'End with a route that has only via:, if that is not what you want.',
      }),
    ]
  }
  if (total === last) return []
  return [
    valueFault(['routes', total + 1], {
      code: 'route-unreachable',
      message: `routes[${total}] matches all mail, so that this one never does`,
      remedy: `Move routes[${total}] to the end.`,
    }),
  ]
}

/** No condition, or none that any mail fails. */
export function matchesAll(route: RouteConfig): boolean {
  const all = (pattern: RouteConfig['from']): boolean => pattern === undefined || listOf(pattern).includes('*')
  return all(route.from) && all(route.to) && (route.submitter === undefined || route.submitter === '*') && Object.keys(route.header ?? {}).length === 0
}

function unusedRelays(config: Config): KeyedFault[] {
  const used = new Set(routesOf(config).map((route) => route.via.split('/')[0]))
  return Object.keys(config.relays)
    .filter((name) => !used.has(name))
    .map((name) => ({
      path: ['relays', name],
      part: 'key',
      fault: { code: 'relay-unused', message: 'no route leads to this relay', remedy: 'Add a route, or remove the relay.' },
    }))
}
