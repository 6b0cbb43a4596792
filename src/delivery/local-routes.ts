/**
 * Which mailbox of this machine a recipient's mail goes to; part of `router.ts`. Pure.
 *
 * The tables of users may change while we run: they are asked at every decision. A route is the same
 * object for the same user, so that lanes can be found by it.
 */
import { parseMailbox } from '../core/address.ts'
import { type LocalMail, localUserOf } from '../core/local-address.ts'
import type { RelaySettings, Route } from '../core/route.ts'

/** Null: no domain is local, or the list of users could not be read. */
export type LocalMailNow = () => LocalMail | null

/** More names than any machine has users: those of users who are gone are forgotten. */
const KEPT_MAX = 10_000

/** `user`: all mail goes to that one; null: to the user whose address it is, or to the LMTP server. */
export function localRoutes(user: string | null, lmtp: RelaySettings | null, localMail: LocalMailNow): (to: string) => Route {
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
  if (lmtp !== null) {
    const route: Route = { kind: 'relay', relay: lmtp, credential: null }
    return () => route
  }
  return (to) => {
    const mail = localMail()
    if (mail === null) return NOBODY_KNOWN
    const mailbox = parseMailbox(to, { smtputf8: true })
    return routeTo(mailbox === null ? null : (localUserOf(mailbox, mail)?.name ?? null))
  }
}

const NOBODY_KNOWN: Route = { kind: 'hold', reason: 'no domain is local (local.domains), or the users of this machine could not be listed' }
