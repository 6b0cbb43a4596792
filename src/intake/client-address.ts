/**
 * Client addresses as numbers: which network they are in, under which key they are counted.
 *
 * IPv4-mapped IPv6 is IPv4, scope ids mean nothing here. A network that is written wrongly is an
 * error, never one that matches nothing or everything by accident.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'

const MAPPED = '::ffff:'

/** The address as `networks`, trace lines and limits see it: unmapped, without scope id. */
export function normalizeAddress(address: string): string {
  const scope = address.indexOf('%')
  const bare = scope === -1 ? address : address.slice(0, scope)
  const lower = bare.toLowerCase()
  return lower.startsWith(MAPPED) && isIPv4(lower.slice(MAPPED.length)) ? lower.slice(MAPPED.length) : bare
}

/** True for addresses, already normalized, in one of the networks. Throws a RangeError on a network written wrongly. */
export function compileNetworks(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const text of networks) {
    const { address, family, prefixBits } = parseNetwork(text)
    list.addSubnet(address, prefixBits, family)
  }
  return (address) => {
    const version = isIP(address)
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

export interface ClientNetwork {
  readonly address: string
  readonly family: 'ipv4' | 'ipv6'
  readonly prefixBits: number
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address. Throws a RangeError that says what is wrong. */
export function parseNetwork(text: string): ClientNetwork {
  const [address = '', prefix, ...rest] = text.split('/')
  const version = address.includes('%') ? 0 : isIP(address)
  if (version === 0 || rest.length > 0) throw new RangeError(`not a network: ${JSON.stringify(text)}`)
  const bits = version === 4 ? 32 : 128
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) throw new RangeError(`not a prefix length: ${JSON.stringify(text)}`)
  const prefixBits = prefix === undefined ? bits : Number(prefix)
  if (prefixBits > bits) throw new RangeError(`the prefix of ${text} is longer than ${bits} bits`)
  const hostPart = addressToNumber(address) & ((1n << BigInt(bits - prefixBits)) - 1n)
  if (hostPart !== 0n) throw new RangeError(`${text} has bits set behind its prefix: meant is one address, or the network's first`)
  return { address, family: version === 4 ? 'ipv4' : 'ipv6', prefixBits }
}

/** The number of a valid address; IPv4 has 32 bits, IPv6 128. */
function addressToNumber(address: string): bigint {
  if (isIPv4(address)) return address.split('.').reduce((sum, octet) => (sum << 8n) | BigInt(octet), 0n)
  return ipv6Words(address).reduce((sum, word) => (sum << 16n) | BigInt(word), 0n)
}

/** The eight 16-bit words of a valid IPv6 address. */
function ipv6Words(address: string): readonly number[] {
  const wordsOf = (text: string): number[] => (text === '' ? [] : text.split(':').flatMap(wordOf))
  const [head = '', tail] = address.split('::')
  const first = wordsOf(head)
  if (tail === undefined) return first
  const last = wordsOf(tail)
  return [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
}

function wordOf(part: string): number[] {
  if (!part.includes('.')) return [Number.parseInt(part, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
  return [a * 256 + b, c * 256 + d]
}

/** Whose connections and guesses are counted together: an IPv4 address, or the /64 that one IPv6 host gets. */
export function clientKey(address: string): string {
  if (isIP(address) !== 6) return address
  return ipv6Words(address)
    .slice(0, 4)
    .map((word) => word.toString(16))
    .join(':')
}
