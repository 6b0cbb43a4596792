/**
 * Types of what we use of the package dns-packet, which brings none. Tests use it to answer, too.
 */
declare module 'dns-packet' {
  interface Packet {
    readonly type: 'query' | 'response'
    readonly id: number
    /** All bits of the header's second word but QR; the response code is the lowest four. */
    readonly flags: number
    readonly questions: readonly { readonly name: string; readonly type: string; readonly class?: string }[]
    readonly answers?: readonly Record[]
    readonly authorities?: readonly Record[]
    readonly additionals?: readonly Record[]
  }
  interface Record {
    readonly name: string
    readonly type: string
    readonly class?: string
    readonly ttl?: number
    readonly data?: unknown
    readonly udpPayloadSize?: number
    readonly extendedRcode?: number
    readonly flags?: number
  }
  /** Offsets are those of the RDLENGTH field. */
  interface Rdata<Value> {
    decode(bytes: Buffer, offset: number): Value
  }
  const packet: {
    encode(packet: Packet): Buffer
    decode(bytes: Buffer): Packet
    readonly a: Rdata<string>
    readonly aaaa: Rdata<string>
    readonly txt: Rdata<readonly Buffer[]>
    readonly tlsa: Rdata<{ readonly usage: number; readonly selector: number; readonly matchingType: number; readonly certificate: Buffer }>
  }
  export default packet
}
