/**
 * xtext of RFC 3461 §4: how addresses and ids travel in DSN and AUTH parameters.
 *
 * Checked, never rewritten: ENVID and ORCPT go on byte for byte. Encoded control characters are
 * refused, for whoever decodes the value later may put it into a header (NUL in ORCPT was one of
 * the faults found in 2026).
 */
import { ORCPT_OCTETS_MAX } from '../core/original-recipient.ts'

/** RFC 3461 §4.4. */
export const ENVID_OCTETS_MAX = 100

const XTEXT = /^(?:[!-*,-<>-~]|\+(?:[2-6A-F][0-9A-F]|7[0-9A-E]))*$/
const ADDRESS_TYPE = /^([A-Za-z0-9-]{1,32});(.+)$/su
/** utf-8-addr-xtext and -unitext of RFC 6533 §3; the backslash begins `\x{...}`. */
const UTF8_ADDRESS = /^(?:[!-~]|[^\0-\x9f\p{Z}\p{Cf}\p{Cs}])+$/u
const ASCII = /^[!-~]+$/

export function isXtext(text: string): boolean {
  return XTEXT.test(text)
}

/** `addr-type;xtext`; `utf-8;` in the form of RFC 6533, with letters beyond ASCII only under SMTPUTF8. */
export function isOriginalRecipient(text: string, smtputf8: boolean): boolean {
  if (text.length > ORCPT_OCTETS_MAX) return false
  const parts = ADDRESS_TYPE.exec(text)
  if (parts === null) return false
  const [, type = '', address = ''] = parts
  if (type.toLowerCase() !== 'utf-8') return isXtext(address)
  return smtputf8 ? UTF8_ADDRESS.test(address) : ASCII.test(address)
}
