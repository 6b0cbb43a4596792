/**
 * What a submission server mends in a message, and what it refuses (RFC 6409 §8, RFC 5321 §6.3, §7.2).
 *
 * Missing Date and Message-ID are added, Bcc and Resent-Bcc are taken out with their folds, a
 * missing blank line after the header block is put in. Nothing else is touched: an application's
 * DKIM signature stays valid. What is added in front goes into the prefix, never into the content.
 * What sender rules change beyond that was found by `header-edits.ts`, and is made here in the same pass.
 */
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import type { HeaderBlock } from './header-block.ts'
import type { HeaderEdit } from './header-edits.ts'

export interface OctetRange {
  readonly start: number
  readonly end: number
}
export interface SubmissionFixups {
  readonly addDate: boolean
  readonly addMessageId: boolean
  /** Fields to leave out, in order, not overlapping. */
  readonly cuts: readonly OctetRange[]
  /** Where a blank line is missing, in octets from the start; null: nowhere. */
  readonly blankLineAt: number | null
}
export type FixupDecision = { readonly kind: 'accepted'; readonly fixups: SubmissionFixups } | { readonly kind: 'refused'; readonly reply: SmtpReply }

export interface FixupLimits {
  /** Received fields before it counts as a loop (RFC 5321 §6.3). */
  readonly hopsMax: number
}

/** Pure: says what is to be done with a header block, or why it is refused. */
export function decideFixups(block: HeaderBlock, limits: FixupLimits): FixupDecision {
  let hops = 0
  let authors = 0
  let addDate = true
  let addMessageId = true
  const cuts: OctetRange[] = []
  for (const field of block.fields) {
    switch (field.name) {
      case 'received':
        hops++
        break
      case 'from':
        authors++
        break
      case 'date':
        addDate = false
        break
      case 'message-id':
        addMessageId = false
        break
      case 'bcc':
      case 'resent-bcc':
        cuts.push({ start: field.start, end: field.end })
        break
    }
  }
  if (hops > limits.hopsMax) return { kind: 'refused', reply: TOO_MANY_HOPS }
  // Which of two authors a receiver shows and which one DMARC checks may differ.
  if (authors > 1) return { kind: 'refused', reply: SEVERAL_FROM }
  return { kind: 'accepted', fixups: { addDate, addMessageId, cuts, blankLineAt: block.separator === 'missing' ? block.octets : null } }
}

const TOO_MANY_HOPS = reply(554, enhanced(5, 4, 6), 'Too many hops: the message is in a loop')
const SEVERAL_FROM = reply(550, enhanced(5, 6, 0), 'More than one From header field')

const CRLF = Buffer.from('\r\n')

/**
 * The content with its cuts and edits made, as slices of the given octets where that is possible.
 *
 * `head` must hold the whole header block; content behind it follows unchanged. Edits are in order and
 * touch no field that is cut.
 */
export function applyFixups(
  head: Uint8Array,
  fixups: Pick<SubmissionFixups, 'cuts' | 'blankLineAt'>,
  edits: readonly HeaderEdit[] = [],
): readonly Uint8Array[] {
  const { cuts, blankLineAt } = fixups
  if (cuts.length === 0 && blankLineAt === null && edits.length === 0) return [head]
  const pieces: Uint8Array[] = []
  let at = 0
  const keepUntil = (end: number): void => {
    if (end > at) pieces.push(head.subarray(at, end))
    at = end
  }
  const changes: readonly (OctetRange & { readonly octets?: Uint8Array })[] = edits.length === 0 ? cuts : [...cuts, ...edits].sort((a, b) => a.start - b.start)
  for (const { start, end, octets } of changes) {
    keepUntil(start)
    if (octets !== undefined && octets.length > 0) pieces.push(octets)
    at = end
  }
  if (blankLineAt !== null) {
    keepUntil(blankLineAt)
    pieces.push(CRLF)
  }
  keepUntil(head.length)
  return pieces
}
