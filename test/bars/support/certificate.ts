/**
 * The certificate of the test fixtures where a server under test may read it.
 */
import { chmodSync, copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './server.ts'

/** As `tls` of the configuration wants it. */
export function copyCertificate(folder: string): { readonly cert: string; readonly key: string } {
  const paths = { cert: join(folder, 'one.pem'), key: join(folder, 'one.key') }
  copyFileSync(join(ROOT, 'test/fixtures/tls/one.pem'), paths.cert)
  copyFileSync(join(ROOT, 'test/fixtures/tls/one.key'), paths.key)
  chmodSync(paths.key, 0o600)
  return paths
}
