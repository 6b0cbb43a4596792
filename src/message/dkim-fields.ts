/**
 * Which header fields a DKIM signature covers, and their octets in the form that is hashed.
 *
 * RFC 6376 §5.4: all that a reader sees or acts upon, every instance, from the last one up. Fields
 * of which there may be one only are named once more than they occur, so that nobody can add a
 * second one. Trace fields, Return-Path and signatures are never covered: relays change them.
 */
import { relaxField } from './dkim-canonical.ts'
import type { HeaderBlock, HeaderField } from './header-block.ts'

/** RFC 5322 §3.6 allows one of each; From is named once more even by RFC 6376 §8.15. */
const SINGLE = ['From', 'Reply-To', 'Sender', 'Subject', 'Date', 'Message-ID', 'To', 'Cc', 'In-Reply-To', 'References']
const SINGLE_MIME = ['MIME-Version', 'Content-Type', 'Content-Transfer-Encoding']
const ANY_NUMBER = [
  'Content-Disposition',
  'Content-Language',
  'Resent-Date',
  'Resent-From',
  'Resent-Sender',
  'Resent-To',
  'Resent-Cc',
  'Resent-Message-ID',
  'List-Id',
  'List-Help',
  'List-Unsubscribe',
  // RFC 8058 §4: of use only where a signature covers it.
  'List-Unsubscribe-Post',
  'List-Subscribe',
  'List-Post',
  'List-Owner',
  'List-Archive',
  'Feedback-ID',
  'Auto-Submitted',
]
const ALWAYS_SINGLE: ReadonlySet<string> = new Set([...SINGLE, ...SINGLE_MIME].map((name) => name.toLowerCase()))

/** RFC 6376 §5.4.1: never to be signed, because servers on the way add or change them. */
export const NEVER_SIGNED: ReadonlySet<string> = new Set([
  'return-path',
  'received',
  'received-spf',
  'x-received',
  'comments',
  'keywords',
  'bcc',
  'resent-bcc',
  'dkim-signature',
  'domainkey-signature',
  'authentication-results',
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
])

/** Instances of one name that are covered; of more, those at the top are not, and nothing is said of a next one. */
const INSTANCES_MAX = 50

/** Names in lower case -> as they are written in `h=`; in the order in which they stand there. */
export type SignedNames = ReadonlyMap<string, string>

/** The usual names and these. */
export function signedNames(more: readonly string[]): SignedNames {
  const names = [...SINGLE, ...SINGLE_MIME, ...ANY_NUMBER, ...more]
  return new Map(names.filter((name) => !NEVER_SIGNED.has(name.toLowerCase())).map((name) => [name.toLowerCase(), name]))
}

export interface CoveredFields {
  /** The names of `h=`, in order. */
  readonly names: readonly string[]
  /** The fields in relaxed form, each with its line end; one character per octet. */
  readonly octets: string
}

/** Of all blocks together, in the order in which they are sent. */
export function coverFields(blocks: readonly HeaderBlock[], signed: SignedNames): CoveredFields {
  const found = new Map<string, { readonly block: HeaderBlock; readonly field: HeaderField }[]>()
  for (const block of blocks) {
    for (const field of block.fields) {
      if (!signed.has(field.name)) continue
      const before = found.get(field.name)
      if (before === undefined) found.set(field.name, [{ block, field }])
      else before.push({ block, field })
    }
  }
  const names: string[] = []
  let octets = ''
  for (const [name, written] of signed) {
    const instances = found.get(name)
    if (instances === undefined) continue
    const covered = instances.slice(-INSTANCES_MAX)
    const once = covered.length === instances.length && ALWAYS_SINGLE.has(name) ? 1 : 0
    for (let i = 0; i < covered.length + once; i++) names.push(written)
    for (const { block, field } of covered.toReversed()) octets += relaxField(name, block.text.slice(field.valueStart, field.end))
  }
  return { names, octets }
}
