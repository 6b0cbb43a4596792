/** Placeholder header: filled in with the exchanges. */
export interface Credentials {
  readonly mechanism: 'PLAIN' | 'LOGIN'
  /** authzid; empty if none was given. Must equal `username` or be empty unless policy says otherwise. */
  readonly authorizationId: string
  readonly username: string
  readonly password: string
}
/** A client's side of one login. */
export interface SaslExchange {
  readonly mechanism: 'PLAIN' | 'LOGIN' | 'CRAM-MD5'
  /** Base64, sent with AUTH; null: none. */
  readonly initial: string | null
  /** Answer to a 334 (base64 in, base64 out); null: cancel with `*`. */
  next(challenge: string): string | null
}
/** Lower-case hex of HMAC-MD5; smtp has no cryptography of its own. */
export type HmacMd5 = (key: Uint8Array, message: Uint8Array) => string
/** Secrets are asked for once, when the exchange is made. Throws if they hold NUL. */
export declare function createExchange(mechanism: SaslExchange['mechanism'], username: string, password: string, hmacMd5: HmacMd5): SaslExchange
