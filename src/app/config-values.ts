/**
 * The small languages inside configuration values: listener URLs, relay hosts, networks, routes.
 *
 * Each parser answers the value or a `Fault`; the schema uses them to refuse, `settings` to read.
 * Addresses are compared as numbers, and anything unclear is refused, never taken as nothing or
 * everything (no octal, no short forms, no host bits, no zone ids).
 */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { isLoopbackAddress } from '../core/ip-address.ts'
import type { RelayHost } from '../core/route.ts'
import { USER_NAME } from '../mailbox/place.ts'
import { type Fault, quote } from './config-errors.ts'

export type Parsed<Value> = { readonly value: Value } | { readonly fault: Fault }

export interface ListenerAddress {
  /** An address, or `localhost`. */
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly implicitTls: boolean
}
const LISTENER = /^(smtps?):\/\/(\[[^\]]*\]|[^:/[\]]*)(?::(\d{1,5}))?\/?$/

/** `smtp://127.0.0.1:25`, `smtp://[::1]:25`, `smtps://0.0.0.0:465`. */
export function parseListener(text: string): Parsed<ListenerAddress> {
  const bad = (message: string): Parsed<never> => ({
    fault: {
      code: 'bad-listener',
      message,
      allowed: 'smtp://ADDRESS:PORT or smtps://ADDRESS:PORT',
      remedy: 'For example smtp://127.0.0.1:25 or smtp://[::1]:25.',
    },
  })
  const match = LISTENER.exec(text)
  if (match === null) return bad(`${quote(text)} is no address to listen on`)
  const [, scheme, hostText = '', portText] = match
  const host = hostText.startsWith('[') ? hostText.slice(1, -1) : hostText
  const port = portText === undefined ? (scheme === 'smtps' ? 465 : 25) : Number(portText)
  if (port > 65_535) return bad(`${portText} is no port`)
  if (hostText.startsWith('[') ? !isPlainIpv6(host) : !isPlainIpv4(host) && host !== 'localhost') {
    return bad(`${quote(hostText)} is no address of this machine: a name could mean another address tomorrow`)
  }
  return { value: { host, port, implicitTls: scheme === 'smtps' } }
}

/** `127.0.0.0/8`, `::1`, `localhost`. Anything else is reachable from outside. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || isLoopbackAddress(host)
}

const SERVICES: ReadonlyMap<string, { readonly port: number; readonly implicitTls: boolean }> = new Map([
  ['smtp', { port: 25, implicitTls: false }],
  ['submission', { port: 587, implicitTls: false }],
  ['submissions', { port: 465, implicitTls: true }],
  ['smtps', { port: 465, implicitTls: true }],
])
const RELAY_HOST = /^(\[[^\]]*\]|[^:[\]]+)(?::([a-z]+|\d{1,5}))?$/
/** RFC 1123 §2.1; underscores occur in private networks. */
const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/

const SOCKET_FILE = /^unix:(\/[^\p{Cc}]{1,100})$/u
const LMTP_PORT = 24

/** `unix:/run/dovecot/lmtp`, or a host as for relays, port 24 unless it is written. */
export function parseLmtpServer(text: string): Parsed<RelayHost> {
  return parseRelayHost(text, null, LMTP_PORT)
}

/** `host`, `[host]`, `host:587`, `host:submission`, `[::1]:587`, `unix:/path`. Port 465 means TLS from the first byte. */
export function parseRelayHost(text: string, implicitTls: boolean | null = null, defaultPort = 25): Parsed<RelayHost> {
  const bad = (message: string, remedy?: string): Parsed<never> => ({
    fault: {
      code: 'bad-host',
      message,
      allowed: 'HOST, HOST:PORT or [IPV6]:PORT',
      remedy: remedy ?? 'For example smtp.example.com:587 or smtp.example.com:submission.',
    },
  })
  const socketFile = SOCKET_FILE.exec(text)?.[1]
  if (socketFile !== undefined) return { value: { host: socketFile, port: 0, implicitTls: false } }
  if (isPlainIpv6(text)) return bad(`${quote(text)} does not say where the address ends`, `Write it as [${text}].`)
  const match = RELAY_HOST.exec(text)
  if (match === null) return bad(`${quote(text)} is no host`)
  const [, hostText = '', portText] = match
  const host = hostText.startsWith('[') ? hostText.slice(1, -1) : hostText
  if (!isPlainIpv4(host) && !isPlainIpv6(host) && (!HOST_NAME.test(host) || /^[\d.]+$/.test(host))) return bad(`${quote(host)} is no host name or address`)
  const service =
    portText === undefined
      ? { port: implicitTls === true ? 465 : defaultPort, implicitTls: false }
      : (SERVICES.get(portText) ?? { port: Number(portText), implicitTls: portText === '465' })
  if (!(service.port >= 1 && service.port <= 65_535))
    return bad(`${quote(portText)} is no port or service`, `A number, or one of ${[...SERVICES.keys()].join(', ')}.`)
  return { value: { host: host.replace(/\.$/, ''), port: service.port, implicitTls: implicitTls ?? service.implicitTls } }
}

/** A CIDR block in its one spelling: `127.0.0.1` becomes `127.0.0.1/32`. */
export function parseNetwork(text: string): Parsed<string> {
  const bad = (message: string, remedy?: string): Parsed<never> => ({
    fault: { code: 'bad-network', message, allowed: 'a network like 10.1.0.0/16 or fd00::/8, or one address', ...(remedy === undefined ? {} : { remedy }) },
  })
  const [address = '', bitsText, ...more] = text.split('/')
  const isV4 = isPlainIpv4(address)
  if (more.length > 0 || (!isV4 && !isPlainIpv6(address))) return bad(`${quote(text)} is no network`)
  const widest = isV4 ? 32 : 128
  if (bitsText !== undefined && (!/^\d{1,3}$/.test(bitsText) || Number(bitsText) > widest))
    return bad(`${quote(`/${bitsText}`)} is no prefix length from 0 to ${widest}`)
  const parsed = ipaddr.parse(address)
  if (parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress())
    return bad(`${quote(text)} is an IPv4 address in IPv6 clothing`, `Write ${parsed.toIPv4Address()} instead; it covers both.`)
  const bits = bitsText === undefined ? widest : Number(bitsText)
  const cidr = `${parsed.toString()}/${bits}`
  const base = isV4 ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr)
  if (base.toString() !== parsed.toString())
    return bad(`${quote(text)} has bits set behind its prefix`, `Did you mean ${base}/${bits}, or ${parsed}/${widest}?`)
  return { value: cidr }
}

/** True if every address of the block is a loopback address. */
export function isLoopbackNetwork(cidr: string): boolean {
  const [address, bits] = ipaddr.parseCIDR(cidr)
  return address.range() === 'loopback' && bits >= (address.kind() === 'ipv4' ? 8 : 128)
}

export type Via =
  | { readonly kind: 'mx' | 'hold' | 'discard' | 'capture' }
  /** That user's mailbox; null: the recipient's own. */
  | { readonly kind: 'local'; readonly user: string | null }
  | { readonly kind: 'relay'; readonly relay: string; readonly credential: string | null }
export const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/
/** Names that mean something else in `via:`, now or later. */
export const RESERVED_NAMES: readonly string[] = ['hold', 'discard', 'capture', 'mx', 'local']

/** `google`, `google/jira`, `mx`, `local`, `local/bob`, `hold`, `discard`, `capture`. */
export function parseVia(text: string): Parsed<Via> {
  if (text === 'mx' || text === 'hold' || text === 'discard' || text === 'capture') return { value: { kind: text } }
  const [relay = '', credential, ...more] = text.split('/')
  if (relay === 'local' && more.length === 0 && (credential === undefined || USER_NAME.test(credential)))
    return { value: { kind: 'local', user: credential ?? null } }
  if (more.length === 0 && NAME.test(relay) && !RESERVED_NAMES.includes(relay) && (credential === undefined || NAME.test(credential))) {
    return { value: { kind: 'relay', relay, credential: credential ?? null } }
  }
  return {
    fault: {
      code: 'bad-route',
      message: `${quote(text)} is no target of a route`,
      allowed: 'RELAY, RELAY/CREDENTIAL, mx, local, local/USER, hold, discard or capture',
    },
  }
}

function isPlainIpv4(text: string): boolean {
  return isIP(text) === 4 && ipaddr.IPv4.isValidFourPartDecimal(text)
}
function isPlainIpv6(text: string): boolean {
  return isIP(text) === 6 && !text.includes('%')
}
/** An IPv4 or IPv6 address in full, without zone. */
export function isAddress(text: string): boolean {
  return isPlainIpv4(text) || isPlainIpv6(text)
}
