/**
 * Where a domain's mail goes when it is delivered directly: its hosts, in the order to try.
 *
 * Found by DNS (RFC 5321 §5.1, RFC 7505) and policy; what is known is kept for as long as the DNS
 * allows. Answers never come as rejections.
 */
import type { Deferral, Failure } from '../core/classify.ts'
import type { AttemptPhase } from '../core/outcome.ts'
import type { TlsRequirement } from '../core/route.ts'
import type { NetworkAddress } from './network.ts'

export interface MxHost {
  /** A-labels, or the address of a literal: what is dialled, sent as SNI and logged. */
  readonly name: string
  /** To be tried in this order; never empty, never ours, within the caps. */
  readonly addresses: readonly NetworkAddress[]
  readonly tls: TlsRequirement
}
export interface Destination {
  readonly domain: string
  /** The receiver: domains with the same hosts share it, and one lane. */
  readonly site: string
  readonly hosts: readonly [MxHost, ...MxHost[]]
  /** Monotonic milliseconds; later it is only good as a hint of the site. */
  readonly goodUntilMs: number
}
export type DestinationAnswer =
  | { readonly kind: 'found'; readonly destination: Destination }
  | { readonly kind: 'refused'; readonly phase: AttemptPhase; readonly judgement: Deferral | Failure }

export interface Destinations {
  /** What is known without asking, expired or not; null: nothing. */
  known(domain: string): Destination | null
  /** One look-up under way for each domain, whoever asks. */
  find(domain: string): Promise<DestinationAnswer>
}
