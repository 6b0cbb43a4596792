/**
 * Schema of `local.mailbox`: where the mail of local users goes, and how it is written there.
 */
import * as z from 'zod'
import { templateFault } from '../mailbox/place.ts'
import { quote } from './config-errors.ts'
import { duration, line, parsed, size, text } from './config-scalars.ts'
import { parseLmtpServer } from './config-values.ts'

/** Debian's first number of a person. */
export const UID_MIN_DEFAULT = 1000

const template = text(
  (value) => {
    const fault = templateFault(value)
    return fault === null ? null : { code: 'bad-path', message: `${quote(value)} ${fault}`, allowed: '~/Maildir, ~/mbox or /var/mail/%u' }
  },
  { 'x-kind': 'path with %u and %h' },
)

export const mailboxSchema = z
  .strictObject({
    format: z.enum(['maildir', 'mbox']).default('maildir').describe('maildir: a file for each mail, no locks. mbox: one file for all, as in /var/mail.'),
    path: template
      .optional()
      .describe(
        "The mailbox: ~/ or %h/ is the user's home, %u the user's name. Links below it are not followed. Default: ~/Maildir, or /var/mail/%u for mbox.",
      ),
    sizeLimit: z
      .union([z.literal('none'), size(1000, 1_000_000_000_000_000)])
      .default('none')
      .describe('Largest mailbox. Mail that does not fit waits (4.2.2); so it does for a full disk and a quota of the system.'),
    locks: z
      .array(z.enum(['fcntl', 'dotlock']))
      .min(1)
      .max(2)
      .default(['fcntl', 'dotlock'])
      .describe('Locks of an mbox, as its readers expect them. fcntl needs perl or flock of util-linux 2.41; dotlock a folder in which locks can be made.'),
    lockTime: duration('0s', '10m').default('30s').describe('How long to wait for a lock of somebody else; then the mail waits.'),
    staleLock: duration('1m', '1d').default('10m').describe('Age at which a dotlock of somebody else is taken to be forgotten.'),
    deliveryTime: duration('5s', '1h')
      .default('2m')
      .describe('Longest delivery, waiting for locks included. A home on a file server that hangs holds up its own user that long, and nobody else.'),
    uidMin: z
      .int()
      .min(1)
      .max(2_000_000_000)
      .default(UID_MIN_DEFAULT)
      .describe("Users with lower numbers are programs: their mail is root's. Root itself never gets mail."),
    users: z.array(line).max(1000).default([]).describe('Programs that get mail all the same.'),
    lmtp: parsed(parseLmtpServer)
      .optional()
      .describe('An LMTP server that takes the mail of local users instead: unix:/run/dovecot/lmtp, or HOST:PORT. What is above does not apply then.'),
  })
  .prefault({})
  .describe("Where the mail of local users goes. A change takes effect at a restart, because only root can become others, and Postern isn't root any more.")
