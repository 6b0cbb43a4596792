/**
 * What the server asks of the agent that stays root, and what that answers.
 *
 * The agent takes the server for hostile: it may have been broken into. All that can be asked for is a
 * worker for a user, by name, and the end of one.
 */
import { type EnhancedStatus, enhanced } from '../core/reply.ts'

export type AgentRequest =
  | { readonly kind: 'open'; readonly id: number; readonly user: string }
  /** The worker that was opened under that id. */
  | { readonly kind: 'kill'; readonly id: number }
export type AgentAnswer =
  /** The socket comes with it. */
  | { readonly kind: 'opened'; readonly id: number }
  | { readonly kind: 'unknown'; readonly id: number }
  | { readonly kind: 'refused'; readonly id: number; readonly status: EnhancedStatus<4>; readonly reason: string }

export function parseRequest(value: unknown): AgentRequest | null {
  if (typeof value !== 'object' || value === null) return null
  const { kind, id, user } = value as Record<string, unknown>
  if (typeof id !== 'number' || !Number.isSafeInteger(id)) return null
  if (kind === 'kill') return { kind, id }
  return kind === 'open' && typeof user === 'string' ? { kind, id, user } : null
}

export function parseAgentAnswer(value: unknown): AgentAnswer | null {
  if (typeof value !== 'object' || value === null) return null
  const { kind, id, status, reason } = value as Record<string, unknown>
  if (typeof id !== 'number') return null
  if (kind === 'opened' || kind === 'unknown') return { kind, id }
  if (kind !== 'refused' || typeof reason !== 'string' || typeof status !== 'object' || status === null) return null
  const { subject, detail } = status as Record<string, unknown>
  return { kind, id, status: enhanced(4, Number(subject), Number(detail)), reason }
}
