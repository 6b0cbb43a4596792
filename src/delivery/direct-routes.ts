/**
 * Routes of kind `mx` with what is known of their destination, and whether that is still good.
 *
 * One route for each destination, so that a transport can remember what it made of it. Decides
 * nothing about hosts: that is the business of `ports/destinations.ts`.
 */
import { formatDomain } from '../core/address.ts'
import type { Clock } from '../core/clock.ts'
import type { Mailbox } from '../core/envelope.ts'
import type { Destination, Route } from '../core/route.ts'
import type { DestinationAnswer, Destinations } from '../ports/destinations.ts'

export type MxRoute = Extract<Route, { readonly kind: 'mx' }>

export class DirectRoutes {
  readonly #destinations: Destinations
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #routes = new WeakMap<Destination, MxRoute>()

  constructor(destinations: Destinations, clock: Pick<Clock, 'monotonicMs'>) {
    this.#destinations = destinations
    this.#clock = clock
  }

  /** The route for that recipient: an `mx` route gets the destination that is known, expired or not. */
  bind(route: Route, forwardPath: Mailbox): Route {
    if (route.kind !== 'mx') return route
    const destination = this.#destinations.known(formatDomain(forwardPath))
    return destination === null ? route : this.to(route, destination)
  }

  find(forwardPath: Mailbox): Promise<DestinationAnswer> {
    return this.#destinations.find(formatDomain(forwardPath))
  }

  to(route: MxRoute, destination: Destination): MxRoute {
    const known = this.#routes.get(destination)
    if (known !== undefined && known.direct === route.direct) return known
    const made: MxRoute = { ...route, destination }
    this.#routes.set(destination, made)
    return made
  }

  /** The servers have to be looked up before they are dialled. */
  isStale(route: Route): route is MxRoute {
    return route.kind === 'mx' && (route.destination === null || route.destination.goodUntilMs <= this.#clock.monotonicMs())
  }
}
