/**
 * Which recipients a claim takes, in memory: see `memory-store.ts`.
 */
import type { AgedClaimRequest, ClaimRequest } from '../../src/ports/queue-store.ts'
import type { MemoryRow, MemoryState } from './memory-store.ts'

/** Flows in turn, starting behind the one served last; inside a flow the oldest due first. */
export function pickDue(state: MemoryState, request: ClaimRequest, cursor: string): { readonly rows: readonly MemoryRow[]; readonly cursor: string } {
  const flows = new Map<string, MemoryRow[]>()
  for (const row of state.rows.values()) {
    if (row.state !== 'queued' || row.dueAt > request.now || request.closedLanes.includes(row.lane)) continue
    const flow = `${row.lane}\n${state.messages.get(row.queueId)?.origin.submitter}`
    const list = flows.get(flow)
    if (list === undefined) flows.set(flow, [row])
    else list.push(row)
  }
  const names = [...flows.keys()].sort()
  const first = names.findIndex((name) => name > cursor)
  const turn = first === -1 ? names : [...names.slice(first), ...names.slice(0, first)]
  const lists = turn.map((name) => (flows.get(name) ?? []).sort((a, b) => a.dueAt - b.dueAt).slice(0, request.limitPerFlow))
  const rows: MemoryRow[] = []
  let last = cursor
  for (let round = 0; rows.length < request.limit && lists.some((list) => list.length > round); round++) {
    lists.forEach((list, index) => {
      const row = list[round]
      if (row === undefined || rows.length >= request.limit) return
      rows.push(row)
      last = turn[index] ?? last
    })
  }
  return { rows, cursor: last }
}

export function pickAged(state: MemoryState, request: AgedClaimRequest): readonly MemoryRow[] {
  const acceptedAt = (row: MemoryRow): number => state.messages.get(row.queueId)?.acceptedAt ?? 0
  return [...state.rows.values()]
    .filter((row) => row.state === 'queued' && acceptedAt(row) < request.acceptedBefore && !(request.unwarnedOnly && row.delayNoticeSent))
    .sort((a, b) => acceptedAt(a) - acceptedAt(b))
    .slice(0, request.limit)
}
