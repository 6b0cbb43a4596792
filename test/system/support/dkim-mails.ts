/**
 * Mails of every kind that a signature may meet, made from a number: the same number, the same mail.
 *
 * Octets are characters 0 to 255. Each mail names itself in `X-Test-Id`.
 */
export interface MadeMail {
  readonly id: string
  readonly kind: string
  readonly content: string
  /** A header with octets above 127, or content that must not be converted: only for a relay that takes 8 bits. */
  readonly needsEightBit: boolean
}

/**
 * A blank before the colon (RFC 5322 §4.5.2) is not among them: dkimpy reads no such header. mailauth does, in the unit tests.
 */

/** Small, fast, good enough to vary texts (mulberry32). */
function createChance(seed: number): (below: number) => number {
  let state = (seed * 0x9e3779b9) | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}
type Chance = (below: number) => number

const WORDS = [
  'invoice',
  'Ihre',
  'build',
  '#42',
  'a',
  'of',
  'the',
  '<b>',
  '&amp;',
  'https://example.com/?q=1&x=2',
  '=20',
  '--',
  '>',
  '.',
  '..',
  '!',
  'Rechnung',
]
const BLANKS = [' ', ' ', ' ', '  ', '\t', ' \t ', '     ']

function line(chance: Chance, words: number): string {
  let text = ''
  for (let i = 0; i < words; i++) text += (i === 0 ? '' : (BLANKS[chance(BLANKS.length)] ?? ' ')) + (WORDS[chance(WORDS.length)] ?? '')
  return text
}
const lines = (chance: Chance, count: number): string => Array.from({ length: count }, () => `${line(chance, chance(12))}\r\n`).join('')

interface Kind {
  readonly name: string
  readonly header?: (chance: Chance) => string
  readonly body: (chance: Chance) => string
  readonly from?: string
  /** The blank line between header and body is left out with the body. */
  readonly headerOnly?: boolean
  readonly needsEightBit?: boolean
}

const MIME = 'MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n'
const UMLAUTS = 'Gr\xc3\xbc\xc3\x9fe  aus \xc3\x96 \t\r\n'

const KINDS: readonly Kind[] = [
  { name: 'text', body: (chance) => lines(chance, 1 + chance(20)) },
  {
    name: 'folded header',
    header: (chance) => `Subject:\t${line(chance, 8)}\r\n \t${line(chance, 8)}x\r\n\tand more \r\nX-Folded: a\r\n  b\r\n`,
    body: (chance) => lines(chance, 5),
  },
  { name: 'header only', headerOnly: true, body: () => '' },
  { name: 'empty body', body: () => '' },
  { name: 'blank lines only', body: (chance) => '\r\n'.repeat(1 + chance(5)) },
  { name: 'blanks only', body: () => ' \r\n\t\r\n  \t \r\n' },
  { name: 'lines of 998 octets', body: (chance) => `${line(chance, 400).padEnd(998, 'x').slice(0, 998)}\r\n${'y'.repeat(998)}\r\n` },
  { name: '8 bit', header: () => MIME, body: (chance) => UMLAUTS.repeat(1 + chance(9)) + lines(chance, 3) },
  { name: '8 bit without MIME', body: (chance) => `Gr\xfc\xdfe \xff\xfe\r\n${lines(chance, 3)}` },
  { name: 'dot lines', body: (chance) => `.\r\n..\r\n...x\r\n. \r\n.\t.\r\n${lines(chance, 4)}.\r\n` },
  { name: 'trailing blanks and lines', body: (chance) => `${lines(chance, 3)}end \t \r\n${' \r\n'.repeat(chance(4))}${'\r\n'.repeat(chance(6))}` },
  { name: 'leading blank lines', body: (chance) => `\r\n\r\n \r\n${lines(chance, 3)}` },
  {
    name: 'many recipients',
    header: (chance) =>
      `To: ${Array.from({ length: 100 + chance(100) }, (_, n) => `"Person, ${n}" <p${n}@rcpt.test>`).join(',\r\n ')}\r\nCc: a@b.test,\r\n\tc@d.test\r\n`,
    body: (chance) => lines(chance, 4),
  },
  {
    name: 'mailing list',
    header: (chance) =>
      `List-Id: "${line(chance, 3).replace(/["<>]/g, '')}" <list.test>\r\nList-Unsubscribe: <mailto:u@list.test>,\r\n <https://list.test/u?id=${chance(9999)}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Post: NO\r\nPrecedence: list\r\nReply-To: list@list.test\r\nSender: owner@list.test\r\n`,
    body: (chance) => lines(chance, 8),
  },
  {
    name: 'multipart',
    header: () => 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n\tboundary="=_b 1"\r\n',
    body: (chance) =>
      `preamble \r\n--=_b 1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>\t ${UMLAUTS}</p>\r\n${lines(chance, 3)}\r\n--=_b 1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n${'QUJD'.repeat(19)}\r\n--=_b 1--\r\n\r\n`,
  },
  {
    name: 'odd spelling',
    header: (chance) => `subject:${line(chance, 3)}x\r\nREPLY-TO:x@y.test\r\nmessage-id:<${chance(1e9)}@x.test>\r\n`,
    body: (chance) => lines(chance, 3),
  },
  {
    name: 'resent',
    header: () => 'Resent-From: r@sender.test\r\nResent-To: a@b.test\r\nResent-To: c@d.test\r\nResent-Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n',
    body: (chance) => lines(chance, 3),
  },
  {
    name: 'UTF-8 header',
    header: () => `Subject: Gr\xc3\xbc\xc3\x9fe  \xe2\x9c\x93\r\nReply-To: \xc3\xa4 <a@b.test>\r\n`,
    body: (chance) => lines(chance, 3),
    needsEightBit: true,
  },
  {
    name: 'indented HTML',
    header: () => 'MIME-Version: 1.0\r\nContent-Type: text/html; charset=us-ascii\r\n',
    body: (chance) => `<table>\r\n${Array.from({ length: 60 }, () => `    <tr>\t<td>  ${line(chance, 4)}</td>   \r\n`).join('')}</table>\r\n`,
  },
  { name: 'two subjects', header: () => 'Subject: one\r\nSubject: two\r\n', body: (chance) => lines(chance, 2) },
  { name: 'subdomain', from: 'App <app@deep.sub.sender.test>', body: (chance) => lines(chance, 2) },
  { name: 'odd From', from: '(comment @x.test) "joe@other.test, the" \r\n\t<joe@Sender.TEST> (more)', body: (chance) => lines(chance, 2) },
  {
    name: 'own Date and Message-ID',
    header: (chance) => `Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID:\r\n <${chance(1e9)}.a.very.long.one@sender.test>\r\n`,
    body: (chance) => lines(chance, 2),
  },
  { name: 'large', header: () => MIME, body: (chance) => `${lines(chance, 40)}${UMLAUTS}`.repeat(400) },
]

export const MAIL_KINDS: readonly string[] = KINDS.map(({ name }) => name)

export function makeMail(number: number): MadeMail {
  const chance = createChance(number + 1)
  const kind = KINDS[number % KINDS.length]
  if (kind === undefined) throw new Error('a mail of no kind')
  const id = `${number}-${kind.name.replaceAll(' ', '-')}`
  const header = `From: ${kind.from ?? 'App <app@sender.test>'}\r\nX-Test-Id: ${id}\r\n${kind.header?.(chance) ?? `Subject: ${line(chance, 5)}x\r\n`}`
  const body = kind.body(chance)
  return { id, kind: kind.name, content: kind.headerOnly === true ? header : `${header}\r\n${body}`, needsEightBit: kind.needsEightBit === true }
}
