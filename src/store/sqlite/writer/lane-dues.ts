/**
 * In which lanes something may be due: a lower bound for each lane, kept in the writer's memory.
 *
 * Direct delivery makes thousands of lanes, most of which wait or are closed; looking into each of them
 * at every claim would cost more than the mail. Bounds only ever err on the early side, and are
 * checked with one seek before anybody relies on them. Read anew after whatever they cannot follow.
 */
import { STATE_NUMBERS } from '../../rows.ts'
import type { Database } from '../database.ts'

const QUEUED = STATE_NUMBERS.queued

export const NEXT_LANE = `SELECT lane, due_at FROM recipients INDEXED BY recipients_by_lane
  WHERE state = ${QUEUED} AND lane > ? ORDER BY lane, due_at LIMIT 1`
export const EARLIEST = `SELECT due_at FROM recipients INDEXED BY recipients_by_lane
  WHERE state = ${QUEUED} AND lane = ? ORDER BY due_at LIMIT 1`

/** Read anew after this, should anybody else have written into the file. */
const GOOD_MS = 300_000

export class LaneDues {
  readonly #nextLane: ReturnType<Database['prepare']>
  readonly #earliest: ReturnType<Database['prepare']>
  /** Null: to be read. */
  #bounds: Map<string, number> | null = null
  #readAt = 0

  constructor(db: Database) {
    this.#nextLane = db.prepare(NEXT_LANE)
    this.#earliest = db.prepare(EARLIEST)
  }

  /** A recipient of that lane was queued, or is due at another time. */
  note(lane: string, dueAt: number): void {
    const bound = this.#bounds?.get(lane)
    if (bound === undefined || dueAt < bound) this.#bounds?.set(lane, dueAt)
  }

  /** Rows have changed in a way that was not noted, or what was noted was undone. */
  forget(): void {
    this.#bounds = null
  }

  /** Lanes that hold something due, but for closed ones, in order. */
  due(closed: ReadonlySet<string>, now: number): string[] {
    const bounds = this.#read(now)
    const lanes: string[] = []
    for (const [lane, bound] of bounds) {
      if (bound > now || closed.has(lane)) continue
      const exact = this.#check(bounds, lane, bound)
      if (exact !== null && exact <= now) lanes.push(lane)
    }
    return lanes.sort()
  }

  /** The earliest due time of lanes that are not closed; null: nothing is queued there. */
  earliest(closed: ReadonlySet<string>, now: number): number | null {
    const bounds = this.#read(now)
    let earliest: number | null = null
    for (const [lane, bound] of bounds) {
      if (closed.has(lane) || (earliest !== null && bound >= earliest)) continue
      const exact = this.#check(bounds, lane, bound)
      if (exact !== null && (earliest === null || exact < earliest)) earliest = exact
    }
    return earliest
  }

  #check(bounds: Map<string, number>, lane: string, bound: number): number | null {
    const row = this.#earliest.get(lane)
    if (row === undefined) {
      bounds.delete(lane)
      return null
    }
    const exact = row.due_at as number
    if (exact !== bound) bounds.set(lane, exact)
    return exact
  }

  #read(now: number): Map<string, number> {
    const age = now - this.#readAt
    if (this.#bounds !== null && age >= 0 && age < GOOD_MS) return this.#bounds
    const bounds = new Map<string, number>()
    for (let row = this.#nextLane.get(''); row !== undefined; row = this.#nextLane.get(row.lane as string)) bounds.set(row.lane as string, row.due_at as number)
    this.#bounds = bounds
    this.#readAt = now
    return bounds
  }
}
