/**
 * What is known of a session's TLS, in words: for the log, the history, the live dialogue.
 *
 * Pure. `untrusted` and a fault's name say that the content was encrypted for whoever answered.
 */
import type { TlsFacts } from './outcome.ts'
import type { TlsBasis } from './tls-policy.ts'

/** `verified by DANE (usage 3), TLSv1.3 TLS_AES_256_GCM_SHA384, key exchange X25519, resumed`. */
export function describeTls(tls: TlsFacts): string {
  const { protocol, cipher, keyExchange, resumed } = tls
  return `${describeTrust(tls)}, ${protocol} ${cipher}${keyExchange === undefined ? '' : `, key exchange ${keyExchange}`}${resumed ? ', resumed' : ''}`
}

/** `Verified TLS connection established to mx.test[192.0.2.1]:25: TLSv1.3 ...`, as Postfix says it; `Plain connection ...`. */
export function announceSession(peer: { readonly host: string; readonly address: string; readonly port: number }, tls: TlsFacts | null): string {
  const where = `connection established to ${peer.host}[${peer.address}]:${peer.port}`
  if (tls === null) return `Plain ${where}: no TLS`
  const { protocol, cipher, keyExchange, resumed, trust } = tls
  const word = `${trust.slice(0, 1).toUpperCase()}${trust.slice(1)}`
  const how = describeTrust(tls).slice(trust.length).trim()
  const end = `${keyExchange === undefined ? '' : `, key exchange ${keyExchange}`}${resumed ? ', resumed' : ''}${how === '' ? '' : how.startsWith('(') ? ` ${how}` : `, ${how}`}`
  return `${word} TLS ${where}: ${protocol} with cipher ${cipher}${end}`
}

/** `No session with mx.test[192.0.2.1]:25: the server refused the connection`. */
export function announceNoSession(peer: { readonly host: string; readonly address: string; readonly port: number }, reason: string): string {
  return `No session with ${peer.host}[${peer.address}]:${peer.port}: ${reason}`
}

function describeTrust({ trust, trustFault, verifiedBy, basis }: TlsFacts): string {
  if (trust === 'untrusted') return `untrusted${trustFault === null ? '' : ` (${trustFault})`}`
  // A session of before an update says no more.
  if (verifiedBy === undefined) return trust
  if (verifiedBy === 'pki') return `${trust} by certificate${basis === undefined ? '' : ` (${BASES[basis]})`}`
  return `${trust} by DANE (usage ${verifiedBy === 'dane-ee' ? 3 : 2})`
}

const BASES: Readonly<Record<TlsBasis, string>> = { configured: 'as configured', 'mta-sts': 'MTA-STS', dane: 'DANE', requiretls: 'REQUIRETLS' }
