/**
 * What a client is told when its message cannot be signed or kept: always 4yz, the mail stays with it.
 *
 * The one place where such faults become replies (RFC 5321 §4.2.4.2, RFC 3463 §3.4).
 */
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import { SigningFault } from '../ports/signer.ts'
import { StoreFault } from '../ports/store-fault.ts'

export const SHUTTING_DOWN = reply(421, enhanced(4, 3, 2), 'Service shutting down')
export const STORE_FULL = reply(452, enhanced(4, 3, 1), 'Insufficient system storage')
const STORE_FAULT = reply(451, enhanced(4, 3, 0), 'The queue cannot be written now, try again later')
/** RFC 3463 §3.8: 7.5, cryptographic failure. */
const NOT_SIGNED = reply(451, enhanced(4, 7, 5), 'The message cannot be signed now, try again later')
const STORE_BUSY = reply(451, enhanced(4, 3, 2), 'Too busy to take mail now, try again later')

/** Anything that is no `StoreFault` is a bug of ours, and the message was not taken either. */
export function replyToFault(fault: unknown): SmtpReply {
  if (fault instanceof SigningFault) return NOT_SIGNED
  if (!(fault instanceof StoreFault)) return STORE_FAULT
  switch (fault.kind) {
    case 'full':
      return STORE_FULL
    case 'busy':
      return STORE_BUSY
    case 'closed':
      return SHUTTING_DOWN
    case 'io':
    case 'damaged':
      return STORE_FAULT
  }
}

/** While intake is paused; `reason` is ours, for people. */
export function replyWhilePaused(kind: 'full' | 'io', reason: string): SmtpReply {
  return kind === 'full' ? reply(452, enhanced(4, 3, 1), `Not taking mail now: ${reason}`) : reply(451, enhanced(4, 3, 0), `Not taking mail now: ${reason}`)
}
