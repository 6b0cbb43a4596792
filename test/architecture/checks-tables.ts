/**
 * Checks of state tables: every state can be reached from the first, and every way leads to a state.
 *
 * A table is a constant whose name ends in `TRANSITIONS` and whose values map events to states.
 */
import type { Violation } from './violation.ts'

export type StateTable = Readonly<Record<string, Readonly<Record<string, string>>>>

export function checkTable(path: string, name: string, table: StateTable): readonly Violation[] {
  const states = Object.keys(table)
  const [first = ''] = states
  const reached = new Set([first])
  const pending = [first]
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    for (const next of Object.values(table[state] ?? {})) {
      if (!reached.has(next)) pending.push(next)
      reached.add(next)
    }
  }
  const at = { rule: 'state-tables', path, line: 1, what: name } as const
  const unreachable = states.filter((state) => !reached.has(state)).map((state) => ({ ...at, text: `${name}: no way leads to ${state}` }))
  const unknown = [...reached].filter((state) => !states.includes(state)).map((state) => ({ ...at, text: `${name}: ${state} is not in the table` }))
  return [...unreachable, ...unknown]
}
