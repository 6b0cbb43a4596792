/**
 * The part of a report that people read: what happened, the server's words, what to do now.
 *
 * Plain text in UTF-8. Speaks to the sender of a mail, who knows nothing of SMTP.
 */
import { formatMailbox } from '../core/address.ts'
import { readOriginalRecipient } from '../core/original-recipient.ts'
import type { EnhancedStatus } from '../core/reply.ts'
import type { DsnKind, DsnRecipient, DsnRequest, NoticeRation } from './dsn-request.ts'
import { cleanLine, wrapWords } from './dsn-text.ts'
import { formatDateTime } from './received-field.ts'

const WIDTH = 76
const SUBJECT_MAX = 200
/** RFC 5321 §4.5.3.1: 64 octets, `@`, 255 octets. What is longer is shown among the details only. */
const ADDRESS_CHARS_MAX = 320

/** Ends in CRLF. */
export function composeExplanation(request: DsnRequest): string {
  const paragraphs = [
    wrapped(`This is the mail system at ${cleanLine(request.hostname)}.`),
    wrapped(openingOf(request)),
    aboutMessage(request),
    ...request.recipients.map((recipient) => aboutRecipient(request.kind, recipient)),
    ...rationOf(request.ration).map(wrapped),
    wrapped(closingOf(request.kind)),
  ]
  return `${paragraphs.map((lines) => lines.join('\r\n')).join('\r\n\r\n')}\r\n`
}

function openingOf(request: DsnRequest): string {
  const several = request.recipients.length > 1
  switch (request.kind) {
    case 'failed':
      return `Your message could not be delivered to the ${several ? 'addresses' : 'address'} below. It will not be tried again.`
    case 'expired':
      return `Your message could not be delivered to the ${several ? 'addresses' : 'address'} below in the time allowed for it, although it was tried again and again. It will not be tried any more.`
    case 'delayed': {
      const until = request.retryUntil === null ? '' : ` until ${formatDateTime(request.retryUntil)}`
      return `Your message has not been delivered to the ${several ? 'addresses' : 'address'} below yet. This is only a notice: it will be tried again${until}. There is no need to send it again.`
    }
    case 'relayed':
      return `Your message was passed on to a server that does not report what becomes of it. You asked for a report: this is the last one for the ${several ? 'addresses' : 'address'} below, unless delivery fails later.`
    case 'delivered':
      return `Your message is in the ${several ? 'mailboxes' : 'mailbox'} of the ${several ? 'addresses' : 'address'} below. You asked for a report.`
  }
}

function aboutMessage(request: DsnRequest): string[] {
  const { subject, acceptedAt, queueId } = request.original
  const shown = subject === null ? null : cleanLine(subject).slice(0, SUBJECT_MAX).toWellFormed()
  return [...(shown === null || shown === '' ? [] : [`    Subject:   ${shown}`]), `    Accepted:  ${formatDateTime(acceptedAt)}`, `    Queue id:  ${queueId}`]
}

function aboutRecipient(kind: DsnKind, recipient: DsnRecipient): string[] {
  const { reply, remoteMta, reason } = recipient
  const where = remoteMta === null ? '' : ` (${cleanLine(remoteMta.host)} [${cleanLine(remoteMta.address)}])`
  const advice = kind === 'failed' || kind === 'expired' ? adviceFor(recipient.status) : null
  return [
    namesOf(recipient),
    ...indented(`${capitalized(cleanLine(reason))}${where}.`),
    ...(reply === null ? [] : ['    The server said, word for word:', ...reply.lines.flatMap((line) => quoted(`${reply.code} ${cleanLine(line)}`))]),
    ...(recipient.duplicatePossible
      ? indented(
          'The connection broke after the message had been sent, so that it may have arrived all the same. Ask before you send it again; it may arrive twice.',
        )
      : []),
    ...(advice === null ? [] : indented(advice)),
  ]
}

/** The address that the sender wrote comes first: he knows no other. */
function namesOf({ mailbox, originalRecipient }: DsnRecipient): string {
  const address = formatMailbox(mailbox)
  const original = originalRecipient === null ? null : readOriginalRecipient(originalRecipient)
  return original === null || original === address || original.length > ADDRESS_CHARS_MAX
    ? `<${cleanLine(address)}>`
    : `<${cleanLine(original)}> (delivered to <${cleanLine(address)}>)`
}

/** Whoever waits for a notice must know that none may come. */
function rationOf(ration: NoticeRation | undefined): readonly string[] {
  const said: string[] = []
  if (ration === undefined) return said
  const { keptBack, last } = ration
  if (keptBack > 0)
    said.push(
      `${keptBack} earlier ${keptBack === 1 ? 'notice' : 'notices'} to you about other mail ${keptBack === 1 ? 'was' : 'were'} not sent, because there were too many in one hour. Your administrator can tell you which mail that was.`,
    )
  if (last)
    said.push(
      'You have had so many notices within an hour that this is the last one for now. More of your mail may fail without your being told: ask your administrator.',
    )
  return said
}

function closingOf(kind: DsnKind): string {
  const about = 'Details for programs and administrators follow, and then your message or its header.'
  return kind === 'failed' || kind === 'expired' ? `If you do not know what to do, ask your administrator and name the queue id. ${about}` : about
}

/** What a person can do about it, by enhanced status (RFC 3463 §3); null: nothing that is sure to help. */
function adviceFor(status: EnhancedStatus): string | null {
  const detail = `${status.subject}.${status.detail}`
  switch (detail) {
    case '1.1':
    case '1.2':
    case '1.3':
    case '1.6':
    case '1.10':
      return 'Check the address for typing mistakes.'
    case '2.2':
      return 'The mailbox is full. Try again later, or reach the person by other means.'
    case '2.3':
    case '3.4':
      return 'The message is too large. Send less, or a link instead of a file.'
    case '6.7':
      return 'The server does not take letters outside ASCII in addresses or in the header. Ask for another address, or write names and subject in plain letters.'
    default:
      return status.subject === 7 ? 'The message was refused by a rule of the receiving side. Its words above may say which.' : null
  }
}

function wrapped(text: string): string[] {
  return wrapWords(text, WIDTH)
}

function indented(text: string): string[] {
  return wrapWords(text, WIDTH - 4).map((line) => `    ${line}`)
}

function quoted(text: string): string[] {
  return wrapWords(text, WIDTH - 6).map((line) => `    > ${line}`)
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
