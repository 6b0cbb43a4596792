/**
 * Checks logins of clients against the configured users, and counts wrong guesses.
 *
 * An unknown user costs as much time as a wrong password. Hashing is bounded, so that guesses
 * cannot take the thread pool from name look-ups and disks. A password that was right is
 * remembered as a keyed digest until the next reload: an application that connects for every
 * message does not pay for scrypt each time. Passwords are never stored, logged or compared early.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { clientKey } from './client-address.ts'
import { verifyPassword } from './password-hash.ts'
import type { UserSettings } from './settings.ts'

export type LoginDecision =
  | { readonly kind: 'accepted'; readonly user: UserSettings }
  | { readonly kind: 'refused' }
  /** Too many are being checked: try again later. */
  | { readonly kind: 'busy' }

export interface Credentials {
  check(name: string, password: string): Promise<LoginDecision>
}

/** Runs few at once and lets few wait; shared by all settings, so that a reload does not open a second gate. */
export interface HashGate {
  /** Null: too many wait already. */
  run<T>(work: () => Promise<T>): Promise<T> | null
}

/** Half of Node's four pool threads. */
const HASHES_AT_ONCE = 2
/** At 80 ms each the last one waits about 2.5 s. */
const HASHES_WAITING_MAX = 64

export function createHashGate(): HashGate {
  const waiting: (() => void)[] = []
  let running = 0
  const enter = async (): Promise<void> => {
    if (running < HASHES_AT_ONCE) {
      running++
      return
    }
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
  return {
    run(work) {
      if (running >= HASHES_AT_ONCE && waiting.length >= HASHES_WAITING_MAX) return null
      return enter().then(work).finally(leave)
    },
  }
}

/** A hash that no password has been made for: it is checked when the user is unknown. */
const NOBODY_HASH = '$scrypt$ln=15,r=8,p=1$cG9zdGVybi1ub2JvZHkhIQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

export function createCredentials(users: readonly UserSettings[], gate: HashGate): Credentials {
  const byName = new Map(users.map((user) => [user.name, user]))
  const remembered = new Map<string, Buffer>()
  const key = randomBytes(32)
  const digest = (name: string, password: string): Buffer => createHmac('sha256', key).update(`${name}\0${password}`).digest()

  return {
    async check(name, password) {
      const user = byName.get(name)
      const seen = remembered.get(name)
      if (user !== undefined && seen !== undefined && timingSafeEqual(seen, digest(name, password))) return { kind: 'accepted', user }
      const checked = gate.run(() => verifyPassword(password, user?.passwordHash ?? NOBODY_HASH))
      if (checked === null) return { kind: 'busy' }
      if (!(await checked) || user === undefined) return { kind: 'refused' }
      remembered.set(name, digest(name, password))
      return { kind: 'accepted', user }
    },
  }
}

/** Wrong guesses per client within a window; memory is bounded however many clients there are. */
export interface GuessCounter {
  /** Wrong guesses of that client in the window. */
  count(address: string): number
  add(address: string): void
}

const GUESS_WINDOW_MS = 10 * 60_000
const GUESSING_CLIENTS_MAX = 10_000

export function createGuessCounter(clock: Clock): GuessCounter {
  // In order of the first guess: the oldest is dropped first.
  const guesses = new Map<string, { readonly since: number; count: number }>()
  const current = (key: string) => {
    const entry = guesses.get(key)
    if (entry === undefined || clock.monotonicMs() - entry.since < GUESS_WINDOW_MS) return entry
    guesses.delete(key)
    return undefined
  }
  return {
    count: (address) => (guesses.size === 0 ? 0 : (current(clientKey(address))?.count ?? 0)),
    add(address) {
      const key = clientKey(address)
      const entry = current(key)
      if (entry !== undefined) {
        entry.count++
        return
      }
      const oldest = guesses.keys().next()
      if (guesses.size >= GUESSING_CLIENTS_MAX && !oldest.done) guesses.delete(oldest.value)
      guesses.set(key, { since: clock.monotonicMs(), count: 1 })
    },
  }
}
