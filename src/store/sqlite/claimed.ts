/**
 * The answer to a claim, made into leased recipients: the inverse of `writer/load-claimed.ts`.
 */
import type { EpochMs, LeaseToken } from '../../core/brand.ts'
import type { AcceptedMessage, LeasedRecipient } from '../../ports/queue-store.ts'
import type { ContentCache } from '../content-cache.ts'
import { parseMessage, type RecipientFields } from '../rows.ts'

export interface Claimed {
  readonly token: LeaseToken
  readonly leaseUntil: EpochMs
}

export function decodeClaimed(result: unknown, { token, leaseUntil }: Claimed, cache: ContentCache): readonly LeasedRecipient[] {
  if (!Array.isArray(result)) return []
  let at = 0
  const next = <Type>(): Type => result[at++] as Type
  const count = next<number>()
  const messages: AcceptedMessage[] = []
  const contents: (Uint8Array | null)[] = []
  for (let i = 0; i < count; i++) {
    const fields = { id: next<number>(), acceptedAt: next<number>(), size: next<number>(), meta: next<string>(), prefix: next<Uint8Array>() }
    const content = next<Uint8Array | null>()
    const total = next<number>()
    const recipients: RecipientFields[] = []
    for (let n = 0; n < total; n++) recipients.push({ sender: next<string>(), address: next<string>(), dsn: next<string | null>() })
    const message = parseMessage(fields, recipients)
    contents.push(content)
    messages.push(message)
  }
  const leased: LeasedRecipient[] = []
  while (at < result.length) {
    const place = next<number>()
    const message = messages[place]
    const content = contents[place] ?? null
    const recipient = message?.envelope.recipients[next<number>()]
    if (message === undefined || recipient === undefined) throw new RangeError('a lease without its message')
    if (content !== null) cache.put(message.bodyRef, content, 1)
    leased.push({
      message,
      recipient,
      token,
      leaseUntil,
      attempts: next<number>(),
      dueAt: next<EpochMs>(),
      delayNoticeSent: next<number>() === 1,
      released: next<number>() === 1,
    })
  }
  return leased
}
