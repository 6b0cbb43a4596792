/**
 * Reads secrets from where the configuration says they are. Never logs, quotes or keeps them, with
 * one exception: see `secretReader`.
 *
 * A file must be closed to group and others; a systemd credential is protected by systemd.
 */

import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { isAbsolute, join, resolve } from 'node:path'
import { whyUnreadable } from '../core/file-words.ts'
import { type Fault, quote } from './config-errors.ts'
import type { SecretReference } from './config-scalars.ts'
import type { Parsed } from './config-values.ts'

export interface SecretPlaces {
  /** What relative paths start from. */
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
}
const SECRET_OCTETS_MAX = 64 * 1024

/** What a secret is for, in sentences. */
export type SecretNoun = 'password' | 'key'

/** The secret now, or what keeps us from it; the line end of a file is not part of it. */
export function readSecret(reference: SecretReference, places: SecretPlaces): Parsed<string> {
  const found = readSecretText(reference, places, 'password')
  if ('fault' in found) return found
  const value = found.value.replace(/\r?\n$/, '')
  if (value === '' || /[\0\r\n]/.test(value))
    return {
      fault: {
        code: 'secret-empty',
        message: `${describeSecret(reference)} ${value === '' ? 'is empty' : 'is more than one line'}`,
        remedy: 'It must hold the password and nothing else.',
      },
    }
  return { value }
}

/** The same for a secret of any number of lines. */
export function readSecretText(reference: SecretReference, places: SecretPlaces, noun: SecretNoun): Parsed<string> {
  if ('env' in reference) return fromEnvironment(reference.env, places)
  if ('file' in reference) return fromFile({ path: resolve(places.folder, reference.file), shown: reference.file, noun }, true)
  return fromCredential(reference.credential, places, noun)
}

/**
 * Asks for the secret at each call, so that a changed file is seen. After root was given up a file
 * of root's can no longer be read: then the value read before stands, or that of `before`, the
 * reader it replaces. Throws an Error that names the place.
 */
export function secretReader(reference: SecretReference, places: SecretPlaces, before: (() => string) | null): () => string {
  let last = readSecret(reference, places)
  if ('fault' in last && last.fault.code === 'secret-unreadable' && before !== null) last = { value: before() }
  return () => {
    const now = readSecret(reference, places)
    if (!('fault' in now) || now.fault.code !== 'secret-unreadable' || 'fault' in last) last = now
    if ('fault' in last) throw new Error(last.fault.message)
    return last.value
  }
}

/** `file secrets/jira`, `environment variable X`, `systemd credential X`: never the secret. */
export function describeSecret(reference: SecretReference): string {
  if ('file' in reference) return `file ${reference.file}`
  return 'env' in reference ? `environment variable ${reference.env}` : `systemd credential ${reference.credential}`
}

function fromEnvironment(name: string, { env }: SecretPlaces): Parsed<string> {
  const value = env[name]
  if (value !== undefined) return { value }
  return {
    fault: {
      code: 'secret-missing',
      message: `environment variable ${name} is not set`,
      remedy: 'Set it where Postern is started, for example with EnvironmentFile= in its systemd unit.',
    },
  }
}

function fromCredential(name: string, { env }: SecretPlaces, noun: SecretNoun): Parsed<string> {
  const folder = env.CREDENTIALS_DIRECTORY
  if (folder === undefined || !isAbsolute(folder)) {
    return {
      fault: {
        code: 'secret-missing',
        message: `systemd credential ${name} is not there: $CREDENTIALS_DIRECTORY is not set`,
        remedy: `Start Postern by a systemd unit with LoadCredential=${name}:/path/to/file.`,
      },
    }
  }
  return fromFile({ path: join(folder, name), shown: `systemd credential ${name}`, noun }, false)
}

interface SecretFile {
  readonly path: string
  /** As people know it. */
  readonly shown: string
  readonly noun: SecretNoun
}

function fromFile(file: SecretFile, closed: boolean): Parsed<string> {
  const { path, shown, noun } = file
  let descriptor: number | null = null
  try {
    descriptor = openSync(path, 'r')
    const stat = fstatSync(descriptor)
    if (!stat.isFile() || stat.size > SECRET_OCTETS_MAX)
      return { fault: { code: 'secret-unreadable', message: `${quote(shown)} is not a file with a ${noun}` } }
    if (closed && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      return { fault: { code: 'secret-exposed', message: `${quote(shown)} can be read by others (mode ${mode})`, remedy: `Run: chmod 600 ${path}` } }
    }
    return { value: readFileSync(descriptor, 'utf8') }
  } catch (fault) {
    return { fault: faultOf(fault, file) }
  } finally {
    if (descriptor !== null) closeSync(descriptor)
  }
}

function faultOf(fault: unknown, { path, shown, noun }: SecretFile): Fault {
  if ((fault as NodeJS.ErrnoException).code === 'ENOENT')
    return { code: 'secret-missing', message: `${quote(shown)} does not exist`, remedy: `Write the ${noun} into ${path} and run: chmod 600 ${path}` }
  return {
    code: 'secret-unreadable',
    message: `${quote(shown)} cannot be read: ${whyUnreadable(fault)}`,
    remedy: 'It must belong to the user that Postern runs as.',
  }
}
