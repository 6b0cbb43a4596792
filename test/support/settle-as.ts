/**
 * Brings messages of a store into the states that lists and stories show, by the ports alone.
 */
import type { EpochMs, LaneKey, QueueId } from '../../src/core/brand.ts'
import type { EventDetail } from '../../src/core/event.ts'
import type { HistoryLine, LeasedRecipient, SettledChange, Settlement } from '../../src/ports/queue-store.ts'
import { type AcceptanceOptions, leasedPlace, makeAcceptance, NOON } from './make-message.ts'
import type { MemoryStore } from './memory-store.ts'

export const GOOGLE = 'smtp:google/jira' as LaneKey
const MTA = { host: 'relay.google.test', address: '192.0.2.7' }

/** The lane of those messages, while its relay does not answer. */
export const SUSPENDED = {
  lane: 'smtp:google/jira' as LaneKey,
  state: 'suspended',
  width: 2,
  active: 0,
  ready: 0,
  until: (NOON + 60_000) as EpochMs,
  reason: 'connection \u001b[31mrefused',
} as const

export type Ending = 'delivered' | 'failed' | 'captured' | { readonly deferredUntil: EpochMs; readonly reply?: string }

/** Accepts a message, runs its first attempt for all recipients, and gives its id. */
export async function acceptAndEnd(store: MemoryStore, options: AcceptanceOptions, ending: Ending): Promise<QueueId> {
  const lane = ending === 'captured' ? ('capture' as LaneKey) : GOOGLE
  const acceptance = makeAcceptance({ ...options, place: leasedPlace('token', (NOON + 60_000) as EpochMs, lane) })
  await store.queue.enqueue(acceptance)
  const { envelope } = acceptance.message
  const leased = envelope.recipients.map((recipient) => ({ recipient, token: 'token' }) as LeasedRecipient)
  await store.queue.settle(
    leased.map((one) => settlementOf(one, ending)),
    [],
  )
  return envelope.queueId
}

function settlementOf({ recipient, token }: LeasedRecipient, ending: Ending): Settlement {
  const { change, line, text, status } = endingOf(ending)
  const last = { status, text, relay: 'google' }
  return { recipientId: recipient.id, token, at: (NOON + 500) as EpochMs, change, history: [line], last, delayNoticeSent: false }
}

interface Ended {
  readonly change: SettledChange
  readonly line: HistoryLine
  readonly text: string
  readonly status: string
}

function endingOf(ending: Ending): Ended {
  const attempt: EventDetail = { attempt: 1, lane: GOOGLE, remoteMta: MTA, timings: { setupMs: 120, transferMs: 40, sessionUse: 3 } }
  if (ending === 'captured') return { change: { event: 'deliver' }, line: { kind: 'captured', detail: { lane: 'capture' } }, text: 'captured', status: '2.0.0' }
  if (ending === 'delivered') {
    const reply = '250 2.0.0 OK 1234 gsmtp'
    return { change: { event: 'deliver' }, line: { kind: 'delivered', detail: { ...attempt, status: '2.0.0', reply } }, text: reply, status: '2.0.0' }
  }
  if (ending === 'failed') {
    const reply = '550 5.1.1 No such \u001b[31muser'
    const detail: EventDetail = { ...attempt, status: '5.1.1', reply, reason: 'the relay refused the recipient', phase: 'rcpt', scope: 'recipient' }
    return { change: { event: 'fail' }, line: { kind: 'failed', detail }, text: reply, status: '5.1.1' }
  }
  const { deferredUntil: dueAt, reply = '421 4.7.0 Try again later' } = ending
  const detail: EventDetail = { ...attempt, status: '4.7.0', reply, reason: 'the relay asked to try again', dueAt }
  return { change: { event: 'defer', dueAt, lane: GOOGLE }, line: { kind: 'deferred', detail }, text: reply, status: '4.7.0' }
}
