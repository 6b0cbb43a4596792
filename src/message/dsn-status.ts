/**
 * The part of a report that programs read: one group of fields for the message, one per recipient.
 *
 * RFC 3464 §2 (fields), RFC 3461 §6.3 (what becomes of ENVID and ORCPT), RFC 6533 §3 (UTF-8
 * addresses: `message/global-delivery-status`).
 */
import { formatMailbox, isNonAscii } from '../core/address.ts'
import { formatReply, formatStatus } from '../core/reply.ts'
import type { DsnKind, DsnRecipient, DsnRequest } from './dsn-request.ts'
import { cleanAscii, cleanLine, decodeXtext, foldField } from './dsn-text.ts'
import { formatDateTime } from './received-field.ts'

const ACTIONS: Readonly<Record<DsnKind, string>> = { failed: 'failed', expired: 'failed', delayed: 'delayed', relayed: 'relayed', delivered: 'delivered' }

/** `global`: UTF-8 may stand in it as it is; else everything is ASCII. Ends in CRLF. */
export function composeStatusFields(request: DsnRequest, global: boolean): string {
  const groups = [messageFields(request, global), ...request.recipients.map((recipient) => recipientFields(request, recipient, global))]
  return groups.map((lines) => `${lines.join('\r\n')}\r\n`).join('\r\n')
}

function messageFields(request: DsnRequest, global: boolean): string[] {
  const clean = global ? cleanLine : cleanAscii
  const { envelopeId, acceptedAt } = request.original
  return [
    foldField('Reporting-MTA', `dns; ${clean(request.hostname)}`),
    ...(envelopeId === null ? [] : [foldField('Original-Envelope-Id', clean(decodeXtext(envelopeId) ?? envelopeId))]),
    foldField('X-Postern-Queue-Id', request.original.queueId),
    foldField('Arrival-Date', formatDateTime(acceptedAt)),
  ]
}

function recipientFields(request: DsnRequest, recipient: DsnRecipient, global: boolean): string[] {
  const clean = global ? cleanLine : cleanAscii
  const { originalRecipient, remoteMta, reply, reason } = recipient
  const until = request.kind === 'delayed' ? request.retryUntil : null
  return [
    ...(originalRecipient === null ? [] : [foldField('Original-Recipient', originalOf(originalRecipient, clean))]),
    foldField('Final-Recipient', finalOf(formatMailbox(recipient.mailbox), clean)),
    `Action: ${ACTIONS[request.kind]}`,
    `Status: ${formatStatus(recipient.status)}`,
    ...(remoteMta === null ? [] : [foldField('Remote-MTA', `dns; ${clean(remoteMta.host)}`)]),
    // RFC 3464 §2.3.6: `smtp` only for what a server really said.
    foldField('Diagnostic-Code', reply === null ? `x-postern; ${clean(reason)}` : `smtp; ${clean(formatReply(reply))}`),
    ...(until === null ? [] : [foldField('Will-Retry-Until', formatDateTime(until))]),
  ]
}

function finalOf(address: string, clean: (text: string) => string): string {
  return isNonAscii(address) ? `utf-8; ${clean(address)}` : `rfc822; ${clean(address)}`
}

/** `type;xtext` as it came becomes `type; address`; what does not decode to text stays as it was. */
function originalOf(orcpt: string, clean: (text: string) => string): string {
  const semicolon = orcpt.indexOf(';')
  if (semicolon === -1) return `unknown; ${clean(orcpt)}`
  const type = orcpt.slice(0, semicolon)
  const address = orcpt.slice(semicolon + 1)
  // RFC 6533 §3: `utf-8` addresses have an encoding of their own, which stays.
  const decoded = type.toLowerCase() === 'utf-8' ? address : (decodeXtext(address) ?? address)
  return `${clean(type)}; ${clean(decoded)}`
}
