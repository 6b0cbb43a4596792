/**
 * The address a message was first sent to, as ORCPT carries it and as people read it.
 *
 * RFC 3461 §4.2 (`rfc822;` and xtext), RFC 6533 §3 (`utf-8;` and its own encoding). What clients gave
 * is never rewritten; this writes it where they gave none, and reads it for display.
 */
import { isNonAscii } from './address.ts'

/** RFC 3461 §4.2, octets. */
export const ORCPT_OCTETS_MAX = 500

/** Null: longer than ORCPT may be. */
export function formatOriginalRecipient(address: string): string | null {
  const text = isNonAscii(address) ? `utf-8;${encodeUtf8Address(address)}` : `rfc822;${encode(address)}`
  return text.length <= ORCPT_OCTETS_MAX ? text : null
}

/** `rfc822;user+2Bx@example.com` as `user+x@example.com`; null: of another type, or not readable as text. */
export function readOriginalRecipient(orcpt: string): string | null {
  const semicolon = orcpt.indexOf(';')
  const type = orcpt.slice(0, Math.max(0, semicolon)).toLowerCase()
  const value = orcpt.slice(semicolon + 1)
  const address = type === 'rfc822' ? value.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => character(hex)) : type === 'utf-8' ? decodeUtf8Address(value) : null
  return address === null || /\p{Cc}/u.test(address) ? null : address
}

/** xtext: printable ASCII without `+` and `=` stands for itself. */
function encode(address: string): string {
  return address.replace(/[^!-*,-<>-~]/g, (written) => `+${written.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
}

/** RFC 6533 §3: utf-8-addr-xtext, which any server can take. */
function encodeUtf8Address(address: string): string {
  return address.replace(/[^!-*,-<>-[\]-~]/gu, (written) => `\\x{${(written.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(2, '0')}}`)
}

function decodeUtf8Address(value: string): string | null {
  const text = value.replace(/\\x\{([0-9A-F]{2,6})\}/g, (_, hex: string) => character(hex))
  return text.includes('\0') ? null : text
}

function character(hex: string): string {
  const code = Number.parseInt(hex, 16)
  return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : '\0'
}
