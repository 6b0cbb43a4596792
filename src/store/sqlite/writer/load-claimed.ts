/**
 * What a claim answers: the claimed recipients, each message once, and small contents along with them.
 *
 * One flat list, read by `../claimed.ts`: number of messages, the messages, the leases.
 */
import { hash } from 'node:crypto'
import type { WriterContext } from './context.ts'

export interface ClaimedRecipient {
  readonly id: number
  readonly n: number
  readonly attempts: number
  readonly dueAt: number
  readonly warned: number
  readonly released: number
}
export interface Load {
  add(claimed: ClaimedRecipient): void
  result(): readonly unknown[]
}

export const MESSAGE = 'SELECT accepted_at, size, recipients, chunks, meta, prefix FROM messages WHERE id = ?'
export const CONTENT = 'SELECT sha256, content FROM messages WHERE id = ?'
export const RECIPIENTS = 'SELECT sender, address, dsn FROM recipients WHERE message_id = ? ORDER BY n'
/** Larger content is read by who delivers it. */
const CONTENT_OCTETS_MAX = 64 * 1024

export function createLoader({ db, handedOver }: WriterContext): (contentOctetsMax: number) => Load {
  const message = db.prepare(MESSAGE)
  const content = db.prepare(CONTENT)
  const recipients = db.prepare(RECIPIENTS)

  const checkedContent = (id: number, size: number): Uint8Array | null => {
    const row = content.get(id)
    const bytes = row?.content
    // Damaged content is not sent along: whoever opens it is told.
    if (!(bytes instanceof Uint8Array) || bytes.byteLength !== size) return null
    return hash('sha256', bytes, 'buffer').equals(row?.sha256 as Uint8Array) ? bytes : null
  }
  return (contentOctetsMax) => {
    const messages: unknown[] = []
    const leases: unknown[] = []
    const places = new Map<number, number>()
    let room = contentOctetsMax
    const addMessage = (id: number): number => {
      const row = message.get(id)
      if (row === undefined) throw new Error(`message ${id} has recipients but no row`)
      const size = row.size as number
      const bytes = row.chunks === 0 && size <= Math.min(room, CONTENT_OCTETS_MAX) ? checkedContent(id, size) : null
      if (bytes !== null) {
        room -= bytes.byteLength
        handedOver.push(bytes.buffer as ArrayBuffer)
      }
      messages.push(id, row.accepted_at, size, row.meta, row.prefix, bytes, row.recipients)
      for (const one of recipients.all(id)) messages.push(one.sender, one.address, one.dsn)
      return places.size
    }
    return {
      add({ id, n, attempts, dueAt, warned, released }) {
        let place = places.get(id)
        if (place === undefined) {
          place = addMessage(id)
          places.set(id, place)
        }
        leases.push(place, n, attempts, dueAt, warned, released)
      },
      result: () => [places.size, ...messages, ...leases],
    }
  }
}
