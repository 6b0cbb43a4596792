/**
 * How our server greets, and how our client knows that greeting again (RFC 5321 §4.3.1).
 *
 * The name alone is not enough: another mail server on the same machine may rightly have it, too.
 */
import type { SmtpReply } from '../core/reply.ts'

export function greetingText(hostname: string): string {
  return `${hostname} ESMTP Postern`
}

export function greetsAs(greeting: SmtpReply, hostname: string): boolean {
  return greeting.lines.length === 1 && greeting.lines[0]?.toLowerCase() === greetingText(hostname).toLowerCase()
}
