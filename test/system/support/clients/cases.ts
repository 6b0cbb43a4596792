/**
 * The grid of the client tests: every way to connect, log in, address and fill a mail.
 *
 * A case is one transaction. Its content is written to a file twice, with CRLF and with LF line
 * ends, because that is what clients want to be given.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export const TLS_WAYS = ['plain', 'starttls', 'implicit'] as const
export const CONTENT_KINDS = ['ascii', '8-bit', 'smtputf8', 'dots', 'long-lines', 'empty-body'] as const
export type TlsWay = (typeof TLS_WAYS)[number]
export type ContentKind = (typeof CONTENT_KINDS)[number]

export interface GridCase {
  readonly id: string
  readonly tls: TlsWay
  readonly login: boolean
  readonly kind: ContentKind
  readonly from: string
  readonly to: readonly string[]
  /** What must arrive, with CRLF. */
  readonly content: Buffer
  readonly crlfPath: string
  readonly lfPath: string
}
/** Where the clients send to. */
export interface GridTarget {
  readonly ports: Readonly<Record<TlsWay, number>>
  readonly username: string
  readonly password: string
  readonly caPath: string
  readonly folder: string
}
/** What a client said of one case. */
export interface ClientAnswer {
  readonly id: string
  readonly ok: boolean
  readonly text: string
}
export interface GridClient {
  readonly name: string
  /** Kinds that this client cannot send by itself, with the reason and the answer that Postern must give. */
  readonly notAble: Readonly<Partial<Record<ContentKind, { readonly why: string; readonly answer: RegExp }>>>
  send(cases: readonly GridCase[], target: GridTarget): Promise<readonly ClientAnswer[]>
}

/** Senders of the grid: the relay's login must own them. */
export const GRID_SENDERS = ['grid@app.test', 'jürgen@app.test']

export function makeCases(client: string, folder: string): readonly GridCase[] {
  mkdirSync(folder, { recursive: true })
  const cases: GridCase[] = []
  for (const tls of TLS_WAYS) {
    for (const login of [false, true]) {
      for (const count of [1, 50]) {
        for (const kind of CONTENT_KINDS) cases.push(makeCase({ id: `${client}-${cases.length}`, tls, login, count, kind, folder }))
      }
    }
  }
  return cases
}

function makeCase(parts: { id: string; tls: TlsWay; login: boolean; count: number; kind: ContentKind; folder: string }): GridCase {
  const { id, tls, login, count, kind, folder } = parts
  const international = kind === 'smtputf8'
  const to = Array.from({ length: count }, (_, n) => `${international ? 'пользователь' : 'user'}${n}@rcpt.test`)
  const from = GRID_SENDERS[international ? 1 : 0] ?? ''
  const content = makeGridContent(id, kind, { from, to: to[0] ?? '' })
  const crlfPath = join(folder, `${id}.crlf`)
  const lfPath = join(folder, `${id}.lf`)
  writeFileSync(crlfPath, content)
  writeFileSync(lfPath, toLf(content))
  return { id, tls, login, kind, from, to, content, crlfPath, lfPath }
}

/** Mails with an empty body come without Date and Message-ID: Postern adds them. */
function makeGridContent(id: string, kind: ContentKind, ends: { from: string; to: string }): Buffer {
  const header = [`From: <${ends.from}>`, `To: <${ends.to}>`, `Subject: ${kind === 'smtputf8' ? 'Grüße, 你好' : `case ${id}`}`, `X-Test-Id: ${id}`]
  if (kind !== 'empty-body') header.push('Date: Mon, 02 Nov 2026 10:00:00 +0000', `Message-ID: <${id}@app.test>`)
  header.push(
    'MIME-Version: 1.0',
    `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${kind === '8-bit' || kind === 'smtputf8' ? '8bit' : '7bit'}`,
  )
  const head = `${header.join('\r\n')}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), BODIES[kind]])
}

const BODIES: Readonly<Record<ContentKind, Buffer>> = {
  ascii: Buffer.from('Hello,\r\n\r\n  two spaces in front, two behind  \r\n\ta tab\r\n-- \r\nbye\r\n'),
  // Octets that are no UTF-8 are part of it: 8BITMIME knows no character set.
  '8-bit': Buffer.concat([Buffer.from('Zürich kostet 5 €.\r\n'), Buffer.from([0xe9, 0xff, 0x80, 0xfe, 0x0d, 0x0a]), Buffer.from('end\r\n')]),
  smtputf8: Buffer.from('Grüße an alle, 你好.\r\n'),
  dots: Buffer.from('.\r\n..\r\n...\r\n.hidden\r\n..hidden\r\n\r\n.\r\nQUIT\r\n. \r\ninner . dot.\r\n..\r\n.\r\n'),
  'long-lines': Buffer.from(`${'x'.repeat(998)}\r\n${'.'.repeat(998)}\r\nshort\r\n${'y'.repeat(997)}.\r\n`),
  'empty-body': Buffer.alloc(0),
}

/** As a Unix program would have it. */
export function toLf(content: Buffer): Buffer {
  return Buffer.from(content.toString('latin1').replaceAll('\r\n', '\n'), 'latin1')
}

/** The grid for clients that are scripts of their own: one case a line, fields by tab. */
export function writeCaseTable(cases: readonly GridCase[], target: GridTarget, name: string): string {
  const path = join(target.folder, `${name}.tsv`)
  const rows = cases.map((one) =>
    [one.id, one.tls, target.ports[one.tls], one.login ? 'login' : 'none', one.kind, one.from, one.to.join(','), one.crlfPath].join('\t'),
  )
  writeFileSync(path, `${rows.join('\n')}\n`)
  return path
}

/** Lines `ID TAB ok|fault TAB TEXT` of such a script. */
export function readAnswers(output: string): readonly ClientAnswer[] {
  return output
    .split('\n')
    .filter((line) => line.includes('\t'))
    .map((line) => {
      const [id = '', state = '', text = ''] = line.split('\t')
      return { id, ok: state === 'ok', text }
    })
}
