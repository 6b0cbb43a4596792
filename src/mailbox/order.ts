/**
 * What a worker is started with: whom it is to become, and where and how it writes.
 *
 * Made by whoever starts it (the agent, or a server that is no root) from the configuration and the
 * user database; nothing of it ever comes with a message.
 */
import { placeOf, USER_NAME } from './place.ts'
import type { LockKind, MailboxRules } from './writer.ts'

export type MailboxFormat = 'maildir' | 'mbox'
export interface MailboxSettings {
  readonly format: MailboxFormat
  /** See `place.ts`. */
  readonly path: string
  /** Null: none. */
  readonly sizeMaxOctets: number | null
  readonly locks: readonly LockKind[]
  readonly lockMs: number
  readonly staleLockMs: number
  /** Users below this number get no mail, unless they are among `users`; root never does. */
  readonly uidMin: number
  readonly users: readonly string[]
}
export interface SystemUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}
export interface WorkerOrder {
  readonly user: SystemUser
  readonly settings: MailboxSettings
  /** Group that may write to the folder of all mailboxes, such as `mail`; null: none is needed. */
  readonly spoolGroup: number | null
}

export function formatOrder(order: WorkerOrder): string {
  return JSON.stringify(order)
}

/** Throws if it is none; it comes from our own, so this is a guard against mistakes. */
export function parseOrder(text: string | undefined): WorkerOrder {
  const order = JSON.parse(text ?? '') as WorkerOrder
  const { user, settings } = order
  if (!USER_NAME.test(user.name) || !isNumber(user.uid) || !isNumber(user.gid) || user.uid === 0) throw new Error('no user to work for')
  if (settings.format !== 'maildir' && settings.format !== 'mbox') throw new Error('no form of a mailbox')
  return order
}

export function rulesOf({ user, settings }: WorkerOrder): MailboxRules {
  const { path, sizeMaxOctets, locks, lockMs, staleLockMs } = settings
  return { place: placeOf(path, user), owner: user.uid, sizeMaxOctets, locks, lockMs, staleLockMs }
}

/** Why a user gets no mail here; null: it does. Root's files are never written to as root, whatever is configured. */
export function whyNot(user: SystemUser, { uidMin, users }: Pick<MailboxSettings, 'uidMin' | 'users'>): string | null {
  if (user.uid === 0) return `${user.name} is root, whose mail is not delivered here: point an alias for it at a person`
  if (user.uid >= uidMin || users.includes(user.name)) return null
  return `${user.name} is a user of the system (number ${user.uid}, below ${uidMin}): point an alias for it at a person, or name it under local.mailbox.users`
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0
}
