/**
 * Reads certificates and keys that listeners and relays need, and says what is wrong with them.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { whyUnreadable } from '../core/file-words.ts'
import { type Fault, quote } from './config-errors.ts'
import type { Parsed } from './config-values.ts'

export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}
/** PEM texts. */
export interface CertificatePair {
  readonly cert: string
  readonly key: string
}
/** `which` is the key under which the faulty file stands. */
export interface CertificateFault {
  readonly which: 'cert' | 'key'
  readonly fault: Fault
}

export function readPem(path: string, folder: string): Parsed<string> {
  try {
    return { value: readFileSync(resolve(folder, path), 'utf8') }
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ENOENT')
      return { fault: { code: 'tls-unreadable', message: `${quote(path)} cannot be read: ${whyUnreadable(fault)}`, remedy: 'Check its owner and mode.' } }
    return {
      fault: {
        code: 'tls-file-missing',
        message: `${quote(path)} does not exist`,
        remedy: 'Check the path; relative ones start from the folder of the configuration file.',
      },
    }
  }
}

/** The pair, and a warning if the certificate is not valid at `nowMs`. */
export function readCertificatePair(
  files: CertificateFiles,
  folder: string,
  nowMs: number,
): { readonly pair: CertificatePair | null; readonly faults: readonly CertificateFault[] } {
  const cert = readPem(files.cert, folder)
  const key = readPem(files.key, folder)
  if ('fault' in cert) return { pair: null, faults: [{ which: 'cert', fault: cert.fault }] }
  if ('fault' in key) return { pair: null, faults: [{ which: 'key', fault: key.fault }] }
  const pair = { cert: cert.value, key: key.value }
  const faults = faultsOfPair(pair, files, nowMs)
  return { pair: faults.some(({ fault }) => fault.code !== 'tls-expired') ? null : pair, faults }
}

function faultsOfPair(pair: CertificatePair, files: CertificateFiles, nowMs: number): CertificateFault[] {
  const certificate = attempt(() => new X509Certificate(pair.cert))
  if (certificate === null) return [{ which: 'cert', fault: { code: 'tls-invalid', message: `${quote(files.cert)} holds no certificate in PEM form` } }]
  const key = attempt(() => createPrivateKey(pair.key))
  if (key === null)
    return [
      {
        which: 'key',
        fault: {
          code: 'tls-invalid',
          message: `${quote(files.key)} holds no private key in PEM form, or one with a passphrase`,
          remedy: 'Remove the passphrase: openssl pkey -in OLD -out NEW.',
        },
      },
    ]
  if (!certificate.checkPrivateKey(key)) {
    return [
      {
        which: 'key',
        fault: {
          code: 'tls-mismatch',
          message: `the key ${quote(files.key)} does not belong to the certificate ${quote(files.cert)}`,
          remedy: 'The certificate of the server must come first in its file.',
        },
      },
    ]
  }
  if (attempt(() => createSecureContext(pair)) === null)
    return [
      {
        which: 'cert',
        fault: { code: 'tls-invalid', message: `OpenSSL refuses ${quote(files.cert)}`, remedy: 'Look for a broken chain, a weak signature or a short key.' },
      },
    ]
  return outOfDate(certificate, files, nowMs)
}

function outOfDate(certificate: X509Certificate, files: CertificateFiles, nowMs: number): CertificateFault[] {
  const [state, date] =
    certificate.validToDate.getTime() < nowMs
      ? ['expired on', certificate.validToDate]
      : certificate.validFromDate.getTime() > nowMs
        ? ['is not valid before', certificate.validFromDate]
        : [null, null]
  if (date === null) return []
  return [
    {
      which: 'cert',
      fault: {
        code: 'tls-expired',
        message: `the certificate ${quote(files.cert)} ${state} ${date.toISOString().slice(0, 10)}`,
        remedy: 'Renew it; clients that verify will refuse it.',
      },
    },
  ]
}

function attempt<Value>(make: () => Value): Value | null {
  try {
    return make()
  } catch {
    // OpenSSL's text names functions of its own; the caller says which file it is.
    return null
  }
}
