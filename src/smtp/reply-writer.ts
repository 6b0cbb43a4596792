/**
 * Collects replies so that all answers to one segment leave in one write.
 */
import type { SmtpReply } from '../core/reply.ts'
import { formatReplyLines } from './reply-codec.ts'
import type { ServerEvents } from './server-events.ts'

export class ReplyWriter {
  readonly #events: Pick<ServerEvents, 'write' | 'tap'>
  #pending = ''

  constructor(events: Pick<ServerEvents, 'write' | 'tap'>) {
    this.#events = events
  }

  add(reply: SmtpReply): void {
    this.addText(formatReplyLines(reply))
  }

  /** Whole lines of ASCII, each with its CRLF. */
  addText(text: string): void {
    this.#events.tap()?.('>', text.trimEnd().replaceAll('\r\n', ' / '))
    this.#pending += text
  }

  flush(): void {
    if (this.#pending === '') return
    const bytes = Buffer.from(this.#pending, 'latin1')
    this.#pending = ''
    this.#events.write(bytes)
  }
}
