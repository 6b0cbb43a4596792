/**
 * Where mail for local domains goes when no route names them: an implied route, and its place.
 *
 * It stands in front of the first route that leads to a relay or to the recipients' servers without
 * naming recipients: such routes are about other people's mail. Routes that capture, hold or throw
 * away all mail stay in front, so that a sandbox delivers nothing.
 */
import { checkedValue, routesOf } from './config-implied.ts'
import type { Config, RouteConfig } from './config-schema.ts'
import { parseVia } from './config-values.ts'
import { localDomainsOf } from './local-domains.ts'

export interface PlacedRoute {
  readonly route: RouteConfig
  /** In `routes`; null: it is implied. */
  readonly index: number | null
}

/** All routes, in the order in which they are tried. */
export function routesInForce(config: Config): readonly PlacedRoute[] {
  const implied = config.routes === undefined
  const written = routesOf(config).map((route, index): PlacedRoute => ({ route, index: implied ? null : index }))
  const local = impliedLocalRoute(config)
  if (local === null) return written
  const at = implied ? 0 : written.findIndex(({ route }) => route.to === undefined && leadsOut(route))
  const place = at === -1 ? written.length : at
  return [...written.slice(0, place), { route: local, index: null }, ...written.slice(place)]
}

/** Null: no domain is local. */
function impliedLocalRoute(config: Config): RouteConfig | null {
  const domains = [...localDomainsOf(config)]
  return domains.length === 0 ? null : { to: domains, via: 'local' }
}

function leadsOut({ via }: RouteConfig): boolean {
  const { kind } = checkedValue(parseVia(via))
  return kind === 'relay' || kind === 'mx'
}

/** Some mail may go into mailboxes of this machine, not only to an LMTP server. */
export function writesMailboxes(config: Config): boolean {
  if (config.local === undefined) return false
  if (config.local.mailbox.lmtp === undefined) return true
  return routesOf(config).some(({ via }) => {
    const target = checkedValue(parseVia(via))
    return target.kind === 'local' && target.user !== null
  })
}
