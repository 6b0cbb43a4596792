/**
 * What some mail server once took for the end of content, or may take for it: bare CR and LF, NUL,
 * other line breaks, spaces around the dot (S01 to S03, S09).
 *
 * Each case is content of one message; inside it stands a second message, as an attacker would
 * write it. The only true end is the last `CR LF . CR LF`.
 */

export interface FakeEnd {
  readonly name: string
  /** Between the header block (or inside it) and the second message. */
  readonly sequence: string
  /** The sequence stands inside the header block. */
  readonly inHeader: boolean
}

const S01 = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\n',
  '\n.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\r\n.\r\r\n',
  '\r\r\n.\r\r\n',
  '\r\r\n.\r\n',
  '\r\n\r.\r\n',
  '\n\n.\r\n',
]
const S02 = [
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n.\r\0\n',
  '\r\0\n.\r\n',
  '\x0b.\x0b',
  '\x0c.\x0c',
  '\x85.\x85',
  '\xc2\x85.\xc2\x85',
  '\xe2\x80\xa8.\xe2\x80\xa8',
  '\x8d\x8a.\x8d\x8a',
]
const MORE = [
  '\n.\n.\r\n',
  '\n\r.\r\n',
  '\r.\r\r\n',
  '\r\r.\r\r',
  '\r\n.\r \n',
  '\r\n.\n\r\n',
  '\r\n.\n\n',
  '\n.\n\n',
  '\r\n.\r\r\r\n',
  '\r\n..\r\n',
  '\r\n...\r\n',
  '\r\n. \r\n',
  '\r\n .\r\n',
  '\r\n.\t\r\n',
  '\r\n.\x1a\r\n',
  '\r\n.\x7f\r\n',
  '\r\n.\xc2\xa0\r\n',
  '\r\n\xef\xbc\x8e\r\n',
  '\r\n\xe2\x80\xa4\r\n',
  '\r\n=2E\r\n',
]
/** A header block that ends early for some readers, lines that begin inside a field. */
const IN_HEADER = [
  '\nX-Evil: 1\r\n\r\n',
  '\rX-Evil: 1\r\n\r\n',
  '\n\nbody\r\n',
  '\r\rbody\r\n',
  '\n\r\nbody\r\n',
  '\r\n\nbody\r\n',
  '\n folded\r\n\r\n',
  '\r folded\r\n\r\n',
  '\r\n \n.\n\r\n',
  '\r\n X-Evil: 1\n.\r\n\r\n',
]

export const FAKE_ENDS: readonly FakeEnd[] = [
  ...[...S01, ...S02, ...MORE].map((sequence) => ({ name: JSON.stringify(sequence), sequence, inHeader: false })),
  ...IN_HEADER.map((sequence) => ({ name: `header ${JSON.stringify(sequence)}`, sequence, inHeader: true })),
]

/** S03: a dot and one other octet on a line. CR is no case: the line would end otherwise. */
export const DOT_AND_OCTET: readonly FakeEnd[] = Array.from({ length: 256 }, (_, octet) => octet)
  .filter((octet) => octet !== 13)
  .map((octet) => {
    const sequence = `\r\n.${String.fromCharCode(octet)}\r\n`
    return { name: JSON.stringify(sequence), sequence, inHeader: false }
  })

/** The second message, its last line included. */
export const SECOND = 'MAIL FROM:<smuggled@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n'

/** Content as latin1 text, without the final dot, no dots stuffed. */
export function contentWith(fake: FakeEnd, id: string, filler = ''): string {
  const head = `From: a@x.test\r\nX-Test-Id: ${id}\r\n`
  return fake.inHeader ? `${head}Subject: s${fake.sequence}${filler}${SECOND}` : `${head}\r\n${filler}before${fake.sequence}${SECOND}`
}
