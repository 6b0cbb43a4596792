/**
 * Makes a composed notice into a message of the queue: null reverse-path, one recipient.
 *
 * It enters with the settlements it tells of, in one commit, and is then mail like any other.
 */
import { formatMailbox } from '../core/address.ts'
import type { BodyRef } from '../core/brand.ts'
import type { Envelope, EnvelopeRecipient } from '../core/envelope.ts'
import { recipientId } from '../core/queue-id.ts'
import { submitterOf } from '../core/submitter.ts'
import type { ComposedDsn, DsnRequest } from '../message/dsn.ts'
import { type Acceptance, type AcceptedMessage, INLINE_OCTETS_MAX, type Placement } from '../ports/queue-store.ts'
import type { RewrittenRecipient } from '../ports/rewriter.ts'
import type { DeliveryContext } from './context.ts'

/** Where a message of our own goes: queued, or held if its route says so. */
export type NoticePlacer = (message: AcceptedMessage) => readonly Placement[]

export interface NoticeParts {
  readonly request: DsnRequest
  readonly about: AcceptedMessage
  readonly context: DeliveryContext
  readonly place: NoticePlacer
}

export async function acceptanceOfNotice(dsn: ComposedDsn, parts: NoticeParts): Promise<Acceptance> {
  const { request, about, context } = parts
  const { queueId } = request
  const message: AcceptedMessage = {
    envelope: {
      queueId,
      reversePath: { kind: 'null' },
      recipients: recipientsOf(request, context),
      body: dsn.body,
      smtputf8: dsn.smtputf8,
      // RFC 8689 §5: what was to be kept secret on its way out is kept so on its way back.
      requireTls: about.envelope.requireTls,
      envelopeId: null,
      returnContent: null,
    },
    origin: { kind: 'dsn', submitter: submitterOf(null, { kind: 'null' }), login: null, clientAddress: null, heloName: null, protocol: 'DSN' },
    header: {
      from: request.from,
      subject: dsn.subject,
      messageId: dsn.messageId,
      fields: [
        ['from', request.from],
        ['to', formatMailbox(request.to)],
        ['subject', dsn.subject],
        ['auto-submitted', 'auto-replied'],
      ],
    },
    prefix: await signatureOf(dsn.content, request, context),
    bodyRef: queueId as string as BodyRef,
    sizeOctets: dsn.content.length,
    acceptedAt: request.at,
  }
  const placements = parts.place(message)
  if (dsn.content.length <= INLINE_OCTETS_MAX) return { message, content: dsn.content, placements }
  const writer = context.bodies.put(message.bodyRef)
  await writer.write(dsn.content)
  await writer.finish()
  return { message, content: null, placements }
}

/** RFC 3461 §6.2: a DSN asks for none. The sender it goes to may be an alias. */
function recipientsOf({ queueId, to }: DsnRequest, { rewriter }: DeliveryContext): Envelope['recipients'] {
  const asked = { forwardPath: to, notify: 'never', originalRecipient: null } as const
  const [first, ...others] = rewriter?.()?.rewriteRecipients([asked]) ?? [{ ...asked, unrewritten: null }]
  const complete = ({ unrewritten, ...recipient }: RewrittenRecipient, index: number): EnvelopeRecipient => {
    const id = recipientId(queueId, index)
    return unrewritten === null ? { ...recipient, id } : { ...recipient, id, unrewritten }
  }
  return [complete(first, 0), ...others.map((recipient, index) => complete(recipient, index + 1))]
}

/** A notice that cannot be signed goes out unsigned: nobody is there to be told to try again, and the sender must hear of it. */
async function signatureOf(content: Uint8Array, { queueId }: DsnRequest, { signer, journal }: DeliveryContext): Promise<Uint8Array> {
  const signing = signer?.begin() ?? null
  if (signing === null) return NO_LINES
  try {
    signing.push(content)
    return await signing.sign(NO_LINES)
  } catch (error) {
    journal.note('delivery', 'error', 'a notice leaves unsigned', { queueId, reason: error instanceof Error ? error.message : String(error) })
    return NO_LINES
  }
}

const NO_LINES = new Uint8Array(0)
