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
import type { TlsDemand } from '../core/tls-policy.ts'
import type { DestinationAnswer, Destinations } from '../ports/destinations.ts'
import { DemandedRoutes } from './tls-demand.ts'

export type MxRoute = Extract<Route, { readonly kind: 'mx' }>

export class DirectRoutes {
  readonly #destinations: Destinations
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #routes = new WeakMap<Destination, MxRoute>()
  readonly #demanded = new DemandedRoutes()

  constructor(destinations: Destinations, clock: Pick<Clock, 'monotonicMs'>) {
    this.#destinations = destinations
    this.#clock = clock
  }

  /**
   * The route for that recipient, under a demand of its own or not: an `mx` route gets the destination that is known,
   * expired or not.
   */
  bind(route: Route, forwardPath: Mailbox, demand: TlsDemand | null = null): Route {
    const demanded = demand === null ? route : this.#demanded.with(route, demand)
    if (demanded.kind !== 'mx') return demanded
    const destination = this.#destinations.known(formatDomain(forwardPath), demanded.tlsDemand ?? null)
    return destination === null ? demanded : this.to(demanded, destination)
  }

  find(forwardPath: Mailbox, demand: TlsDemand | null = null): Promise<DestinationAnswer> {
    return this.#destinations.find(formatDomain(forwardPath), demand)
  }

  to(route: MxRoute, destination: Destination): MxRoute {
    let bound = this.#routes.get(destination)
    if (bound === undefined || bound.direct !== route.direct) {
      bound = { kind: 'mx', direct: route.direct, destination }
      this.#routes.set(destination, bound)
    }
    const { tlsDemand } = route
    return tlsDemand === undefined ? bound : this.#demanded.with(bound, tlsDemand)
  }

  /** The servers have to be looked up before they are dialled. */
  isStale(route: Route): route is MxRoute {
    return route.kind === 'mx' && (route.destination === null || route.destination.goodUntilMs <= this.#clock.monotonicMs())
  }
}
