/**
 * Takes the content of one message as it comes in: gathers it while it is small, streams it into
 * the body store when it is not.
 *
 * The header block is looked at once, before any octet is stored. Memory is bounded by
 * `INLINE_OCTETS_MAX` (or the header limit, if that is larger) and one piece under way: beyond it
 * `wantsPause` asks for silence. Content that is refused is taken to its end and dropped.
 */
import type { BodyRef, QueueId } from '../core/brand.ts'
import type { HeaderFacts } from '../core/envelope.ts'
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import { hasEightBit } from '../message/has-eight-bit.ts'
import { type HeaderBlock, readHeaderFacts, scanHeaderBlock } from '../message/header-block.ts'
import { editHeader, type HeaderEdit } from '../message/header-edits.ts'
import { applyFixups, decideFixups, type SubmissionFixups } from '../message/submission-fixups.ts'
import type { BodyStore, BodyWriter } from '../ports/body-store.ts'
import { INLINE_OCTETS_MAX } from '../ports/queue-store.ts'
import type { Rewriter } from '../ports/rewriter.ts'
import type { Signer, SigningPass } from '../ports/signer.ts'
import { GatheredContent, type ScratchPool } from './gathered-content.ts'
import { replyToFault } from './store-replies.ts'

/** Content that the queue can take. */
export interface TakenContent {
  /** Valid until `letGo`. Null: it went into the body store, under the queue id. */
  readonly inline: Uint8Array | null
  /** Nobody reads it any more. Null, or where nobody calls it: the memory is collected. */
  readonly letGo: (() => void) | null
  readonly sizeOctets: number
  readonly eightBit: boolean
  readonly header: HeaderFacts
  readonly fixups: SubmissionFixups
  /** Given out when streaming began. */
  readonly queueId: QueueId | null
  /** Has seen all of the content as it is stored; null: nothing is signed. */
  readonly signing: SigningPass | null
  /** See `Acceptance`. */
  readonly sendsAsIs: boolean
}
export type ContentResult = { readonly kind: 'taken'; readonly content: TakenContent } | { readonly kind: 'refused'; readonly reply: SmtpReply }

export interface ContentIntakeParts {
  readonly bodies: BodyStore
  readonly newQueueId: () => QueueId
  readonly events: ContentEvents
  /** Null, or left out: no header field is changed. */
  readonly rewriter?: () => Rewriter | null
  /** Octets held in memory, added up over all messages. */
  readonly budget: ContentBudget
  readonly scratch: ScratchPool
  /** Left out: nothing is signed. */
  readonly signer?: Signer | undefined
}
export interface ContentEvents {
  /** Silence is no longer needed. */
  onRelief(): void
  /** The reply is known before the content ends: tell the engine. */
  onRefused(reply: SmtpReply): void
}
export interface ContentLimits {
  readonly headerOctets: number
  readonly hops: number
}
export interface ContentBudget {
  octets: number
}

/** Octets that may wait for the body store before reading stops. */
const PENDING_OCTETS_MAX = 256 * 1024

const HEADER_TOO_LARGE = reply(552, enhanced(5, 3, 4), 'Header block too large')

const IN_THE_STORE = { whole: null, letGo: null }

type Phase = 'gathering' | 'streaming' | 'refused' | 'ended'

export class ContentIntake {
  readonly #parts: ContentIntakeParts
  readonly #limits: ContentLimits
  #phase: Phase = 'gathering'
  readonly #gathered: GatheredContent
  /** What is to be stored of it, once the header block is known. */
  #pieces: readonly Uint8Array[] = []
  #heldOctets = 0
  #scanAt = INLINE_OCTETS_MAX
  #eightBit = false
  #head: { readonly facts: HeaderFacts; readonly fixups: SubmissionFixups } | null = null
  #writer: BodyWriter | null = null
  #queueId: QueueId | null = null
  #signing: SigningPass | null = null
  #storedOctets = 0
  #refusal: SmtpReply | null = null
  /** No line of it begins with a dot, and we changed none. */
  #sendsAsIs = true
  /** The end was seen: a refusal is the result, nobody has to be told before. */
  #whole = false

  constructor(parts: ContentIntakeParts, limits: ContentLimits) {
    this.#parts = parts
    this.#limits = limits
    this.#gathered = new GatheredContent(parts.scratch)
  }

  /** True: stop reading until `onRelief`. */
  get wantsPause(): boolean {
    return this.#phase === 'streaming' && this.#heldOctets > PENDING_OCTETS_MAX
  }

  /** A slice with dots unstuffed; valid only during the call. */
  write(slice: Uint8Array): void {
    let rest = slice
    while (this.#phase === 'gathering' && rest.length > 0) {
      const part = rest.subarray(0, this.#scanAt + 1 - this.#gathered.octets)
      rest = rest.subarray(part.length)
      this.#gathered.add(part)
      this.#hold(part.length)
      if (this.#gathered.octets > this.#scanAt) this.#outgrowMemory()
    }
    if (this.#phase === 'streaming' && rest.length > 0) this.#store(rest)
  }

  /** The true end was seen. At once for content in memory; never rejects: a fault of the store is a refusal. `dotless`: no line begins with a dot. */
  finish(dotless: boolean): ContentResult | Promise<ContentResult> {
    this.#whole = true
    this.#sendsAsIs &&= dotless
    if (this.#phase === 'gathering') this.#takeWhole()
    return this.#phase === 'streaming' ? this.#finishStream() : this.#conclude()
  }

  #conclude(): ContentResult {
    const result = this.#result()
    this.#letGo()
    this.#phase = 'ended'
    return result
  }

  /** The message will not be taken: removes what was stored. */
  abort(): void {
    const writer = this.#writer
    this.#writer = null
    this.#letGo()
    this.#phase = 'ended'
    // What a failing store leaves behind is an orphan, which the sweeper removes.
    writer?.abort().catch(() => undefined)
  }

  #hold(octets: number): void {
    this.#heldOctets += octets
    this.#parts.budget.octets += octets
  }

  #letGo(): void {
    this.#parts.budget.octets -= this.#heldOctets
    this.#heldOctets = 0
    this.#gathered.clear()
    this.#pieces = []
  }

  #takeWhole(): void {
    const whole = this.#gathered.view()
    const block = this.#scan(whole, true)
    if (block === null || !this.#prepare(whole, block)) return
    // Only with a header limit above what may travel with its acceptance.
    if (this.#heldOctets > INLINE_OCTETS_MAX) this.#startStream()
  }

  #outgrowMemory(): void {
    const whole = this.#gathered.view()
    const block = this.#scan(whole, false)
    // Twice as much before the next look keeps the whole scan linear.
    if (block === null) this.#scanAt *= 2
    else if (this.#prepare(whole, block)) this.#startStream()
  }

  #scan(bytes: Uint8Array, ended: boolean): HeaderBlock | null {
    const scan = scanHeaderBlock(bytes, { headerOctetsMax: this.#limits.headerOctets, ended })
    if (scan.kind === 'too-large') this.#refuse(HEADER_TOO_LARGE)
    return scan.kind === 'block' ? scan.block : null
  }

  /** Makes the fix-ups; false: refused. */
  #prepare(whole: Uint8Array, block: HeaderBlock): boolean {
    const decision = decideFixups(block, { hopsMax: this.#limits.hops })
    if (decision.kind === 'refused') {
      this.#refuse(decision.reply)
      return false
    }
    const headerEdits = this.#parts.rewriter?.()?.headerEdits ?? null
    const edits = headerEdits === null ? [] : editHeader(block, headerEdits)
    this.#sendsAsIs &&= edits.length === 0
    this.#head = { facts: readHeaderFacts(edits.length === 0 ? block : editedBlock(whole, block, edits)), fixups: decision.fixups }
    this.#signing = this.#parts.signer?.begin() ?? null
    this.#pieces = applyFixups(whole, decision.fixups, edits)
    this.#hold(this.#pieces.reduce((sum, piece) => sum + piece.length, 0) - whole.length)
    return true
  }

  #startStream(): void {
    this.#phase = 'streaming'
    this.#queueId = this.#parts.newQueueId()
    this.#writer = this.#parts.bodies.put(this.#queueId as string as BodyRef)
    const pieces = this.#pieces
    this.#release(this.#heldOctets)
    for (const piece of pieces) this.#store(piece)
    this.#pieces = []
    this.#gathered.clear()
  }

  #store(piece: Uint8Array): void {
    const octets = piece.length
    if (this.#writer === null || octets === 0) return
    this.#notePiece(piece)
    this.#storedOctets += octets
    // Counted as held until the store wants more: that is what back-pressure is about.
    this.#hold(octets)
    this.#writer.write(piece).then(
      () => this.#stored(octets),
      (fault: unknown) => this.#lost(fault),
    )
  }

  #stored(octets: number): void {
    const waited = this.wantsPause
    this.#release(octets)
    if (waited && !this.wantsPause) this.#parts.events.onRelief()
  }

  #lost(fault: unknown): void {
    if (this.#phase !== 'streaming') return
    this.#refuse(replyToFault(fault))
    this.#parts.events.onRelief()
  }

  #release(octets: number): void {
    // After an abort everything has been let go already.
    const held = Math.min(octets, this.#heldOctets)
    this.#heldOctets -= held
    this.#parts.budget.octets -= held
  }

  async #finishStream(): Promise<ContentResult> {
    try {
      await this.#writer?.finish()
    } catch (fault) {
      this.#refuse(replyToFault(fault))
    }
    return this.#conclude()
  }

  /** What is to be known of the octets that are stored, each of them once and in order. */
  #notePiece(piece: Uint8Array): void {
    this.#signing?.push(piece)
    if (!this.#eightBit) this.#eightBit = hasEightBit(piece)
  }

  #refuse(refusal: SmtpReply): void {
    this.#refusal ??= refusal
    this.abort()
    this.#phase = 'refused'
    if (!this.#whole) this.#parts.events.onRefused(this.#refusal)
  }

  #result(): ContentResult {
    if (this.#refusal !== null) return { kind: 'refused', reply: this.#refusal }
    const head = this.#head
    if (head === null) throw new Error('content ended without a header block')
    const { whole: inline, letGo } = this.#writer === null ? this.#gathered.take(this.#pieces) : IN_THE_STORE
    if (inline !== null) this.#notePiece(inline)
    const sizeOctets = inline?.length ?? this.#storedOctets
    const { facts: header, fixups } = head
    const known = { eightBit: this.#eightBit, header, fixups, queueId: this.#queueId, signing: this.#signing, sendsAsIs: this.#sendsAsIs }
    return { kind: 'taken', content: { inline, letGo, sizeOctets, ...known } }
  }
}

/** What people are shown and routes go by is the block as it is sent. */
function editedBlock(whole: Uint8Array, block: HeaderBlock, edits: readonly HeaderEdit[]): HeaderBlock {
  const pieces = applyFixups(whole.subarray(0, block.octets), { cuts: [], blankLineAt: null }, edits)
  const scan = scanHeaderBlock(Buffer.concat(pieces), { headerOctetsMax: Number.MAX_SAFE_INTEGER, ended: true })
  return scan.kind === 'block' ? scan.block : block
}
