/**
 * Held recipients that could not be rewritten when they came, and are released: rewritten now, or held
 * again. They never go anywhere as they are.
 *
 * What they become is a message of its own, with the same content and prefix, and enters the queue in
 * the commit that settles them. The rules themselves are behind `ports/rewriter.ts`.
 */
import { formatMailbox } from '../core/address.ts'
import type { BodyRef, EpochMs, QueueId } from '../core/brand.ts'
import type { Envelope, EnvelopeRecipient } from '../core/envelope.ts'
import { recipientId } from '../core/queue-id.ts'
import { type Acceptance, type AcceptedMessage, INLINE_OCTETS_MAX, type LeasedRecipient, type Settlement } from '../ports/queue-store.ts'
import type { RewriteRecipient, RewrittenRecipient } from '../ports/rewriter.ts'
import { StoreFault } from '../ports/store-fault.ts'
import type { DeliveryContext } from './context.ts'
import type { LeasedBatch } from './lane.ts'
import type { NoticePlacer } from './notice-message.ts'
import type { OutcomeRecorder } from './record-outcomes.ts'
import { holdOf, rewrittenOf } from './settle.ts'
import type { SettleQueue } from './settle-queue.ts'

export interface ReentryParts {
  readonly context: DeliveryContext
  readonly queue: SettleQueue
  readonly recorder: OutcomeRecorder
  readonly place: NoticePlacer
}
/** Recipients that become one new message. */
interface Group {
  readonly leased: readonly LeasedRecipient[]
  readonly recipients: readonly RewrittenRecipient[]
}

/** After a fault of the store. */
const AGAIN_MS = 10_000

/** Whether a batch, all of one kind, is for `Reentry`. */
export function isUnrewritten({ recipients: [{ recipient }] }: LeasedBatch): boolean {
  return recipient.unrewritten !== undefined
}

export class Reentry {
  readonly #parts: ReentryParts

  constructor(parts: ReentryParts) {
    this.#parts = parts
  }

  /** Takes over a batch; every recipient of it is settled. */
  enter(batch: LeasedBatch): void {
    const good: { readonly leased: LeasedRecipient; readonly recipients: readonly RewrittenRecipient[] }[] = []
    for (const leased of batch.recipients) {
      const recipients = this.#rewrite([leased])
      const obstacle = recipients.find(({ unrewritten }) => unrewritten !== null)?.unrewritten ?? null
      if (obstacle === null) good.push({ leased, recipients })
      else this.#holdAgain(batch, leased, obstacle)
    }
    for (const group of this.#groups(good)) void this.#pass(batch, group)
  }

  #rewrite(leased: readonly LeasedRecipient[]): readonly RewrittenRecipient[] {
    const rewriter = this.#parts.context.rewriter?.() ?? null
    const asked = leased.map(({ recipient: { forwardPath, notify, originalRecipient } }): RewriteRecipient => ({ forwardPath, notify, originalRecipient }))
    const [first, ...others] = asked
    if (first === undefined) return []
    // No rules any more: what there is now decides, as for a route that was taken away.
    if (rewriter === null) return asked.map((recipient) => ({ ...recipient, unrewritten: null }))
    return rewriter.rewriteRecipients([first, ...others])
  }

  /** As many together as one message may have. */
  #groups(good: readonly { readonly leased: LeasedRecipient; readonly recipients: readonly RewrittenRecipient[] }[]): readonly Group[] {
    const most = this.#parts.context.rewriter?.()?.recipientsMax ?? Number.POSITIVE_INFINITY
    const gathered: { leased: LeasedRecipient[]; count: number }[] = []
    for (const { leased, recipients } of good) {
      const last = gathered.at(-1)
      if (last === undefined || last.count + recipients.length > most) gathered.push({ leased: [leased], count: recipients.length })
      else {
        last.leased.push(leased)
        last.count += recipients.length
      }
    }
    return gathered.map(({ leased }) => ({ leased, recipients: this.#rewrite(leased) }))
  }

  #holdAgain(batch: LeasedBatch, leased: LeasedRecipient, reason: string): void {
    const { context, queue } = this.#parts
    context.counters.held++
    const { queueId } = batch.message.envelope
    context.journal.note('delivery', 'warn', `held again, its recipient cannot be rewritten: ${reason}`, { queueId, to: addressOf(leased.recipient) })
    queue.add({ batch, settlements: [holdOf(leased, context.clock.now(), 'held', reason)], notice: null })
  }

  async #pass(batch: LeasedBatch, group: Group): Promise<void> {
    const { context, queue, recorder } = this.#parts
    try {
      const acceptance = await this.#compose(batch.message, group.recipients)
      const { queueId } = acceptance.message.envelope
      const to = group.recipients.map(addressOf)
      context.journal.note('delivery', 'info', 'a held message is rewritten and goes on', { queueId: batch.message.envelope.queueId, as: queueId, to })
      queue.add({ batch, settlements: this.#settlements(group.leased, queueId, to), notice: acceptance })
    } catch (fault) {
      const reason = fault instanceof Error ? fault.message : String(fault)
      if (fault instanceof StoreFault && fault.kind === 'damaged') recorder.quarantine(batch, group.leased, reason)
      else {
        context.journal.note('delivery', 'error', `a rewritten message could not be made: ${reason}`, { queueId: batch.message.envelope.queueId })
        recorder.release(batch, group.leased, { dueAt: (context.clock.now() + AGAIN_MS) as EpochMs, reason })
      }
    }
  }

  #settlements(leased: readonly LeasedRecipient[], queueId: QueueId, to: readonly string[]): readonly Settlement[] {
    const now = this.#parts.context.clock.now()
    const [first = '', ...others] = to
    const reason = `goes on as ${queueId} to ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`
    return leased.map((one) => rewrittenOf(one, now, reason))
  }

  async #compose(message: AcceptedMessage, recipients: readonly RewrittenRecipient[]): Promise<Acceptance> {
    const { context, place } = this.#parts
    const queueId = context.newQueueId()
    const next: AcceptedMessage = {
      ...message,
      envelope: envelopeOf(message.envelope, queueId, recipients),
      bodyRef: queueId as string as BodyRef,
      // A message of its own: how long it was held counts for nothing.
      acceptedAt: context.clock.now(),
    }
    return { message: next, content: await this.#copyContent(message, next.bodyRef), placements: place(next) }
  }

  /** Small content in hand; larger is put under the new message. */
  async #copyContent(from: AcceptedMessage, to: BodyRef): Promise<Uint8Array | null> {
    const { bodies } = this.#parts.context
    const content = await bodies.open(from.bodyRef)
    if (content.whole !== null && content.sizeOctets <= INLINE_OCTETS_MAX) return content.whole
    if (content.sizeOctets <= INLINE_OCTETS_MAX) return Buffer.concat(await gather(content.chunks()))
    const writer = bodies.put(to)
    try {
      for await (const chunk of content.chunks()) await writer.write(chunk)
      await writer.finish()
    } catch (fault) {
      await writer.abort()
      throw fault
    }
    return null
  }
}

function envelopeOf(envelope: Envelope, queueId: QueueId, recipients: readonly RewrittenRecipient[]): Envelope {
  const complete = recipients.map(
    ({ forwardPath, notify, originalRecipient }, index): EnvelopeRecipient => ({ id: recipientId(queueId, index), forwardPath, notify, originalRecipient }),
  )
  const [first, ...others] = complete
  if (first === undefined) throw new Error('a message was left without recipients')
  return { ...envelope, queueId, recipients: [first, ...others] }
}

function addressOf({ forwardPath }: Pick<EnvelopeRecipient, 'forwardPath'>): string {
  return formatMailbox(forwardPath)
}

async function gather(chunks: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const gathered: Uint8Array[] = []
  for await (const chunk of chunks) gathered.push(chunk)
  return gathered
}
