/**
 * Schema of `rewrite`, `aliases` and `local`: what addresses become, and which are ours.
 *
 * What the entries say of each other, and patterns, are checked by `config-checks-rewrite`; tables by
 * those who read them. Delivery into mailboxes has a schema of its own under `local.mailbox`.
 */
import * as z from 'zod'
import { isMapKey } from '../rewrite/address-map.ts'
import { parseTarget } from '../rewrite/target.ts'
import { quote } from './config-errors.ts'
import { address, addressPattern, hostName, line, oneOrMany, path, text } from './config-scalars.ts'
import { mailboxSchema } from './config-schema-mailbox.ts'

const TARGET_ALLOWED = 'user@example.com, @example.com for the same name in another domain, or a name of this machine'
const target = text(
  (value) => {
    const parsed = parseTarget(value)
    return parsed === null || parsed.kind === 'off' ? { code: 'bad-address', message: `${quote(value)} is no address`, allowed: TARGET_ALLOWED } : null
  },
  { 'x-kind': 'address' },
)
const mapKey = text((value) =>
  isMapKey(value)
    ? null
    : {
        code: 'bad-address',
        message: `${quote(value)} is no address`,
        allowed: 'user@example.com, "@example.com" for a whole domain, or a name of this machine',
      },
)
/** Filled in later: checked with its pattern. */
const template = line

const recipientRule = z.strictObject({
  map: z
    .record(mapKey, oneOrMany(target, 1000))
    .optional()
    .describe('Addresses and what they become: sales@example.com: [a@example.com, b@example.org], "@old.example": "@new.example".'),
  pattern: line.optional().describe('/EXPRESSION/ over the whole address, in linear time (RE2 syntax); without case unless an i follows the last slash.'),
  to: oneOrMany(template, 1000).optional().describe('With pattern: what the address becomes; $1 to $9 stand for what the brackets matched.'),
  file: path.optional().describe('Text file with a table, read again whenever it changes.'),
  format: z
    .enum(['hash-text', 'regexp', 'pcre'])
    .optional()
    .describe('With file: hash-text for lines KEY VALUE as in virtual(5); regexp or pcre for lines /PATTERN/ VALUE. Default: hash-text.'),
})
const senderRule = z.strictObject({
  map: z.record(mapKey, target).optional().describe('Senders and what they become, in the same form, one address each.'),
  pattern: line.optional().describe('As for recipients.'),
  to: template.optional().describe('With pattern: what the address becomes.'),
})
const sendAs = z.strictObject({
  from: oneOrMany(addressPattern, 1000).describe('Senders: user@example.com, *@example.com, example.com, *.example.com or *.'),
  as: address.describe('The address that From, Sender and the envelope show instead.'),
  replyTo: z.boolean().default(true).describe('Put the real From as Reply-To, if the mail has none.'),
})

export const rewriteSchema = z
  .strictObject({
    recipients: z
      .array(recipientRule)
      .max(1000)
      .default([])
      .describe(
        'What recipients become. The first entry that knows an address decides; its results are looked up again. Each entry has map, pattern with to, or file.',
      ),
    senders: z
      .array(senderRule)
      .max(1000)
      .default([])
      .describe('What senders become, in the envelope and in From, Sender and Reply-To. The first entry that knows one decides.'),
    masquerade: z
      .array(hostName)
      .max(1000)
      .default([])
      .describe('Domains that stand for their hosts: with example.com, user@app.example.com becomes user@example.com. Tried in order.'),
    masqueradeExcept: z.array(line).max(1000).default([]).describe('Names that keep their host: root.'),
    sendAs: z
      .union([sendAs, z.array(sendAs).max(1000)])
      .default([])
      .describe('Senders that send as another address, after the rules above. The first entry that matches decides.'),
    limits: z
      .strictObject({
        depth: z.int().min(1).max(50).default(10).describe('Entries and aliases that may follow from one another.'),
        recipients: z.int().min(1).max(100_000).default(1000).describe('Recipients that one may become, and those of one mail together.'),
      })
      .prefault({})
      .describe('Bounds of rewriting.'),
  })
  .prefault({})
  .describe('What addresses become before mail is queued. Mail that a rule cannot be evaluated for is held.')

export const aliasesSchema = z
  .union([
    path,
    z.strictObject({
      file: path.describe('The file, read again whenever it changes.'),
      include: z.boolean().default(false).describe('Follow :include:/FILE. Only with aliases that nobody but root can write.'),
    }),
  ])
  .optional()
  .describe('File of aliases for names of local domains, as aliases(5) describes it: /etc/aliases. Commands and files as targets are refused.')

const localDomain = text(
  (value) =>
    value === '$hostname' || /^\[[0-9A-Fa-f.:IPv]+\]$/.test(value) || hostName.safeParse(value).success
      ? null
      : { code: 'bad-host', message: `${quote(value)} is no domain`, allowed: 'example.com, localhost, $hostname, or [192.0.2.1]' },
  { 'x-kind': 'domain' },
)

export const localSchema = z
  .strictObject({
    domains: z
      .array(localDomain)
      .max(1000)
      .default(['localhost', '$hostname'])
      .describe('Domains whose mailboxes are on this machine. $hostname stands for hostname.'),
    users: z
      .union([z.literal('system'), z.array(line).max(100_000)])
      .default('system')
      .describe('Who has a mailbox: system for the users of /etc/passwd, read again when it changes, or a list of names.'),
    recipientDelimiter: text((value) =>
      /^[-+=_.%#]{0,5}$/.test(value)
        ? null
        : { code: 'not-allowed', message: `${quote(value)} cannot split a name`, allowed: 'up to five of + - = _ . % #, or nothing' },
    )
      .default('+')
      .describe('Characters behind which a name may carry a tag: bob+news is for bob. Empty: none.'),
    unknownUsers: z
      .union([z.literal('refuse'), target])
      .default('refuse')
      .describe('Mail for names that are neither user nor alias: refuse (550 5.1.1 at RCPT), or an address or name that gets it.'),
    root: oneOrMany(target, 100).optional().describe("Where root's mail goes, and with it postmaster's, if no alias says it. Default: the user root."),
    appendDomain: z
      .union([z.boolean(), hostName])
      .default(true)
      .describe(
        'Names without domain (root) get one: true for hostname if it is local, else the first local domain; a domain; or false, and they are refused.',
      ),
    mailbox: mailboxSchema,
  })
  .optional()
  .describe('Mail for this machine. Without it no domain is ours, and names without domain are refused.')

export type RecipientRuleConfig = z.output<typeof recipientRule>
export type SenderRuleConfig = z.output<typeof senderRule>
