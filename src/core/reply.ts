/**
 * An SMTP reply as a value: code, enhanced status, lines (RFC 5321 §4.2, RFC 3463, RFC 2034).
 *
 * Parsing bytes into replies is `smtp/reply-codec.ts`; what a reply means is `core/classify.ts`.
 */
export interface EnhancedStatus<Class extends 2 | 4 | 5 = 2 | 4 | 5> {
  readonly class: Class
  readonly subject: number
  readonly detail: number
}

export interface SmtpReply {
  readonly code: number
  /** From the reply's own text, or null where it had none. */
  readonly enhanced: EnhancedStatus | null
  /** Text without code and separator, but with the enhanced code as it came; never with CR or LF. */
  readonly lines: readonly [string, ...string[]]
}

export function enhanced<Class extends 2 | 4 | 5>(cls: Class, subject: number, detail: number): EnhancedStatus<Class> {
  return { class: cls, subject, detail }
}

/** `4.4.1`. */
export function formatStatus(status: EnhancedStatus): string {
  return `${status.class}.${status.subject}.${status.detail}`
}

/** One line for people and logs: `550 5.1.1 No such user` (lines joined with ` / `). */
export function formatReply(reply: SmtpReply): string {
  return `${reply.code} ${reply.lines.join(' / ')}`
}

/** Builds a reply of ours: the enhanced code is written in front of the text. */
export function reply(code: number, status: EnhancedStatus | null, text: string): SmtpReply {
  return { code, enhanced: status, lines: [status === null ? text : `${formatStatus(status)} ${text}`] }
}
