/**
 * The DKIM keys we sign with against what is published (RFC 6376 §3.6.1).
 */
import { assertNever } from '../core/brand.ts'
import { comparePublished, recordName } from '../message/dkim-record.ts'
import { RESOLVER_ADVICE, textOf } from './check-names.ts'
import { senderAbove } from './dmarc-policy.ts'
import { type DnsLine, type Finding, findings } from './finding.ts'
import type { SenderDomain, SigningKey, Subject } from './subject.ts'

export async function checkDkim({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const published = await Promise.all(facts.keys.map((key) => publishedOf(key, { facts, parts })))
  const unsigned = facts.senders
    .filter(({ signed, inFrom, departures }) => !signed && inFrom && departures.length > 0)
    .map((sender) => judgeUnsigned(sender, senderAbove(sender.domain, facts.senders)))
  return [...published, ...facts.keylessDomains.map(judgeKeyless), ...unsigned]
}

/** A relay may sign what it sends; we cannot see it. */
function judgeUnsigned({ domain, departures }: SenderDomain, above: string | null): Finding {
  const say = findings('dkim', domain)
  const make =
    above === null
      ? `Make a key, then publish what is printed: postern dkim create ${domain}`
      : `A key of ${above} signs for it, too: postern dkim create ${above}`
  if (departures.some(({ kind }) => kind === 'direct')) return say.warning('mail of this domain is not signed: large receivers want a signature of it', make)
  const relays = departures.map(({ relay }) => relay).join(', ')
  return say.skipped(
    `mail of this domain is not signed here; whether relay ${relays} signs it, a mail that arrived tells (DKIM-Signature with d=${domain})`,
    `If it does not: postern dkim create ${above ?? domain}`,
  )
}

function judgeKeyless(domain: string): Finding {
  return findings('dkim', domain).fault(
    'none of its keys is within its time (notBefore, notAfter): mail of this domain cannot be signed',
    `Make the next key: postern dkim rotate ${domain}`,
  )
}

async function publishedOf(key: SigningKey, { parts }: Subject): Promise<Finding> {
  const say = findings('dkim', key.domain)
  const name = recordName(key.selector, key.domain)
  const record: DnsLine = { name, type: 'TXT', value: key.record }
  const answer = await parts.dns.txt(name)
  if (answer.kind === 'fault') return say.skipped(`the DNS could not be asked for ${name}: ${textOf(answer)}`, RESOLVER_ADVICE)
  if (answer.kind === 'none') return say.fault(`we sign with selector ${key.selector}, but its key is not published`, 'Publish it.', record)
  const verdict = comparePublished(key.record, answer.records)
  switch (verdict.kind) {
    case 'several':
      return say.fault(`there are several keys at ${name}`, 'Keep the one we sign with.', record)
    case 'absent':
      return say.fault(`the record at ${name} is no DKIM key`, 'Put this in its place.', record)
    case 'revoked':
      return say.fault(`the key of selector ${key.selector} is revoked (p= is empty)`, 'Publish the one we sign with.', record)
    case 'differs':
      return say.fault(`the key at ${name} is another one than we sign with`, 'Put this in its place.', record)
    case 'unusable':
      return say.fault(`the record at ${name} cannot be used: ${verdict.reason}`, 'Put this in its place.', record)
    case 'matches':
      if (!verdict.testing) return say.ok(`the published key of selector ${key.selector} (${key.algorithm}) is the one we sign with`)
      return say.warning(`selector ${key.selector} is marked as a test (t=y): receivers may ignore the signature`, 'Publish it without the mark.', record)
    default:
      return assertNever(verdict)
  }
}
