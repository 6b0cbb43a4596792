/**
 * Takes a report apart as a strict reader would: header, parts, groups of fields. Throws on anything irregular.
 */
export interface ReportPart {
  readonly header: ReadonlyMap<string, string>
  readonly body: string
}
export interface ReadReport {
  readonly header: ReadonlyMap<string, string>
  readonly parts: readonly ReportPart[]
  /** Of the second part: the message's fields, then each recipient's. */
  readonly groups: readonly ReadonlyMap<string, string>[]
}

export function readReport(content: Uint8Array): ReadReport {
  checkLines(content)
  const text = new TextDecoder('utf-8', { fatal: false }).decode(content)
  const { header, body } = splitHeader(text)
  const boundary = /boundary="([^"]+)"/.exec(header.get('content-type') ?? '')?.[1]
  if (boundary === undefined) throw new Error('no boundary')
  const pieces = body.split(`\r\n--${boundary}`)
  if (pieces.at(-1) !== '--\r\n') throw new Error('the report is not closed, or the boundary stands in its content')
  const parts = pieces.slice(1, -1).map((piece) => splitHeader(piece.slice(2)))
  const groups = (parts[1]?.body ?? '').split('\r\n\r\n').map((group) => fieldsOf(group))
  return { header, parts, groups }
}

/** Every line ends in CRLF, has at most 998 octets, and there is no control character but TAB. */
export function checkLines(content: Uint8Array): void {
  const text = Buffer.from(content).toString('latin1')
  if (!text.endsWith('\r\n')) throw new Error('no CRLF at the end')
  for (const line of text.slice(0, -2).split('\r\n')) {
    if (line.length > 998) throw new Error(`a line of ${line.length} octets`)
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(line)) throw new Error(`a control character in ${JSON.stringify(line)}`)
  }
}

function splitHeader(text: string): ReportPart {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) throw new Error('no end of header')
  return { header: fieldsOf(text.slice(0, end)), body: text.slice(end + 4) }
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .filter((one) => one !== '')) {
    const match = /^([!-9;-~]+): ?(.*)$/.exec(line)
    if (match === null) throw new Error(`not a field: ${JSON.stringify(line)}`)
    const [, name = '', value = ''] = match
    if (fields.has(name.toLowerCase())) throw new Error(`${name} twice`)
    fields.set(name.toLowerCase(), value)
  }
  return fields
}
