/**
 * One batch on its way through the transport: what is left to ask, where it may still be asked, and
 * what was answered so far.
 *
 * The only mutable thing that pool, session and transport share; it decides nothing. It waits in a
 * lane, rides on a session, and ends once.
 */
import type { RecipientId } from '../core/brand.ts'
import { type Deferral, reasonWith } from '../core/classify.ts'
import type { EnvelopeRecipient } from '../core/envelope.ts'
import type { AttemptPhase, AttemptReport, EarlierTry, HopVerdict, RecipientOutcome, RemoteMta, TlsFacts } from '../core/outcome.ts'
import type { SmtpReply } from '../core/reply.ts'
import type { StoredContent } from '../ports/body-store.ts'
import type { DeliveryBatch } from '../ports/transport.ts'
import type { EightBitState, Fit, FitQuestion } from './peer-fit.ts'
import type { HostTarget } from './relay-target.ts'
import type { TransactionFacts } from './transaction-outcome.ts'

/** Why no session came about. */
export interface SetupFailure {
  readonly deferral: Deferral
  readonly phase: AttemptPhase
  readonly reply: SmtpReply | null
  readonly remote: RemoteMta | null
  /** Only TLS failed and the policy allows plain: once more without, on a new connection. */
  readonly goPlain: boolean
  /** From the look-up to the fault, whatever was tried before included. */
  readonly tookMs?: number
}
export type RideEnd =
  /** The peer was asked; `facts` say what came of it. */
  | { readonly kind: 'asked'; readonly facts: TransactionFacts }
  /** The peer cannot take it so: `fit` says why. Nothing was sent. */
  | { readonly kind: 'unfit'; readonly fit: Exclude<Fit, { readonly kind: 'fits' }>; readonly remote: RemoteMta }
  | { readonly kind: 'no-session'; readonly failure: SetupFailure }
  /** Every address of this host was already asked in this attempt. */
  | { readonly kind: 'exhausted' }
  /** Nobody was asked: somebody else's session could not be had, or we were told to stop. */
  | { readonly kind: 'not-reached'; readonly reason: string }
  /** Our own content could not be read (`error` is the store's), or a bug of ours. */
  | { readonly kind: 'lost'; readonly error: unknown }

/** What of the last session goes into the report. */
export interface LastSession {
  readonly remote: RemoteMta | null
  readonly tls: TlsFacts | null
  readonly setupMs: number
  readonly transferMs: number
  readonly use: number
}

export function triedInVain({ host }: HostTarget, { remote, deferral, reply }: SetupFailure): EarlierTry {
  const reason = reasonWith(deferral.reason, reply)
  return { remoteMta: remote, reason: remote === null ? `${host.host}: ${reason}` : reason }
}

/** Hosts and addresses that failed, told in one report; one attempt asks hardly more. */
const EARLIER_MAX = 12

export class Ride {
  readonly batch: DeliveryBatch
  readonly signal: AbortSignal
  readonly content: StoredContent
  readonly hosts: readonly HostTarget[]
  readonly resolve: (report: AttemptReport) => void
  readonly reject: (error: unknown) => void
  hostAt = 0
  /** Still to be asked. */
  recipients: readonly EnvelopeRecipient[]
  /** Settled so far. */
  readonly outcomes = new Map<RecipientId, RecipientOutcome>()
  hop: HopVerdict | null = null
  /** The host refused a further session on its behalf; others carried it. The lane is to hear of it all the same. */
  crowded: HopVerdict | null = null
  last: LastSession | null = null
  /** Addresses that failed in this attempt. */
  avoid: readonly string[] = []
  /** What was tried in vain before. */
  readonly earlier: EarlierTry[] = []
  #left: EarlierTry | null = null
  /** Sessions that turned out to be stale: such a try is free, but not for ever. */
  staleTries = 0
  /** Hosts and addresses that were tried after another one had failed. */
  furtherTries = 0
  /** A connection may still hold octets of the content. */
  contentInUse = false
  eightBit: EightBitState = { kind: 'unknown' }
  headerIsAscii: boolean | null = null
  /** These parts of the content go out converted to 7 bit; null: nothing is changed. */
  convert: ReadonlySet<number> | null = null
  /** Our DKIM signature of the converted content, instead of the one in the prefix. */
  newSignature: Uint8Array = new Uint8Array(0)
  state: 'waiting' | 'opening' | 'riding' | 'ended' = 'waiting'
  /** Of its signal. */
  stopWatching: () => void = () => undefined
  /** Set-up of the session that was opened for it. */
  setupMs = 0

  constructor(parts: Pick<Ride, 'batch' | 'signal' | 'content' | 'hosts' | 'resolve' | 'reject'>) {
    this.batch = parts.batch
    this.signal = parts.signal
    this.content = parts.content
    this.hosts = parts.hosts
    this.resolve = parts.resolve
    this.reject = parts.reject
    this.recipients = parts.batch.recipients.map((leased) => leased.recipient)
  }

  /** The host it wants now. */
  get target(): HostTarget {
    const target = this.hosts[this.hostAt]
    if (target === undefined) throw new Error('a ride beyond its last host')
    return target
  }

  /** The attempt is to go on elsewhere after this. */
  passedBy(tried: EarlierTry): void {
    this.wentOn()
    this.#left = tried
  }

  /** It did: what was left is not what decided. */
  wentOn(): void {
    if (this.#left !== null && this.earlier.length < EARLIER_MAX) this.earlier.push(this.#left)
    this.#left = null
  }

  /** What a peer has to be asked about it; `verified`: inside TLS whose certificate was checked. */
  question(verified: boolean): FitQuestion {
    const { recipients, sizeOctets, eightBit, headerIsAscii } = this
    return { envelope: this.batch.message.envelope, recipients, sizeOctets, eightBit, headerIsAscii, verified }
  }

  /** Prefix and stored content. */
  get sizeOctets(): number {
    return this.batch.message.prefix.byteLength + this.content.sizeOctets
  }
}
