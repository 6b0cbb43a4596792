/**
 * Keys for tests, a signer that has them, and a verifier that is not ours.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dkimVerify } from 'mailauth'
import { createSigner, type DkimSettings, type ServerSigner } from '../../src/app/signer.ts'
import type { Clock } from '../../src/core/clock.ts'
import { signedNames } from '../../src/message/dkim-fields.ts'
import type { DkimKey } from '../../src/message/dkim-keyring.ts'
import { dkimRecord, recordName } from '../../src/message/dkim-record.ts'
import { createFakeClock } from './fake-clock.ts'

export const KEY_FILES = new URL('../fixtures/dkim/', import.meta.url)

export function readTestKey(name: 'rsa' | 'ed25519' | 'rsa-1024'): KeyObject {
  return createPrivateKey(readFileSync(new URL(`${name}.pem`, KEY_FILES)))
}

export function makeKey(changes: Partial<DkimKey> = {}): DkimKey {
  const type = changes.type ?? 'rsa'
  return {
    domain: 'sender.example',
    selector: type === 'rsa' ? 'r1' : 'e1',
    type,
    key: readTestKey(type),
    active: true,
    notBefore: null,
    notAfter: null,
    ...changes,
  }
}

export interface SignerOptions extends Partial<Omit<DkimSettings, 'keyring'>> {
  readonly keys?: readonly DkimKey[]
  readonly defaultDomain?: string
  readonly subdomains?: boolean
  readonly clock?: Clock
  readonly notes?: string[]
}

export function makeDkimSettings(options: SignerOptions = {}): DkimSettings {
  const domains = new Map<string, DkimKey[]>()
  for (const key of options.keys ?? [makeKey()]) domains.set(key.domain, [...(domains.get(key.domain) ?? []), key])
  const { defaultDomain = null, subdomains = true, names = signedNames([]), validMs = null, onFailure = 'refuse' } = options
  return { keyring: { domains, defaultDomain, subdomains }, names, validMs, onFailure }
}

/** One RSA key of sender.example, unless told otherwise. */
export function makeSigner(options: SignerOptions = {}): ServerSigner {
  const note = (_subsystem: string, level: string, text: string): void => void options.notes?.push(`${level}: ${text}`)
  return createSigner(makeDkimSettings(options), { clock: options.clock ?? createFakeClock(), journal: { note } })
}

/** A key that signs nothing: its algorithm is another one than it says. */
export function makeBrokenKey(): DkimKey {
  return makeKey({ key: readTestKey('ed25519') })
}

export interface Verified {
  readonly domain: string
  readonly selector: string
  readonly algorithm: string
  readonly result: string
  readonly comment: string | undefined
}

/** Every signature of the message, from the top, as mailauth sees it; the records are those of the test keys. */
export async function verifyDkim(message: Uint8Array | string): Promise<readonly Verified[]> {
  const resolver = async (name: string): Promise<string[][]> => {
    const [selector = ''] = name.split('._domainkey.')
    const type = selector.startsWith('e') ? 'ed25519' : 'rsa'
    if (recordName(selector, name.slice(name.indexOf('._domainkey.') + 12)) !== name) throw new Error(`no record name: ${name}`)
    return [[dkimRecord(readTestKey(type))]]
  }
  const { results } = (await dkimVerify(Buffer.from(message), { resolver } as never)) as unknown as {
    results: { signingDomain: string; selector: string; algo: string; status: { result: string; comment?: string } }[]
  }
  return results.map(({ signingDomain, selector, algo, status }) => ({
    domain: signingDomain,
    selector,
    algorithm: algo,
    result: status.result,
    comment: status.comment,
  }))
}

/** `r1 pass`, for each signature. */
export async function dkimResults(message: Uint8Array | string): Promise<readonly string[]> {
  return (await verifyDkim(message)).map(({ selector, result }) => `${selector} ${result}`)
}
