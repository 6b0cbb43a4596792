/**
 * Between the values of the ports and the columns of a row, the same for every database.
 *
 * Addresses are kept as text, everything that is never asked for in SQL as one JSON text.
 */
import { formatDomain, formatMailbox, formatReversePath } from '../core/address.ts'
import type { BodyRef, DomainName, EpochMs, QueueId } from '../core/brand.ts'
import type { Envelope, EnvelopeRecipient, HeaderFacts, Mailbox, Notify, Origin, ReversePath } from '../core/envelope.ts'
import { queueIdFromNumber, recipientId } from '../core/queue-id.ts'
import type { StateKind } from '../core/recipient-state.ts'
import type { AcceptedMessage } from '../ports/queue-store.ts'

/** Numbers of the states, which partial indexes name: open ones first. Never renumber. */
export const STATE_NUMBERS: Readonly<Record<StateKind, number>> = { queued: 0, leased: 1, held: 2, delivered: 3, failed: 4, expired: 5, cancelled: 6 }
const STATES: readonly StateKind[] = ['queued', 'leased', 'held', 'delivered', 'failed', 'expired', 'cancelled']
/** States above this are finished. */
export const LAST_OPEN_STATE = 2

export function stateOf(number: number): StateKind {
  const state = STATES[number]
  if (state === undefined) throw new RangeError(`no recipient state ${number}`)
  return state
}

type Meta = readonly [
  body: Envelope['body'],
  smtputf8: boolean,
  requireTls: boolean,
  envelopeId: string | null,
  returnContent: Envelope['returnContent'],
  origin: Origin,
  header: HeaderFacts,
]

export function formatMeta({ envelope, origin, header }: AcceptedMessage): string {
  const meta: Meta = [envelope.body, envelope.smtputf8, envelope.requireTls, envelope.envelopeId, envelope.returnContent, origin, header]
  return JSON.stringify(meta)
}

export function formatSender(path: ReversePath): string {
  return formatReversePath(path)
}
export { formatDomain, formatMailbox }

/** NOTIFY and ORCPT of a recipient, and why it waits to be rewritten; null where there is none of it, as almost always. */
export function formatDsn({ notify, originalRecipient, unrewritten }: EnvelopeRecipient): string | null {
  if (unrewritten !== undefined) return JSON.stringify([notify, originalRecipient, unrewritten])
  return notify === null && originalRecipient === null ? null : JSON.stringify([notify, originalRecipient])
}

export interface MessageFields {
  readonly id: number
  readonly acceptedAt: number
  readonly size: number
  readonly meta: string
  readonly prefix: Uint8Array
}
export interface RecipientFields {
  readonly sender: string
  readonly address: string
  readonly dsn: string | null
}

/** `recipients` in order of their index, all of the message. */
export function parseMessage(fields: MessageFields, recipients: readonly RecipientFields[]): AcceptedMessage {
  const queueId = queueIdFromNumber(fields.id)
  const [body, smtputf8, requireTls, envelopeId, returnContent, origin, header] = JSON.parse(fields.meta) as Meta
  const [first, ...rest] = recipients.map((recipient, index) => parseRecipient(queueId, index, recipient))
  if (first === undefined) throw new RangeError(`message ${queueId} has no recipients`)
  const reversePath = parseSender(recipients[0]?.sender ?? '<>')
  return {
    envelope: { queueId, reversePath, recipients: [first, ...rest], body, smtputf8, requireTls, envelopeId, returnContent },
    origin,
    header,
    prefix: fields.prefix,
    bodyRef: queueId as string as BodyRef,
    sizeOctets: fields.size,
    acceptedAt: fields.acceptedAt as EpochMs,
  }
}

function parseRecipient(queueId: QueueId, index: number, { address, dsn }: RecipientFields): EnvelopeRecipient {
  const [notify, originalRecipient, unrewritten] = dsn === null ? [null, null] : (JSON.parse(dsn) as [Notify, string | null, string?])
  const recipient = { id: recipientId(queueId, index), forwardPath: splitAddress(address), notify, originalRecipient }
  return unrewritten === undefined ? recipient : { ...recipient, unrewritten }
}

function parseSender(sender: string): ReversePath {
  return sender === '<>' ? { kind: 'null' } : { kind: 'mailbox', mailbox: splitAddress(sender) }
}

/** Inverse of `formatMailbox` for what it wrote: a domain never holds an `@`, so nothing is parsed again. */
function splitAddress(address: string): Mailbox {
  const at = address.lastIndexOf('@')
  const domain = address.slice(at + 1)
  return { localPart: address.slice(0, at), domain: domain.startsWith('[') ? { addressLiteral: domain.slice(1, -1) } : (domain as DomainName) }
}
