/**
 * Schema of `relays.*`: hosts, TLS, credentials, limits, timeouts.
 *
 * Timeouts default to RFC 5321 §4.5.3.2; the description of each key is its documentation.
 */
import * as z from 'zod'
import { addressPattern, duration, hostName, ipAddress, line, name, oneOrMany, parsed, path, secretReference } from './config-scalars.ts'
import { parseRelayHost } from './config-values.ts'

const LEVELS = ['none', 'may', 'encrypt', 'verify'] as const
const TLS_TEXT =
  'none: never; may: TLS if the relay offers it, unverified; encrypt: TLS or the mail waits, unverified; verify: TLS with a certificate of a trusted authority for the right name, or the mail waits. Default: verify if the relay has credentials, else may.'

const tls = z
  .union([
    z.enum(LEVELS),
    z.strictObject({
      level: z.enum(LEVELS).optional().describe(TLS_TEXT),
      ca: path.optional().describe("PEM file of the authorities to trust instead of the system's."),
      serverName: hostName.optional().describe("Name to ask for (SNI) and to verify, instead of the host's."),
      minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('Lowest version of TLS.'),
      implicit: z.boolean().optional().describe('TLS from the first byte. Default: yes on port 465 (submissions).'),
    }),
  ])
  .optional()
  .describe(`TLS towards this relay: a level, or a mapping with details. ${TLS_TEXT}`)

const credential = z.strictObject({
  username: line.describe('Login name.'),
  password: secretReference.describe('Where the password is; never the password itself. Read at each login, so that a changed file counts at once.'),
  for: oneOrMany(addressPattern, 1000)
    .optional()
    .describe('Senders (reverse-paths) that this login is for: addresses go before domains. Default: the username, if it is an address.'),
  fallback: z
    .boolean()
    .optional()
    .describe('Used for senders that no other credential is for. Default: yes for a credential named fallback, and for the only one.'),
  mechanisms: z
    .array(z.enum(['PLAIN', 'LOGIN', 'CRAM-MD5']))
    .min(1)
    .default(['PLAIN', 'LOGIN', 'CRAM-MD5'])
    .describe('Ways of logging in, in order of preference.'),
})

/** How much one receiver of our sessions is asked to do at once; `direct` and relays differ in words and in how long a session idles. */
export const sessionLimitsSchema = (says: { readonly all: string; readonly sessions: string }, idle: string) =>
  z
    .strictObject({
      sessions: z.int().min(1).max(1000).default(20).describe(says.sessions),
      initialSessions: z.int().min(1).max(1000).default(5).describe('Sessions to begin with; grows while deliveries succeed, shrinks when they do not.'),
      messagesPerSession: z.int().min(1).max(1_000_000).default(100).describe('Messages after which a session is closed and a new one opened.'),
      sessionAge: duration('1s', '1d').default('5m').describe('Age after which a session takes no new message.'),
      idle: duration('0s', '1h').default(idle).describe('How long a session without work is kept open.'),
      recipientsPerTransaction: z
        .int()
        .min(1)
        .max(10_000)
        .default(50)
        .describe('Most recipients of one message in one transaction. Every server must take 100 (RFC 5321 §4.5.3.1.8).'),
    })
    .prefault({})
    .describe(says.all)

const limits = sessionLimitsSchema({ all: 'How much this relay is asked to do at once.', sessions: 'Most sessions at once for each credential.' }, '10s')

export const timeoutsSchema = z
  .strictObject({
    connect: duration('1s', '1h').default('30s').describe('TCP connection.'),
    greeting: duration('1s', '1h').default('5m').describe('The 220 greeting.'),
    ehlo: duration('1s', '1h').default('5m').describe('Reply to EHLO or HELO.'),
    starttls: duration('1s', '1h').default('2m').describe('Reply to STARTTLS, and the TLS handshake.'),
    auth: duration('1s', '1h').default('2m').describe('Each step of the login.'),
    mail: duration('1s', '1h').default('5m').describe('Reply to MAIL FROM.'),
    rcpt: duration('1s', '1h').default('5m').describe('Reply to RCPT TO.'),
    data: duration('1s', '1h').default('2m').describe('Reply to DATA.'),
    content: duration('1s', '1h').default('3m').describe('Progress of each block of content.'),
    finalDot: duration('1s', '1h').default('10m').describe('Reply to the final dot. Shorter values cause duplicates.'),
    rset: duration('1s', '1h').default('20s').describe('Reply to RSET.'),
    quit: duration('1s', '1h').default('10s').describe('Reply to QUIT.'),
  })
  .prefault({})
  .describe('How long to wait for the server, per phase (RFC 5321 §4.5.3.2).')

export const relaySchema = z.strictObject({
  host: oneOrMany(
    parsed((value) => parseRelayHost(value)),
    20,
  ).describe(
    'Host, or list of hosts to try in order: host, [host], host:port, host:submission, [::1]:587. Without port: 25, or 24 for LMTP. Put brackets in quotes. unix:/run/dovecot/lmtp is a socket file.',
  ),
  protocol: z.enum(['smtp', 'lmtp']).default('smtp').describe('lmtp: RFC 2033, for a mail store such as Dovecot, which answers for each recipient.'),
  tls,
  credentials: z.record(name, credential).default({}).describe('Logins by name. Empty: no login.'),
  auth: z
    .strictObject({ allowPlaintext: z.boolean().default(false).describe('Send passwords without TLS. Only for a relay on this machine.') })
    .prefault({})
    .describe('Rules for logging in.'),
  source: ipAddress.optional().describe("Our address to connect from. Default: the system's choice."),
  heloName: hostName.optional().describe('Name in EHLO. Default: hostname.'),
  limits,
  timeouts: timeoutsSchema,
})
export type SessionLimitsConfig = z.output<typeof limits>
export type TimeoutsConfig = z.output<typeof timeoutsSchema>
export type RelayConfig = z.output<typeof relaySchema>
export type CredentialConfig = z.output<typeof credential>
