/**
 * Where a domain's mail goes when it is delivered directly: its hosts, in the order to try.
 *
 * Found by DNS (RFC 5321 §5.1, RFC 7505) and policy; what is known is kept for as long as the DNS
 * allows. Answers never come as rejections.
 */
import type { Deferral, Failure } from '../core/classify.ts'
import type { AttemptPhase } from '../core/outcome.ts'
import type { Destination } from '../core/route.ts'
import type { TlsDemand } from '../core/tls-policy.ts'

export type { Destination, MxHost } from '../core/route.ts'

export type DestinationAnswer =
  | { readonly kind: 'found'; readonly destination: Destination }
  | { readonly kind: 'refused'; readonly phase: AttemptPhase; readonly judgement: Deferral | Failure }

/** Of the demands only `relaxed` counts here: no TLS policy is asked for then, and none closes a host. */
export interface Destinations {
  /** What is known without asking, expired or not; null: nothing. */
  known(domain: string, demand?: TlsDemand | null): Destination | null
  /** One look-up under way for each domain, whoever asks. */
  find(domain: string, demand?: TlsDemand | null): Promise<DestinationAnswer>
}
