/**
 * What went wrong on the network in words for people, with the system's own code behind it.
 *
 * Only texts: what a fault means for the mail is decided in `core/classify.ts`.
 */
import type { AttemptPhase } from './outcome.ts'

/** Of a connection, by the system's code. */
const CONNECTION_WORDS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'the server refused the connection'],
  ['ECONNRESET', 'the server broke the connection'],
  ['EPIPE', 'the server broke the connection'],
  ['ETIMEDOUT', 'the server does not answer'],
  ['EHOSTUNREACH', 'the server cannot be reached'],
  ['EHOSTDOWN', 'the server cannot be reached'],
  ['ENETUNREACH', 'this machine has no way to the network of the server'],
  ['ENETDOWN', 'the network of this machine is down'],
  ['EADDRNOTAVAIL', 'this machine does not have the source address, or has no free port left'],
  ['ENOENT', 'the socket of the relay is not there'],
  ['EACCES', 'this machine does not allow the connection'],
  ['EPERM', 'this machine does not allow the connection'],
  ['EMFILE', 'too many files and connections are open here'],
  ['ENFILE', 'too many files and connections are open here'],
])
/** Of a name look-up. */
const LOOKUP_WORDS: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'there is no such host'],
  ['ENODATA', 'the host has no address'],
  ['EAI_AGAIN', 'the name servers do not answer'],
  ['ETIMEDOUT', 'the name servers do not answer'],
  ['ECONNREFUSED', 'the name servers do not answer'],
])

/**
 * `the server refused the connection (ECONNREFUSED 127.0.0.1:25)`. The words come first; null: the code has none.
 */
export function describeNetworkFault(phase: AttemptPhase, code: string, message: string): string | null {
  const words = (phase === 'mx-lookup' ? LOOKUP_WORDS : CONNECTION_WORDS).get(code)
  return words === undefined ? null : `${words} (${message.replace(CALL, '')})`
}

/** The system call in front tells an operator nothing. */
const CALL = /^(?:look-up of \S+ failed: )?(?:getaddrinfo |connect |read |write )?(?=E[A-Z])/

/** By OpenSSL's or Node's name of a fault: the certificate is wrong, not the connection. */
export function isCertificateFault(code: string): boolean {
  return /CERT|SIGNED|ISSUER|INVALID_(?:CA|PURPOSE)|LEAF_SIGNATURE/.test(code)
}
