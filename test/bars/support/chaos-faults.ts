/**
 * What a chaos peer may do instead of answering as it should, and what it says then.
 */

/** How often each is chosen; those that cost the client a timeout are rare. */
const FAULTS = {
  refuse4: 12,
  refuse5: 8,
  bye421: 5,
  garbage: 5,
  extra: 6,
  missing: 2,
  drop: 8,
  reset: 6,
  differing: 5,
  endlessLine: 2,
  endlessLines: 2,
  weirdCode: 6,
  silence: 1,
  half: 4,
  halfAndStay: 1,
  bareLf: 4,
  bareCr: 2,
  several: 8,
  split: 8,
  contradict: 6,
  early: 4,
  binary: 3,
  flood: 2,
} as const
export type Fault = keyof typeof FAULTS
export const FAULT_LIST = Object.entries(FAULTS).flatMap(([fault, weight]) => new Array<Fault>(weight).fill(fault as Fault))

const ENHANCED_TEXTS = ['2.0.0 fine', '2.1.5 ok', '4.2.1 later', '5.1.1 unknown user', '4.7.0 greylisted, try again', '5.7.1 blocked by policy']
export const TEXTS = [...ENHANCED_TEXTS, 'ok', '', 'x'.repeat(600), '\u00e9\u00e8', '%s%n <b>']
export const WEIRD_CODES = '000 120 199 250 251 252 299 334 354 355 399 450 452 499 503 521 552 554 599 600 999 22 2500 +OK OK'.split(' ')
