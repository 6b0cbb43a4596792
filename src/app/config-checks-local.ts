/**
 * What `local.mailbox` and routes to local mailboxes say of each other. Pure.
 */
import { compileAddressPatterns } from '../core/pattern.ts'
import { matchesAll } from './config-checks-routes.ts'
import { checkedValue } from './config-implied.ts'
import { routesInForce } from './config-local.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import { durationMs, listOf } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import { parseVia } from './config-values.ts'
import { bareDomainOf } from './local-domains.ts'

export function checkLocalDelivery(config: Config): readonly KeyedFault[] {
  return [...checkTargets(config), ...checkImplied(config), ...checkRoot(config), ...checkTimes(config)]
}

function checkTargets(config: Config): KeyedFault[] {
  if (config.local !== undefined) return []
  return (config.routes ?? []).flatMap(({ via }, index) => {
    if (checkedValue(parseVia(via)).kind !== 'local') return []
    const fault = {
      code: 'contradiction',
      message: 'no mailboxes of this machine are configured',
      remedy: 'Add local: {}, with the domains that are local.',
    } as const
    return [valueFault(['routes', index, 'via'], fault)]
  })
}

/** The implied route is never reached where all mail is captured, held or thrown away before it. */
function checkImplied(config: Config): KeyedFault[] {
  const routes = routesInForce(config)
  const implied = routes.findIndex(({ route, index }) => index === null && route.via === 'local')
  if (config.routes === undefined || implied === -1) return []
  const before = routes.slice(0, implied)
  const total = before.find(({ route }) => matchesAll(route))
  if (total === undefined || before.some(({ route }) => checkedValue(parseVia(route.via)).kind === 'local')) return []
  const message = `all mail goes to ${total.route.via} before local domains have their turn: nothing gets into mailboxes`
  const remedy = 'If that is not meant: put a route in front of it, with to: and via: local.'
  return [valueFault(['routes', total.index ?? 0], { code: 'route-unreachable', message, remedy })]
}

/** An aliases file usually names a person; whether it does is seen when mail comes. */
function checkRoot(config: Config): KeyedFault[] {
  const { local, aliases } = config
  if (local === undefined || local.users !== 'system' || local.domains.length === 0) return []
  if (local.root !== undefined || aliases !== undefined || local.mailbox.lmtp !== undefined || hasRouteForRoot(config)) return []
  const message = "root's mail, such as cron's, is not delivered to root: it would wait until it expires"
  return [valueFault(['local'], { code: 'root-nowhere', message, remedy: 'Set local.root to a person, or aliases: /etc/aliases with a line for root.' })]
}

/** A route that names root and leads elsewhere than into mailboxes. */
function hasRouteForRoot(config: Config): boolean {
  const address = `root@${bareDomainOf(config) ?? 'localhost'}`
  return (config.routes ?? []).some(
    ({ to, via }) => to !== undefined && checkedValue(parseVia(via)).kind !== 'local' && compileAddressPatterns(listOf(to))(address),
  )
}

function checkTimes({ local }: Config): KeyedFault[] {
  if (local === undefined) return []
  const { lockTime, deliveryTime, staleLock } = local.mailbox
  const faults: KeyedFault[] = []
  const smaller = (key: 'lockTime' | 'deliveryTime', low: string, other: string, high: string): void => {
    if (durationMs(low) < durationMs(high)) return
    const remedy = `Lower it, or raise ${other}.`
    faults.push(valueFault(['local', 'mailbox', key], { code: 'contradiction', message: `must be smaller than local.mailbox.${other} (${high})`, remedy }))
  }
  smaller('lockTime', lockTime, 'deliveryTime', deliveryTime)
  // Or a lock of ours would be taken for a forgotten one while we write.
  smaller('deliveryTime', deliveryTime, 'staleLock', staleLock)
  return faults
}
