/**
 * The client's side of TLS: contexts, kept sessions, and what to say of a handshake.
 *
 * A context is made once for each set of authorities (reading the system's takes tens of
 * milliseconds). A session is resumed only under the key it was made under (RFC 8446 §2.2), and
 * with it comes what was found out about the certificate, because nobody looks at it again.
 */
import { isIP, type Socket } from 'node:net'
import tls from 'node:tls'
import type { TlsFacts } from '../core/outcome.ts'
import type { NetworkFault, TlsOptions } from '../ports/network.ts'
import { checkCertificateName } from './certificate-name.ts'

const CONTEXTS_MAX = 32
const SESSIONS_MAX = 256

export interface TlsClient {
  /** What to give to `tls.connect`; the socket is already connected. */
  optionsFor(options: TlsOptions, socket: Socket): tls.ConnectionOptions
  /** Call at once after `tls.connect`: keeps the sessions the server hands out. */
  keepSessions(options: TlsOptions, socket: tls.TLSSocket): void
  /** Call after the handshake. */
  factsOf(options: TlsOptions, socket: tls.TLSSocket): TlsFacts
}
interface KeptSession {
  readonly ticket: Buffer
  readonly trust: TlsFacts['trust']
  readonly trustFault: string | null
}

export function createTlsClient(): TlsClient {
  const contexts = new Map<string, tls.SecureContext>()
  const sessions = new Map<string, KeptSession>()

  const contextFor = (options: TlsOptions): tls.SecureContext => {
    const key = `${options.minVersion} ${options.ca ?? ''}`
    const known = contexts.get(key)
    if (known !== undefined) return known
    const context = tls.createSecureContext({ minVersion: options.minVersion, ca: options.ca ?? systemAuthorities() })
    dropOldest(contexts, CONTEXTS_MAX)
    contexts.set(key, context)
    return context
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
        rejectUnauthorized: options.verify,
        checkServerIdentity: (_host, certificate) => checkCertificateName(name, certificate),
        ...(kept === undefined ? {} : { session: kept.ticket }),
      }
    },
    keepSessions(options, socket) {
      socket.on('session', (ticket: Buffer) => {
        const facts = trustOf(options, socket, sessions)
        sessions.delete(options.sessionKey)
        dropOldest(sessions, SESSIONS_MAX)
        sessions.set(options.sessionKey, { ticket, ...facts })
      })
    },
    factsOf(options, socket) {
      return {
        protocol: socket.getProtocol() ?? 'unknown',
        cipher: socket.getCipher().name,
        resumed: socket.isSessionReused(),
        ...trustOf(options, socket, sessions),
      }
    },
  }
}

/** A socket's error as a fault; `code` is Node's, else the error's name. */
export function faultOf(error: unknown): NetworkFault {
  if (!(error instanceof Error)) return { code: 'UNKNOWN', message: String(error) }
  const { code } = error as NodeJS.ErrnoException
  return { code: code ?? error.name, message: error.message.replace(NODE_ADVICE, '') }
}

/** How to start Node.js is no business of ours: authorities come from the machine, or from `tls.ca` of the relay. */
const NODE_ADVICE = /; if the root CA is installed locally, try running Node\.js with [\s\S]*$/

function trustOf(options: TlsOptions, socket: tls.TLSSocket, sessions: ReadonlyMap<string, KeptSession>): Pick<TlsFacts, 'trust' | 'trustFault'> {
  if (socket.isSessionReused()) {
    const kept = sessions.get(options.sessionKey)
    if (kept !== undefined) return { trust: kept.trust, trustFault: kept.trustFault }
  }
  if (socket.authorized) return { trust: 'verified', trustFault: null }
  const error: unknown = socket.authorizationError
  // Node types it as an Error and hands out the code as a string.
  return { trust: 'untrusted', trustFault: typeof error === 'string' ? error : faultOf(error).code }
}

/** RFC 9525 §6.3, C06: A-labels, no trailing dot. */
function certificateName(name: string): string {
  const bare = name.endsWith('.') ? name.slice(0, -1) : name
  if (isIP(bare) !== 0) return bare
  const url = URL.parse(`http://${bare}`)
  return url?.hostname ?? bare
}

/** What the machine trusts; where its store is not to be found, what Node brings along. */
function systemAuthorities(): string[] {
  const system = tls.getCACertificates('system')
  return system.length > 0 ? system : tls.getCACertificates('default')
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size < max) return
  const oldest = map.keys().next()
  if (oldest.done !== true) map.delete(oldest.value)
}
