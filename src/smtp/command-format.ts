/**
 * Commands that the client engine writes: each with exactly one CRLF, at its end.
 *
 * The last gate before the wire. Whatever an address or id went through before, an octet that could
 * end or split a command throws here (SMTP injection). Parameters that the peer did not offer are
 * left out (RFC 5321 §2.2.1); whether that is allowed for this message was decided before.
 */
import { formatMailbox, isNonAscii } from '../core/address.ts'
import type { Mailbox, Notify, ReversePath } from '../core/envelope.ts'
import type { Capabilities } from './capabilities.ts'

/** What the client is to say in MAIL. */
export interface MailParameters {
  readonly reversePath: ReversePath
  /** Told as SIZE=; null: not known. */
  readonly sizeOctets: number | null
  readonly body: '7bit' | '8bitmime'
  readonly smtputf8: boolean
  readonly requireTls: boolean
  readonly envelopeId: string | null
  readonly returnContent: 'full' | 'headers' | null
}
export interface RcptParameters {
  readonly forwardPath: Mailbox
  readonly notify: Notify
  readonly originalRecipient: string | null
}

/** A command of ours that cannot be sent. The value is not in the text: it may be a secret or hostile. */
export class CommandFault extends Error {
  constructor(reason: string) {
    super(reason)
    this.name = 'CommandFault'
  }
}

/** Without SMTPUTF8 printable ASCII and space; with it anything but control characters and separators. */
const ASCII_TEXT = /^[ -~]*$/
const UTF8_TEXT = /^(?:[ -~]|[^\0-\x9f\u2028\u2029\p{Cs}])*$/u

export function formatMail(mail: MailParameters, peer: Capabilities): string {
  if (mail.smtputf8 && !peer.smtputf8) throw new CommandFault('the peer does not offer SMTPUTF8')
  const path = mail.reversePath.kind === 'null' ? '<>' : formatPath(mail.reversePath.mailbox)
  let line = `MAIL FROM:${path}`
  if (peer.size && mail.sizeOctets !== null) line += ` SIZE=${checkedSize(mail.sizeOctets)}`
  if (peer.eightBitMime && mail.body === '8bitmime') line += ' BODY=8BITMIME'
  if (mail.smtputf8) line += ' SMTPUTF8'
  if (peer.requireTls && mail.requireTls) line += ' REQUIRETLS'
  if (peer.dsn && mail.returnContent !== null) line += mail.returnContent === 'full' ? ' RET=FULL' : ' RET=HDRS'
  if (peer.dsn && mail.envelopeId !== null) line += ` ENVID=${checkedWord(mail.envelopeId)}`
  return checkedLine(line, mail.smtputf8)
}

export function formatRcpt(rcpt: RcptParameters, smtputf8: boolean, peer: Capabilities): string {
  let line = `RCPT TO:${formatPath(rcpt.forwardPath)}`
  if (peer.dsn && rcpt.notify !== null) line += ` NOTIFY=${rcpt.notify === 'never' ? 'NEVER' : rcpt.notify.join(',').toUpperCase()}`
  if (peer.dsn && rcpt.originalRecipient !== null) line += ` ORCPT=${checkedWord(rcpt.originalRecipient)}`
  return checkedLine(line, smtputf8)
}

/** `EHLO name`, `AUTH PLAIN AGE=` and the like: words of printable ASCII. */
export function formatWords(...words: readonly string[]): string {
  for (const word of words) checkedWord(word)
  return checkedLine(words.join(' '), false)
}

/** A quoted local part is the only place where a bracket or a space may stand. */
function formatPath(mailbox: Mailbox): string {
  const text = formatMailbox(mailbox)
  const outside = mailbox.localPart.startsWith('"') ? text.slice(mailbox.localPart.length) : text
  if (/[<> ]/.test(outside)) throw new CommandFault('an address holds brackets or spaces')
  if (outside !== text && !/^"(?:[^"\\]|\\.)*"$/.test(mailbox.localPart)) throw new CommandFault('a quoted local part does not end where it should')
  return `<${text}>`
}

function checkedSize(octets: number): number {
  if (!Number.isSafeInteger(octets) || octets < 0) throw new CommandFault('SIZE is no count of octets')
  return octets
}

function checkedWord(word: string): string {
  if (word === '' || word.includes(' ')) throw new CommandFault('a command word is empty or holds a space')
  return word
}

function checkedLine(line: string, smtputf8: boolean): string {
  const sendable = ASCII_TEXT.test(line) || (smtputf8 && isNonAscii(line) && UTF8_TEXT.test(line))
  if (!sendable) throw new CommandFault('a command holds characters that cannot be sent')
  return `${line}\r\n`
}
