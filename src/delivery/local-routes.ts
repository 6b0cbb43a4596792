/**
 * Which mailbox of this machine a recipient's mail goes to; part of `router.ts`. Pure.
 *
 * The tables of users may change while we run: they are asked at every decision. A route is the same
 * object for the same user, so that lanes can be found by it.
 */
import { parseMailbox } from '../core/address.ts'
import { localUserOf } from '../core/local-address.ts'
import type { Route } from '../core/route.ts'
import type { LocalDelivery } from './settings.ts'

/** More names than any machine has users: those of users who are gone are forgotten. */
const KEPT_MAX = 10_000

/** `user`: all mail goes to that one; null: to the user whose address it is. */
export function localRoutes(user: string | null, local: LocalDelivery | null): (to: string) => Route {
  const known = new Map<string | null, Route>()
  const routeTo = (name: string | null): Route => {
    let route = known.get(name)
    if (route === undefined) {
      if (known.size >= KEPT_MAX) known.clear()
      route = { kind: 'mailbox', user: name }
      known.set(name, route)
    }
    return route
  }
  if (user !== null) return () => routeTo(user)
  if (local === null) return () => NOTHING_LOCAL
  if (local.lmtp !== null) {
    const route: Route = { kind: 'relay', relay: local.lmtp, credential: null }
    return () => route
  }
  return (to) => {
    const mail = local.mail()
    if (mail.kind === 'unavailable') return { kind: 'hold', reason: mail.reason }
    const mailbox = parseMailbox(to, { smtputf8: true })
    return routeTo(mailbox === null ? null : (localUserOf(mailbox, mail.table)?.name ?? null))
  }
}

const NOTHING_LOCAL: Route = { kind: 'hold', reason: 'no domain is local: name them under local.domains' }
