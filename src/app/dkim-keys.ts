/**
 * DKIM keys for the command line: listed with their records, made, switched, removed; in files
 * beside the configuration, and in the configuration itself, whose comments stay.
 *
 * What step comes when is `dkim-plan.ts`. No key is ever in an answer.
 */
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { dkimRecord, recordName } from '../message/dkim-record.ts'
import { type LoadedConfig, type LoadRequest, readConfigText } from './config.ts'
import { type ConfigChange, judgeChange } from './config-change.ts'
import { type ReadKey, readDkimKey } from './config-dkim-keys.ts'
import { setInText, unsetInText } from './config-edit.ts'
import type { Fault } from './config-errors.ts'
import { describeSecret } from './config-secrets.ts'
import type { Parsed } from './config-values.ts'
import { writeFileSafely } from './config-write.ts'
import { type PlannedKey, planKeys } from './dkim-plan.ts'
import { type RecordText, recordText } from './dkim-record-text.ts'
import { findUser, isRoot } from './privileges.ts'

export { recordName } from '../message/dkim-record.ts'

export interface ListedKey extends PlannedKey {
  readonly selector: string
  /** Of RSA; null: another algorithm, or it could not be read. */
  readonly bits: number | null
  /** `file dkim/example.com.s1.pem`. */
  readonly where: string
  /** Null: the key could not be read; `fault` says why. */
  readonly record: RecordText | null
  readonly fault: Fault | null
}

/** In the order of the configuration. */
export function listKeys(loaded: LoadedConfig, nowMs: number): readonly ListedKey[] {
  const { dkim } = loaded.config
  const read = new Map<unknown, Parsed<ReadKey>>()
  for (const keys of Object.values(dkim.keys)) for (const key of keys) read.set(key, readDkimKey(key.key, loaded))
  const typeOf = (key: unknown): 'rsa' | 'ed25519' | null => {
    const found = read.get(key)
    return found !== undefined && 'value' in found ? found.value.type : null
  }
  return planKeys(dkim, typeOf, nowMs).map((planned): ListedKey => {
    const { config, domain } = planned
    const found = read.get(config)
    const key = found !== undefined && 'value' in found ? found.value.key : null
    return {
      ...planned,
      selector: config.selector,
      bits: key?.asymmetricKeyDetails?.modulusLength ?? null,
      where: describeSecret(config.key),
      record: key === null ? null : recordText(recordName(config.selector, domain), dkimRecord(key)),
      fault: found !== undefined && 'fault' in found ? found.fault : null,
    }
  })
}

export interface NewKey {
  readonly selector: string
  readonly type: 'rsa' | 'ed25519'
  /** Of RSA. */
  readonly bits: number
  readonly active: boolean
}
export interface NewKeys {
  /** As the configuration writes it, and in A-labels. */
  readonly domainKey: string
  readonly domain: string
  /** Keys that the domain has already. */
  readonly before: number
  readonly keys: readonly NewKey[]
  /** System user that the server becomes. */
  readonly user: string
}
export type KeysChange = Exclude<ConfigChange, { readonly kind: 'unchanged' | 'no-such-key' }>

/** Folder of the keys, beside the configuration. */
const FOLDER = 'dkim'

/** Where the key of that name goes: relative to the configuration's folder. */
export function keyFile(domain: string, selector: string): string {
  return `${FOLDER}/${domain}.${selector}.pem`
}

/** Makes keys and puts them into the configuration: all, or none. Throws what the file system throws; `EEXIST` for a key file that is there. */
export function addKeys(file: string, made: NewKeys, request: LoadRequest): KeysChange {
  const folder = dirname(file)
  const written: string[] = []
  let done = false
  try {
    for (const key of made.keys) written.push(writeKey(resolve(folder, keyFile(made.domain, key.selector)), key, made.user))
    const result = editFile(file, request, (text) => withKeys(text, made))
    done = result.kind === 'changed'
    return result
  } finally {
    if (!done) for (const path of written) rmSync(path, { force: true })
  }
}

function withKeys(text: string, { domainKey, domain, before, keys }: NewKeys): string {
  const path = ['dkim', 'keys', domainKey]
  const entries = keys.map(({ selector, active }) => ({ selector, key: { file: keyFile(domain, selector) }, ...(active ? {} : { active: false }) }))
  if (before === 0) return setInText(text, path, entries)
  return entries.reduce((edited, entry, at) => setInText(edited, [...path, before + at], entry), text)
}

/** As root, it is handed to the user that the server becomes, so that a reload can read it. */
function writeKey(path: string, key: NewKey, userName: string): string {
  if (existsSync(path)) throw Object.assign(new Error(`${path} is there already`), { code: 'EEXIST' })
  const { privateKey } = key.type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: key.bits }) : generateKeyPairSync('ed25519')
  const isNew = mkdirSync(dirname(path), { recursive: true }) !== undefined
  // To pass through, not to list: the files in it are closed, and their owner may be another user.
  if (isNew) chmodSync(dirname(path), 0o711)
  writeFileSafely(path, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), { always: 0o600 })
  const user = isRoot() ? findUser(userName) : null
  if (user !== null) chownSync(path, user.uid, user.gid)
  return path
}

export interface KeySwitch {
  readonly fresh: readonly PlannedKey[]
  readonly old: readonly PlannedKey[]
  /** Now, as the configuration writes it. */
  readonly at: string
}

/** The new keys sign from now on, the old ones no more; their records stay published for a while. */
export function switchKeys(file: string, step: KeySwitch, request: LoadRequest): KeysChange {
  return editFile(file, request, (text) => {
    const ended = step.old.reduce((before, key) => setInText(before, [...pathOf(key), 'notAfter'], step.at), text)
    return step.fresh.reduce((before, key) => unsetInText(before, [...pathOf(key), 'active']) ?? before, ended)
  })
}

/** Takes keys out of the configuration, and removes their files if they are ours. */
export function removeKeys(file: string, keys: readonly PlannedKey[], request: LoadRequest): KeysChange {
  const result = editFile(file, request, (text) =>
    keys.toSorted((a, b) => b.index - a.index).reduce((before, key) => unsetInText(before, pathOf(key)) ?? before, text),
  )
  if (result.kind !== 'changed') return result
  const folder = dirname(file)
  for (const { domain, config } of keys) {
    const name = keyFile(domain, config.selector)
    if ('file' in config.key && config.key.file === name) rmSync(join(folder, name), { force: true })
  }
  return result
}

function pathOf({ domainKey, index }: PlannedKey): (string | number)[] {
  return ['dkim', 'keys', domainKey, index]
}

function editFile(file: string, request: LoadRequest, edit: (text: string) => string): KeysChange {
  const text = readConfigText(file, request.cwd)
  const result = judgeChange(text, edit(text), file, request)
  if (result.kind === 'unchanged') throw new Error('an edit that changes nothing')
  if (result.kind === 'changed') writeFileSafely(file, result.text)
  return result
}
