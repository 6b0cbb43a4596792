/**
 * The lines of a login (RFC 4954 §4), and how they are shown to people: without a secret.
 */
import { formatWords } from './command-format.ts'
import type { SaslExchange } from './sasl.ts'

export interface LoginLine {
  readonly line: string
  readonly shown: string
}

/** No mechanism of ours needs more. */
const CHALLENGES_MAX = 4
/** RFC 5321 §4.5.3.1.4: a longer AUTH goes without its initial response. */
const COMMAND_OCTETS_MAX = 512
const BASE64_LINE = /^[A-Za-z0-9+/=]*$/

/** Throws CommandFault if the exchange says what cannot be sent. */
export function beginLogin(exchange: SaslExchange): LoginLine {
  const initial = exchange.initial === '' ? '=' : exchange.initial
  const bare = formatWords('AUTH', exchange.mechanism)
  const whole = initial === null ? bare : formatWords('AUTH', exchange.mechanism, initial)
  return { line: whole.length > COMMAND_OCTETS_MAX ? bare : whole, shown: bare.trimEnd() }
}

/** `count`: challenges so far, this one included. `*` gives up (RFC 4954 §4). */
export function answerChallenge(exchange: SaslExchange, challenge: string, count: number): LoginLine {
  const answer = count > CHALLENGES_MAX ? null : exchange.next(challenge.trim())
  return answer !== null && BASE64_LINE.test(answer) ? { line: `${answer}\r\n`, shown: '[login]' } : { line: '*\r\n', shown: '*' }
}
