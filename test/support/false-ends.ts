/**
 * What some mail server once took for the end of content, or may take for it. Octets as Latin-1.
 *
 * Bare CR and LF (S01), NUL and other line breaks (S02), and what looks like them. Every test of smuggling, in
 * and out, takes its cases from here.
 */

/** Bare line ends around the dot. */
const BARE = [
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
  '\n.\n.\r\n',
  '\n\r.\r\n',
  '\r.\r\r\n',
  '\r\r.\r\r',
  '\r\n.\r \n',
  '\r\n.\n\r\n',
  '\r\n.\n\n',
  '\n.\n\n',
  '\r\n.\r\r\r\n',
] as const
/** NUL, and octets that are a line break somewhere. */
const STRANGE = [
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
] as const
/** Lines that are nearly a dot and nothing else. */
const NEARLY = [
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
] as const

export const BARE_ENDS: readonly string[] = BARE
export const FALSE_ENDS: readonly string[] = [...BARE, ...STRANGE, ...NEARLY]

/** S03: a dot and one other octet on a line. CR is no case: the line would end otherwise. */
export const DOT_AND_OCTET_ENDS: readonly string[] = Array.from({ length: 256 }, (_, octet) => `\r\n.${String.fromCharCode(octet)}\r\n`).filter(
  (_, octet) => octet !== 13,
)
