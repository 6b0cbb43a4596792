/**
 * The DNS record of a DKIM key: what is to be published, and whether that is what is published.
 *
 * RFC 6376 §3.6.1, §3.6.2.2 (TXT), RFC 8463 §4 (Ed25519: the 32 octets of the key and nothing else).
 */
import { createPublicKey, type KeyObject } from 'node:crypto'
import { readTagList } from '../core/tag-list.ts'

/** `s1._domainkey.example.com`. */
export function recordName(selector: string, domain: string): string {
  return `${selector}._domainkey.${domain}`
}

const ED25519_OCTETS = 32

/** `v=DKIM1; k=rsa; p=...`, of a private key. */
export function dkimRecord(key: KeyObject): string {
  const octets = createPublicKey(key).export({ type: 'spki', format: 'der' })
  return key.asymmetricKeyType === 'ed25519'
    ? `v=DKIM1; k=ed25519; p=${octets.subarray(-ED25519_OCTETS).toString('base64')}`
    : `v=DKIM1; k=rsa; p=${octets.toString('base64')}`
}

export type PublishedVerdict =
  | { readonly kind: 'matches' /** Marked as a test (`t=y`): receivers may take no notice of the signature. */; readonly testing: boolean }
  /** Nothing that begins like a key. */
  | { readonly kind: 'absent' }
  /** More than one record: what verifiers do then is undefined (RFC 6376 §3.6.2.2). */
  | { readonly kind: 'several' }
  | { readonly kind: 'revoked' }
  | { readonly kind: 'differs' }
  /** The right key, but the record forbids what we do with it. */
  | { readonly kind: 'unusable'; readonly reason: string }

/** `wanted` is ours, `records` are the texts found at its name. */
export function comparePublished(wanted: string, records: readonly string[]): PublishedVerdict {
  const ours = readTagList(wanted)
  const found = records.map(readTagList).filter((tags) => tags.has('p'))
  const [tags, ...others] = found
  if (tags === undefined) return { kind: 'absent' }
  if (others.length > 0) return { kind: 'several' }
  const key = tags.get('p')
  if (key === '') return { kind: 'revoked' }
  if (key !== ours.get('p')) return { kind: 'differs' }
  const reason = forbidden(tags, ours.get('k') ?? 'rsa')
  return reason === null ? { kind: 'matches', testing: listOf(tags.get('t')).includes('y') } : { kind: 'unusable', reason }
}

function forbidden(tags: ReadonlyMap<string, string>, type: string): string | null {
  const version = tags.get('v') ?? 'DKIM1'
  if (version !== 'DKIM1') return `its version is v=${version}`
  const published = tags.get('k') ?? 'rsa'
  if (published !== type) return `it says k=${published}, and the key is ${type}`
  const hashes = tags.get('h')
  if (hashes !== undefined && !listOf(hashes).includes('sha256')) return `it allows h=${hashes} only, and we sign with sha256`
  const services = listOf(tags.get('s') ?? '*')
  return services.includes('*') || services.includes('email') ? null : `it is not for mail (s=${services.join(':')})`
}

function listOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : value.split(':')
}
