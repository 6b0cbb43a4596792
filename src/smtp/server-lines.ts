/**
 * What the server engine says and reads that is no state: EHLO, names, content refusals, redacted lines.
 */
import type { SmtpReply } from '../core/reply.ts'
import type { CommandLine } from './command.ts'
import type { DotFault } from './dot-codec.ts'
import type { ServerSettings } from './server-events.ts'
import { announce, type Gates } from './server-machine.ts'
import { REPLIES } from './server-replies.ts'

export const CONTENT_REFUSALS: Readonly<Record<DotFault, SmtpReply>> = {
  'bare-line-end': REPLIES.contentBareLineEnd,
  nul: REPLIES.contentNul,
  'line-too-long': REPLIES.contentLineTooLong,
  'too-large': REPLIES.contentTooLarge,
}

/** RFC 5321 §4.5.3.1.2. */
const NAME = /^[!-~]{1,255}$/

/** Any name is taken, for a server must not refuse because it does not verify (RFC 5321 §4.1.4); null: none, or no name at all. */
export function helloName(argument: string): string | null {
  return NAME.test(argument) ? argument : null
}

/** The whole reply to EHLO, or to HELO: one line (RFC 5321 §4.1.1.1). */
export function formatEhlo(settings: ServerSettings, gates: Gates): string {
  if (!gates.esmtp) return `250 ${settings.hostname}\r\n`
  const lines = [settings.hostname, ...announce(gates, settings.pipelining, settings.limits().messageOctets)]
  return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}\r\n`).join('')
}

/** A command line for people: secrets of AUTH are left out. */
export function redactLine(command: CommandLine, text: string | null): string {
  if (text === null) return '[not text]'
  // A login that goes on after its AUTH was refused looks like an unknown command.
  if (command.verb === 'unknown') return '[unknown command]'
  if (command.verb !== 'AUTH') return text
  const [mechanism = '', initial] = command.argument.split(' ')
  return initial === undefined ? `AUTH ${mechanism}` : `AUTH ${mechanism} [login]`
}
