/**
 * Types of what we use of the package dns-packet, which brings none.
 */
declare module 'dns-packet' {
  interface Query {
    readonly type: 'query'
    readonly id: number
    /** Of the header's second word. */
    readonly flags: number
    readonly questions: readonly { readonly name: string; readonly type: string }[]
    /** `flags`: the lower half of what is the TTL in other records. */
    readonly additionals?: readonly { readonly type: 'OPT'; readonly name: '.'; readonly udpPayloadSize: number; readonly flags: number }[]
  }
  /** Offsets are those of the RDLENGTH field. */
  interface Rdata<Value> {
    decode(bytes: Buffer, offset: number): Value
  }
  const packet: {
    encode(query: Query): Buffer
    readonly a: Rdata<string>
    readonly aaaa: Rdata<string>
    readonly txt: Rdata<readonly Buffer[]>
    readonly tlsa: Rdata<{ readonly usage: number; readonly selector: number; readonly matchingType: number; readonly certificate: Buffer }>
  }
  export default packet
}
