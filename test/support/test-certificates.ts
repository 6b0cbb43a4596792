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
  /** The server's first, then those above it that it sends. */
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
  /** Bits of an RSA key instead of the elliptic one. */
  readonly rsaBits?: number
  /** Of the signature: `sha1`, `md5`. */
  readonly digest?: string
  /** Send only the server's own certificate, not the authorities between. */
  readonly alone?: boolean
}
export interface AuthorityOptions {
  readonly name?: string
  /** Without: its certificate says that it may sign nothing. */
  readonly mayIssue?: boolean
  /** Authorities that it allows below itself. */
  readonly pathLength?: number
  /** Bits of an RSA key instead of the elliptic one, which knows no MD5. */
  readonly rsaBits?: number
  readonly notBefore?: string
  readonly notAfter?: string
}
export interface TestAuthority {
  /** PEM, to be trusted. */
  readonly ca: string
  issue(options: CertificateOptions): TestCertificate
  /** Another authority, signed by this one. */
  intermediate(options?: AuthorityOptions): TestAuthority
  /** Removes the folder. */
  remove(): void
}

export function createTestAuthority(name = 'Test CA'): TestAuthority {
  const workshop = new Workshop()
  const id = workshop.newId()
  workshop.newKey(id)
  // Long ago, so that it is valid under a fake clock, too.
  workshop.sign(id, { signer: id, commonName: name, extensions: [CA_EXTENSION], selfSigned: true, notBefore: '20190101000000Z' })
  return authorityOf(workshop, id, '')
}

const CA_EXTENSION = 'basicConstraints=critical,CA:TRUE'

/** `above`: PEM of the authorities between it and the root, itself included. */
function authorityOf(workshop: Workshop, signer: string, above: string): TestAuthority {
  return {
    ca: workshop.read(`${signer}.pem`),
    issue: (options) => {
      const id = workshop.newId()
      workshop.newKey(id, options.rsaBits)
      const usage = options.clientOnly === true ? 'clientAuth' : 'serverAuth'
      const names = options.names === null ? [] : [`subjectAltName=${options.names}`]
      workshop.sign(id, {
        ...options,
        signer,
        commonName: options.commonName ?? 'server',
        extensions: ['basicConstraints=CA:FALSE', `extendedKeyUsage=${usage}`, ...names],
      })
      return { cert: workshop.read(`${id}.pem`) + (options.alone === true ? '' : above), key: workshop.read(`${id}.key`) }
    },
    intermediate: ({ name = 'Between', mayIssue = true, pathLength, rsaBits, ...dates } = {}) => {
      const id = workshop.newId()
      workshop.newKey(id, rsaBits)
      const constraint = mayIssue ? `${CA_EXTENSION}${pathLength === undefined ? '' : `,pathlen:${pathLength}`}` : 'basicConstraints=critical,CA:FALSE'
      workshop.sign(id, { ...dates, signer, commonName: name, extensions: [constraint] })
      return authorityOf(workshop, id, workshop.read(`${id}.pem`) + above)
    },
    remove: () => workshop.remove(),
  }
}

interface Signing {
  readonly signer: string
  readonly commonName: string
  readonly extensions: readonly string[]
  readonly selfSigned?: boolean
  readonly digest?: string
  readonly notBefore?: string
  readonly notAfter?: string
}

/** The folder in which openssl works. */
class Workshop {
  readonly #folder = mkdtempSync(join(tmpdir(), 'postern-ca-'))
  #made = 0

  newId(): string {
    return `c${++this.#made}`
  }

  openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
  }

  read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8')
  }

  newKey(id: string, rsaBits?: number): void {
    const kind = rsaBits === undefined ? ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['RSA', '-pkeyopt', `rsa_keygen_bits:${rsaBits}`]
    this.openssl('genpkey', '-algorithm', ...kind, '-out', `${id}.key`)
  }

  /** `openssl ca` is the one command that takes dates in the past. */
  sign(id: string, { signer, commonName, extensions, selfSigned, digest, notBefore, notAfter }: Signing): void {
    const folder = this.#folder
    writeFileSync(join(folder, `${id}.ext`), extensions.join('\n'))
    this.openssl('req', '-new', '-key', `${id}.key`, '-subj', `/CN=${commonName}`, '-out', `${id}.csr`)
    writeFileSync(join(folder, `${id}.cnf`), caConfig(folder, signer))
    writeFileSync(join(folder, 'index.txt'), '')
    writeFileSync(join(folder, 'serial'), String(1000 + this.#made))
    const dates = [...(notBefore === undefined ? [] : ['-startdate', notBefore]), ...(notAfter === undefined ? ['-days', '3650'] : ['-enddate', notAfter])]
    const by = selfSigned === true ? ['-selfsign', '-keyfile', `${id}.key`] : []
    const files = ['-in', `${id}.csr`, '-extfile', `${id}.ext`, '-out', `${id}.pem`]
    this.openssl('ca', '-batch', '-notext', '-config', `${id}.cnf`, '-md', digest ?? 'sha256', ...by, ...files, ...dates)
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

function caConfig(folder: string, signer: string): string {
  return [
    '[ca]',
    'default_ca=own',
    '[own]',
    `dir=${folder}`,
    `new_certs_dir=${folder}`,
    'database=$dir/index.txt',
    'serial=$dir/serial',
    `certificate=$dir/${signer}.pem`,
    `private_key=$dir/${signer}.key`,
    'default_md=sha256',
    'unique_subject=no',
    'policy=any',
    '[any]',
    'commonName=supplied',
  ].join('\n')
}
