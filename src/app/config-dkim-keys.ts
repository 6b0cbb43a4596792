/**
 * Reads DKIM keys from where the configuration says they are, and says what is wrong with them.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { asciiDomain } from '../core/ascii-domain.ts'
import { isInTime } from '../message/dkim-keyring.ts'
import type { KeyPath } from './config-path.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import type { SecretReference } from './config-scalars.ts'
import { type DkimConfig, type DkimKeyConfig, timesOf } from './config-schema-dkim.ts'
import { describeSecret, readSecretText, type SecretPlaces } from './config-secrets.ts'
import type { Parsed } from './config-values.ts'

/** RFC 8301 §3.2: signers use 2048 or more, and verifiers need not know more than 4096. */
export const RSA_BITS_MIN = 2048
export const RSA_BITS_MAX = 4096

export interface ReadKey {
  readonly type: 'rsa' | 'ed25519'
  readonly key: KeyObject
}

export function readDkimKey(reference: SecretReference, places: SecretPlaces): Parsed<ReadKey> {
  const found = readSecretText(reference, places, 'key')
  if ('fault' in found) return found
  const where = describeSecret(reference)
  const bad = (message: string, remedy: string): Parsed<never> => ({ fault: { code: 'bad-key', message: `${where} ${message}`, remedy } })
  const again = 'Make one with: postern dkim create DOMAIN.'
  const key = privateKey(found.value)
  if (key === null) return bad('holds no private key in PEM form, or one with a passphrase', again)
  const { asymmetricKeyType: type, asymmetricKeyDetails } = key
  if (type === 'ed25519') return { value: { type, key } }
  if (type !== 'rsa') return bad(`holds a key of type ${type}`, `DKIM knows RSA and Ed25519. ${again}`)
  const bits = asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < RSA_BITS_MIN) return bad(`holds an RSA key of ${bits} bits, and receivers distrust less than ${RSA_BITS_MIN}`, again)
  if (bits > RSA_BITS_MAX) return bad(`holds an RSA key of ${bits} bits, and many receivers cannot check more than ${RSA_BITS_MAX}`, again)
  return { value: { type, key } }
}

function privateKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem)
  } catch {
    // OpenSSL's text says less than ours, and might quote.
    return null
  }
}

/** Every key with its place. */
export function dkimKeysOf(dkim: DkimConfig): readonly { readonly path: KeyPath; readonly domain: string; readonly key: DkimKeyConfig }[] {
  return Object.entries(dkim.keys).flatMap(([domain, keys]) =>
    keys.map((key, index) => ({ path: ['dkim', 'keys', domain, index], domain: asciiDomain(domain) ?? domain, key })),
  )
}

/** What is wrong between the keys of `dkim`. Pure. */
export function checkDkim(dkim: DkimConfig): readonly KeyedFault[] {
  const faults: KeyedFault[] = []
  const seen = new Set<string>()
  for (const { path, domain, key } of dkimKeysOf(dkim)) {
    const name = `${key.selector} of ${domain}`
    if (seen.has(name))
      faults.push(
        valueFault([...path, 'selector'], { code: 'duplicate-selector', message: `there is already a selector ${name}`, remedy: 'Each key needs its own.' }),
      )
    seen.add(name)
    const { notBefore, notAfter } = timesOf(key)
    if (notBefore !== null && notAfter !== null && notBefore >= notAfter)
      faults.push(valueFault([...path, 'notAfter'], { code: 'contradiction', message: 'must be later than notBefore', remedy: 'Move one of them.' }))
  }
  const domains = new Set(Object.keys(dkim.keys).map(asciiDomain))
  if (dkim.default !== undefined && !domains.has(asciiDomain(dkim.default)))
    faults.push(
      valueFault(['dkim', 'default'], {
        code: 'unknown-domain',
        message: `there are no keys of ${dkim.default}`,
        remedy: 'Name one of the domains under dkim.keys.',
      }),
    )
  return faults
}

/** A domain whose keys are all out of time: its mail is refused, or leaves unsigned. */
export function checkDkimTimes(dkim: DkimConfig, nowMs: number): readonly KeyedFault[] {
  return Object.entries(dkim.keys).flatMap(([domain, keys]) => {
    const used = keys.filter(({ active }) => active)
    if (used.length === 0 || used.some((key) => isInTime(timesOf(key), nowMs))) return []
    const effect = dkim.onFailure === 'refuse' ? 'mail from this domain is refused (451 4.7.5)' : 'mail from this domain leaves unsigned'
    return [
      valueFault(['dkim', 'keys', domain], {
        code: 'keys-out-of-time',
        message: `no key is within its notBefore and notAfter: ${effect}`,
        remedy: `Make a new one: postern dkim rotate ${domain}`,
      }),
    ]
  })
}
