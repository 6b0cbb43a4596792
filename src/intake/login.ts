/**
 * One login of a client: limits on guessing, then the check of the password (RFC 4954 §4, §6).
 *
 * The answer never tells a wrong name from a wrong password. A client that guesses too much is sent
 * away; others, also users of the same name from elsewhere, do not notice.
 */
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import type { Credentials } from '../smtp/sasl.ts'
import type { CompiledSettings } from './compiled-settings.ts'
import type { SharedParts } from './session-parts.ts'
import type { UserSettings } from './settings.ts'

export interface LoginParts {
  readonly shared: SharedParts
  readonly compiled: CompiledSettings
  readonly address: string
  /** Of this session, so far. */
  readonly wrongGuesses: number
}
export type LoginVerdict =
  | { readonly kind: 'accepted'; readonly user: UserSettings }
  /** `wrong`: it counts as a guess. A 421 ends the session. */
  | { readonly kind: 'refused'; readonly reply: SmtpReply; readonly wrong: boolean }

const WRONG = reply(535, enhanced(5, 7, 8), 'Authentication credentials invalid')
const BUSY = reply(454, enhanced(4, 7, 0), 'Temporary authentication failure')
const TOO_MANY = reply(421, enhanced(4, 7, 0), 'Too many failed logins')

/** Never rejects. */
export async function checkLogin(parts: LoginParts, credentials: Credentials): Promise<LoginVerdict> {
  const { shared, compiled, address } = parts
  const limits = compiled.limits()
  if (shared.guesses.count(address) >= limits.authGuessesPerClient) return { kind: 'refused', reply: TOO_MANY, wrong: false }
  const decision = await check(parts, credentials)
  if (decision.kind === 'busy') return { kind: 'refused', reply: BUSY, wrong: false }
  if (decision.kind === 'accepted') return decision
  shared.guesses.add(address)
  shared.note('info', 'login refused', { client: address })
  return { kind: 'refused', reply: parts.wrongGuesses + 1 >= limits.authGuessesPerSession ? TOO_MANY : WRONG, wrong: true }
}

async function check(parts: LoginParts, credentials: Credentials) {
  try {
    return await parts.compiled.credentials.check(credentials.username, credentials.password)
  } catch (fault) {
    parts.shared.note('error', 'a password could not be checked', { reason: fault instanceof Error ? fault.message : String(fault) })
    return { kind: 'busy' } as const
  }
}
