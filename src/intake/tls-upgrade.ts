/**
 * TLS for sessions of clients: the context of a listener, and the upgrade of an accepted socket.
 *
 * TLS 1.2 or newer with forward secrecy, no renegotiation (RFC 8996, RFC 9325). Each context has
 * ticket keys of its own, so that no listener takes another's tickets. A certificate that cannot be
 * used throws here, before any listener is touched.
 */
import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'

const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

/** Throws an Error with OpenSSL's reason: unreadable, encrypted key, key of another certificate. */
export function createTlsContext(pair: { readonly cert: string; readonly key: string }): SecureContext {
  return createSecureContext({
    cert: pair.cert,
    key: pair.key,
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  })
}

/** The handshake begins; 'secure' says that it is done. What the plain socket had buffered is not used. */
export function upgradeSocket(socket: Socket, context: SecureContext): TLSSocket {
  return new TLSSocket(socket, {
    isServer: true,
    secureContext: context,
    allowHalfOpen: true,
    requestCert: false,
    rejectUnauthorized: false,
  } as ConstructorParameters<typeof TLSSocket>[1])
}

/** For trace lines: `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384`. */
export function describeTls(socket: TLSSocket): string {
  return `${socket.getProtocol() ?? 'TLS'} with cipher ${socket.getCipher().standardName}`
}
