/**
 * The configuration as people ask for it: in force, resolved, its defaults, what differs from them.
 *
 * Shows where secrets are, never what they are; hashes count as secrets. Pure.
 */
import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'
import type { LoadedConfig } from './config.ts'
import { checkedValue, hostnameOf, listenersOf, tlsOf } from './config-implied.ts'
import { schemaAt } from './config-json-schema.ts'
import { routesInForce } from './config-local.ts'
import { adminSocketOf, dataFolderOf } from './config-locate.ts'
import { formatKeyPath, type KeyPath, valueAt } from './config-path.ts'
import { listOf, type SecretReference } from './config-scalars.ts'
import { type Config, configSchema } from './config-schema.ts'
import { describeSecret } from './config-secrets.ts'
import { parseLmtpServer, parseRelayHost } from './config-values.ts'

type Mapping = Readonly<Record<string, unknown>>

/** What is in force, defaults included, as it would be written. */
export function shownConfig(loaded: LoadedConfig): Mapping {
  return { ...loaded.config, users: loaded.config.users.map(withoutHash) }
}

/** The same with everything worked out: absolute paths, host names, what is implied. */
export function resolvedConfig(loaded: LoadedConfig): Mapping {
  const { config, file, cwd } = loaded
  const dataFolder = dataFolderOf(config.data, file, cwd)
  return {
    ...config,
    hostname: hostnameOf(config),
    listen: listenersOf(config).map(({ host: _host, port: _port, loopback: _loopback, ...listener }) => ({ ...listener, tls: listener.tls ?? false })),
    users: config.users.map((user) => ({ ...withoutHash(user), ...(user.password === undefined ? {} : { password: shownSecret(user.password) }) })),
    admin: adminSocketOf(config.admin, dataFolder, file, cwd),
    data: dataFolder,
    relays: Object.fromEntries(Object.entries(config.relays).map(([name, relay]) => [name, resolvedRelay(relay)])),
    routes: routesInForce(config).map(({ route }) => route),
    limitsUnderPressure: { ...config.limits, ...config.limitsUnderPressure },
    dsn: { ...config.dsn, from: config.dsn.from ?? `MAILER-DAEMON@${hostnameOf(config)}` },
  }
}

function resolvedRelay(relay: Config['relays'][string]): Mapping {
  const tls = tlsOf(relay)
  const hosts = listOf(relay.host).map((host) => {
    const { host: name, port, implicitTls } = checkedValue(relay.protocol === 'lmtp' ? parseLmtpServer(host) : parseRelayHost(host, tls.implicit))
    if (name.startsWith('/')) return `unix:${name}`
    return `${name.includes(':') ? `[${name}]` : name}:${port}${implicitTls ? ' (TLS from the first byte)' : ''}`
  })
  const credentials = Object.entries(relay.credentials).map(([name, credential]) => [name, { ...credential, password: shownSecret(credential.password) }])
  return { ...relay, host: hosts, tls, credentials: Object.fromEntries(credentials) }
}
function shownSecret(reference: SecretReference): string {
  return `(set: ${describeSecret(reference)})`
}
function withoutHash(user: Config['users'][number]): Mapping {
  return user.passwordHash === undefined ? user : { ...user, passwordHash: '(set)' }
}

export function defaultConfig(): Mapping {
  return configSchema.parse({})
}

export interface ConfigDifference {
  readonly key: string
  readonly value: unknown
  /** Undefined: there is no default. */
  readonly default: unknown
}
/** The written keys that say something else than the default; hashes are left out of the values. */
export function differencesFromDefaults(loaded: LoadedConfig): readonly ConfigDifference[] {
  return leaves(loaded.written, []).flatMap((path) => {
    const value = valueAt(shownConfig(loaded), path)
    const standard = defaultAt(path)
    return isDeepStrictEqual(value, standard) ? [] : [{ key: formatKeyPath(path), value, default: standard }]
  })
}

/** Of a key that exists once; below names and indexes the schema knows the default. */
function defaultAt(path: KeyPath): unknown {
  const own = valueAt(defaultConfig(), path)
  return own === undefined ? schemaAt(path)?.default : own
}

function leaves(value: unknown, path: KeyPath): readonly KeyPath[] {
  const isSecret = path.at(-1) === 'password'
  if (value === null || typeof value !== 'object' || Array.isArray(value) || isSecret) return [path]
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, [...path, key]))
}

/** Values as they would stand in the file; a single value as it is. */
export function asYaml(value: unknown): string {
  if (value === null || typeof value !== 'object') return String(value)
  return stringify(value, { lineWidth: 0 }).trimEnd()
}
