/**
 * IP addresses as numbers: which networks they are in, and what kind of place they are.
 *
 * For direct delivery, where strangers' DNS names the addresses to dial: what would reach ourselves
 * or the local network has to be told from what is a mail server (N05). Knows no names and no ports.
 */
import { isIpv4, isIpv6 } from './address.ts'

export interface IpAddress {
  readonly family: 4 | 6
  /** 32 bits, or 128. */
  readonly value: bigint
}
export interface IpNetwork {
  readonly family: 4 | 6
  readonly value: bigint
  readonly prefixBits: number
}
/**
 * loopback: this machine, whatever it is called. private: reached only from inside (RFC 1918, 4193,
 * 3927, 6598). nowhere: no host at all (multicast, reserved, IPv4 in IPv6 clothing).
 */
export type AddressKind = 'public' | 'private' | 'loopback' | 'nowhere'

/** Null if the text is no IPv4 or IPv6 address in full. */
export function parseIp(text: string): IpAddress | null {
  if (isIpv4(text)) return { family: 4, value: numberOf4(text) }
  return isIpv6(text) ? { family: 6, value: numberOf6(text) } : null
}

/** The same for the same address, however it is written: `2001:DB8:0::1` is `2001:db8::1`. What is no address stays as it is. */
export function addressKey(text: string): string {
  const ip = parseIp(text)
  return ip === null ? text : `${ip.family} ${ip.value.toString(16)}`
}

/** `10.0.0.0/8`, `::1/128`, or one address. Throws a RangeError on anything else. */
export function parseIpNetwork(text: string): IpNetwork {
  const [address = '', prefix, ...rest] = text.split('/')
  const ip = parseIp(address)
  const widest = ip?.family === 4 ? 32 : 128
  const prefixBits = prefix === undefined ? widest : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  if (ip === null || rest.length > 0 || !(prefixBits <= widest)) throw new RangeError(`not a network: ${JSON.stringify(text)}`)
  return { ...ip, prefixBits }
}

export function isInNetwork(ip: IpAddress, network: IpNetwork): boolean {
  if (ip.family !== network.family) return false
  const shift = BigInt((ip.family === 4 ? 32 : 128) - network.prefixBits)
  return ip.value >> shift === network.value >> shift
}

export function kindOfAddress(ip: IpAddress): AddressKind {
  if (ip.family === 6) {
    // RFC 6052: behind NAT64 it is the IPv4 address inside that is reached.
    if (isInNetwork(ip, NAT64)) return kindOfAddress({ family: 4, value: ip.value & 0xffff_ffffn })
    if (isInNetwork(ip, MAPPED)) return kindOfAddress({ family: 4, value: ip.value & 0xffff_ffffn }) === 'loopback' ? 'loopback' : 'nowhere'
  }
  for (const [kind, networks] of KINDS) if (networks.some((network) => isInNetwork(ip, network))) return kind
  return 'public'
}

/**
 * The same where an operator allows networks: what is in them counts as public. Nothing makes a host of
 * what is none.
 */
export function kindWhereAllowed(ip: IpAddress, allowed: readonly IpNetwork[]): AddressKind {
  const kind = kindOfAddress(ip)
  return (kind === 'private' || kind === 'loopback') && allowed.some((network) => isInNetwork(ip, network)) ? 'public' : kind
}

/**
 * Whether only this machine can be behind an address, so that what comes from there is believed. Narrower than the
 * kind `loopback`: listening on 0.0.0.0 is listening everywhere.
 */
export function isLoopbackAddress(text: string): boolean {
  const ip = parseIp(text)
  return ip !== null && OWN.some((network) => isInNetwork(ip, network))
}

const OWN = ['127.0.0.0/8', '::1', '::ffff:127.0.0.0/104'].map(parseIpNetwork)
const NAT64 = parseIpNetwork('64:ff9b::/96')
const MAPPED = parseIpNetwork('::ffff:0:0/96')
/** First match counts. The unspecified address dials this machine on most systems; 0/8 is "this network" (RFC 1122 §3.2.1.3). */
const KINDS: readonly (readonly [AddressKind, readonly IpNetwork[]])[] = [
  ['loopback', networksOf('127.0.0.0/8', '0.0.0.0/8', '::1', '::')],
  [
    'private',
    networksOf('10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16', '198.18.0.0/15', 'fc00::/7', 'fe80::/10', 'fec0::/10'),
  ],
  // ::/96: IPv4-compatible addresses (RFC 4291 §2.5.5.1), no longer in use.
  ['nowhere', networksOf('224.0.0.0/4', '240.0.0.0/4', '192.0.0.0/24', 'ff00::/8', '::/96', '100::/64')],
]

function networksOf(...texts: readonly string[]): readonly IpNetwork[] {
  return texts.map(parseIpNetwork)
}

function numberOf4(text: string): bigint {
  let value = 0n
  for (const octet of text.split('.')) value = (value << 8n) | BigInt(octet)
  return value
}

function numberOf6(text: string): bigint {
  const [head = '', tail] = text.split('::')
  const first = wordsOf(head)
  const last = tail === undefined ? [] : wordsOf(tail)
  const missing = tail === undefined ? 0 : 8 - first.length - last.length
  let value = 0n
  for (const word of [...first, ...new Array<bigint>(missing).fill(0n), ...last]) value = (value << 16n) | word
  return value
}

function wordsOf(text: string): bigint[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [BigInt(`0x${part}`)]
    const value = numberOf4(part)
    return [value >> 16n, value & 0xffffn]
  })
}
