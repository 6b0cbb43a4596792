/**
 * The DKIM keys we sign with against what is published (RFC 6376 §3.6.1).
 */
import { RESOLVER_ADVICE, textOf } from './check-names.ts'
import { type DnsLine, type Finding, findings } from './finding.ts'
import type { SigningKey, Subject } from './subject.ts'

export async function checkDkim({ facts, parts }: Subject): Promise<readonly Finding[]> {
  const published = await Promise.all(facts.keys.map((key) => publishedOf(key, { facts, parts })))
  const unsigned = facts.senders
    .filter(({ domain }) => !facts.keys.some((key) => key.domain === domain))
    .map(({ domain }) =>
      findings('dkim', domain).warning(
        'mail of this domain is not signed: large receivers want a signature of the sender domain',
        `Make a key, then publish what is printed: postern dkim create ${domain}`,
      ),
    )
  return [...published, ...unsigned]
}

async function publishedOf(key: SigningKey, { parts }: Subject): Promise<Finding> {
  const say = findings('dkim', key.domain)
  const name = `${key.selector}._domainkey.${key.domain}`
  const record: DnsLine = { name, type: 'TXT', value: key.record }
  const answer = await parts.dns.txt(name)
  if (answer.kind === 'fault') return say.skipped(`the DNS could not be asked for ${name}: ${textOf(answer)}`, RESOLVER_ADVICE)
  if (answer.kind === 'none') return say.fault(`we sign with selector ${key.selector}, but its key is not published`, 'Publish it.', record)
  const found = answer.records.filter((text) => tagOf(text, 'p') !== null)
  if (found.length > 1) return say.fault(`there are ${found.length} records at ${name}`, 'Keep the one we sign with.', record)
  const [text] = found
  if (text === undefined) return say.fault(`the record at ${name} is no DKIM key`, 'Put this in its place.', record)
  if (tagOf(text, 'p') === '') return say.fault(`the key of selector ${key.selector} is revoked (p= is empty)`, 'Publish the one we sign with.', record)
  if (tagOf(text, 'p') !== tagOf(key.record, 'p')) return say.fault(`the key at ${name} is another one than we sign with`, 'Put this in its place.', record)
  if ((tagOf(text, 't') ?? '').split(':').includes('y')) {
    return say.warning(`selector ${key.selector} is marked as a test (t=y): receivers may ignore the signature`, 'Publish it without the mark.', record)
  }
  return say.ok(`the published key of selector ${key.selector} (${key.algorithm}) is the one we sign with`)
}

/** A tag of a tag list, white space left out; null: there is none. */
export function tagOf(text: string, tag: string): string | null {
  for (const part of text.split(';')) {
    const at = part.indexOf('=')
    if (at !== -1 && part.slice(0, at).trim() === tag) return part.slice(at + 1).replace(/\s+/g, '')
  }
  return null
}
