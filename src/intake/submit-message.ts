/**
 * The road in for CLI and API: a whole message in memory, the same checks and fix-ups as over SMTP.
 *
 * Line ends are normalized here, always: such content is lines of text from a file or a program,
 * and what a bare CR or LF would mean to the next server is exactly what nobody should guess.
 */
import { formatMailbox, isNonAscii, parseBareName, parseMailbox, parseReversePath } from '../core/address.ts'
import type { QueueId } from '../core/brand.ts'
import type { Mailbox, Origin, ReversePath } from '../core/envelope.ts'
import { enhanced, formatReply, reply, type SmtpReply } from '../core/reply.ts'
import { submitterOf } from '../core/submitter.ts'
import type { Rewriter } from '../ports/rewriter.ts'
import type { SubmitRequest } from '../ports/server-control.ts'
import { type AcceptParts, acceptMessage, type SubmittedEnvelope, type SubmittedRecipient } from './accept-message.ts'
import { type ContentBudget, ContentIntake, type TakenContent } from './content-intake.ts'
import type { ScratchPool } from './gathered-content.ts'
import type { IntakeSettings } from './settings.ts'

/** The request was refused as an SMTP client's would have been. The text may be shown. */
export class SubmissionRefused extends Error {
  readonly reply: SmtpReply
  constructor(refusal: SmtpReply) {
    super(formatReply(refusal))
    this.name = 'SubmissionRefused'
    this.reply = refusal
  }
}

export interface SubmitParts extends AcceptParts {
  readonly settings: IntakeSettings
  readonly budget: ContentBudget
  readonly scratch: ScratchPool
}

/** Resolves when the message is durable. Rejects with `SubmissionRefused`, or with `StoreFault`. */
export async function submitMessage(parts: SubmitParts, request: SubmitRequest, kind: 'cli' | 'api' | 'report'): Promise<QueueId> {
  const { settings } = parts
  const bytes = normalizeLineEnds(request.content)
  if (bytes.length > settings.limits.messageOctets) refuse(552, 3, 4, `Message larger than ${settings.limits.messageOctets} octets`)
  requireSendable(bytes, settings.limits.textLineOctets)
  const envelope = parseEnvelope(request, parts)
  const content = await takeContent(parts, bytes)
  const origin: Origin = {
    kind,
    submitter: submitterOf(null, envelope.reversePath),
    login: null,
    clientAddress: null,
    heloName: null,
    protocol: kind.toUpperCase(),
  }
  return acceptMessage(parts, { envelope, origin, tls: null, hostname: settings.hostname, content }, () => undefined)
}

async function takeContent(parts: SubmitParts, bytes: Uint8Array): Promise<TakenContent> {
  const { backend, settings, budget, scratch } = parts
  let relieved = (): void => undefined
  const intake = new ContentIntake(
    {
      bodies: backend.bodies,
      newQueueId: backend.newQueueId,
      signer: backend.signer,
      rewriter: backend.rewriter ?? NO_REWRITER,
      budget,
      scratch,
      events: { onRelief: () => relieved(), onRefused: () => undefined },
    },
    settings.limits,
  )
  for (let at = 0; at < bytes.length; at += SLICE_OCTETS) {
    intake.write(bytes.subarray(at, at + SLICE_OCTETS))
    if (!intake.wantsPause) continue
    await new Promise<void>((resolve) => {
      relieved = resolve
    })
  }
  const result = await intake.finish(false)
  if (result.kind === 'refused') throw new SubmissionRefused(result.reply)
  return result.content
}

/** What the engine refuses of SMTP content, too: no peer could be given it (RFC 5321 §2.3.8, §4.5.3.1.6). */
function requireSendable(content: Uint8Array, lineOctetsMax: number): void {
  if (content.includes(0)) refuse(550, 6, 0, 'NUL in content')
  for (let start = 0, lf = content.indexOf(LF); lf !== -1; start = lf + 1, lf = content.indexOf(LF, start)) {
    if (lf - 1 - start > lineOctetsMax) refuse(550, 6, 0, 'Line of content too long')
  }
}

function parseEnvelope(request: SubmitRequest, parts: SubmitParts): SubmittedEnvelope {
  const { settings, backend } = parts
  const rewriter = backend.rewriter?.() ?? null
  const reversePath = parseReversePath(request.from, { smtputf8: true }) ?? bareSender(request.from, rewriter)
  if (reversePath === null) return refuse(501, 1, 7, 'Sender is not an address')
  const mailboxes = request.to.map(
    (text) => parseMailbox(text, { smtputf8: true }) ?? bareMailbox(text, rewriter) ?? refuse(501, 1, 3, 'Recipient is not an address'),
  )
  if (rewriter !== null) requireWanted(mailboxes, rewriter)
  const [first, ...others] = distinct(mailboxes)
  if (first === undefined) return refuse(554, 5, 1, 'No recipients')
  if (others.length + 1 > settings.limits.recipients) return refuse(550, 5, 3, `More than ${settings.limits.recipients} recipients`)
  const complete = (forwardPath: Mailbox): SubmittedRecipient => ({ forwardPath, notify: null, originalRecipient: null })
  const smtputf8 = [request.from, ...request.to].some(isNonAscii)
  return {
    reversePath,
    recipients: [complete(first), ...others.map(complete)],
    body: '7bit',
    smtputf8,
    requireTls: false,
    envelopeId: null,
    returnContent: null,
  }
}

function bareMailbox(text: string, rewriter: Rewriter | null): Mailbox | null {
  return text.includes('@') || parseBareName(text, { smtputf8: true }) === null ? null : (rewriter?.qualify(text) ?? null)
}

function bareSender(text: string, rewriter: Rewriter | null): ReversePath | null {
  const mailbox = bareMailbox(text, rewriter)
  return mailbox === null ? null : { kind: 'mailbox', mailbox }
}

/** What a client hears at RCPT. */
function requireWanted(mailboxes: readonly Mailbox[], rewriter: Rewriter): void {
  let total = 0
  for (const mailbox of mailboxes) {
    const check = rewriter.checkRecipient(mailbox)
    if (check.kind === 'refused') throw new SubmissionRefused(check.reply)
    total += check.recipients
  }
  if (total > Math.max(rewriter.recipientsMax, mailboxes.length)) refuse(550, 5, 3, `The addresses become more than ${rewriter.recipientsMax} recipients`)
}

const NO_REWRITER = (): null => null

function distinct(mailboxes: readonly Mailbox[]): Mailbox[] {
  return [...new Map(mailboxes.map((mailbox) => [formatMailbox(mailbox), mailbox])).values()]
}

function refuse(code: number, subject: number, detail: number, text: string): never {
  throw new SubmissionRefused(reply(code, enhanced(5, subject, detail), text))
}

/** Content is handed over in slices, as it would come over a connection. */
const SLICE_OCTETS = 256 * 1024

const LF = 10
const CR = 13

/** Every bare CR and bare LF becomes CRLF, and content that is not empty ends in one. Not copied if nothing is to be done. */
export function normalizeLineEnds(content: Uint8Array): Uint8Array {
  const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const last = bytes.length - 1
  const ends = bytes.length === 0 || (bytes[last] === LF && bytes[last - 1] === CR)
  if (ends && !BARE.test(bytes.toString('latin1'))) return content
  const text = bytes.toString('latin1').replace(BARE_ALL, '\r\n')
  return Buffer.from(text.endsWith('\r\n') ? text : `${text}\r\n`, 'latin1')
}

const BARE = /\r(?!\n)|(?<!\r)\n/
const BARE_ALL = /\r(?!\n)|(?<!\r)\n/g
