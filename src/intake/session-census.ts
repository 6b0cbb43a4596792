/**
 * The sessions that are open, in all and per client, and whether one more is let in.
 */
import { enhanced, reply, type SmtpReply } from '../core/reply.ts'
import { TurnoverMap } from '../core/turnover.ts'
import { clientKey } from './client-address.ts'
import type { Session } from './session.ts'
import type { IntakeLimits } from './settings.ts'

export const TOO_MANY = reply(421, enhanced(4, 7, 0), 'Too many connections, try again later')
export const TOO_MANY_FROM_YOU = reply(421, enhanced(4, 7, 0), 'Too many connections from your address, try again later')

/** Above this share of the connections the harsher limits hold; they hold until it is below the second. */
const PRESSURE_FROM = 0.9
const PRESSURE_UNTIL = 0.75

export class SessionCensus {
  readonly #sessions = new TurnoverMap<Session, string>()
  readonly #perClient = new TurnoverMap<string, number>()
  #crowded = false

  get size(): number {
    return this.#sessions.size
  }

  /** Nearly all connections are taken. */
  get crowded(): boolean {
    return this.#crowded
  }

  /** Null: there is room for one more from that address. */
  refusal(address: string, limits: IntakeLimits): SmtpReply | null {
    if (this.#sessions.size >= limits.connections) return TOO_MANY
    return (this.#perClient.get(clientKey(address)) ?? 0) >= limits.connectionsPerClient ? TOO_MANY_FROM_YOU : null
  }

  /** `url` is its listener's. */
  add(session: Session, url: string, limits: IntakeLimits): void {
    this.#sessions.set(session, url)
    const key = clientKey(session.address)
    this.#perClient.set(key, (this.#perClient.get(key) ?? 0) + 1)
    this.#count(limits)
  }

  remove(session: Session, limits: IntakeLimits): void {
    if (!this.#sessions.delete(session)) return
    const key = clientKey(session.address)
    const left = (this.#perClient.get(key) ?? 1) - 1
    if (left > 0) this.#perClient.set(key, left)
    else this.#perClient.delete(key)
    this.#count(limits)
  }

  on(url: string): number {
    let count = 0
    for (const listener of this.#sessions.values()) if (listener === url) count++
    return count
  }

  all(): readonly Session[] {
    return [...this.#sessions.keys()]
  }

  #count(limits: IntakeLimits): void {
    this.#crowded = this.#sessions.size >= limits.connections * (this.#crowded ? PRESSURE_UNTIL : PRESSURE_FROM)
  }
}
