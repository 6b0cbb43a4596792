/**
 * Where a domain's mail goes when it is delivered directly: its hosts, in the order to try.
 *
 * Found by DNS (RFC 5321 §5.1, RFC 7505) and policy; what is known is kept for as long as the DNS
 * allows. Answers never come as rejections.
 */
import type { Deferral, Failure } from '../core/classify.ts'
import type { AttemptPhase } from '../core/outcome.ts'
import type { Destination } from '../core/route.ts'

export type { Destination, MxHost } from '../core/route.ts'

export type DestinationAnswer =
  | { readonly kind: 'found'; readonly destination: Destination }
  | { readonly kind: 'refused'; readonly phase: AttemptPhase; readonly judgement: Deferral | Failure }

export interface Destinations {
  /** What is known without asking, expired or not; null: nothing. */
  known(domain: string): Destination | null
  /** One look-up under way for each domain, whoever asks. */
  find(domain: string): Promise<DestinationAnswer>
}
