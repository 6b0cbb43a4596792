/**
 * Finds the addresses in the value of an address field (RFC 5322 §3.4, §4.4), by their offsets.
 *
 * Groups, comments, quoted strings, folds, source routes and old syntax are stepped over, so that a
 * caller can replace an address and leave every other octet alone. Linear in the value; what is no
 * address list gives what can be found in it. Encoded words are words like any other (RFC 2047 §5).
 */

export interface AddressSpan {
  /** First octet of the address and the one behind its last; comments in between are inside. */
  readonly start: number
  readonly end: number
  /** Without comments and white space; no `@` in it: a bare name. */
  readonly address: string
  /** Comments between its parts, with their brackets. */
  readonly comments: readonly string[]
}

interface Token {
  readonly kind: 'word' | 'literal' | 'dot' | 'at'
  readonly start: number
  readonly end: number
}

/** The addresses between two offsets of the text, in order. */
export function findAddresses(text: string, from: number, to: number): readonly AddressSpan[] {
  return new AddressReader(text, from, to).read()
}

const ENCODED_WORD = /=\?[^?\s]{1,40}\?[bq]\?[^?\s]{0,2000}\?=/iy
const ATOM_END = /[ \t\r\n()<>,;:@."[\]]/g

/** One pass over one value. */
class AddressReader {
  readonly #text: string
  readonly #to: number
  readonly #found: AddressSpan[] = []
  #at: number
  #tokens: Token[] = []
  #comments: { readonly start: number; readonly end: number }[] = []
  #angle: 'none' | 'open' | 'closed' = 'none'

  constructor(text: string, from: number, to: number) {
    this.#text = text
    this.#at = from
    this.#to = to
  }

  read(): readonly AddressSpan[] {
    while (this.#at < this.#to) this.#step(this.#text.charAt(this.#at))
    this.#endMailbox()
    return this.#found
  }

  #step(character: string): void {
    switch (character) {
      case ' ':
      case '\t':
      case '\r':
      case '\n':
        this.#at++
        break
      case '(':
        this.#comment()
        break
      case '"':
        this.#token('word', this.#closing('"'))
        break
      case '[':
        this.#token('literal', this.#closing(']'))
        break
      case '.':
        this.#token('dot', this.#at + 1)
        break
      case '@':
        this.#token('at', this.#at + 1)
        break
      case '<':
      case '>':
        this.#bracket(character)
        break
      case ':':
      case ',':
      case ';':
        this.#separator(character)
        break
      default:
        this.#token('word', this.#atomEnd())
    }
  }

  #token(kind: Token['kind'], end: number): void {
    if (this.#angle !== 'closed') this.#tokens.push({ kind, start: this.#at, end })
    this.#at = end
  }

  #bracket(character: '<' | '>'): void {
    this.#at++
    if (character === '<' && this.#angle === 'none') {
      this.#angle = 'open'
      this.#forget()
    } else if (character === '>' && this.#angle === 'open') {
      this.#emit()
      this.#angle = 'closed'
    }
  }

  #separator(character: ':' | ',' | ';'): void {
    this.#at++
    // Inside brackets they are those of a source route: `<@a,@b:user@c>`. Outside, a colon ends the name of a group.
    if (this.#angle === 'open') this.#forget()
    else if (character === ':') this.#forget()
    else this.#endMailbox()
  }

  #endMailbox(): void {
    if (this.#angle !== 'closed') this.#emit()
    this.#angle = 'none'
    this.#forget()
  }

  #forget(): void {
    this.#tokens = []
    this.#comments = []
  }

  /** The address that the tokens end in: words and dots in turn, an `@`, labels or a literal. */
  #emit(): void {
    const tokens = this.#tokens
    const at = tokens.findIndex(({ kind }) => kind === 'at')
    const span = at === -1 ? this.#bareName(tokens) : this.#around(tokens, at)
    if (span !== null) this.#found.push(span)
    this.#forget()
  }

  #bareName(tokens: readonly Token[]): AddressSpan | null {
    // Two words side by side are a name without an address.
    const alternates = tokens.every(({ kind }, index) => (index % 2 === 0 ? kind === 'word' : kind === 'dot'))
    return alternates && tokens.length % 2 === 1 ? this.#span(tokens) : null
  }

  #around(tokens: readonly Token[], at: number): AddressSpan | null {
    let first = at
    while (first > 0 && fits(tokens[first - 1], tokens[first]?.kind === 'word' ? 'dot' : 'word')) first--
    let last = at
    if (tokens[at + 1]?.kind === 'literal') last = at + 1
    else while (last + 1 < tokens.length && fits(tokens[last + 1], tokens[last]?.kind === 'word' ? 'dot' : 'word')) last++
    return first === at || last === at || tokens[first]?.kind === 'dot' ? null : this.#span(tokens.slice(first, last + 1))
  }

  #span(tokens: readonly Token[]): AddressSpan | null {
    const [first] = tokens
    const last = tokens.at(-1)
    if (first === undefined || last === undefined) return null
    const { start } = first
    const { end } = last
    const inside = this.#comments.filter((comment) => comment.start > start && comment.end < end)
    return {
      start,
      end,
      address: tokens.map((token) => this.#text.slice(token.start, token.end)).join(''),
      comments: inside.map((comment) => this.#text.slice(comment.start, comment.end)),
    }
  }

  /** Comments nest, and hold quoted pairs (RFC 5322 §3.2.2). One that does not end takes the rest. */
  #comment(): void {
    const start = this.#at
    let depth = 0
    for (let i = start; i < this.#to; i++) {
      const character = this.#text.charAt(i)
      if (character === '\\') i++
      else if (character === '(') depth++
      else if (character === ')' && --depth === 0) {
        this.#comments.push({ start, end: i + 1 })
        this.#at = i + 1
        return
      }
    }
    this.#at = this.#to
  }

  /** Behind the character that closes what begins here; the end of the value if nothing does. */
  #closing(close: string): number {
    for (let i = this.#at + 1; i < this.#to; i++) {
      const character = this.#text.charAt(i)
      if (character === '\\') i++
      else if (character === close) return i + 1
    }
    return this.#to
  }

  #atomEnd(): number {
    // Commas and dots are not allowed in the encoded words of a name, and many write them.
    ENCODED_WORD.lastIndex = this.#at
    const encoded = ENCODED_WORD.exec(this.#text)
    if (encoded !== null && ENCODED_WORD.lastIndex <= this.#to) return ENCODED_WORD.lastIndex
    ATOM_END.lastIndex = this.#at + 1
    const end = ATOM_END.exec(this.#text)?.index ?? this.#to
    return Math.min(end, this.#to)
  }
}

function fits(token: Token | undefined, kind: Token['kind']): boolean {
  return token?.kind === kind
}
