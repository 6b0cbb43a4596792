/**
 * The schema of `postern.yaml`. The one truth about keys: the checks, `postern config schema`,
 * `docs/configuration.md` and the defaults all come from here.
 *
 * It checks each value by itself; what values say of each other is `config-checks`. Unknown keys
 * are refused everywhere. Limits are those of Postfix where it has one, with the differences told.
 */
import * as z from 'zod'
import { isPasswordHash } from '../intake/password-hash.ts'
import { quote } from './config-errors.ts'
import { address, addressPattern, duration, glob, hostName, line, name, oneOrMany, parsed, path, secretReference, size, text } from './config-scalars.ts'
import { directSchema } from './config-schema-direct.ts'
import { dkimSchema } from './config-schema-dkim.ts'
import { dnsSchema } from './config-schema-dns.ts'
import { limitsSchema, limitsUnderPressureSchema } from './config-schema-limits.ts'
import { relaySchema } from './config-schema-relay.ts'
import { aliasesSchema, localSchema, rewriteSchema } from './config-schema-rewrite.ts'
import { tlsPolicySchema } from './config-schema-tls.ts'
import { parseListener, parseNetwork, parseVia } from './config-values.ts'

const certificate = z.strictObject({
  cert: path.describe('PEM file with the certificate and its chain.'),
  key: path.describe('PEM file with the private key, readable by root or Postern only.'),
})

const listenerUrl = parsed(parseListener)
const listener = z.union([
  listenerUrl,
  z.strictObject({
    url: listenerUrl.describe('smtp://ADDRESS:PORT, or smtps:// for TLS from the first byte. Port 0 takes any free one.'),
    tls: z
      .union([z.literal(false), certificate])
      .optional()
      .describe('Certificate of this listener; false: no STARTTLS here. Default: the one under tls.'),
    requireTls: z.boolean().default(false).describe('Refuse mail before STARTTLS (530 5.7.0).'),
    requireAuth: z.boolean().default(false).describe('Refuse mail before login, from trusted networks too.'),
    authWithoutTls: z.boolean().optional().describe('Offer login without TLS. Default: yes on loopback, no elsewhere.'),
    pipelining: z
      .boolean()
      .optional()
      .describe('Offer PIPELINING. Default: no on loopback, where it saves nothing and hides injected commands; yes elsewhere.'),
    bareLineEnds: z
      .enum(['refuse', 'normalize'])
      .default('refuse')
      .describe('What to do with a bare CR or LF in content: refuse the message (550 5.5.2) or make it CRLF.'),
  }),
])

const user = z.strictObject({
  name: line.describe('Login name.'),
  passwordHash: text((value) =>
    isPasswordHash(value)
      ? null
      : {
          code: 'bad-hash',
          message: 'is no password hash',
          allowed: '$scrypt$ln=15,r=8,p=1$SALT$HASH',
          remedy: 'Make one with: postern config hash-password. Inside { } it needs quotes, because of its commas.',
        },
  )
    .optional()
    .describe('Hash of the password, made by postern config hash-password.'),
  password: secretReference.optional().describe('Where the password itself is, instead of a hash.'),
  senders: z.array(addressPattern).max(10_000).default([]).describe('Reverse-paths this user may use. Empty: any. The null reverse-path is always allowed.'),
})

const route = z.strictObject({
  from: oneOrMany(addressPattern, 1000).optional().describe('Senders (reverse-paths): user@example.com, *@example.com, example.com, *.example.com, <> or *.'),
  to: oneOrMany(addressPattern, 1000).optional().describe('Recipients, in the same form.'),
  submitter: glob.optional().describe('Who handed the mail in: login:NAME for a logged-in user, else the sender.'),
  header: z
    .record(
      text((value) => (/^[!-9;-~]{1,100}$/.test(value) ? null : { code: 'bad-name', message: `${quote(value)} is no header field name` })),
      glob,
    )
    .optional()
    .describe('Header fields that must all match, by name: { Precedence: bulk }.'),
  via: parsed(parseVia).describe(
    "RELAY (credential chosen by sender), RELAY/CREDENTIAL, mx (straight to the servers of the recipient), local (the mailbox of the local user), local/USER (that user's mailbox), hold (until an operator lets it go), discard (accepted and thrown away), or capture (kept, never sent).",
  ),
  reason: line.optional().describe('With hold: the reason to show.'),
})

const span = (min: string, max: string, text: string) =>
  z
    .strictObject({
      min: duration('1s', '7d').default(min).describe('The first time.'),
      max: duration('1s', '7d').default(max).describe('At most, after doubling each time.'),
    })
    .prefault({})
    .describe(text)

export const configSchema = z.strictObject({
  hostname: hostName
    .optional()
    .describe('Our name: in the greeting, EHLO, Received and Message-ID. Should be fully qualified. Default: the name of the system.'),
  listen: z
    .array(listener)
    .min(1)
    .max(100)
    .default(['smtp://127.0.0.1:2525'])
    .describe('Where applications hand mail in. Each entry is a URL, or a mapping with details. Reachable from outside only with networks or users.'),
  tls: certificate.optional().describe('Certificate and key of all listeners that have none of their own. Without: no STARTTLS.'),
  networks: z.array(parsed(parseNetwork)).max(10_000).default(['127.0.0.0/8', '::1/128']).describe('Clients that may hand mail in without login.'),
  users: z.array(user).max(10_000).default([]).describe('Clients that may hand mail in after login.'),
  limits: limitsSchema,
  limitsUnderPressure: limitsUnderPressureSchema,
  admin: path.optional().describe('Unix socket for the postern commands, mode 0600. Default: postern.sock in the data folder.'),
  data: path.optional().describe('Folder of the queue. Default: var beside this file; /var/lib/postern if this file is under /etc.'),
  user: line.optional().describe('System user to become after the ports are bound, when started as root. Default: postern.'),
  drainTime: duration('0s', '1h').default('30s').describe('How long to finish what is under way when told to stop.'),
  relays: z.record(name, relaySchema).default({}).describe('Servers that take our mail and deliver it, by name.'),
  direct: directSchema,
  tlsPolicy: tlsPolicySchema,
  rewrite: rewriteSchema,
  aliases: aliasesSchema,
  local: localSchema,
  routes: z
    .array(route)
    .min(1)
    .max(10_000)
    .optional()
    .describe(
      'Where mail goes: the first entry that matches decides, at every attempt. Mail that matches none is held. Default: all through the only relay; without a relay all is captured.',
    ),
  retry: z
    .strictObject({
      min: duration('1s', '1d').default('5m').describe('Wait before the second attempt.'),
      max: duration('1s', '7d').default('1h').describe('Longest wait between two attempts.'),
      greylist: duration('1s', '1d').default('2m').describe('Wait before the second attempt with a server that greylists, if that is shorter.'),
      factor: z.number().min(1).max(10).default(2).describe('Each wait is this many times the one before.'),
      jitter: z
        .number()
        .min(0)
        .max(0.9)
        .default(0.2)
        .describe('Share by which a wait is moved either way at random, so that a backlog does not come back in step.'),
      lifetime: duration('1m', '30d').default('5d').describe('Age at which mail is given up and its sender told (RFC 5321 §4.5.4.1: four or five days).'),
    })
    .prefault({})
    .describe('When deferred mail is tried again.'),
  delayNoticeAfter: z
    .union([duration('1m', '30d'), z.literal('never')])
    .default('4h')
    .describe('Age of undelivered mail at which its sender is told once; or never.'),
  dsn: z
    .strictObject({
      from: address.optional().describe('From address of reports. Default: MAILER-DAEMON at hostname.'),
      returnFullUpTo: size(0, 100_000_000).default('50 KB').describe('Mail up to this size is returned in full, larger mail by its header only.'),
      perSenderPerHour: z.int().min(1).max(100_000).default(60).describe('Most reports to one sender in an hour; more are only noted in the history.'),
      postmaster: address.optional().describe('Who gets what cannot be reported to the sender. Default: nobody.'),
    })
    .prefault({})
    .describe('Delivery status notifications (bounces).'),
  queue: z
    .strictObject({
      readySet: z.int().min(10).max(1_000_000).default(10_000).describe('Recipients held ready in memory; the backlog stays on disk.'),
      perFlow: z.int().min(1).max(1_000_000).default(1000).describe('Most of them for one submitter on one way, so that a flood leaves room for others.'),
      failedCohorts: z.int().min(1).max(100).default(1).describe('Rounds of failed sessions after which a relay is left alone for a while.'),
      suspend: span('30s', '10m', 'How long a relay that does not work is left alone.'),
      credentialPause: span('5m', '1h', 'How long a login that was refused is left alone.'),
      lease: duration('10s', '1h').default('5m').describe('Right to attempt a recipient, renewed while the attempt goes on.'),
      reclaimDelay: duration('0s', '1d').default('30s').describe('Wait before the next attempt of what was under way when Postern died.'),
      quarantineAfter: z.int().min(1).max(1000).default(5).describe('Mail that was under way that often when Postern died is held: it may be the cause.'),
    })
    .prefault({})
    .describe('How the queue is worked off.'),
  retention: z
    .strictObject({
      history: duration('1h', '3650d').default('30d').describe('What became of finished mail.'),
      content: duration('0s', '3650d').default('1d').describe('Content of finished mail.'),
      contentSize: size(0, 1_000_000_000_000)
        .default('256 MB')
        .describe('About so much of it in mails over 16 KiB, captured ones not counted; the oldest goes first.'),
      captured: duration('1m', '3650d').default('14d').describe('Content of captured mail.'),
    })
    .prefault({})
    .describe('How long finished mail is kept.'),
  dns: dnsSchema,
  dkim: dkimSchema,
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least severity of what is logged.'),
      format: z
        .enum(['auto', 'pretty', 'json'])
        .default('auto')
        .describe('pretty: for people; json: one object a line; auto: pretty on a terminal, else json.'),
      file: path.optional().describe('File to append to. Default: standard output.'),
    })
    .prefault({})
    .describe('The log.'),
})
export type Config = z.output<typeof configSchema>
export type RouteConfig = z.output<typeof route>
export type ListenerConfig = Exclude<z.output<typeof listener>, string>
