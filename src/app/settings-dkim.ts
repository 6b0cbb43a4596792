/**
 * Validated `dkim` -> what the signer is told: keys read, domains in A-labels.
 */
import { asciiDomain } from '../core/ascii-domain.ts'
import { signedNames } from '../message/dkim-fields.ts'
import type { DkimKey } from '../message/dkim-keyring.ts'
import type { LoadedConfig } from './config.ts'
import { dkimKeysOf, readDkimKey } from './config-dkim-keys.ts'
import { durationMs } from './config-scalars.ts'
import { type DkimKeyConfig, timesOf } from './config-schema-dkim.ts'
import { SettingsError } from './settings-error.ts'
import type { DkimSettings } from './signer.ts'

/** `previous`: what was read when root could still read it. Throws `SettingsError`. */
export function buildDkimSettings(loaded: LoadedConfig, previous: DkimSettings | null): DkimSettings {
  const { dkim } = loaded.config
  const domains = new Map<string, DkimKey[]>()
  for (const { domain, key } of dkimKeysOf(dkim)) {
    const before = previous?.keyring.domains.get(domain)?.find(({ selector }) => selector === key.selector) ?? null
    const made = buildKey(domain, key, { loaded, before })
    domains.set(domain, [...(domains.get(domain) ?? []), made])
  }
  return {
    keyring: { domains, defaultDomain: dkim.default === undefined ? null : asciiDomain(dkim.default), subdomains: dkim.subdomains },
    names: signedNames(dkim.headers),
    validMs: dkim.validFor === undefined ? null : durationMs(dkim.validFor),
    onFailure: dkim.onFailure,
  }
}

function buildKey(domain: string, config: DkimKeyConfig, { loaded, before }: { readonly loaded: LoadedConfig; readonly before: DkimKey | null }): DkimKey {
  const { selector, active } = config
  const found = readDkimKey(config.key, loaded)
  const kept = 'fault' in found && found.fault.code === 'secret-unreadable' ? before : null
  if ('fault' in found && kept === null) throw new SettingsError(`dkim key ${selector} of ${domain}: ${found.fault.message}`)
  const { type, key } = 'fault' in found ? (kept as DkimKey) : found.value
  return { domain, selector, type, key, active, ...timesOf(config) }
}
