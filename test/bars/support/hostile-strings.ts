/**
 * Text as an attacker would put it into a form: line breaks of every kind, commands, header fields,
 * log lines, terminal escapes, encodings that somebody downstream may decode.
 */

/** Whoever obeys one of these has this address, field or word in what it does. */
export const EVIL_ADDRESS = 'evil@z.test'
export const EVIL_FIELD = 'X-Evil'

const COMMANDS = [
  `RCPT TO:<${EVIL_ADDRESS}>`,
  `MAIL FROM:<${EVIL_ADDRESS}>`,
  'DATA',
  'RSET',
  'QUIT',
  'STARTTLS',
  `${EVIL_FIELD}: 1`,
  `Bcc: ${EVIL_ADDRESS}`,
  '.',
  'QUIT\r\n',
]
const FORGED = [
  '2026-01-01T00:00:00.000Z info  intake    EVIL queued',
  '{"level":"info","time":"2026-01-01T00:00:00.000Z","id":"EVIL","msg":"accepted"}',
  '250 2.0.0 queued as EVIL',
  '250 ok',
  'evil: sent',
]
const BREAKS = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\x0b',
  '\x0c',
  '\x85',
  '\u2028',
  '\u2029',
  '\u010d\u010a',
  '\u560d\u560a',
  '\r\n\r\n',
  '\n\n',
  '\r\n ',
  '\n\t',
  '\r\n.\r\n',
]
const ESCAPES = [
  '\x1b[2J',
  '\x1b]0;evil\x07',
  '\x1b[1A\x1b[2K',
  '\x9b31m',
  '\x08\x08\x08',
  '\x7f',
  '\u202e',
  '\u2066',
  '\ufeff',
  '\u200b',
  '\x1b[?1049h',
  '\x1bP+q\x1b\\',
]
const MARKS = [
  '<',
  '>',
  '>>',
  '"',
  '\\',
  '\\"',
  "'",
  ' ',
  '\t',
  ';',
  ',',
  ':',
  '@',
  '%',
  '=',
  '+',
  '|',
  '`',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  '$',
  '&',
  '#',
  '*',
  '-',
  '--',
  '.',
  '..',
]
const ENCODED = [
  '%0d%0a',
  '+0D+0A',
  '+0d+0a',
  '+00',
  '+0A',
  '+3D',
  '+GG',
  '+',
  '+2',
  '=0D=0A',
  '=?utf-8?q?=0D=0AX-Evil:_1?=',
  '&#10;',
  '\\r\\n',
  '\\x0d',
  '\\u000a',
  '\\x{0A}',
  '$' + '{IFS}',
  '$(id)',
  '{{7*7}}',
  '%s%n',
]
const WORDS = [
  '__proto__',
  'constructor',
  'toString',
  'postmaster',
  'u',
  'gr\u00fcn',
  '\u043f\u043e\u0447\u0442\u0430',
  '\u{1f4ec}',
  'undefined',
  'NaN',
  'null',
  "'; DROP TABLE message",
  '../../etc/passwd',
  '*)(uid=*',
  '=cmd|calc',
  '@SUM(1)',
  'a',
]

const KINDS = [BREAKS, BREAKS, COMMANDS, FORGED, ESCAPES, MARKS, MARKS, ENCODED, WORDS, WORDS]

/** The same number and seed give the same text. One in fifty is long. */
export function hostileText(random: () => number): string {
  const pick = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)] as Value
  if (random() < 0.3) return `${pick(WORDS)}${pick([...MARKS, ''])}${pick(BREAKS)}${pick([...COMMANDS, ...FORGED])}${pick([...BREAKS, '', ''])}`
  let text = ''
  for (let pieces = 1 + Math.floor(random() * 5); pieces > 0; pieces--)
    text += random() < 0.1 ? String.fromCharCode(Math.floor(random() * 256)) : pick(pick(KINDS))
  return random() < 0.02 ? text.padEnd(200 + Math.floor(random() * 1_500), pick(WORDS)) : text
}

/** As octets: UTF-8 mostly, sometimes what is no UTF-8 at all. */
export function asOctets(text: string, random: () => number): Buffer {
  const isLatin1 = [...text].every((character) => character.charCodeAt(0) < 0x100)
  return Buffer.from(text, isLatin1 && random() < 0.4 ? 'latin1' : 'utf8')
}

/** What may never reach a terminal or a log: controls, separators of lines, marks that change the direction. */
export const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/
