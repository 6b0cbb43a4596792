/**
 * The client's side of TLS: contexts, kept sessions, and what to say of a handshake.
 *
 * A context is made once for each set of authorities (reading the system's takes tens of
 * milliseconds). A session is resumed only under the key it was made under (RFC 8446 §2.2), and
 * with it comes what was found out about the certificate, because nobody looks at it again. A
 * certificate that DANE does not find right is kept by nobody.
 */
import { X509Certificate } from 'node:crypto'
import { isIP, type Socket } from 'node:net'
import tls from 'node:tls'
import type { TlsFacts } from '../core/outcome.ts'
import type { NetworkFault, TlsOptions } from '../ports/network.ts'
import { certificateName, checkCertificateName } from './certificate-name.ts'
import { matchDane } from './dane-match.ts'
import { weaknessOf } from './weak-certificate.ts'

const CONTEXTS_MAX = 32
const SESSIONS_MAX = 256
/** More certificates than that are no chain. */
const CHAIN_MAX = 12

/** What is known of a peer's certificate, or why the session must not be used. */
export type TlsVerdict = { readonly kind: 'facts'; readonly facts: TlsFacts } | { readonly kind: 'refused'; readonly fault: NetworkFault }

export interface TlsClient {
  /** What to give to `tls.connect`; the socket is already connected. */
  optionsFor(options: TlsOptions, socket: Socket): tls.ConnectionOptions
  /** Call at once after `tls.connect`: keeps the sessions the server hands out. */
  keepSessions(options: TlsOptions, socket: tls.TLSSocket): void
  /** Call once after the handshake, before anything is written. Refused: the certificate is not what DANE demands. */
  judge(options: TlsOptions, socket: tls.TLSSocket): TlsVerdict
}
type Trust = Pick<TlsFacts, 'trust' | 'trustFault' | 'verifiedBy'>
interface KeptSession {
  readonly ticket: Buffer
  readonly trust: Trust
}

/** What an examination wants to know beyond what deliveries keep: of a handshake that was not a resumed one. */
export type CertificateSeen = (certificate: X509Certificate) => void

/** `now`: epoch milliseconds, for the dates of certificates that DANE vouches for. */
export function createTlsClient(now: () => number, seen: CertificateSeen | null = null): TlsClient {
  const contexts = new Map<string, tls.SecureContext>()
  const sessions = new Map<string, KeptSession>()
  /** Those whose certificate was found right, or need not be. */
  const judged = new WeakMap<tls.TLSSocket, Trust>()
  /** Before TLS 1.3 tickets come inside the handshake, when the certificate has not been judged yet. */
  const early = new WeakMap<tls.TLSSocket, Buffer>()

  const contextFor = (options: TlsOptions): tls.SecureContext => {
    const key = `${options.minVersion} ${options.ca ?? ''}`
    const known = contexts.get(key)
    if (known !== undefined) return known
    const context = tls.createSecureContext({ minVersion: options.minVersion, ca: options.ca ?? systemAuthorities() })
    dropOldest(contexts, CONTEXTS_MAX)
    contexts.set(key, context)
    return context
  }
  const keep = (options: TlsOptions, ticket: Buffer, trust: Trust): void => {
    sessions.delete(options.sessionKey)
    dropOldest(sessions, SESSIONS_MAX)
    sessions.set(options.sessionKey, { ticket, trust })
  }
  return {
    optionsFor(options, socket) {
      const name = certificateName(options.serverName)
      const kept = sessions.get(options.sessionKey)
      return {
        socket,
        host: name,
        // RFC 6066 §3: no address literals in SNI.
        ...(isIP(name) === 0 && name !== '' ? { servername: name } : { servername: '' }),
        secureContext: contextFor(options),
        // With DANE the authorities do not count: `judge` refuses.
        rejectUnauthorized: options.verify && options.dane === undefined,
        checkServerIdentity: (_host, certificate) => checkCertificateName(name, certificate),
        ...(kept === undefined ? {} : { session: kept.ticket }),
      }
    },
    keepSessions(options, socket) {
      socket.on('session', (ticket: Buffer) => {
        const trust = judged.get(socket)
        if (trust === undefined) early.set(socket, ticket)
        else keep(options, ticket, trust)
      })
    },
    judge(options, socket) {
      const trust = trustOf(options, socket, { kept: sessions.get(options.sessionKey), now: now() })
      if ('code' in trust) {
        sessions.delete(options.sessionKey)
        return { kind: 'refused', fault: trust }
      }
      judged.set(socket, trust)
      const certificate = seen === null ? undefined : socket.getPeerX509Certificate()
      if (certificate !== undefined) seen?.(certificate)
      const ticket = early.get(socket)
      if (ticket !== undefined) keep(options, ticket, trust)
      const keyExchange = keyExchangeOf(socket)
      const facts: TlsFacts = {
        protocol: socket.getProtocol() ?? 'unknown',
        cipher: socket.getCipher().name,
        resumed: socket.isSessionReused(),
        ...trust,
        ...(options.basis === undefined ? {} : { basis: options.basis }),
        ...(keyExchange === null ? {} : { keyExchange }),
      }
      return { kind: 'facts', facts }
    },
  }
}

/** A socket's error as a fault; `code` is Node's, else the error's name. */
export function faultOf(error: unknown): NetworkFault {
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) }
  // Of OpenSSL's errors the message is a line of its source; the reason is for people.
  const { code, reason } = error as NodeJS.ErrnoException & { readonly reason?: string }
  const message = typeof reason === 'string' && reason !== '' ? reason : error.message.replace(NODE_ADVICE, '')
  return { code: nameOf(code ?? error.name, message), message }
}

/** What Node calls a verdict of OpenSSL that it has no name for: weak keys and signatures. */
const UNNAMED = 'UNSPECIFIED'
const UNNAMED_CODES: readonly (readonly [RegExp, string])[] = [
  [/CA certificate key too weak/i, 'CA_KEY_TOO_SMALL'],
  [/certificate key too weak/i, 'EE_KEY_TOO_SMALL'],
  [/md too weak|signature digest algorithm too weak/i, 'CA_MD_TOO_WEAK'],
]

function nameOf(code: string, message: string): string {
  return code === UNNAMED ? (UNNAMED_CODES.find(([pattern]) => pattern.test(message))?.[1] ?? code) : code
}

/** How to start Node.js is no business of ours: authorities come from the machine, or from `tls.ca` of the relay. */
const NODE_ADVICE = /; if the root CA is installed locally, try running Node\.js with [\s\S]*$/

function trustOf(options: TlsOptions, socket: tls.TLSSocket, known: { readonly kept: KeptSession | undefined; readonly now: number }): Trust | NetworkFault {
  if (socket.isSessionReused() && known.kept !== undefined) return known.kept.trust
  if (options.dane === undefined) return trustByAuthorities(options, socket)
  const match = matchDane(options.dane, chainOf(socket), known.now)
  return match.kind === 'matched' ? { trust: 'verified', trustFault: null, verifiedBy: match.by } : match.fault
}

function trustByAuthorities(options: TlsOptions, socket: tls.TLSSocket): Trust {
  if (socket.authorized) return { trust: options.hostUnproved === true ? 'trusted' : 'verified', trustFault: null, verifiedBy: 'pki' }
  const error: unknown = socket.authorizationError
  // Node types it as an Error and hands out the code as a string.
  const code = typeof error === 'string' ? error : faultOf(error).code
  return { trust: 'untrusted', trustFault: code === UNNAMED ? (weaknessOf(chainOf(socket))?.code ?? code) : code }
}

/** As it was sent, each certificate's issuer behind it. */
function chainOf(socket: tls.TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = []
  let certificate: tls.DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
  while (certificate?.raw !== undefined && chain.length < CHAIN_MAX) {
    chain.push(new X509Certificate(certificate.raw))
    // The last one is its own issuer.
    certificate = certificate.issuerCertificate === certificate ? undefined : certificate.issuerCertificate
  }
  return chain
}

/** `X25519`, `X25519MLKEM768`, `DHE 2048`; null: the key was sent encrypted, or the session is a resumed one. */
function keyExchangeOf(socket: tls.TLSSocket): string | null {
  const found = socket.getEphemeralKeyInfo() as { readonly type?: string; readonly name?: string; readonly size?: number } | null
  if (found?.name !== undefined) return found.name
  return found?.type === 'DH' ? `DHE ${found.size ?? ''}`.trimEnd() : null
}

/** What the machine trusts; where its store is not to be found, what Node brings along. */
export function systemAuthorities(): string[] {
  const system = tls.getCACertificates('system')
  return system.length > 0 ? system : tls.getCACertificates('default')
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size < max) return
  const oldest = map.keys().next()
  if (oldest.done !== true) map.delete(oldest.value)
}
