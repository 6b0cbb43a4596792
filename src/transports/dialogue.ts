/**
 * Lines of the live dialogue: whose they are, of the rides that share a session.
 *
 * Secrets were removed by the engine. What is sent belongs to the newest ride since its MAIL, what is
 * received to the oldest one, because replies come in order.
 */
import { formatMailbox } from '../core/address.ts'
import type { DialogueLine, DialogueTap } from '../ports/journal.ts'
import type { Ride } from './ride.ts'

export type LineWriter = (direction: DialogueLine['direction'], text: string) => void

export interface DialogueAbout {
  readonly session: string
  readonly peer: string
  oldest(): Ride | null
  newest(): Ride | null
}

/** Gives null as long as nobody looks, so that no line is built. */
export function createLineWriter(tap: DialogueTap, about: DialogueAbout): () => LineWriter | null {
  let sending: Ride | null = null
  const write: LineWriter = (direction, text) => {
    if (direction === '>' && (sending === null || text.startsWith('MAIL '))) sending = about.newest()
    const ride = direction === '>' ? sending : about.oldest()
    tap.line({
      side: 'delivery',
      session: about.session,
      peer: about.peer,
      direction,
      text,
      queueId: ride?.batch.message.envelope.queueId ?? null,
      to: ride === null ? [] : ride.recipients.map((recipient) => formatMailbox(recipient.forwardPath)),
    })
  }
  return () => (tap.active ? write : null)
}
