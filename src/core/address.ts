/**
 * Mailboxes and paths as SMTP writes them: parse, format, compare (RFC 5321 §4.1.2, RFC 6531 §3.3).
 *
 * Strict: what is not a mailbox gives null, never a guess. Two deviations, both harmless: an
 * underscore in a domain label is taken (hosts named so send mail), and a needlessly quoted local
 * part loses its quotes, which means the same (RFC 5321 §4.1.2). Knows no DNS and no policy.
 */
import type { DomainName } from './brand.ts'
import type { Mailbox, ReversePath } from './envelope.ts'

/** RFC 5321 §4.5.3.1.1, octets, quotes included. */
export const LOCAL_PART_OCTETS_MAX = 64
/** RFC 5321 §4.5.3.1.2, octets. */
export const DOMAIN_OCTETS_MAX = 255
/** RFC 5321 §4.5.3.1.3, octets, angle brackets included. */
export const PATH_OCTETS_MAX = 256
const LABEL_OCTETS_MAX = 63

export interface AddressOptions {
  /** Letters outside ASCII are allowed in both parts (RFC 6531). Default: false. */
  readonly smtputf8?: boolean
  /** A path may be a local part alone, `<root>`. Default: false. */
  readonly bareNames?: boolean
}

/** What stands between `FROM:` or `TO:` and the parameters. `end` is the index behind it. */
export type PathParse =
  | { readonly kind: 'null'; readonly end: number }
  /** `<postmaster>` without a domain, in any case (RFC 5321 §4.5.1). */
  | { readonly kind: 'postmaster'; readonly end: number }
  | { readonly kind: 'mailbox'; readonly mailbox: Mailbox; readonly end: number }
  /** A local part alone; only where it was asked for. */
  | { readonly kind: 'name'; readonly localPart: string; readonly end: number }

const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const PLAIN_LOCAL = new RegExp(`^${ATOM}+(?:\\.${ATOM}+)*$`)
const PLAIN_DOMAIN = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`)
const UNICODE_ATOM = "(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]|[^\\0-\\x9f])"
const UNICODE_LOCAL = new RegExp(`^${UNICODE_ATOM}+(?:\\.${UNICODE_ATOM}+)*$`, 'u')
const UNICODE_LABEL = /^(?!-)(?:[A-Za-z0-9_-]|[^\0-\x9f])+(?<!-)$/u
/** qtextSMTP and quoted-pairSMTP; the last branch is UTF8-non-ascii (RFC 6531 §3.3). */
const QUOTED_CONTENT = /^(?:[ !#-[\]-~]|\\[ -~]|[^\0-\x9f])*$/u
/** Separators, format characters, lone surrogates, and what careless readers take for a dot or an at sign. */
const UNSAFE_UNICODE = /(?! )[\p{Z}\p{Cf}\p{Cs}\u0080-\u009f\u3002\uff0e\uff61\uff20\ufe6b]/u
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/
const UTF8 = new TextEncoder()

/** True if the text cannot be sent without SMTPUTF8. */
export function isNonAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return true
  return false
}

/**
 * `local-part@domain`, `"quoted"@domain` or `local@[literal]`; null if it is none or breaks a limit
 * of RFC 5321 §4.5.3.1. The domain comes back in lower case, the local part as it was.
 */
export function parseMailbox(text: string, options: AddressOptions = {}): Mailbox | null {
  if (text.length > PATH_OCTETS_MAX - 2) return null
  const at = text.lastIndexOf('@')
  if (at < 1) return null
  const local = text.slice(0, at)
  const domain = text.slice(at + 1)
  if (at <= LOCAL_PART_OCTETS_MAX && PLAIN_LOCAL.test(local) && PLAIN_DOMAIN.test(domain)) {
    return { localPart: local, domain: domain.toLowerCase() as DomainName }
  }
  if (isNonAscii(text) && (options.smtputf8 !== true || UNSAFE_UNICODE.test(text) || octets(text) > PATH_OCTETS_MAX - 2)) return null
  const parsedLocal = parseLocalPart(local)
  const parsedDomain = parseDomain(domain)
  return parsedLocal === null || parsedDomain === null ? null : { localPart: parsedLocal, domain: parsedDomain }
}

/**
 * The path at `start`, which must be a `<`. Source routes are accepted and ignored (RFC 5321
 * §4.1.1.3). Null if there is none; what follows `end` is the caller's to check.
 */
export function parsePath(text: string, start: number, options: AddressOptions = {}): PathParse | null {
  if (text.charCodeAt(start) !== 0x3c) return null
  const close = closingBracket(text, start + 1)
  if (close === -1) return null
  const end = close + 1
  if (close === start + 1) return { kind: 'null', end }
  const from = skipSourceRoute(text, start + 1)
  if (from === -1 || from > close) return null
  const inner = text.slice(from, close)
  const mailbox = parseMailbox(inner, options)
  if (mailbox !== null) return { kind: 'mailbox', mailbox, end }
  if (from !== start + 1) return null
  if (inner.toLowerCase() === 'postmaster') return { kind: 'postmaster', end }
  const localPart = options.bareNames === true ? parseBareName(inner, options) : null
  return localPart === null ? null : { kind: 'name', localPart, end }
}

/** A local part by itself, quotes and all; null if it is none. */
export function parseBareName(text: string, options: AddressOptions = {}): string | null {
  return parseMailbox(`${text}@x`, options)?.localPart ?? null
}

/** `user@example.com`, without brackets; inverse of `parseMailbox`. */
export function formatMailbox(mailbox: Mailbox): string {
  return `${mailbox.localPart}@${formatDomain(mailbox)}`
}

/** The domain as it stands behind the `@`: literals in their brackets. */
export function formatDomain(mailbox: Mailbox): string {
  return typeof mailbox.domain === 'string' ? mailbox.domain : `[${mailbox.domain.addressLiteral}]`
}

/** As lists and stores show it: `user@example.com`, or `<>` for the null reverse-path. */
export function formatReversePath(path: ReversePath): string {
  return path.kind === 'null' ? '<>' : formatMailbox(path.mailbox)
}

/** Inverse of `formatReversePath`; the empty text is the null reverse-path, too. Null if it is neither. */
export function parseReversePath(text: string, options: AddressOptions = {}): ReversePath | null {
  if (text === '<>' || text === '') return { kind: 'null' }
  const mailbox = parseMailbox(text, options)
  return mailbox === null ? null : { kind: 'mailbox', mailbox }
}

/** Local parts compare by case, domains do not (RFC 5321 §2.4); domains are already in lower case. */
export function sameMailbox(a: Mailbox, b: Mailbox): boolean {
  return a.localPart === b.localPart && formatDomain(a) === formatDomain(b)
}

/** `example.com` in lower case, or `[192.0.2.1]`, `[IPv6:2001:db8::1]`; null if it is neither. */
export function parseDomain(text: string): Mailbox['domain'] | null {
  if (text.charCodeAt(0) === 0x5b) return parseLiteral(text)
  if (text.length === 0 || octets(text) > DOMAIN_OCTETS_MAX) return null
  if (PLAIN_DOMAIN.test(text)) return text.toLowerCase() as DomainName
  if (!isNonAscii(text)) return null
  const lower = text.toLowerCase().normalize('NFC')
  const fits = lower.split('.').every((label) => octets(label) <= LABEL_OCTETS_MAX && UNICODE_LABEL.test(label))
  return fits ? (lower as DomainName) : null
}

/** The address in an address literal, `[192.0.2.1]`, `[IPv6:2001:db8::1]`; any other host stays as it is. */
export function bareHost(host: string): string {
  return host.replace(/^\[(?:IPv6:)?(.*)\]$/i, '$1')
}

/** Eight groups of hexadecimal digits, at most one `::`, the last two perhaps an IPv4 address (RFC 4291 §2.2). */
export function isIpv6(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [index, half] of halves.entries()) {
    const parts = half === '' ? [] : half.split(':')
    const last = index === halves.length - 1
    for (const [place, part] of parts.entries()) {
      if (/^[\da-f]{1,4}$/i.test(part)) groups++
      else if (last && place === parts.length - 1 && IPV4.test(part)) groups += 2
      else return false
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8
}

/** Dotted decimal without leading zeros, which some read as octal. */
export function isIpv4(text: string): boolean {
  return IPV4.test(text)
}

function octets(text: string): number {
  return isNonAscii(text) ? UTF8.encode(text).length : text.length
}

function parseLocalPart(text: string): string | null {
  if (octets(text) > LOCAL_PART_OCTETS_MAX) return null
  if (UNICODE_LOCAL.test(text)) return text
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return null
  const quoted = text.slice(1, -1)
  if (!QUOTED_CONTENT.test(quoted)) return null
  const content = quoted.replace(/\\(.)/gu, '$1')
  if (UNICODE_LOCAL.test(content)) return content
  return `"${content.replace(/["\\]/g, '\\$&')}"`
}

function parseLiteral(text: string): Mailbox['domain'] | null {
  if (!text.endsWith(']')) return null
  const content = text.slice(1, -1)
  if (IPV4.test(content)) return { addressLiteral: content }
  const address = /^IPv6:/i.test(content) ? content.slice(5) : ''
  return isIpv6(address) ? { addressLiteral: `IPv6:${address.toLowerCase()}` } : null
}

/** Index of the `>` that is not inside a quoted string, or -1. */
function closingBracket(text: string, start: number): number {
  const plain = text.indexOf('>', start)
  const quote = text.indexOf('"', start)
  if (quote === -1 || plain < quote) return plain
  let quoted = false
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (quoted && code === 0x5c) i++
    else if (code === 0x22) quoted = !quoted
    else if (code === 0x3e && !quoted) return i
  }
  return -1
}

/** `@a.example,@b.example:`; the index behind it, `start` if there is none, -1 if it is broken. */
function skipSourceRoute(text: string, start: number): number {
  let at = start
  while (text.charCodeAt(at) === 0x40) {
    const literalEnd = text.charCodeAt(at + 1) === 0x5b ? text.indexOf(']', at) : at
    if (literalEnd === -1) return -1
    let stop = literalEnd
    while (stop < text.length && text[stop] !== ',' && text[stop] !== ':') stop++
    if (parseDomain(text.slice(at + 1, stop)) === null) return -1
    if (text[stop] === ':') return stop + 1
    if (text[stop] !== ',' || text[stop + 1] !== '@') return -1
    at = stop + 1
  }
  return at
}
