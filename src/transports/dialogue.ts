/**
 * Lines of the live dialogue: whose they are, of the rides that share a session; and remarks of ours
 * where nothing is said: connecting, TLS, the end.
 *
 * Secrets were removed by the engine. What is sent belongs to the newest ride since its MAIL, what is
 * received to the oldest one, because replies come in order.
 */
import { formatMailbox, formatReversePath } from '../core/address.ts'
import type { AttemptFault } from '../core/classify.ts'
import type { DialogueLine, DialogueTap } from '../ports/journal.ts'
import type { HostTarget } from './relay-target.ts'
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
    // QUIT comes long after the last message and is none of its lines.
    if (direction === '>' && text === 'QUIT') sending = null
    else if (direction === '>' && text.startsWith('MAIL ')) sending = about.newest()
    const ride = direction === '>' ? sending : about.oldest()
    tap.line({
      side: 'delivery',
      session: about.session,
      peer: about.peer,
      direction,
      text,
      queueId: ride?.batch.message.envelope.queueId ?? null,
      ...(ride === null ? {} : { from: formatReversePath(ride.batch.message.envelope.reversePath) }),
      to: ride === null ? [] : ride.recipients.map((recipient) => formatMailbox(recipient.forwardPath)),
    })
  }
  return () => (tap.active ? write : null)
}

/** The relay, and the login if it has any: `google/jira`; of direct delivery the host: `mx/mx1.example.com`. */
export function dialoguePeer({ relay, credential, host, addresses }: Pick<HostTarget, 'relay' | 'credential' | 'host' | 'addresses'>): string {
  if (relay.name === DIRECT && addresses !== null) return `${DIRECT}/${host.host}`
  return credential === null ? relay.name : `${relay.name}/${credential.name}`
}

/** No relay may have that name. */
const DIRECT = 'mx'

/** A remark about the session itself; `text` is only called while somebody looks. */
export function remark(tap: DialogueTap, about: { readonly session: string; readonly target: HostTarget }, text: () => string): void {
  if (!tap.active) return
  tap.line({ side: 'delivery', session: about.session, peer: dialoguePeer(about.target), direction: '*', text: text(), queueId: null, to: [] })
}

/** Why a session ended that did not end with QUIT. */
export function describeEnd(fault: AttemptFault): string {
  switch (fault.kind) {
    case 'network':
      return `the connection broke: ${fault.message}`
    case 'timeout':
      return `nothing came for ${Math.round(fault.afterMs / 1000)} s, connection given up`
    case 'protocol':
      return `connection given up, the server broke the protocol: ${fault.detail}`
    default:
      return 'the connection ended without QUIT'
  }
}
