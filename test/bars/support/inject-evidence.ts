/**
 * What an injection would leave behind: commands, header fields, log lines, terminal escapes, cells.
 */

import { parseCapabilities } from '../../../src/smtp/capabilities.ts'
import { formatRcpt } from '../../../src/smtp/command-format.ts'
import { CONTROL, EVIL_FIELD, hostileText } from './hostile-strings.ts'
import type { Printed } from './inject-local.ts'

/** Domains of all addresses that anybody meant. */
const DOMAINS = ['app.test', 'y.test', 'peer.test', 'postern.test']
/** A path whose brackets stand outside quotes, then parameters. */
const COMMAND =
  /^(?:EHLO postern\.test|(?:MAIL FROM|RCPT TO):<(?<address>(?:"(?:[^"\\]|\\.)*"|[^<>" ])*)>(?:(?: [A-Z0-9]+(?:=[\x21-\x7e\x80-\xff]+)?)*)|DATA|RSET|NOOP|QUIT)$/s

/** Commands at a sink, in latin1, that no honest message explains. */
export function extraCommands(lines: readonly string[]): readonly string[] {
  return lines.filter((line) => {
    const match = COMMAND.exec(line)
    if (match === null || /[\0-\x1f\x7f]/.test(line)) return true
    const address = match.groups?.address ?? ''
    return address !== '' && !DOMAINS.some((domain) => address.endsWith(`@${domain}`))
  })
}

const FIELDS = new Set([
  'received',
  'date',
  'message-id',
  'from',
  'to',
  'subject',
  'x-test-id',
  'mime-version',
  'content-type',
  'auto-submitted',
  'in-reply-to',
  'references',
])
const STATUS_FIELDS = new Set(
  [
    'Reporting-MTA',
    'Original-Envelope-Id',
    'X-Postern-Queue-Id',
    'Arrival-Date',
    'Original-Recipient',
    'Final-Recipient',
    'Action',
    'Status',
    'Remote-MTA',
    'Diagnostic-Code',
    'Will-Retry-Until',
  ].map((name) => name.toLowerCase()),
)

/** What Postern writes: a name or literal, the address, itself, the id, one recipient, the date. Comments hold nothing of the client's. */
const RECEIVED =
  /^Received: (?:from [\w.:[\]?-]{1,255} \(\[127\.0\.0\.1\]\)\s+)?by postern\.test(?: with [A-Z0-9]+)? id [0-9A-Z]{11}(?:\s+for <[^\r\n]+>)?;\s+[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} \+0000$/

/** Header fields of a message at the sink, and fields of the report inside it, that Postern or the sender did not mean. */
export function extraHeaderLines(content: string): readonly string[] {
  const extra = unknownFields(blockOf(content), FIELDS)
  const trace = /^Received: [^\r\n]*(?:\r\n[ \t][^\r\n]*)*/m.exec(blockOf(content))?.[0]
  if (trace !== undefined && !RECEIVED.test(trace)) extra.push(trace)
  const boundary = /boundary="([^"]+)"/.exec(blockOf(content))?.[1]
  if (boundary === undefined) return extra
  for (const part of content.split(`\r\n--${boundary}`).slice(1, -1)) {
    const [head = '', ...rest] = part.replace(/^\r\n/, '').split('\r\n\r\n')
    extra.push(...unknownFields(head, new Set(['content-type', 'content-transfer-encoding', 'content-description'])))
    if (/delivery-status/.test(head)) for (const group of rest) extra.push(...unknownFields(group, STATUS_FIELDS))
    else if (/rfc822|message\/global/.test(head)) extra.push(...unknownFields(rest[0] ?? '', FIELDS))
  }
  return extra
}

function blockOf(content: string): string {
  return content.slice(0, content.indexOf('\r\n\r\n'))
}

function unknownFields(block: string, known: ReadonlySet<string>): string[] {
  const names = block.split('\r\n').filter((line) => line !== '' && !/^[ \t]/.test(line))
  const unknown = names.filter(
    (line) =>
      !known.has(
        line
          .slice(0, Math.max(0, line.indexOf(':')))
          .trimEnd()
          .toLowerCase(),
      ),
  )
  const twice = names.map((line) => line.slice(0, line.indexOf(':')).toLowerCase()).filter((name, index, all) => all.indexOf(name) !== index)
  return [...unknown, ...twice, ...(block.includes(`\n${EVIL_FIELD}`) ? [EVIL_FIELD] : [])]
}

/** Lines that are no JSON of ours, or hold a control character. */
export function badJsonLines(log: string): readonly string[] {
  return linesOf(log).filter((line) => {
    if (CONTROL.test(line) || line.includes('\t')) return true
    try {
      const { level, time, msg, id } = JSON.parse(line) as Record<string, unknown>
      return typeof level !== 'string' || typeof time !== 'string' || typeof msg !== 'string' || id === 'EVIL'
    } catch {
      // No JSON at all: that is what is looked for.
      return true
    }
  })
}

const PRETTY = /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?:debug|info |warn |error) (?:intake|delivery|transport|store|admin|config|server) +[^ ]/

export function badPrettyLines(log: string): readonly string[] {
  return linesOf(log).filter((line) => !PRETTY.test(line) || CONTROL.test(line) || line.includes('\t') || / intake +EVIL /.test(line.slice(0, 60)))
}

function linesOf(log: string): readonly string[] {
  return log.split('\n').filter((line) => line !== '')
}

/** What would move a cursor, hide text or turn it around. */
export function badOutput(printed: readonly Printed[]): readonly string[] {
  return printed
    .filter(({ text }) => CONTROL.test(text))
    .map(({ argv, text }) => `${JSON.stringify(argv)} printed ${JSON.stringify(CONTROL.exec(text)?.[0])}: ${JSON.stringify(text.slice(0, 300))}`)
}

/** Cells that a spreadsheet would run (I10). */
export function formulaCells(csv: string): readonly string[] {
  return csv
    .split('\n')
    .flatMap(cellsOf)
    .filter((cell) => /^[=+@-]/.test(cell))
}

/** Cells of one line without their quotes. */
function cellsOf(line: string): readonly string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((match) => match[1] ?? match[2] ?? '')
}

const PEER = parseCapabilities(['peer.test', 'SMTPUTF8', '8BITMIME', 'DSN', 'SIZE 0'])

/** I02: the last gate before the wire, fed with what should never get so far. */
export function commandsThatBreak(count: number, random: () => number): number {
  let bad = 0
  for (let i = 0; i < count; i++) {
    const [localPart, domain] = [hostileText(random), random() < 0.5 ? 'y.test' : hostileText(random)]
    let line: string
    try {
      line = formatRcpt(
        { forwardPath: { localPart, domain: domain as never }, notify: null, originalRecipient: random() < 0.5 ? null : hostileText(random) },
        random() < 0.5,
        PEER,
      )
    } catch {
      // Refusing is right.
      continue
    }
    if (!line.endsWith('\r\n') || /[\0-\x1f\x7f\x85\u2028\u2029]/.test(line.slice(0, -2))) bad++
  }
  return bad
}
