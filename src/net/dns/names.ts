/**
 * Names as we ask for them and read them.
 *
 * Lower case, no trailing dot; the root is the empty text. Octets of a label that could be taken
 * for something else (a dot within a label, a space, a control character) are read as `\DDD`
 * (RFC 1035 §5.1), and such a name is never asked for.
 */
import { MalformedAnswer } from './malformed-answer.ts'

export type NameCheck =
  | { readonly kind: 'name'; readonly name: string }
  /** Nothing in the DNS can have this name: it does not exist. */
  | { readonly kind: 'impossible' }
  /** Not in A-labels: our own mistake, and no reason to return mail. */
  | { readonly kind: 'not-ascii' }

/** RFC 1035 §2.3.4: 255 octets on the wire, 253 written. */
const NAME_LENGTH_MAX = 253
const LABEL_LENGTH_MAX = 63
/** Octets of a name on the wire, lengths included. */
const WIRE_LENGTH_MAX = 255
/** A name of one-letter labels, each of them a pointer. */
const POINTERS_MAX = 128
/** RFC 2317 puts a slash into labels, others underscores: only what is unclear is left out. */
const LABEL = /^[!-[\]-~]+$/

export function checkName(text: string): NameCheck {
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (!/^[\x00-\x7f]*$/.test(name)) return { kind: 'not-ascii' }
  if (name === '' || name.length > NAME_LENGTH_MAX) return { kind: 'impossible' }
  const sound = name.split('.').every((label) => label.length <= LABEL_LENGTH_MAX && LABEL.test(label))
  return sound ? { kind: 'name', name } : { kind: 'impossible' }
}

/**
 * Each letter in upper or lower case by chance, one bit a letter: who forges an answer without
 * seeing the question must guess them, too (the "0x20" bits).
 */
export function mixCase(name: string, chance: Uint8Array): string {
  let mixed = ''
  for (let i = 0; i < name.length; i++) {
    const letter = name.charAt(i)
    mixed += ((chance[i >> 3] ?? 0) >> (i & 7)) & 1 ? letter.toUpperCase() : letter
  }
  return mixed
}

/** As it was written on the wire, case kept. Throws `MalformedAnswer`. */
export function readName(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = []
  let at = start
  let end = -1
  let octets = 1
  let pointers = 0
  for (;;) {
    const length = bytes[at]
    if (length === undefined) throw new MalformedAnswer('a name goes beyond the end')
    if (length === 0) break
    if (length >= 0xc0) {
      const target = ((length & 0x3f) << 8) | (bytes[at + 1] ?? 0xff)
      if (end === -1) end = at + 2
      // Pointers lead backwards (RFC 1035 §4.1.4); those that do not are how loops are made.
      if (target >= at || ++pointers > POINTERS_MAX) throw new MalformedAnswer('a compressed name points in circles')
      at = target
      continue
    }
    octets += length + 1
    if (length > LABEL_LENGTH_MAX || octets > WIRE_LENGTH_MAX || at + 1 + length > bytes.length) throw new MalformedAnswer('a name is too long')
    labels.push(readLabel(bytes.toString('latin1', at + 1, at + 1 + length)))
    at += length + 1
  }
  return { name: labels.join('.'), end: end === -1 ? at + 1 : end }
}

function readLabel(label: string): string {
  if (LABEL.test(label) && !label.includes('.')) return label
  return label.replace(/[^!-[\]-~]|\./g, (octet) => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`)
}
