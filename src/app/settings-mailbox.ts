/**
 * Validated configuration -> how mailboxes of local users are written.
 */
import type { MailboxSettings } from '../mailbox/order.ts'
import type { LoadedConfig } from './config.ts'
import { writesMailboxes } from './config-local.ts'
import { durationMs, sizeOctets } from './config-scalars.ts'
import type { Config } from './config-schema.ts'

export interface LocalMailboxes {
  readonly rules: MailboxSettings
  readonly deliveryMs: number
}

/** Null: nothing goes into mailboxes of this machine. */
export function buildMailboxSettings({ config }: Pick<LoadedConfig, 'config'>): LocalMailboxes | null {
  const { local } = config
  if (local === undefined || !writesMailboxes(config)) return null
  const { mailbox } = local
  return {
    rules: {
      format: mailbox.format,
      path: mailboxPathOf(config),
      sizeMaxOctets: mailbox.sizeLimit === 'none' ? null : sizeOctets(mailbox.sizeLimit),
      locks: mailbox.locks,
      lockMs: durationMs(mailbox.lockTime),
      staleLockMs: durationMs(mailbox.staleLock),
      uidMin: mailbox.uidMin,
      users: mailbox.users,
    },
    deliveryMs: durationMs(mailbox.deliveryTime),
  }
}

/** By the format, where it is not written. */
export function mailboxPathOf(config: Config): string {
  const mailbox = config.local?.mailbox
  return mailbox?.path ?? (mailbox?.format === 'mbox' ? '/var/mail/%u' : '~/Maildir')
}
