/**
 * A scripted name server that closes when the test has finished.
 */
import { onTestFinished } from 'vitest'
import { openDnsServer, type Script, type TestDnsServer } from './scripted-dns.ts'

export * from './scripted-dns.ts'

export async function startDnsServer(script: Script): Promise<TestDnsServer> {
  const server = await openDnsServer(script)
  onTestFinished(server.close)
  return server
}
