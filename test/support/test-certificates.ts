/**
 * A certificate authority and certificates for tests, made with `openssl` in a temporary folder.
 *
 * Made once per test file that asks; small elliptic keys, so that it takes tens of milliseconds each.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
}
export interface CertificateOptions {
  /** subjectAltName as openssl writes it: `DNS:relay.test,IP:127.0.0.1`; null: none at all. */
  readonly names: string | null
  readonly commonName?: string
  /** From when to when, as openssl reads it: `20200101000000Z`. */
  readonly notBefore?: string
  readonly notAfter?: string
  /** Signed by itself instead of the authority. */
  readonly selfSigned?: boolean
  /** For clients only: the wrong extended key usage for a server. */
  readonly clientOnly?: boolean
}
export interface TestAuthority {
  /** PEM, to be trusted. */
  readonly ca: string
  issue(options: CertificateOptions): TestCertificate
  /** Removes the folder. */
  remove(): void
}

export function createTestAuthority(name = 'Test CA'): TestAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'postern-ca-'))
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const caKey = newKey(openssl, 'ca.key')
  openssl('req', '-x509', '-new', '-key', caKey, '-subj', `/CN=${name}`, '-days', '3650', '-out', 'ca.pem', '-addext', 'basicConstraints=critical,CA:TRUE')
  let made = 0
  return {
    ca: readFileSync(join(folder, 'ca.pem'), 'utf8'),
    issue(options) {
      const id = `c${++made}`
      const key = newKey(openssl, `${id}.key`)
      const usage = options.clientOnly === true ? 'clientAuth' : 'serverAuth'
      const extensions = ['basicConstraints=CA:FALSE', `extendedKeyUsage=${usage}`, ...(options.names === null ? [] : [`subjectAltName=${options.names}`])]
      writeFileSync(join(folder, `${id}.ext`), extensions.join('\n'))
      openssl('req', '-new', '-key', key, '-subj', `/CN=${options.commonName ?? 'server'}`, '-out', `${id}.csr`)
      const dates = [
        ...(options.notBefore === undefined ? [] : ['-startdate', options.notBefore]),
        ...(options.notAfter === undefined ? ['-days', '3650'] : ['-enddate', options.notAfter]),
      ]
      if (options.selfSigned === true) {
        openssl('x509', '-req', '-in', `${id}.csr`, '-signkey', key, '-extfile', `${id}.ext`, '-days', '3650', '-out', `${id}.pem`)
      } else {
        writeFileSync(join(folder, `${id}.cnf`), caConfig(folder))
        writeFileSync(join(folder, 'index.txt'), '')
        writeFileSync(join(folder, 'serial'), String(1000 + made))
        openssl('ca', '-batch', '-notext', '-config', `${id}.cnf`, '-in', `${id}.csr`, '-extfile', `${id}.ext`, '-out', `${id}.pem`, ...dates)
      }
      return { cert: readFileSync(join(folder, `${id}.pem`), 'utf8'), key: readFileSync(join(folder, key), 'utf8') }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function newKey(openssl: (...args: string[]) => unknown, file: string): string {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file)
  return file
}

/** `openssl ca` is the one command that takes dates in the past. */
function caConfig(folder: string): string {
  return [
    '[ca]',
    'default_ca=own',
    '[own]',
    `dir=${folder}`,
    `new_certs_dir=${folder}`,
    'database=$dir/index.txt',
    'serial=$dir/serial',
    'certificate=$dir/ca.pem',
    'private_key=$dir/ca.key',
    'default_md=sha256',
    'unique_subject=no',
    'policy=any',
    '[any]',
    'commonName=supplied',
  ].join('\n')
}
