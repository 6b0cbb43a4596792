/**
 * Dialling and names, so that transports hold no sockets of Node's own.
 *
 * Connections call back instead of streaming, because a session writes one segment per reply and
 * must see every byte that came before it writes.
 */

import type { CancelTimer } from '../core/clock.ts'
import type { TlsFacts } from '../core/outcome.ts'
import type { DaneDemand, TlsBasis } from '../core/tls-policy.ts'

export interface NetworkAddress {
  /** IPv4 or IPv6, never a name; to dial, also the absolute path of a Unix socket, whose family means nothing. */
  readonly address: string
  readonly family: 4 | 6
}
/** A fault of the network; `code` is Node's (`ECONNREFUSED`, `ETIMEDOUT`, `ERR_TLS_CERT_ALTNAME_INVALID` ...). */
export interface NetworkFault {
  readonly code: string
  readonly message: string
}
export interface ConnectionEvents {
  /** The bytes are valid only during the call: copy what is kept. */
  onData(chunk: Uint8Array): void
  /** The write buffer has drained after `write` answered false. */
  onDrain(): void
  /** Once, for whatever reason; null: the peer closed in order. */
  onClose(fault: NetworkFault | null): void
}
export interface TlsOptions {
  readonly serverName: string
  /** Check chain and name; false: take any certificate, but say in `TlsFacts` what was wrong with it. */
  readonly verify: boolean
  /** PEM; null: the system's authorities. */
  readonly ca: string | null
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Sessions are resumed only under the same key: host, name, policy, credential. */
  readonly sessionKey: string
  /** One of these must match, whatever `verify` says; then neither chain nor dates count for usage 3 (RFC 7672 §3.1). */
  readonly dane?: DaneDemand
  /** Only told in `TlsFacts`. */
  readonly basis?: TlsBasis
  /** The name came from plain DNS: a right certificate is `trusted`, not `verified`. */
  readonly hostUnproved?: boolean
}
export interface Connection {
  readonly remote: NetworkAddress & { readonly port: number }
  /** The bytes are the connection's from then on. False: wait for `onDrain` before writing more. */
  write(bytes: Uint8Array): boolean
  /** Of all that was written, nothing waits in memory any more. */
  readonly idle: boolean
  /** Groups the writes inside into as few segments as possible. */
  batch(write: () => void): void
  /** Rejects with a NetworkFault in `cause`; no plain byte received after the call is ever delivered. */
  startTls(options: TlsOptions): Promise<TlsFacts>
  /** Sends what is pending, then FIN. */
  end(): void
  destroy(): void
}
export interface DialTarget {
  readonly address: NetworkAddress
  readonly port: number
  readonly sourceAddress: string | null
  /** TLS from the first byte; null: plain. */
  readonly tls: TlsOptions | null
}
export interface Dialer {
  /** Rejects with `DialError`. The deadline is the caller's: abort ends the dial. */
  dial(target: DialTarget, events: ConnectionEvents, signal: AbortSignal): Promise<{ readonly connection: Connection; readonly tls: TlsFacts | null }>
}
export class DialError extends Error {
  readonly fault: NetworkFault
  /** What failed: the socket, or the handshake on it. */
  readonly stage: 'connect' | 'tls'
  constructor(stage: 'connect' | 'tls', fault: NetworkFault) {
    super(fault.message)
    this.name = 'DialError'
    this.stage = stage
    this.fault = fault
  }
}
export interface HostResolver {
  /** Addresses of a host, in the order to try; an address literal gives itself. Rejects with a NetworkFault in `cause`. */
  addresses(host: string): Promise<readonly NetworkAddress[]>
}
export type { CancelTimer }
