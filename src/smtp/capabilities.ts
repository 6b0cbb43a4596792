/** Placeholder header: filled in with the parser. */
/** What a server said it can do (RFC 5321 §4.1.1.1). After HELO: nothing. */
export interface Capabilities {
  readonly esmtp: boolean
  readonly pipelining: boolean
  readonly startTls: boolean
  readonly eightBitMime: boolean
  readonly smtputf8: boolean
  readonly dsn: boolean
  readonly enhancedStatusCodes: boolean
  readonly requireTls: boolean
  /** Offered; `sizeOctets` null or 0 in the EHLO: no limit told. */
  readonly size: boolean
  readonly sizeOctets: number | null
  /** Upper case, in the server's order, without doubles. */
  readonly authMechanisms: readonly string[]
}
