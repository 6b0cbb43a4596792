/**
 * A test CA and certificates from it, made by openssl in a folder of the test's own.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface TestCa {
  readonly caPath: string
  /** Key and certificate for these names (`relay.test`, `127.0.0.1`). */
  issue(name: string, subjects: readonly string[]): { readonly certPath: string; readonly keyPath: string }
}

export function makeTestCa(folder: string): TestCa {
  const at = (name: string): string => join(folder, name)
  openssl([
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=Postern test CA',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  ])
  return {
    caPath: at('ca.pem'),
    issue(name, subjects) {
      const san = subjects.map((subject) => (/^[\d.]+$|:/.test(subject) ? `IP:${subject}` : `DNS:${subject}`)).join(',')
      writeFileSync(at(`${name}.ext`), `subjectAltName=${san}\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n`)
      openssl([
        'req',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        `/CN=${subjects[0]}`,
        '-keyout',
        at(`${name}.key`),
        '-out',
        at(`${name}.csr`),
      ])
      openssl([
        'x509',
        '-req',
        '-in',
        at(`${name}.csr`),
        '-CA',
        at('ca.pem'),
        '-CAkey',
        at('ca.key'),
        '-CAcreateserial',
        '-days',
        '2',
        '-extfile',
        at(`${name}.ext`),
        '-out',
        at(`${name}.pem`),
      ])
      return { certPath: at(`${name}.pem`), keyPath: at(`${name}.key`) }
    },
  }
}

export function readPem(path: string): string {
  return readFileSync(path, 'utf8')
}

function openssl(args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
