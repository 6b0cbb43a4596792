/**
 * Logins: PLAIN and LOGIN as a server, PLAIN, LOGIN and CRAM-MD5 as a client (RFC 4616, RFC 2195, RFC 4954).
 *
 * Turns lines into credentials and back; who may log in and whether TLS is needed is decided elsewhere.
 * Nothing here may ever be put into a log or an error: not the lines, not the texts of failures.
 */
import { decodeUtf8 } from './bytes.ts'

export interface Credentials {
  readonly mechanism: 'PLAIN' | 'LOGIN'
  readonly username: string
  readonly password: string
}

/** One line of the client, base64 already known to be text; `*` was handled before. */
export type ServerStep =
  | { readonly kind: 'challenge'; readonly text: string }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }
  /** No base64, or not what the mechanism wants: 501. */
  | { readonly kind: 'malformed' }
  /** Somebody wants to act as somebody else: 535. */
  | { readonly kind: 'refused' }
export interface ServerExchange {
  readonly mechanism: Credentials['mechanism']
  /** `line` is the client's next line; null: AUTH came without an initial response. */
  next(line: string | null): ServerStep
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

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const MALFORMED: ServerStep = { kind: 'malformed' }
/** `Username:` and `Password:`, as every client of this undocumented mechanism expects them. */
const ASK_USERNAME: ServerStep = { kind: 'challenge', text: 'VXNlcm5hbWU6' }
const ASK_PASSWORD: ServerStep = { kind: 'challenge', text: 'UGFzc3dvcmQ6' }
const ASK_NOTHING: ServerStep = { kind: 'challenge', text: '' }

/** Null: a mechanism that we do not offer (504). */
export function createServerExchange(mechanism: string): ServerExchange | null {
  switch (mechanism.toUpperCase()) {
    case 'PLAIN':
      return { mechanism: 'PLAIN', next: (line) => (line === null ? ASK_NOTHING : readPlain(line)) }
    case 'LOGIN':
      return createLogin()
    default:
      return null
  }
}

/** `authzid NUL authcid NUL password` (RFC 4616 §2). */
function readPlain(line: string): ServerStep {
  const parts = decodeBase64(line)?.split('\0')
  if (parts === undefined || parts.length !== 3) return MALFORMED
  const [authorization = '', username = '', password = ''] = parts
  if (username === '') return MALFORMED
  if (authorization !== '' && authorization !== username) return { kind: 'refused' }
  return { kind: 'credentials', credentials: { mechanism: 'PLAIN', username, password } }
}

function createLogin(): ServerExchange {
  let username: string | null = null
  return {
    mechanism: 'LOGIN',
    next(line) {
      if (line === null) return ASK_USERNAME
      const text = decodeBase64(line)
      if (text === null || text.includes('\0')) return MALFORMED
      if (username === null) {
        if (text === '') return MALFORMED
        username = text
        return ASK_PASSWORD
      }
      return { kind: 'credentials', credentials: { mechanism: 'LOGIN', username, password: text } }
    },
  }
}

/** The client's side. Throws if the credentials cannot be said in SASL (NUL inside). */
export function createExchange(mechanism: SaslExchange['mechanism'], username: string, password: string, hmacMd5: HmacMd5): SaslExchange {
  if (username.includes('\0') || password.includes('\0')) throw new Error('a user name or password with NUL cannot be sent')
  switch (mechanism) {
    case 'PLAIN': {
      const response = encodeBase64(`\0${username}\0${password}`)
      return answering('PLAIN', response, [response])
    }
    case 'LOGIN':
      return answering('LOGIN', null, [encodeBase64(username), encodeBase64(password)])
    case 'CRAM-MD5':
      return createCramMd5(username, password, hmacMd5)
  }
}

/** Says its answers in order and nothing more: what the challenge says does not matter. */
function answering(mechanism: SaslExchange['mechanism'], initial: string | null, answers: readonly string[]): SaslExchange {
  let at = 0
  return { mechanism, initial, next: () => answers[at++] ?? null }
}

/** RFC 2195 §2: user name, space, digest over the challenge. */
function createCramMd5(username: string, password: string, hmacMd5: HmacMd5): SaslExchange {
  let answered = false
  return {
    mechanism: 'CRAM-MD5',
    initial: null,
    next(challenge) {
      if (answered || challenge === '' || !BASE64.test(challenge)) return null
      answered = true
      return encodeBase64(`${username} ${hmacMd5(Buffer.from(password), Buffer.from(challenge, 'base64'))}`)
    },
  }
}

function encodeBase64(text: string): string {
  return Buffer.from(text).toString('base64')
}

/** Strict base64 of UTF-8 text; null if it is not. */
function decodeBase64(text: string): string | null {
  return BASE64.test(text) ? decodeUtf8(Buffer.from(text, 'base64')) : null
}
