/**
 * Looks at the files and variables that a configuration points to: secrets, certificates, sockets.
 *
 * The only check that touches the disk; what it reads it forgets.
 */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { readCertificatePair, readPem } from './config-certificates.ts'
import { checkTables } from './config-checks-rewrite.ts'
import { authoritiesOf } from './config-checks-tls.ts'
import { checkDkimTimes, dkimKeysOf, readDkimKey } from './config-dkim-keys.ts'
import { quote } from './config-errors.ts'
import { tlsOf } from './config-implied.ts'
import { adminSocketOf, dataFolderOf, SOCKET_PATH_OCTETS_MAX } from './config-locate.ts'
import type { KeyPath } from './config-path.ts'
import { type KeyedFault, valueFault } from './config-problems.ts'
import type { SecretReference } from './config-scalars.ts'
import type { Config } from './config-schema.ts'
import { readSecret, type SecretPlaces } from './config-secrets.ts'
import { findUser, isRoot } from './privileges.ts'
import { DEFAULT_USER } from './service-user.ts'

export interface FilePlaces extends SecretPlaces {
  readonly file: string | null
  readonly cwd: string
  readonly nowMs: number
}

export function checkFiles(config: Config, places: FilePlaces): readonly KeyedFault[] {
  return [
    ...secretsOf(config).flatMap(([path, reference]) => checkSecret(path, reference, config, places)),
    ...checkCertificates(config, places),
    ...checkTables(config, places.folder),
    ...checkKeys(config, places),
    ...checkSocket(config, places),
  ]
}

/** Every secret with its place. */
export function secretsOf(config: Config): readonly (readonly [KeyPath, SecretReference])[] {
  const relays = Object.entries(config.relays).flatMap(([relay, { credentials }]) =>
    Object.entries(credentials).map(([name, { password }]) => [['relays', relay, 'credentials', name, 'password'], password] as const),
  )
  const users = config.users.flatMap(({ password }, index) => (password === undefined ? [] : [[['users', index, 'password'], password] as const]))
  return [...relays, ...users]
}

function checkSecret(path: KeyPath, reference: SecretReference, config: Config, places: FilePlaces): KeyedFault[] {
  const result = readSecret(reference, places)
  if ('fault' in result) return [valueFault(path, result.fault)]
  return 'file' in reference && isRoot() ? checkOwner(path, resolve(places.folder, reference.file), config.user ?? DEFAULT_USER) : []
}

function checkKeys(config: Config, places: FilePlaces): readonly KeyedFault[] {
  const faults = dkimKeysOf(config.dkim).flatMap(({ path, key }): KeyedFault[] => {
    const place = [...path, 'key']
    const result = readDkimKey(key.key, places)
    if ('fault' in result) return [valueFault(place, result.fault)]
    return 'file' in key.key && isRoot() ? checkOwner(place, resolve(places.folder, key.key.file), config.user ?? DEFAULT_USER) : []
  })
  return [...faults, ...checkDkimTimes(config.dkim, places.nowMs)]
}

/** Started as root we could read it, but after giving root up a changed password would go unseen. */
function checkOwner(path: KeyPath, file: string, userName: string): KeyedFault[] {
  const user = findUser(userName)
  if (user === null || statSync(file).uid === user.uid) return []
  return [
    valueFault(path, {
      code: 'owner-differs',
      message: `${quote(file)} does not belong to ${userName}, so that a change is seen only after a restart`,
      remedy: `Run: chown ${userName} ${file}`,
    }),
  ]
}

function checkCertificates(config: Config, { folder, nowMs }: FilePlaces): KeyedFault[] {
  const pairs: (readonly [KeyPath, { readonly cert: string; readonly key: string }])[] = config.tls === undefined ? [] : [[['tls'], config.tls]]
  for (const [index, listener] of config.listen.entries()) {
    if (typeof listener === 'object' && typeof listener.tls === 'object') pairs.push([['listen', index, 'tls'], listener.tls])
  }
  const faults = pairs.flatMap(([path, files]) =>
    readCertificatePair(files, folder, nowMs).faults.map(({ which, fault }) => valueFault([...path, which], fault)),
  )
  const ofRelays = Object.entries(config.relays).flatMap(([name, relay]) => {
    const { ca } = tlsOf(relay)
    return ca === null ? [] : [[['relays', name, 'tls', 'ca'], ca] as const]
  })
  return [...faults, ...[...ofRelays, ...authoritiesOf(config)].flatMap(([path, ca]) => checkAuthorities(path, ca, folder))]
}

function checkAuthorities(path: KeyPath, ca: string, folder: string): KeyedFault[] {
  const pem = readPem(ca, folder)
  if ('fault' in pem) return [valueFault(path, pem.fault)]
  if (pem.value.includes('-----BEGIN CERTIFICATE-----')) return []
  return [valueFault(path, { code: 'tls-invalid', message: `${quote(ca)} holds no certificate in PEM form` })]
}

function checkSocket(config: Config, { file, cwd }: FilePlaces): KeyedFault[] {
  const path = adminSocketOf(config.admin, dataFolderOf(config.data, file, cwd), file, cwd)
  const octets = Buffer.byteLength(path)
  if (octets <= SOCKET_PATH_OCTETS_MAX) return []
  return [
    valueFault(['admin'], {
      code: 'socket-too-long',
      message: `the path of the admin socket has ${octets} octets`,
      allowed: `at most ${SOCKET_PATH_OCTETS_MAX}`,
      remedy: 'Set admin: to a shorter path, such as /run/postern/postern.sock.',
    }),
  ]
}
