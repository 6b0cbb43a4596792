/**
 * The lines put in front of an accepted message: Received, and Date and Message-ID where they lack.
 *
 * RFC 5321 §4.4 (one Received, `for` only with a single recipient, else Bcc recipients leak),
 * RFC 3848 and RFC 6531 §4.3 (`with`), RFC 5322 §3.3 (date), §2.1.1 (lines folded below 78 where
 * that is possible). No octet of a client gets in that could end a line or close a comment.
 */

export interface TraceFacts {
  readonly hostname: string
  readonly queueId: string
  /** `with`: ESMTPS, UTF8SMTPSA ...; null: it did not come by a protocol that has a name. */
  readonly protocol: string | null
  /** What the client called itself; null: it did not. */
  readonly heloName: string | null
  readonly clientAddress: string | null
  /** `TLSv1.3 with cipher TLS_AES_256_GCM_SHA384`; null: no TLS. */
  readonly tls: string | null
  /** Only with exactly one recipient. */
  readonly onlyRecipient: string | null
  /** As `formatDateTime` gives it. */
  readonly date: string
}

/** The whole prefix as text, every line ending in CRLF. */
export function composePrefix(facts: TraceFacts, missing: { readonly date: boolean; readonly messageId: boolean }): string {
  let prefix = composeReceived(facts)
  if (missing.date) prefix += `Date: ${facts.date}\r\n`
  if (missing.messageId) prefix += `Message-ID: <${facts.queueId}@${facts.hostname}>\r\n`
  return prefix
}

function composeReceived(facts: TraceFacts): string {
  const tls = facts.tls === null ? '' : `\r\n\t(using ${commentText(facts.tls)})`
  const by = `by ${facts.hostname}${facts.protocol === null ? '' : ` with ${facts.protocol}`} id ${facts.queueId}`
  const recipient = facts.onlyRecipient === null ? null : recipientText(facts.onlyRecipient)
  const forOne = recipient === null ? '' : `\r\n\tfor <${recipient}>`
  return `Received: ${fromClause(facts)}${tls}${facts.clientAddress === null ? '' : '\r\n\t'}${by}${forOne};\r\n\t${facts.date}\r\n`
}

function fromClause(facts: TraceFacts): string {
  if (facts.clientAddress === null) return ''
  const literal = addressLiteral(facts.clientAddress)
  const name = facts.heloName === null ? '' : domainText(facts.heloName)
  return `from ${name === '' ? literal : name} (${literal})`
}

/** `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3). */
export function addressLiteral(address: string): string {
  return address.includes(':') ? `[IPv6:${address}]` : `[${address}]`
}

const DOMAIN_CHARS_MAX = 255
const NOT_DOMAIN = /[^\w.:[\]-]/g
const PLAIN_DOMAIN = /^[\w.:[\]-]+$/

/** What a client says it is may be anything: only what a domain or literal can hold is kept. */
function domainText(name: string): string {
  if (name.length <= DOMAIN_CHARS_MAX && PLAIN_DOMAIN.test(name)) return name
  return name.slice(0, DOMAIN_CHARS_MAX).replace(NOT_DOMAIN, '?')
}

function commentText(text: string): string {
  return text.replace(/[^\w .:-]/g, '?')
}

const RECIPIENT_CHARS_MAX = 512
const PLAIN_PATH = /^[!-;=?-~]+$/
const UNSAFE_IN_PATH = /[^ -~]|[<>]/

/**
 * An address with a control character or bracket is left out rather than changed. So is one that is
 * not ASCII: with it the header could not go to a relay without SMTPUTF8, to which A-labels may do.
 */
function recipientText(address: string): string | null {
  if (address.length > RECIPIENT_CHARS_MAX) return null
  return PLAIN_PATH.test(address) || !UNSAFE_IN_PATH.test(address) ? address : null
}

/** RFC 5322 §3.3, always in UTC: `Tue, 22 Nov 2025 17:12:00 +0000`. */
export function formatDateTime(epochMs: number): string {
  return `${new Date(epochMs).toUTCString().slice(0, -3)}+0000`
}

/** The same, remembered for as long as the second lasts. */
export function createDateFormatter(): (epochMs: number) => string {
  let second = Number.NaN
  let text = ''
  return (epochMs) => {
    const now = Math.floor(epochMs / 1000)
    if (now !== second) {
      second = now
      text = formatDateTime(epochMs)
    }
    return text
  }
}
