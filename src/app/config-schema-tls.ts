/**
 * Schema of `tlsPolicy`: what TLS is demanded where mail goes to the recipients' own servers, and for
 * chosen mail on any way.
 */
import * as z from 'zod'
import { quote } from './config-errors.ts'
import { address, addressPattern, duration, hostName, line, oneOrMany, path, text } from './config-scalars.ts'

const LEVELS = ['none', 'may', 'encrypt', 'verify', 'dane', 'dane-only'] as const
const LEVELS_TEXT =
  'none: never; may: TLS if the server offers it, unverified; encrypt: TLS or the mail waits, unverified; verify: TLS with a certificate of a trusted authority for the right name, or the mail waits; dane: by its TLSA records, where there are signed ones, else may; dane-only: by its TLSA records, or the mail waits.'
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

const namePattern = text((value) =>
  hostName.safeParse(value.replace(/^\*\./, '')).success
    ? null
    : {
        code: 'bad-host',
        message: `${quote(value)} is no name or pattern`,
        allowed: 'example.com, or *.example.com for the names below it; in ASCII (xn--...)',
      },
)

const rule = z.union([
  z.enum(LEVELS),
  z.strictObject({
    level: z.enum(LEVELS).describe(LEVELS_TEXT),
    ca: path.optional().describe("PEM file of the authorities to trust instead of the system's."),
    serverName: hostName.optional().describe("Name to ask for (SNI) and to verify, instead of the host's."),
    minVersion: z.enum(VERSIONS).optional().describe('Lowest version of TLS. Default: tlsPolicy.minVersion.'),
    hosts: z
      .array(namePattern)
      .min(1)
      .max(100)
      .optional()
      .describe('Names that the servers may have; *. stands for one label. Others are not used. Without: whatever the MX records say, which proves less.'),
  }),
])

const requirement = z.strictObject({
  to: oneOrMany(addressPattern, 1000).optional().describe('Recipients: user@example.com, *@example.com, example.com, *.example.com or *.'),
  from: oneOrMany(addressPattern, 1000).optional().describe('Senders, in the same form, or <>.'),
  level: z.enum(['encrypt', 'verify', 'dane-only']).describe('What is demanded at least. dane-only is never met by a relay.'),
})

const reports = z.union([
  z.boolean(),
  z.strictObject({
    from: address.optional().describe('Sender of reports. Default: tls-reports at hostname.'),
    contact: line.optional().describe('Where to ask about reports: an address. Default: the sender.'),
    organization: line.optional().describe('Who sends the reports. Default: hostname.'),
    after: duration('0s', '12h').default('30m').describe('Wait after the end of the day (UTC), spread at random up to twice as long.'),
  }),
])

export const tlsPolicySchema = z
  .strictObject({
    default: z.enum(LEVELS).default('may').describe(`Where neither this section nor the domain itself demands anything. ${LEVELS_TEXT}`),
    minVersion: z.enum(VERSIONS).default('TLSv1.2').describe('Lowest version of TLS, where no entry says another one.'),
    ca: path.optional().describe("PEM file of the authorities to trust instead of the system's, where no entry names others."),
    dane: z
      .enum(['auto', 'off'])
      .default('auto')
      .describe('auto: TLSA records bind where dns.validating is on and the domain is signed (RFC 7672); off: only for levels dane and dane-only.'),
    mtaSts: z.boolean().default(true).describe('Published MTA-STS policies bind (RFC 8461).'),
    mtaStsCa: path.optional().describe("PEM file of the authorities to trust for policy servers instead of the system's."),
    mtaStsPort: z.int().min(1).max(65_535).default(443).describe('Port of policy servers. Anything but 443 is for tests.'),
    domains: z
      .record(namePattern, rule)
      .default({})
      .describe('Demands by recipient domain: a level, or a mapping with details. They go before everything that is published.'),
    hosts: z.record(namePattern, rule).default({}).describe('The same by name of the receiving server, for all domains that use it and are not under domains.'),
    require: z
      .array(requirement)
      .max(1000)
      .default([])
      .describe('Chosen mail, on any way, relays included: the first entry that matches raises the level. It never lowers one.'),
    requireTls: z
      .boolean()
      .default(true)
      .describe('Offer REQUIRETLS to clients inside TLS (RFC 8689): such mail goes on over verified TLS only, or comes back.'),
    tlsRequiredNo: z
      .boolean()
      .default(false)
      .describe(
        'Heed the header field TLS-Required: No (RFC 8689): such mail goes to the servers of its recipients whatever their policies and domains: and hosts: demand.',
      ),
    reports: reports
      .default(false)
      .describe('Send daily reports to domains that ask for them by _smtp._tls records (RFC 8460): true, or a mapping with details.'),
  })
  .prefault({})
  .describe('What TLS is demanded of the servers that mail is delivered to directly, and for chosen mail on any way. The level of a relay stands under relays.')
export type TlsPolicyConfig = z.output<typeof tlsPolicySchema>
export type TlsRuleConfig = z.output<typeof rule>
