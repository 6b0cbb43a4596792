/**
 * Content as Unix mail readers want it: LF line ends, and for mbox the quoting of lines that look like
 * the begin of a message (RFC 4155, the mboxrd rule: every `>*From ` gets one `>` more, so that it can be undone).
 *
 * Works on whole slices as text with one character per octet; lines of any length and cut anywhere.
 * A CR that is no part of a line end stays.
 */
export type ContentEncoder = {
  /** Octets that may be written now; a few are kept back until it is known what they are. */
  push(chunk: Uint8Array): Buffer
  /** The rest. mbox: with the line end that is missing, and the empty line that ends a message. */
  end(): Buffer
}

const FROM = 'From '
const NEWLINE = 10
const QUOTE = 62

export function createMaildirEncoder(): ContentEncoder {
  let carry = ''
  return {
    push(chunk) {
      const text = carry + latin1(chunk)
      carry = text.endsWith('\r') ? '\r' : ''
      return bytes(withUnixLines(text.slice(0, text.length - carry.length)))
    },
    end() {
      const rest = carry
      carry = ''
      return bytes(rest)
    },
  }
}

export function createMboxEncoder(): ContentEncoder {
  let carry = ''
  /** All since the last line end was `>`, or nothing. */
  let fresh = true
  let endsLine = true

  const take = (text: string): string => {
    if (text === '') return ''
    const quoted = quoteFromLines(text, fresh)
    fresh = isFreshAt(text, text.length, fresh)
    endsLine = text.endsWith('\n')
    return quoted
  }
  return {
    push(chunk) {
      const all = carry + latin1(chunk)
      const kept = all.endsWith('\r') ? 1 : 0
      const text = withUnixLines(all.slice(0, all.length - kept))
      const partial = kept === 1 ? 0 : partialFrom(text, fresh)
      carry = kept === 1 ? '\r' : text.slice(text.length - partial)
      return bytes(take(text.slice(0, text.length - partial)))
    },
    end() {
      const rest = take(carry)
      carry = ''
      return bytes(`${rest}${endsLine ? '' : '\n'}\n`)
    },
  }
}

function latin1(chunk: Uint8Array): string {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1')
}
function bytes(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
function withUnixLines(text: string): string {
  return text.replaceAll('\r\n', '\n')
}

/** The new `>` stands right before the F: which of several equal characters was added makes no difference. */
function quoteFromLines(text: string, fresh: boolean): string {
  let quoted = ''
  let from = 0
  for (let at = text.indexOf(FROM); at !== -1; at = text.indexOf(FROM, at + FROM.length)) {
    if (!isFreshAt(text, at, fresh)) continue
    quoted += `${text.slice(from, at)}>`
    from = at
  }
  return from === 0 && quoted === '' ? text : quoted + text.slice(from)
}

/** Between the begin of its line and that place there are only `>`. */
function isFreshAt(text: string, place: number, freshBefore: boolean): boolean {
  let at = place
  while (at > 0 && text.charCodeAt(at - 1) === QUOTE) at--
  return at === 0 ? freshBefore : text.charCodeAt(at - 1) === NEWLINE
}

/** How many of the last characters may be the begin of a `From ` whose end has not come yet. */
function partialFrom(text: string, fresh: boolean): number {
  for (let length = Math.min(FROM.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(FROM.slice(0, length))) return isFreshAt(text, text.length - length, fresh) ? length : 0
  }
  return 0
}
