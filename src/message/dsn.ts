/**
 * Composes delivery status notifications: failed, delayed, or passed on (RFC 3464, 6522, 6533).
 *
 * Pure: everything it says is in the request. Whether a notice may be sent at all is
 * `delivery/notify-sender.ts`. What a peer said is quoted, but can never add a line or a header:
 * all foreign text goes through `dsn-text.ts`. Lines end in CRLF and never exceed 998 octets.
 */
import { formatMailbox, isNonAscii } from '../core/address.ts'
import { composeExplanation } from './dsn-explanation.ts'
import { type OriginalPart, partOfOriginal } from './dsn-original.ts'
import type { DsnKind, DsnRequest } from './dsn-request.ts'
import { composeStatusFields } from './dsn-status.ts'
import { cleanLine, foldField } from './dsn-text.ts'
import { hasEightBit } from './has-eight-bit.ts'
import { formatDateTime } from './received-field.ts'

export type { DsnKind, DsnRecipient, DsnRequest, NoticeRation, OriginalMessage } from './dsn-request.ts'

export interface ComposedDsn {
  /** Header and body. */
  readonly content: Uint8Array
  readonly body: '7bit' | '8bitmime'
  /** The header itself needs it, because the sender's address does. */
  readonly smtputf8: boolean
  readonly subject: string
  readonly messageId: string
}

const SUBJECTS: Readonly<Record<DsnKind, string>> = {
  failed: 'Undelivered mail returned to sender',
  expired: 'Undelivered mail returned to sender (gave up trying)',
  delayed: 'Delayed mail (still being tried)',
  relayed: 'Mail was passed on',
  delivered: 'Mail was delivered',
}

export function composeDsn(request: DsnRequest): ComposedDsn {
  const global =
    request.original.smtputf8 || [request.to, ...request.recipients.map((recipient) => recipient.mailbox)].some((mailbox) => isNonAscii(formatMailbox(mailbox)))
  const explanation = Buffer.from(composeExplanation(request))
  const status = Buffer.from(composeStatusFields(request, global))
  const original = partOfOriginal(request.original, global)
  const boundary = freeBoundary(request, [explanation, status, original.content])
  const messageId = `<${request.queueId}.${request.token}@${cleanLine(request.hostname)}>`
  const subject = SUBJECTS[request.kind]
  const content = Buffer.concat([
    Buffer.from(composeHeader(request, { boundary, messageId, subject, global })),
    part(boundary, 'text/plain; charset=utf-8', explanation),
    part(boundary, global ? 'message/global-delivery-status' : 'message/delivery-status', status),
    originalPart(boundary, original),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  return { content, body: hasEightBit(content) ? '8bitmime' : '7bit', smtputf8: isNonAscii(formatMailbox(request.to)), subject, messageId }
}

interface HeaderParts {
  readonly boundary: string
  readonly messageId: string
  readonly subject: string
  readonly global: boolean
}

function composeHeader(request: DsnRequest, parts: HeaderParts): string {
  const from = request.from.includes('<') ? request.from : `Mail Delivery System <${request.from}>`
  const answers = safeMessageId(request.original.messageId)
  const lines = [
    foldField('From', cleanLine(from)),
    foldField('To', `<${cleanLine(formatMailbox(request.to))}>`),
    foldField('Subject', parts.subject),
    foldField('Date', formatDateTime(request.at)),
    foldField('Message-ID', parts.messageId),
    ...(answers === null ? [] : [foldField('In-Reply-To', answers), foldField('References', answers)]),
    // RFC 3834 §5: keeps other programs from answering this one.
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=${parts.global ? 'global-delivery-status' : 'delivery-status'};`,
    ` boundary="${parts.boundary}"`,
    '',
    'This is a report in MIME format about a mail of yours.',
  ]
  return `${lines.join('\r\n')}\r\n`
}

function part(boundary: string, type: string, content: Uint8Array): Uint8Array {
  const head = `\r\n--${boundary}\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: ${hasEightBit(content) ? '8bit' : '7bit'}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), content])
}

function originalPart(boundary: string, original: OriginalPart): Uint8Array {
  return part(boundary, `${original.type}\r\nContent-Description: ${original.description}`, original.content)
}

/** A boundary that stands in none of the parts, whoever wrote them. */
function freeBoundary(request: DsnRequest, parts: readonly Buffer[]): string {
  const stem = `=_${request.queueId}.${request.token}`
  for (let attempt = 0; ; attempt++) {
    const boundary = attempt === 0 ? stem : `${stem}.${attempt}`
    if (!parts.some((content) => content.includes(`--${boundary}`))) return boundary
  }
}

/** Taken over only if it is surely one and nothing else. */
function safeMessageId(messageId: string | null): string | null {
  return messageId !== null && /^<[!-;=?-~]{3,250}>$/.test(messageId) ? messageId : null
}
