/**
 * The signer of the running server: the keys in force, the time, and what happens when a signature
 * cannot be made.
 *
 * How a signature looks is decided in `message/dkim-*`. Keys are replaced as a whole at a reload; a
 * message that is coming in is signed with those it began with.
 */
import type { Clock } from '../core/clock.ts'
import { authorDomain } from '../message/author-domain.ts'
import { headerOf, type SignableContent, SignableReader } from '../message/dkim-content.ts'
import { coverFields, type SignedNames } from '../message/dkim-fields.ts'
import { type DkimKey, type DkimKeyring, keysFor, signingKeys } from '../message/dkim-keyring.ts'
import { composeSignature } from '../message/dkim-sign.ts'
import type { Journal } from '../ports/journal.ts'
import { type Signer, SigningFault, type SigningPass } from '../ports/signer.ts'

export interface DkimSettings {
  readonly keyring: DkimKeyring
  readonly names: SignedNames
  /** How long a signature is valid; null: for ever. */
  readonly validMs: number | null
  readonly onFailure: 'refuse' | 'send'
}
export interface ServerSigner extends Signer {
  reload(settings: DkimSettings): void
}
type Parts = { readonly clock: Clock; readonly journal: Pick<Journal, 'note'> }

const NOTHING = new Uint8Array(0)
/** Mail that leaves unsigned is told once in this time: it may be all mail. */
const NOTE_EVERY_MS = 60_000

export function createSigner(initial: DkimSettings, parts: Parts): ServerSigner {
  let settings = initial
  let notedMs = Number.NEGATIVE_INFINITY
  const unsigned = (fault: SigningFault): void => {
    const now = parts.clock.monotonicMs()
    if (now - notedMs < NOTE_EVERY_MS) return
    notedMs = now
    parts.journal.note('server', 'error', 'mail leaves unsigned', { reason: fault.message })
  }
  return {
    begin: () => (settings.keyring.domains.size === 0 ? null : new Pass(settings, parts.clock, unsigned)),
    reload(next) {
      settings = next
    },
  }
}

class Pass implements SigningPass {
  readonly #settings: DkimSettings
  readonly #clock: Clock
  readonly #unsigned: (fault: SigningFault) => void
  readonly #reader: SignableReader
  #keys: readonly DkimKey[] = []

  constructor(settings: DkimSettings, clock: Clock, unsigned: (fault: SigningFault) => void) {
    this.#settings = settings
    this.#clock = clock
    this.#unsigned = unsigned
    this.#reader = new SignableReader((header) => {
      const author = authorDomain(header)
      if (author !== null) this.#keys = keysFor(settings.keyring, author)
      return this.#keys.length > 0
    })
  }

  push(bytes: Uint8Array): void {
    this.#reader.push(bytes)
  }

  async sign(prefix: Uint8Array): Promise<Uint8Array> {
    const content = this.#reader.end()
    if (content === null) return NOTHING
    try {
      return await this.#sign(content, prefix)
    } catch (error) {
      const fault = error instanceof SigningFault ? error : new SigningFault(`DKIM: the signature could not be made: ${(error as Error).message}`, error)
      if (this.#settings.onFailure === 'refuse') throw fault
      this.#unsigned(fault)
      return NOTHING
    }
  }

  async #sign({ header, bodyHash }: SignableContent, prefix: Uint8Array): Promise<Uint8Array> {
    const { names, validMs } = this.#settings
    const now = this.#clock.now()
    const keys = signingKeys(this.#keys, now)
    if (keys.length === 0) throw new SigningFault(`DKIM: no key of ${this.#keys[0]?.domain} is within its time`)
    const fields = coverFields([headerOf(prefix), header], names)
    const signedAt = Math.floor(now / 1000)
    const expiresAt = validMs === null ? null : signedAt + Math.floor(validMs / 1000)
    const signatures = await Promise.all(keys.map((key) => composeSignature({ key, fields, bodyHash, signedAt, expiresAt })))
    return Buffer.from(signatures.join(''), 'latin1')
  }
}
