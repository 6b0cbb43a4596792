/**
 * Where a relay stands, for those who judge a set-up: on this machine, or as the place where mail ends.
 */
import { bareHost } from '../core/address.ts'
import type { RelaySettings } from '../core/route.ts'
import { isLoopback } from './config-values.ts'

/** On this machine, as a program or a socket file. */
export function isRelayHere({ hosts }: RelaySettings): boolean {
  return hosts.every(({ host }) => host.startsWith('/') || isLoopback(bareHost(host)))
}

/** Mail ends there: nobody looks at SPF or PTR. */
export function isMailStore(relay: RelaySettings | undefined): boolean {
  return relay?.protocol === 'lmtp'
}
