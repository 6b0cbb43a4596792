/**
 * Branded ids, and the check that closes a union.
 *
 * A brand is given only by the parser or the generator of its kind, so that a string that
 * merely looks like a queue id cannot be passed for one.
 */
declare const brand: unique symbol
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** One accepted message. Eleven characters, time-ordered: see `core/queue-id.ts`. */
export type QueueId = Brand<string, 'QueueId'>
/** One recipient of an accepted message: `<queue id>.<n>`, n from 0: see `core/queue-id.ts`. */
export type RecipientId = Brand<string, 'RecipientId'>
/** New at every claim; fences late settlements. */
export type LeaseToken = Brand<string, 'LeaseToken'>
/** Where the content is. In every store of ours it is the queue id of the message that owns it. */
export type BodyRef = Brand<string, 'BodyRef'>
/** What is throttled: egress source + site + transport. For a relay `smtp:NAME/CREDENTIAL`. */
export type LaneKey = Brand<string, 'LaneKey'>
/** Lower case; A-labels unless the message needs SMTPUTF8. */
export type DomainName = Brand<string, 'DomainName'>
/** Milliseconds since 1970-01-01 UTC. */
export type EpochMs = Brand<number, 'EpochMs'>

/** Closes a `switch` over a union: a new member no longer compiles; at run time it throws. */
export function assertNever(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`)
}
