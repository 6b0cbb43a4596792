/**
 * Validated configuration -> everything the server is told, numbers instead of texts.
 *
 * Made as a whole and replaced as a whole at a reload; nothing in it changes. Reads certificates
 * now and passwords when they are needed.
 */

import { resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { DeliverySettings } from '../delivery/settings.ts'
import type { IntakeSettings } from '../intake/settings.ts'
import type { DnsSettings } from '../net/dns/dns-resolver.ts'
import type { MxPolicy } from '../transports/mx-policy.ts'
import type { LoadedConfig } from './config.ts'
import { ConfigError } from './config-errors.ts'
import { hostnameOf } from './config-implied.ts'
import { adminSocketOf, dataFolderOf } from './config-locate.ts'
import { formatKeyPath, type KeyPath } from './config-path.ts'
import { durationMs, sizeOctets } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import type { RetentionSettings } from './retention.ts'
import { buildDeliverySettings } from './settings-delivery.ts'
import { buildMxPolicy } from './settings-direct.ts'
import { buildDkimSettings } from './settings-dkim.ts'
import { buildDnsSettings } from './settings-dns.ts'
import { SettingsError } from './settings-error.ts'
import { buildIntakeSettings } from './settings-intake.ts'
import { buildMailboxSettings, type LocalMailboxes } from './settings-mailbox.ts'
import { buildRewritePlan, type RewritePlan } from './settings-rewrite.ts'
import { buildTlsSettings, type TlsSettings } from './settings-tls.ts'
import type { DkimSettings } from './signer.ts'

export interface ServerSettings {
  readonly hostname: string
  readonly intake: IntakeSettings
  readonly delivery: DeliverySettings
  /** Null: nothing goes into mailboxes of this machine. */
  readonly mailboxes: LocalMailboxes | null
  readonly dns: DnsSettings
  readonly dkim: DkimSettings
  readonly mxPolicy: MxPolicy
  readonly tls: TlsSettings
  readonly rewrite: RewritePlan
  readonly retention: RetentionSettings
  readonly log: { readonly level: Config['log']['level']; readonly format: Config['log']['format']; readonly file: string | null }
  /** Absolute, as is the socket. */
  readonly dataFolder: string
  readonly adminSocket: string
  /** System user to become; null: not configured. */
  readonly user: string | null
  readonly drainMs: number
  /** What all of this was made from: compared at a reload. Holds no secret. */
  readonly config: Config
}

/** Throws `ConfigError` if a file can no longer be read that could be when the configuration was checked. */
export function buildSettings(loaded: LoadedConfig, options: { readonly previous?: ServerSettings } = {}): ServerSettings {
  const { config, file, cwd, folder } = loaded
  const previous = options.previous ?? null
  const dataFolder = dataFolderOf(config.data, file, cwd)
  try {
    return {
      hostname: hostnameOf(config),
      intake: buildIntakeSettings(loaded, previous?.intake ?? null),
      delivery: buildDeliverySettings(loaded, previous?.delivery ?? null),
      mailboxes: buildMailboxSettings(loaded),
      dns: buildDnsSettings(config.dns),
      dkim: buildDkimSettings(loaded, previous?.dkim ?? null),
      mxPolicy: buildMxPolicy(config),
      tls: buildTlsSettings(loaded, previous?.tls ?? null),
      rewrite: buildRewritePlan(loaded),
      retention: {
        historyMs: durationMs(config.retention.history),
        contentMs: durationMs(config.retention.content),
        capturedMs: durationMs(config.retention.captured),
        contentOctets: sizeOctets(config.retention.contentSize),
      },
      log: { level: config.log.level, format: config.log.format, file: config.log.file === undefined ? null : resolve(folder, config.log.file) },
      dataFolder,
      adminSocket: adminSocketOf(config.admin, dataFolder, file, cwd),
      user: config.user ?? null,
      drainMs: durationMs(config.drainTime),
      config,
    }
  } catch (fault) {
    if (!(fault instanceof SettingsError)) throw fault
    throw new ConfigError([
      {
        code: 'file-unreadable',
        severity: 'error',
        file,
        line: null,
        column: null,
        key: '',
        message: fault.message,
        allowed: null,
        remedy: 'Check the file, then try again.',
      },
    ])
  }
}

/** Keys whose change takes effect only at a restart. */
const RESTART_KEYS: readonly string[] = ['data', 'admin', 'user', 'log.file', 'log.format']

/** Keys that differ, as far down as they can be named: `relays.google.limits.sessions`, `routes`. */
export function diffSettings(before: ServerSettings, after: ServerSettings): { readonly changed: readonly string[]; readonly needsRestart: readonly string[] } {
  const changed = differences(before.config, after.config, [])
  return { changed, needsRestart: changed.filter((key) => RESTART_KEYS.includes(key) || key === 'local' || key.startsWith('local.mailbox')) }
}

function differences(before: unknown, after: unknown, path: KeyPath): readonly string[] {
  if (isDeepStrictEqual(before, after)) return []
  if (!isMapping(before) || !isMapping(after)) return [formatKeyPath(path)]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => differences(before[key], after[key], [...path, key]))
}
function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
