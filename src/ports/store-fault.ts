/**
 * Why a store could not do what it was asked. One class, so that intake and delivery decide by kind.
 *
 * full: no space, inodes or quota (answer 452 4.3.1, try again later); io: the disk failed, the
 * store has to be reopened and probed before it is trusted again (451 4.3.0); damaged: content
 * whose size or hash is wrong (hold the message); busy: overloaded; closed: shutting down.
 */
export type StoreFaultKind = 'full' | 'io' | 'damaged' | 'busy' | 'closed'

export class StoreFault extends Error {
  readonly kind: StoreFaultKind
  constructor(kind: StoreFaultKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'StoreFault'
    this.kind = kind
  }
}
