/**
 * Content with a false end in it, for the bars of smuggling (S01 to S03, S09).
 *
 * Each case is content of one message; inside it stands a second message, as an attacker would
 * write it. The only true end is the last `CR LF . CR LF`.
 */
import { DOT_AND_OCTET_ENDS, FALSE_ENDS } from '../../support/false-ends.ts'

export interface FakeEnd {
  readonly name: string
  /** Between the header block (or inside it) and the second message. */
  readonly sequence: string
  /** The sequence stands inside the header block. */
  readonly inHeader: boolean
}

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
  ...FALSE_ENDS.map((sequence) => ({ name: JSON.stringify(sequence), sequence, inHeader: false })),
  ...IN_HEADER.map((sequence) => ({ name: `header ${JSON.stringify(sequence)}`, sequence, inHeader: true })),
]

export const DOT_AND_OCTET: readonly FakeEnd[] = DOT_AND_OCTET_ENDS.map((sequence) => ({ name: JSON.stringify(sequence), sequence, inHeader: false }))

/** The second message, its last line included. */
export const SECOND = 'MAIL FROM:<smuggled@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n'

/** Content as latin1 text, without the final dot, no dots stuffed. */
export function contentWith(fake: FakeEnd, id: string, filler = ''): string {
  const head = `From: a@x.test\r\nX-Test-Id: ${id}\r\n`
  return fake.inHeader ? `${head}Subject: s${fake.sequence}${filler}${SECOND}` : `${head}\r\n${filler}before${fake.sequence}${SECOND}`
}
