/**
 * Signs mail with DKIM (RFC 6376), as intake, delivery and transports ask for it.
 *
 * What is signed is what is sent: whoever changes content hands the changed octets in, and the
 * lines in front of it, last of all. Keys never come near the callers.
 */

/** A key is there for this author, and no signature could be made: such mail must not leave unsigned unnoticed. */
export class SigningFault extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause })
    this.name = 'SigningFault'
  }
}

/** One message. */
export interface SigningPass {
  /** Octets of header and body as they will be sent, in order, in pieces of any size. */
  push(bytes: Uint8Array): void
  /**
   * Header fields to be put in front of all others, each ending in CRLF; empty: nobody's key is for
   * this author. `prefix` are our own lines, sent before what was pushed. Rejects with `SigningFault`.
   */
  sign(prefix: Uint8Array): Promise<Uint8Array>
}

export interface Signer {
  /** Null: there are no keys, and nothing is to be read. */
  begin(): SigningPass | null
}
