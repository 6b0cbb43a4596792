/**
 * Schema of `dkim`: the keys mail is signed with.
 */
import * as z from 'zod'
import { asciiDomain } from '../core/ascii-domain.ts'
import { NEVER_SIGNED } from '../message/dkim-fields.ts'
import { quote } from './config-errors.ts'
import { duration, keyReference, text } from './config-scalars.ts'

const domain = text((value) =>
  asciiDomain(value)?.includes('.') === true
    ? null
    : { code: 'bad-host', message: `${quote(value)} is no mail domain`, allowed: 'a domain like example.com: what stands behind the @ in From' },
)

/** RFC 6376 §3.1: labels with dots between. */
const selector = text((value) =>
  /^(?=.{1,63}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(value)
    ? null
    : { code: 'bad-name', message: `${quote(value)} is no selector`, allowed: 'small letters, digits, - and dots, at most 63, such as s2026' },
)

/** A day begins at midnight UTC. */
function parseMoment(value: string): number | null {
  if (!/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z)?$/.test(value)) return null
  const ms = Date.parse(value)
  return Number.isNaN(ms) ? null : ms
}

/** When a key signs, as moments; null: no bound. */
export function timesOf({ notBefore, notAfter }: Pick<DkimKeyConfig, 'notBefore' | 'notAfter'>): {
  readonly notBefore: number | null
  readonly notAfter: number | null
} {
  return { notBefore: parseMoment(notBefore ?? ''), notAfter: parseMoment(notAfter ?? '') }
}

const moment = text(
  (value) =>
    parseMoment(value) === null
      ? { code: 'bad-date', message: `${quote(value)} is no date`, allowed: 'a day like 2026-11-22, or a time in UTC like 2026-11-22T18:00Z' }
      : null,
  { 'x-kind': 'date' },
)

const fieldName = text((value) => {
  if (!/^[!-9;-~]{1,76}$/.test(value)) return { code: 'bad-name', message: `${quote(value)} is no header field name` }
  if (!NEVER_SIGNED.has(value.toLowerCase())) return null
  return { code: 'not-allowed', message: `${quote(value)} is never signed, because servers on the way change it`, remedy: 'Remove it.' }
})

const key = z.strictObject({
  selector: selector.describe('Name of the key: its record is published at SELECTOR._domainkey.DOMAIN.'),
  key: keyReference.describe('Where the private key is: PEM, RSA of 2048 to 4096 bits or Ed25519, without a passphrase. Read at the start and at a reload.'),
  active: z.boolean().default(true).describe('false: made, but not used yet. postern dkim rotate changes it once the record is published.'),
  notBefore: moment.optional().describe('Not used before: 2026-11-22 or 2026-11-22T18:00Z.'),
  notAfter: moment.optional().describe('Not used from then on.'),
})

export const dkimSchema = z
  .strictObject({
    keys: z
      .record(domain, z.array(key).min(1).max(20))
      .default({})
      .describe('Keys by the domain in From. Of each algorithm the last one in use signs; RSA and Ed25519 both, if both are there.'),
    default: domain.optional().describe('The domain under keys that signs mail of domains without keys. Default: such mail is not signed.'),
    subdomains: z.boolean().default(true).describe('Keys of a domain sign for the domains below it that have none.'),
    headers: z.array(fieldName).max(50).default([]).describe('Header fields that are signed beside the usual ones.'),
    validFor: duration('5d', '365d').optional().describe('How long a signature counts (x=), longer than mail can be under way. Default: for ever.'),
    onFailure: z
      .enum(['refuse', 'send'])
      .default('refuse')
      .describe(
        'When mail that has a key cannot be signed: refuse takes none (451 4.7.5), so that nothing leaves unsigned unnoticed; send lets it go unsigned.',
      ),
  })
  .prefault({})
  .describe('DKIM signatures. Keys are made with postern dkim create. See docs/dkim.md.')
export type DkimConfig = z.output<typeof dkimSchema>
export type DkimKeyConfig = z.output<typeof key>
