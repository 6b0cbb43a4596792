/**
 * What a mailbox at the relay says of a mail: everything added on the way is taken off and checked,
 * the rest must be what was sent, octet by octet.
 *
 * Added by the relay: Return-Path, X-Original-To, Delivered-To, Received. Added by Postern:
 * Received, and Date and Message-ID where they lacked. A Maildir has LF where the wire has CRLF.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Arrival {
  readonly testId: string
  readonly returnPath: string
  readonly deliveredTo: string
  /** `with` of Postern's Received line. */
  readonly protocol: string
  /** Postern's Received line, unfolded. */
  readonly received: string
  /** What follows the Received lines. */
  readonly rest: Buffer
}

/** Reads what is new since the last call. */
export function createMailboxReader(folder: string): { count(): number; readNew(): readonly Arrival[] } {
  const seen = new Set<string>()
  return {
    count: () => (existsSync(folder) ? readdirSync(folder).length : 0),
    readNew() {
      const names = existsSync(folder) ? readdirSync(folder).filter((name) => !seen.has(name)) : []
      for (const name of names) seen.add(name)
      return names.map((name) => parseArrival(readFileSync(join(folder, name))))
    },
  }
}

export function parseArrival(file: Buffer): Arrival {
  const fields: string[] = []
  let at = 0
  for (const name of ['Return-Path', 'X-Original-To', 'Delivered-To', 'Received', 'Received']) {
    const { field, end } = readField(file, at)
    if (!field.startsWith(`${name}: `)) throw new Error(`expected ${name}, found ${field}`)
    fields.push(field.slice(name.length + 2))
    at = end
  }
  const rest = file.subarray(at)
  const [returnPath = '', , deliveredTo = '', , received = ''] = fields
  return {
    testId: /^X-Test-Id: (\S+)$/m.exec(rest.toString('latin1'))?.[1] ?? '',
    returnPath: returnPath.replace(/^<|>$/g, ''),
    deliveredTo,
    protocol: / by postern\.test with (\S+) id /.exec(received)?.[1] ?? '',
    received,
    rest,
  }
}

/** Null: the same octets; else the first difference, for a person. `content` has CRLF. */
export function differenceFrom(content: Buffer, arrival: Arrival): string | null {
  const sent = Buffer.from(content.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
  const header = sent.subarray(0, sent.indexOf('\n\n') + 1).toString('latin1')
  let { rest } = arrival
  for (const [name, shape] of [
    ['Date', /^Date: \w{3}, \d{1,2} \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\n$/],
    ['Message-ID', /^Message-ID: <\S+@postern\.test>\n$/],
  ] as const) {
    if (new RegExp(`^${name}:`, 'im').test(header)) continue
    const line = rest.subarray(0, rest.indexOf(10) + 1)
    if (!shape.test(line.toString('latin1'))) return `${name} was not added: ${JSON.stringify(line.toString('latin1'))}`
    rest = rest.subarray(line.length)
  }
  if (rest.equals(sent)) return null
  const at = sent.findIndex((octet, n) => octet !== rest[n])
  const from = Math.max(0, (at === -1 ? sent.length : at) - 20)
  return `${rest.length} octets for ${sent.length}, from octet ${at}: sent ${JSON.stringify(sent.subarray(from, from + 60).toString('latin1'))}, there ${JSON.stringify(rest.subarray(from, from + 60).toString('latin1'))}`
}

function readField(file: Buffer, start: number): { field: string; end: number } {
  let end = file.indexOf(10, start) + 1
  while (file[end] === 32 || file[end] === 9) end = file.indexOf(10, end) + 1
  if (end === 0) throw new Error('the header ends too early')
  return {
    field: file
      .subarray(start, end - 1)
      .toString('utf8')
      .replace(/\n\s/g, ' '),
    end,
  }
}
